"""Kinds of mail: for which customers each is due now, why, until when, and what leads its slate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from typing import Any, Final

from models.assembly.diversity import diversify
from models.mail import occasions
from models.mail.occasions import MailOccasion
from models.mail.recipient import NO_STORE_FACTS, MailRecipient, StoreFacts
from models.recommender import NOBODY, Recommender
from models.rules.filters import Repeat
from models.rules.rule_effects import insert_pinned
from models.slate import ScoreKind, Slate, SlateRequest, Slot, Source, Strategy, fallback_reason_of
from models.updates.customer import NO_UPDATE, CustomerUpdate


class MailKind(StrEnum):
    NEWSLETTER = "newsletter"
    WELCOME = "welcome"
    POST_PURCHASE = "post_purchase"
    REPLENISHMENT = "replenishment"
    WIN_BACK = "win_back"
    BACK_IN_STOCK = "back_in_stock"
    BASKET = "basket"
    NEW_FOR_YOU = "new_for_you"


@dataclass(frozen=True)
class Mailing:
    """One kind of mail. To add one, write its occasion and register it in MAILINGS."""

    kind: MailKind
    # Finds when it is due for a recipient, with its products and its text; None: always, for anyone
    find_occasion: Callable[[MailRecipient], MailOccasion | None] | None = None
    triggered: bool = True  # mailed when something happens to one customer, not to all at once
    repeat: Repeat | None = None  # of its slate, whatever the request says
    reads_restocked: bool = False  # its occasion depends on what came back into stock


REGISTERED: Final = (
    Mailing(MailKind.NEWSLETTER, triggered=False),
    # A customer who came to know a few products should come to know the shop
    Mailing(MailKind.WELCOME, occasions.welcome, repeat=Repeat.EXCLUDE),
    Mailing(MailKind.POST_PURCHASE, occasions.post_purchase),
    Mailing(MailKind.REPLENISHMENT, occasions.replenishment),
    Mailing(MailKind.WIN_BACK, occasions.win_back),
    Mailing(MailKind.BACK_IN_STOCK, occasions.back_in_stock, reads_restocked=True),
    Mailing(MailKind.BASKET, occasions.basket),
    Mailing(MailKind.NEW_FOR_YOU, occasions.new_for_you, triggered=False),
)
MAILINGS: Final[Mapping[str, Mailing]] = {mailing.kind: mailing for mailing in REGISTERED}


def shown_products(record: Mapping[str, Any]) -> list[str]:
    """Return the ids of all that a mail showed, from its record in the store."""
    return [*(product[0] for product in record["products"]), *record["also"]]


@dataclass(frozen=True, eq=False)
class CustomerMail:
    """One mail to one customer. Nothing is computed before it is needed, and nothing twice."""

    recommender: Recommender
    mailing: Mailing
    customer_id: str
    request: SlateRequest
    update: CustomerUpdate = NO_UPDATE
    facts: StoreFacts = NO_STORE_FACTS
    already_shown: tuple[int, ...] = ()  # by earlier mails: not again, unless the mail is about it

    @cached_property
    def occasion(self) -> MailOccasion | None:
        """Return None where the mail is not due for this customer, or they are not personalised.

        A newsletter has none and goes to all.
        """
        recipient, find_occasion = self._recipient, self.mailing.find_occasion
        if find_occasion is None:
            return None
        if self.recommender.refusal(self.customer_id, recipient.request, self.update):
            return None
        return find_occasion(recipient)

    @cached_property
    def slate(self) -> Slate:
        """Return the products of the occasion, then the ordinary ones; `strict`: the former alone.

        Where there is no occasion it is the ordinary slate. Nothing of `facts.order` is in either.
        """
        recommender, recipient = self.recommender, self._recipient
        if self.occasion is None:
            return recommender.recommend(self.customer_id, self.ordinary, self.update)
        lead, pins = self.occasion.slots, recommender.rule_effects(recipient.request).pins
        if self.request.strict or (len(lead) == self.request.n and not pins):
            return Slate(Strategy.PERSONAL, fallback_reason_of(lead), lead, ScoreKind.OCCASION)
        rest = recipient.request.without([*(slot.item for slot in lead), *self.already_shown])
        # Without events there is no context: the order may be all that is known of the customer
        if len(recipient.events):
            slate = recommender.build_slate(recipient.context, rest)
        else:
            slate = recommender.recommend(self.customer_id, rest, self.update)
        return _lead_slate(recommender, recipient.request, lead, slate) if lead else slate

    @property
    def ordinary(self) -> SlateRequest:
        """Return the request that is answered without an occasion."""
        return self.request.without([*self.facts.order, *self.already_shown])

    @cached_property
    def _recipient(self) -> MailRecipient:
        recommender, user = self.recommender, NOBODY
        if not self.update.forgotten:
            user = recommender.model.customers.ids.find(self.customer_id)
        request = recommender.at_home(user, self.request).without(self.facts.order)
        request = recommender.as_told(user, request, self.update)
        if self.mailing.repeat is not None:
            request = replace(request, repeat=self.mailing.repeat)
        return MailRecipient(
            recommender, user, request, self.update, self.facts, self.already_shown
        )


def _lead_slate(
    recommender: Recommender, request: SlateRequest, lead: tuple[Slot, ...], slate: Slate
) -> Slate:
    """Put leading products before those of a slate, around what the shop pins, under its caps.

    The mail is not about the others: they have the score 0.
    """
    others = [replace(slot, score=0.0) for slot in slate.slots]
    effects = recommender.rule_effects(request)
    pinned_items = {item for _, item in effects.pins}
    pinned = {
        position: slot
        for position, slot in enumerate(others)
        if slot.source == Source.PINNED and slot.item in pinned_items
    }
    choice = [*lead, *others]
    order = diversify(
        [slot.item for slot in choice],
        request.n,
        recommender.families,
        [slot.item for slot in pinned.values()],
        effects.caps,
    )
    slots = tuple(insert_pinned([choice[index] for index in order], pinned))
    return Slate(Strategy.PERSONAL, fallback_reason_of(slots), slots, ScoreKind.OCCASION)
