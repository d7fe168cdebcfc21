"""Slates of mails: made once for a campaign, and changed only where they would embarrass the shop.

What was recorded stays, position by position. A product that may not be shown any more (sold out,
hidden by the shop, just bought, dismissed) gives its place to the next best one, and has it back
when it may be shown again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.data.events import DAY, DISMISS, PURCHASE, RATING, RETURN, Events
from models.data.ids import find_known
from models.data.timestamps import format_timestamp
from models.languages.phrases import pack_text
from models.mail.mailings import CustomerMail, MailKind, shown_products
from models.mail.occasions import MailOccasion
from models.mail.recipient import StoreFacts
from models.ranking.reasons import told_to_like
from models.recommender import NOBODY, Recommender
from models.rules.eligibility import ExclusionRule, Removed
from models.rules.preferences import LikedProducts
from models.rules.rule_effects import CapCounter
from models.slate import Slot
from service.answering.answer import prepare_answer
from service.answering.presentation import Presentation
from service.answering.query import AnswerMoment, RecommendationQuery, StoreKnowledge
from service.answering.render import (
    AnswerRenderer,
    RenderedAnswer,
    SlateFacts,
    slate_content,
)
from service.mail.mail_record import CampaignMail, ShownMail, read_record, write_record
from service.model.live_catalogue import LiveCatalogue

# A customer who has done this with a product wants no mail about it.
HANDLED_KINDS: Final = (PURCHASE, RETURN, DISMISS)


@dataclass(frozen=True)
class MailInputs:
    """Hold all that the slate of a mail is made from."""

    live: LiveCatalogue
    query: RecommendationQuery
    presentation: Presentation
    knowledge: StoreKnowledge
    mail: CampaignMail
    handled: Sequence[str]  # products the customer bought or refused since the mail was made
    moment: AnswerMoment  # of the mail, where the query names none
    shop_time: int  # by now, seconds since 1970
    newest_event: int  # of any kind, seconds since 1970
    keep_days: int  # how long records are kept


@dataclass(frozen=True)
class ComposedMail:
    """Hold an answer, and what the store is to keep of it."""

    answer: RenderedAnswer
    document: str | None = None  # the record of a mail that has none
    also: tuple[str, ...] = ()  # products that the record does not hold: they stand in for others
    occasion: str | None = None  # its kind


def compose_mail(inputs: MailInputs) -> ComposedMail:
    """Return the slate of a mail: as it was recorded, else new."""
    live, query, knowledge, mail = inputs.live, inputs.query, inputs.knowledge, inputs.mail
    recommender, update = live.model.recommender, knowledge.update
    ids = recommender.catalogue.ids
    resolved, renderer = prepare_answer(live, query, inputs.presentation, knowledge, inputs.moment)
    customer_id = query.customer_id or ""
    user = NOBODY if update.forgotten else recommender.model.customers.ids.find(customer_id)
    request = recommender.at_home(user, resolved.request)
    # A customer who does not want to be known gets what everyone gets.
    allowed = recommender.refusal(customer_id, request, update) is None
    record = mail.record if allowed else None
    before = tuple(find_known(ids, mail.shown_before)) if allowed else ()
    facts = _store_facts(inputs)
    draft = CustomerMail(recommender, mail.mailing, customer_id, request, update, facts, before)
    if record:
        shown = read_record(record, recommender.catalogue)
    else:
        shown = _shown_first(draft, live.model.version, inputs)
    now, handled_later = query.as_of, []
    if now is None:
        now = max(inputs.moment.as_of, inputs.shop_time)
        handled_later = _handled_after(update.events, inputs.moment.events_until)
    unwanted: list[int] = []
    if allowed:
        unwanted = [*find_known(ids, inputs.handled), *handled_later]
    struck_out = set(update.unused.tolist()) if allowed else set()
    slots = _present(draft, shown, now, unwanted, struck_out)
    occasion = shown.occasion
    if record and occasion and (unwanted or slots != shown.slots):  # it may be over
        changed = replace(draft, request=request.without(unwanted))
        occasion = _describe_occasion(mail.mailing.kind, changed.occasion)
    presented = replace(shown, slots=slots, occasion=occasion)
    products = [renderer.render_slot(slot) for slot in slots]
    answer = _render(renderer, inputs, presented, products)
    composed = ComposedMail(answer, occasion=occasion["kind"] if occasion else None)
    if record:
        recorded = shown_products(record)
        stand_ins = [product["id"] for product in products if product["id"] not in recorded]
        return replace(composed, also=tuple(stand_ins))
    if not allowed or update.forgotten or (mail.mailing.triggered and not shown.occasion):
        return composed
    document = write_record(presented, recommender.catalogue, knowledge.number, mail.shown_before)
    return replace(composed, document=document)


def find_handled_since(recommender: Recommender, customer_id: str, as_of: int) -> list[str]:
    """Return the products that a model has learned the customer handled after a moment.

    Handled: bought, returned, dismissed or rated low.
    """
    user = recommender.model.customers.ids.find(customer_id)
    if user < 0:
        return []
    history = recommender.model.histories.of(user)
    later = _is_handled(history) & (history.time > as_of)
    return [recommender.catalogue.ids[item] for item in history.item[later].tolist()]


def _shown_first(draft: CustomerMail, model_version: str, inputs: MailInputs) -> ShownMail:
    slate = draft.slate
    return ShownMail(
        slate.strategy,
        slate.fallback_reason,
        slate.slots,
        slate.score_kind,
        model_version,
        inputs.moment.as_of,
        _describe_occasion(draft.mailing.kind, draft.occasion),
        inputs.query.variant_names,
    )


def _present(
    draft: CustomerMail,
    shown: ShownMail,
    now: int,
    unwanted: Sequence[int],
    struck_out: set[int],
) -> tuple[Slot, ...]:
    """Return the slots without those that would embarrass the shop now, and the best instead."""
    recommender, request = draft.recommender, draft.request
    current = replace(request.without(unwanted), as_of=now)
    removed, liked = recommender.find_filtered(current), recommender.find_liked(current)
    slots = [
        slot if slot and _is_presentable(slot, removed, struck_out, liked) else None
        for slot in shown.slots
    ]
    if None in slots:
        shown_items = [slot.item for slot in shown.slots if slot]
        # Of twice as many, as caps may leave no room for some.
        others = replace(request.without([*unwanted, *shown_items]), n=2 * request.n)
        candidates = replace(draft, request=others).slate.slots
        caps = recommender.rule_effects(current).caps
        counter = CapCounter(caps, request.n, [slot.item for slot in slots if slot])
        stand_ins = (
            slot
            for slot in candidates
            if removed[slot.item] == ExclusionRule.NONE and counter.take(slot.item)
        )
        slots = [slot or next(stand_ins, None) for slot in slots]
    return tuple(slot for slot in slots if slot)


def _is_presentable(
    slot: Slot, removed: Removed, struck_out: set[int], liked: LikedProducts
) -> bool:
    """Tell whether a product may be shown, and its reason is still true."""
    reason, now_liked = slot.reason, told_to_like(liked.name_of(slot.item))
    is_true = reason.kind is not now_liked.kind or reason.text == now_liked.text
    allowed = removed.item(slot.item) == ExclusionRule.NONE
    return allowed and is_true and struck_out.isdisjoint(reason.items)


def _render(
    renderer: AnswerRenderer,
    inputs: MailInputs,
    presented: ShownMail,
    products: Sequence[dict[str, Any]],
) -> RenderedAnswer:
    """Return the answer as of the model and the moment that the mail was made with."""
    mail_renderer = replace(
        renderer,
        model=replace(renderer.model, version=presented.model_version),
        data_as_of=presented.as_of,
        ref=inputs.mail.ref,
        expires=inputs.mail.campaign.closes + inputs.keep_days * DAY,
    )
    content = slate_content(products)
    facts = SlateFacts(
        presented.strategy, presented.fallback_reason, presented.score_kind, presented.occasion
    )
    return mail_renderer.render(facts, products, content)


def _store_facts(inputs: MailInputs) -> StoreFacts:
    ids, until = inputs.live.model.recommender.catalogue.ids, inputs.query.as_of
    restocked: dict[int, int] = {}
    if inputs.mail.mailing.reads_restocked:
        for product_id, time in inputs.live.restocked.items():
            if until is None or time <= until:
                for item in find_known(ids, [product_id]):
                    restocked[item] = time
    order = find_known(ids, inputs.knowledge.order)
    return StoreFacts(tuple(order), restocked, inputs.newest_event)


def _describe_occasion(kind: MailKind, occasion: MailOccasion | None) -> Mapping[str, Any] | None:
    if occasion is None:
        return None
    text, until = pack_text(occasion.text), format_timestamp(occasion.until)
    return {"kind": kind, "text": text, "until": until}


def _is_handled(events: Events) -> NDArray[np.bool_]:
    rated_low = (events.kind == RATING) & (events.weight < 0)
    handled: NDArray[np.bool_] = np.isin(events.kind, HANDLED_KINDS) | rated_low
    return handled


def _handled_after(events: Events, moment: int) -> list[int]:
    later = events.time > moment
    if not later.any():
        return []
    items: list[int] = events.item[later & _is_handled(events)].tolist()
    return items
