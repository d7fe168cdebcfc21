"""The slate of a mail: made once, from what its campaign is pinned to, and changed only where it would embarrass.

What was recorded stays, position by position. A product that may not be shown any more (sold out, hidden by the shop,
just bought, dismissed) gives its place to the next best one, and has it back when it may be shown again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, Final

import numpy as np
import orjson

from models import rules
from models.catalogue import Catalogue
from models.events import DAY, DISMISS, HOUR, PURCHASE, RETURN
from models.live import Since
from models.mailings import Facts, Letter, Mailing, Occasion
from models.moments import iso
from models.recommender import NOBODY, Recommender
from models.rules import Rule
from models.slate import FallbackReason, Reason, ReasonKind, Slate, SlateRequest, Slot, Source, Strategy
from service.answers import opened
from service.body import Answer, content_of
from service.links import Links
from service.questions import Known, Question
from service.shop import Shop
from service.store.campaigns import Campaign, Record

HANDLED: Final = (PURCHASE, RETURN, DISMISS)  # who has done this with a product wants no mail about it
Fresh = Callable[[Iterable[int]], Letter]


@dataclass(frozen=True)
class Mail:
    """What the store knows of one mail."""

    campaign: Campaign
    ref: bytes
    record: Mapping[str, Any] | None  # what it has shown already
    before: tuple[str, ...]  # products of the mails before it

    @property
    def kind(self) -> Mailing:
        return Mailing(self.campaign.kind)


@dataclass(frozen=True)
class Shown:
    """What a mail shows, as its record holds it, in the words of one catalogue."""

    slate: Slate
    n: int  # asked for when it was made
    model_version: str
    as_of: int  # seconds since 1970, UTC
    occasion: Mapping[str, Any] | None


def mail_of(campaign: Campaign, ref: bytes, history: Sequence[Record], clock: int) -> Mail:
    """`history`: what campaigns showed the customer, newest first."""
    after = clock - campaign.window_hours * HOUR
    record = next((orjson.loads(shown.document) for shown in history if shown.ref == ref and shown.time > after), None)
    others: dict[str, list[Record]] = {}
    for shown in history:
        # What this campaign shows now does not count, and what it showed last week does.
        if shown.campaign_id != campaign.campaign_id or shown.time <= after:
            others.setdefault(shown.campaign_id, []).append(shown)
    newest = list(others.values())[: campaign.not_twice]
    products = (product[0] for shown in chain(*newest) for product in orjson.loads(shown.document)["products"])
    return Mail(campaign, ref, record, tuple(dict.fromkeys(products)))


def made(
    shop: Shop,
    question: Question,
    links: Links,
    known: Known,
    sent: Mail,
    handled: Sequence[str],
    moment: int,
    keep_days: int,
) -> tuple[Answer, str | None]:
    """The answer, and what is to be recorded where nothing is. `moment`: what happened after it does not count.

    `handled`: products that the customer bought, returned or dismissed since the mail was made.
    """
    recommender, customer_id = shop.model.recommender, question.customer_id or ""
    resolved, writer = opened(shop, question, links, known, moment)
    user = NOBODY if known.since.forgotten else recommender.model.customers.ids.find(customer_id)
    request = recommender.at_home(user, resolved.request)
    allowed = recommender.model.customers.allows(user, request.purpose, known.since)
    facts = _facts(shop, sent.kind, known)
    # Who does not want to be known gets what everyone gets.
    repeated = recommender.catalogue.ids.find_all(sent.before).tolist() if allowed else []
    before = {item for item in repeated if item >= 0}

    def fresh(without: Iterable[int] = ()) -> Letter:
        exclude = tuple(sorted({*request.filters.exclude, *before, *without}))
        asked = replace(request, filters=replace(request.filters, exclude=exclude))
        return Letter(recommender, sent.kind, customer_id, asked, known.since, facts)

    document = None
    if sent.record is not None and allowed:
        shown = _read(sent.record, recommender.catalogue)
    else:
        letter = fresh()
        told = _told(sent.kind, letter.occasion)
        shown = Shown(letter.slate, request.n, shop.model.version, request.as_of or moment, told)
    now = request.as_of if question.options.as_of is not None else max(moment, known.newest or 0)
    unwanted = [item for item in recommender.catalogue.ids.find_all(handled).tolist() if item >= 0]
    slate = _presentable(recommender, shown, request, now or moment, known.since, unwanted, fresh)
    if sent.record is None and allowed and not known.since.forgotten and (shown.occasion or not sent.kind.triggered):
        document = _document(replace(shown, slate=slate), recommender.catalogue, known.number)
    writer = replace(
        writer,
        model=replace(shop.model, version=shown.model_version),
        now=shown.as_of,
        ref=sent.ref,
        expires=sent.campaign.closes + keep_days * DAY,
    )
    products = [writer.slot(slot) for slot in slate.slots]
    content = content_of(products)
    return writer.answer(slate.strategy, slate.fallback_reason, products, content, shown.occasion), document


def learned_since(recommender: Recommender, customer_id: str, as_of: int) -> list[str]:
    """What a model has learned that the customer bought, returned or dismissed after a moment."""
    user = recommender.model.customers.ids.find(customer_id)
    if user < 0:
        return []
    learned = recommender.model.histories.of(user)
    later = np.isin(learned.kind, HANDLED) & (learned.time > as_of)
    return [recommender.catalogue.ids[item] for item in learned.item[later].tolist()]


def _presentable(
    recommender: Recommender,
    shown: Shown,
    request: SlateRequest,
    now: int,
    since: Since,
    unwanted: Sequence[int],
    fresh: Fresh,
) -> Slate:
    """The same slate without what would embarrass the shop now; what comes in its place is the best of the rest."""
    closed = recommender.closed(now, request.filters.market, recommender.shelf(replace(request, as_of=now)))
    events = since.events
    later = (shown.as_of < events.time) & (events.time <= now)
    handled = [*unwanted, *(events.item[later & np.isin(events.kind, HANDLED)].tolist() if later.any() else ())]
    without = replace(request.filters, exclude=(*request.filters.exclude, *handled))
    removed = rules.filtered(closed, recommender.catalogue, without)
    struck_out = set(since.unused.tolist())
    held: list[Slot | None] = [
        slot if removed.item(slot.item) == Rule.NONE and struck_out.isdisjoint(slot.reason.items) else None
        for slot in shown.slate.slots[: request.n]
    ]
    if request.n > shown.n:  # another part of the mail asks for more
        held += [None] * (request.n - len(held))
    if None not in held:
        return replace(shown.slate, slots=tuple(slot for slot in held if slot is not None))
    rest = fresh([*handled, *(slot.item for slot in shown.slate.slots)])
    instead = (slot for slot in rest.slate.slots if removed[slot.item] == Rule.NONE)
    filled = (slot or next(instead, None) for slot in held)
    return replace(shown.slate, slots=tuple(slot for slot in filled if slot is not None))


def _facts(shop: Shop, kind: Mailing, known: Known) -> Facts:
    ids = shop.model.recommender.catalogue.ids
    back = shop.restocked if kind is Mailing.BACK_IN_STOCK else {}
    items = ids.find_all([*known.order, *back])
    order, restocked = items[: len(known.order)].tolist(), items[len(known.order) :].tolist()
    return Facts(
        tuple(item for item in order if item >= 0),
        {item: when for item, when in zip(restocked, back.values(), strict=True) if item >= 0},
    )


def _told(kind: Mailing, occasion: Occasion | None) -> dict[str, Any] | None:
    return None if occasion is None else {"kind": kind, "text": occasion.text, "until": iso(occasion.until)}


def _document(shown: Shown, catalogue: Catalogue, number: int) -> str:
    products = [
        (
            catalogue.ids[slot.item],
            round(float(slot.score), 6),
            slot.source,
            slot.reason.kind,
            [catalogue.ids[item] for item in slot.reason.items],
            slot.reason.text,
        )
        for slot in shown.slate.slots
    ]
    facts = {
        "n": shown.n,
        "strategy": shown.slate.strategy,
        "fallback_reason": shown.slate.fallback_reason,
        "model_version": shown.model_version,
        "as_of": shown.as_of,
        "number": number,  # every change of the store up to it was known
        "occasion": shown.occasion,
        "products": products,
    }
    return orjson.dumps(facts).decode()


def _read(facts: Mapping[str, Any], catalogue: Catalogue) -> Shown:
    """A product that the catalogue does not know any more is left out."""
    slots = []
    for product_id, score, source, kind, evidence, text in facts["products"]:
        item, *because = catalogue.ids.find_all([product_id, *evidence]).tolist()
        if item >= 0:
            reason = Reason(ReasonKind(kind), tuple(other for other in because if other >= 0), text)
            slots.append(Slot(item, score, Source(source), reason))
    why = facts["fallback_reason"]
    slate = Slate(Strategy(facts["strategy"]), FallbackReason(why) if why else None, tuple(slots))
    return Shown(slate, facts["n"], facts["model_version"], facts["as_of"], facts["occasion"])
