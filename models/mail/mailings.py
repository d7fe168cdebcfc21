"""What kind of mail a campaign is: whom it is for now, why, until when, and which products lead its slate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from typing import Any, Final

from models.mail import occasions
from models.mail.occasions import MailOccasion
from models.mail.recipient import NO_STORE_FACTS, MailRecipient, StoreFacts
from models.recommender import NOBODY, Recommender
from models.rules.filters import Repeat
from models.rules.rule_effects import CapCounter, insert_pinned
from models.slate import Slate, SlateRequest, Slot, Source, Strategy, fallback_reason_of
from models.updates.customer import NO_UPDATE, CustomerUpdate, allows


class MailKind(StrEnum):
    NEWSLETTER = "newsletter"
    WELCOME = "welcome"
    POST_PURCHASE = "post_purchase"
    REPLENISHMENT = "replenishment"
    WIN_BACK = "win_back"
    BACK_IN_STOCK = "back_in_stock"
    BASKET = "basket"
    NEW_FOR_YOU = "new_for_you"

    @property
    def triggered(self) -> bool:
        """Whether it is mailed when something happens to one customer; the others go to all at once."""
        return self not in (MailKind.NEWSLETTER, MailKind.NEW_FOR_YOU)


def products_of(record: Mapping[str, Any]) -> list[str]:
    """The ids of all that a mail showed, from its record in the store."""
    return [*(product[0] for product in record["products"]), *record["also"]]


# A newsletter needs none: it is for anyone, at any time.
OCCASIONS: Final[Mapping[MailKind, Callable[[MailRecipient], MailOccasion | None]]] = {
    MailKind.WELCOME: occasions.welcome,
    MailKind.POST_PURCHASE: occasions.post_purchase,
    MailKind.REPLENISHMENT: occasions.replenishment,
    MailKind.WIN_BACK: occasions.win_back,
    MailKind.BACK_IN_STOCK: occasions.back_in_stock,
    MailKind.BASKET: occasions.basket,
    MailKind.NEW_FOR_YOU: occasions.new_for_you,
}


@dataclass(frozen=True, eq=False)
class CustomerMail:
    """One mail to one customer. Nothing is computed before it is asked for, and nothing twice."""

    recommender: Recommender
    mailing: MailKind
    customer_id: str
    request: SlateRequest
    since: CustomerUpdate = NO_UPDATE
    facts: StoreFacts = NO_STORE_FACTS
    before: tuple[int, ...] = ()  # shown by earlier mails: not again, unless the mail is about it

    @cached_property
    def occasion(self) -> MailOccasion | None:
        """None where it is not due for this customer, or consent refuses. A newsletter has none and goes to all."""
        one, find = self._addressee, OCCASIONS.get(self.mailing)
        if find is None or not allows(
            self.recommender.model.customers, one.user, one.request.purpose, self.since
        ):
            return None
        return find(one)

    @cached_property
    def slate(self) -> Slate:
        """The products of the occasion, then the ordinary ones; `strict`: the former alone.

        Where there is no occasion it is the ordinary slate. Nothing of `facts.order` stands in either.
        """
        recommender, one = self.recommender, self._addressee
        if self.occasion is None:
            return recommender.recommend(self.customer_id, self.ordinary, self.since)
        lead, pins = self.occasion.slots, recommender.rule_effects(one.request).pins
        if self.request.strict or (len(lead) == self.request.n and not pins):
            return Slate(Strategy.PERSONAL, fallback_reason_of(lead), lead)
        rest = one.request.without([*(slot.item for slot in lead), *self.before])
        # Who is not known by anything but the order is not known by a case.
        known = len(one.events) > 0
        slate = (
            recommender.build_slate(one.case, rest)
            if known
            else recommender.recommend(self.customer_id, rest, self.since)
        )
        return _led(recommender, one.request, lead, slate) if lead else slate

    @property
    def ordinary(self) -> SlateRequest:
        """What is asked for without an occasion."""
        return self.request.without([*self.facts.order, *self.before])

    @cached_property
    def _addressee(self) -> MailRecipient:
        user = (
            NOBODY
            if self.since.forgotten
            else self.recommender.model.customers.ids.find(self.customer_id)
        )
        request = self.recommender.at_home(user, self.request).without(self.facts.order)
        if self.mailing is MailKind.WELCOME:
            # Who came to know a few products should come to know the shop.
            request = replace(request, repeat=Repeat.EXCLUDE)
        return MailRecipient(self.recommender, user, request, self.since, self.facts, self.before)


def _led(
    recommender: Recommender, request: SlateRequest, lead: tuple[Slot, ...], slate: Slate
) -> Slate:
    """The leading products and those of a slate without them, around what the shop pins, as its caps allow."""
    shelf = recommender.rule_effects(request)
    pinned = {item for _, item in shelf.pins}
    seats = {
        spot: slot
        for spot, slot in enumerate(slate.slots)
        if slot.source is Source.PINNED and slot.item in pinned
    }
    room = CapCounter(shelf.caps, request.n, [slot.item for slot in seats.values()])
    rest = [slot for slot in (*lead, *slate.slots) if room.take(slot.item)]
    slots = tuple(insert_pinned(rest[: request.n - len(seats)], seats))
    return Slate(Strategy.PERSONAL, fallback_reason_of(slots), slots)
