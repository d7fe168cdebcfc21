"""The slate of a mail: made once, from what its campaign is pinned to, and changed only where it would embarrass.

What was recorded stays, position by position. A product that may not be shown any more (sold out, hidden by the shop,
just bought, dismissed) gives its place to the next best one, and has it back when it may be shown again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from models.data.catalogue import Catalogue
from models.data.events import DAY, DISMISS, HOUR, PURCHASE, RATING, RETURN, Events
from models.data.timestamps import format_timestamp
from models.mail.mailings import CustomerMail, MailKind, products_of
from models.mail.occasions import MailOccasion
from models.mail.recipient import StoreFacts
from models.recommender import NOBODY, Recommender
from models.rules.eligibility import ExclusionRule
from models.rules.rule_effects import CapCounter
from models.slate import FallbackReason, Reason, ReasonKind, SlateRequest, Slot, Source, Strategy
from models.updates.customer import allows
from service.answering.answer import prepare_answer
from service.answering.query import RecommendationQuery, StoreKnowledge
from service.answering.render import RenderedAnswer, slate_content
from service.model.live_catalogue import LiveCatalogue
from service.signing.click_links import ClickLinks
from service.store.campaigns import Campaign, Record

HANDLED: Final = (
    PURCHASE,
    RETURN,
    DISMISS,
)  # who has done this with a product wants no mail about it
Letters = Callable[[SlateRequest], CustomerMail]


@dataclass(frozen=True)
class CampaignMail:
    """What the store knows of one mail."""

    campaign: Campaign
    ref: bytes
    record: Mapping[str, Any] | None  # what it has shown already
    before: tuple[str, ...]  # products of the mails before it

    @property
    def kind(self) -> MailKind:
        return MailKind(self.campaign.kind)


@dataclass(frozen=True)
class ShownMail:
    """What a mail shows, as its record holds it, in the words of one catalogue."""

    strategy: Strategy
    fallback_reason: FallbackReason | None
    slots: tuple[Slot | None, ...]  # None: the catalogue does not know it any more
    model_version: str
    as_of: int  # seconds since 1970, UTC
    occasion: Mapping[str, Any] | None


@dataclass(frozen=True)
class ComposedMail:
    """An answer, and what the store is to keep of it."""

    answer: RenderedAnswer
    document: str | None = None  # the record of a mail that has none
    also: tuple[str, ...] = ()  # products that the record does not hold: they stand in for others


def began(campaign: Campaign, clock: int) -> int:
    """What was recorded up to then is of a mailing before: the window of a mail ends with that of its campaign."""
    window = clock - campaign.window_hours * HOUR
    return window if MailKind(campaign.kind).triggered else max(window, campaign.opened - 1)


def mail_of(campaign: Campaign, ref: bytes, history: Sequence[Record], clock: int) -> CampaignMail:
    """`history`: what campaigns showed the customer, newest first."""
    after, record = began(campaign, clock), None
    before: list[str] = []
    others: dict[str, list[Record]] = {}
    for shown in history:
        # What this campaign shows now does not count, and what it showed last week does.
        if shown.campaign_id == campaign.campaign_id and shown.time > after:
            facts = orjson.loads(shown.document)
            before += facts["before"]
            record = facts if shown.ref == ref else record
        else:
            others.setdefault(shown.campaign_id, []).append(shown)
    newest = list(others.values())[: campaign.not_twice]
    before += chain.from_iterable(
        products_of(orjson.loads(shown.document)) for shown in chain(*newest)
    )
    return CampaignMail(campaign, ref, record, tuple(dict.fromkeys(before)))


def made(
    shop: LiveCatalogue,
    question: RecommendationQuery,
    links: ClickLinks,
    known: StoreKnowledge,
    sent: CampaignMail,
    handled: Sequence[str],
    moment: int,
    keep_days: int,
) -> ComposedMail:
    """`moment`: what happened after it does not count.

    `handled`: products that the customer bought, returned, dismissed or rated low since the mail was made.
    """
    recommender, customer_id = shop.model.recommender, question.customer_id or ""
    resolved, writer = prepare_answer(shop, question, links, known, moment)
    user = NOBODY if known.update.forgotten else recommender.model.customers.ids.find(customer_id)
    request = recommender.at_home(user, resolved.request)
    # Who does not want to be known gets what everyone gets.
    allowed = allows(recommender.model.customers, user, request.purpose, known.update)
    record = sent.record if allowed else None
    facts = _facts(shop, question, sent.kind, known)
    before = _items(recommender, sent.before) if allowed else ()

    def letter(request: SlateRequest) -> CustomerMail:
        return CustomerMail(
            recommender, sent.kind, customer_id, request, known.update, facts, before
        )

    if record:
        shown = _read(record, recommender.catalogue)
    else:
        shown = _shown(letter(request), request, shop.model.version, moment)
    now = (
        request.as_of if question.as_of is not None else max(moment, known.newest or 0)
    ) or moment
    unwanted = (
        [*_items(recommender, handled), *_handled_since(known.update.events, shown.as_of, now)]
        if allowed
        else []
    )
    struck_out = set(known.update.unused.tolist()) if allowed else set()
    slots = _presentable(recommender, shown, request, now, unwanted, struck_out, letter)
    occasion = shown.occasion
    if record and occasion and (unwanted or slots != shown.slots):  # it may be over
        occasion = _told(sent.kind, letter(request.without(unwanted)).occasion)
    maker, expires = (
        replace(shop.model, version=shown.model_version),
        sent.campaign.closes + keep_days * DAY,
    )
    writer = replace(writer, model=maker, data_as_of=shown.as_of, ref=sent.ref, expires=expires)
    products = [writer.render_slot(slot) for slot in slots]
    answer = writer.render(
        shown.strategy, shown.fallback_reason, products, slate_content(products), occasion
    )
    if record:
        held = products_of(record)
        return ComposedMail(
            answer, also=tuple(product["id"] for product in products if product["id"] not in held)
        )
    if not allowed or known.update.forgotten or (sent.kind.triggered and not shown.occasion):
        return ComposedMail(answer)
    document = _document(
        replace(shown, slots=slots), recommender.catalogue, known.number, sent.before
    )
    return ComposedMail(answer, document)


def learned_since(recommender: Recommender, customer_id: str, as_of: int) -> list[str]:
    """What a model has learned that the customer bought, returned, dismissed or rated low after a moment."""
    user = recommender.model.customers.ids.find(customer_id)
    if user < 0:
        return []
    learned = recommender.model.histories.of(user)
    later = _is_handled(learned) & (learned.time > as_of)
    return [recommender.catalogue.ids[item] for item in learned.item[later].tolist()]


def _is_handled(events: Events) -> NDArray[np.bool_]:
    handled: NDArray[np.bool_] = np.isin(events.kind, HANDLED) | (
        (events.kind == RATING) & (events.weight < 0)
    )
    return handled


def _handled_since(events: Events, after: int, until: int) -> list[int]:
    later = (after < events.time) & (events.time <= until)
    handled: list[int] = events.item[later & _is_handled(events)].tolist() if later.any() else []
    return handled


def _items(recommender: Recommender, ids: Sequence[str]) -> tuple[int, ...]:
    return tuple(item for item in recommender.catalogue.ids.find_all(ids).tolist() if item >= 0)


def _presentable(
    recommender: Recommender,
    shown: ShownMail,
    request: SlateRequest,
    now: int,
    unwanted: Sequence[int],
    struck_out: set[int],
    letter: Letters,
) -> tuple[Slot, ...]:
    """The same slots without what would embarrass the shop now; what comes in its place is the best of the rest."""
    current = replace(request.without(unwanted), as_of=now)
    removed = recommender.find_filtered(current)
    held = [
        slot
        if slot
        and removed.item(slot.item) == ExclusionRule.NONE
        and struck_out.isdisjoint(slot.reason.items)
        else None
        for slot in shown.slots
    ]
    if None in held:
        room = CapCounter(
            recommender.rule_effects(current).caps, request.n, [slot.item for slot in held if slot]
        )
        named = [*unwanted, *(slot.item for slot in shown.slots if slot)]
        # Of twice as many, as caps may leave no room for some.
        rest = letter(replace(request.without(named), n=2 * request.n)).slate.slots
        instead = (
            slot
            for slot in rest
            if removed[slot.item] == ExclusionRule.NONE and room.take(slot.item)
        )
        held = [slot or next(instead, None) for slot in held]
    return tuple(slot for slot in held if slot)


def _facts(
    shop: LiveCatalogue, question: RecommendationQuery, kind: MailKind, known: StoreKnowledge
) -> StoreFacts:
    ids, until = shop.model.recommender.catalogue.ids, question.as_of
    back = shop.restocked if kind is MailKind.BACK_IN_STOCK else {}
    items = ids.find_all([*known.order, *back])
    order, restocked = items[: len(known.order)].tolist(), items[len(known.order) :].tolist()
    return StoreFacts(
        tuple(item for item in order if item >= 0),
        {
            item: when
            for item, when in zip(restocked, back.values(), strict=True)
            if item >= 0 and (until is None or when <= until)
        },
    )


def _told(kind: MailKind, occasion: MailOccasion | None) -> dict[str, Any] | None:
    return (
        None
        if occasion is None
        else {"kind": kind, "text": occasion.text, "until": format_timestamp(occasion.until)}
    )


def _shown(
    letter: CustomerMail, request: SlateRequest, model_version: str, moment: int
) -> ShownMail:
    slate, occasion = letter.slate, _told(letter.mailing, letter.occasion)
    as_of = request.as_of or moment
    return ShownMail(
        slate.strategy, slate.fallback_reason, slate.slots, model_version, as_of, occasion
    )


def _document(shown: ShownMail, catalogue: Catalogue, number: int, before: Sequence[str]) -> str:
    products = [
        (
            catalogue.ids[slot.item],
            round(float(slot.score), 6),
            slot.source,
            slot.reason.kind,
            [catalogue.ids[item] for item in slot.reason.items],
            slot.reason.text,
        )
        for slot in shown.slots
        if slot
    ]
    facts = {
        "strategy": shown.strategy,
        "fallback_reason": shown.fallback_reason,
        "model_version": shown.model_version,
        "as_of": shown.as_of,
        "number": number,  # every change of the store up to it was known
        "occasion": shown.occasion,
        "products": products,
        "also": (),  # what stood in for one of them later
        "before": before,  # what was not to be shown again
    }
    return orjson.dumps(facts).decode()


def _read(facts: Mapping[str, Any], catalogue: Catalogue) -> ShownMail:
    slots: list[Slot | None] = []
    for product_id, score, source, kind, evidence, text in facts["products"]:
        item, *because = catalogue.ids.find_all([product_id, *evidence]).tolist()
        reason = Reason(ReasonKind(kind), tuple(other for other in because if other >= 0), text)
        slots.append(Slot(item, score, Source(source), reason) if item >= 0 else None)
    why = facts["fallback_reason"]
    return ShownMail(
        Strategy(facts["strategy"]),
        FallbackReason(why) if why else None,
        tuple(slots),
        facts["model_version"],
        facts["as_of"],
        facts["occasion"],
    )
