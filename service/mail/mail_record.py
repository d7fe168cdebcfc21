"""Records of what mails showed: found in a customer's history, read and written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from models.data.catalogue import Catalogue
from models.data.events import HOUR
from models.data.ids import find_known
from models.languages.phrases import pack_text, unpack_text
from models.mail.mailings import MAILINGS, Mailing, shown_products
from models.slate import FallbackReason, Reason, ReasonKind, ScoreKind, Slot, Strategy
from service.store.campaigns import Campaign, MailRecord


@dataclass(frozen=True)
class CampaignMail:
    """Hold what the store knows of one mail."""

    campaign: Campaign
    ref: bytes  # names its record
    record: Mapping[str, Any] | None  # what it has shown already
    shown_before: tuple[str, ...]  # products of the mails before it
    # The experiment and the variant of the mails of this campaign; None: none
    variant: tuple[str, str] | None = None
    is_begun: bool = False  # it has shown the customer something

    @property
    def mailing(self) -> Mailing:
        return MAILINGS[self.campaign.kind]


@dataclass(frozen=True)
class ShownMail:
    """Hold what a mail shows, as its record does, in the words of one catalogue."""

    strategy: Strategy
    fallback_reason: FallbackReason | None
    slots: tuple[Slot | None, ...]  # None: the catalogue does not know the product any more
    score_kind: ScoreKind
    model_version: str
    as_of: int  # seconds since 1970, UTC
    occasion: Mapping[str, Any] | None
    variant: tuple[str, str] | None = None  # the experiment and its variant


def window_start(campaign: Campaign, clock: int) -> int:
    """Return the moment up to which records are of a mailing before.

    The window of a mail ends with that of its campaign, unless each recipient's first call begins
    one.
    """
    start = clock - campaign.window_hours * HOUR
    return start if MAILINGS[campaign.kind].triggered else max(start, campaign.opened - 1)


def find_mail(
    campaign: Campaign, ref: bytes, history: Sequence[MailRecord], clock: int
) -> CampaignMail:
    """Return a mail as the store knows it.

    `history`: what campaigns showed the customer, newest first.
    """
    start, own_record, variant, is_begun = window_start(campaign, clock), None, None, False
    shown_before: list[str] = []
    earlier: dict[str, list[MailRecord]] = {}  # by campaign, the newest first
    for record in history:
        # Products that this campaign shows now do not count; those it showed last week do.
        if record.campaign_id == campaign.campaign_id and record.time > start:
            facts = orjson.loads(record.document)
            variant, is_begun = _variant_of(facts), True
            shown_before += facts["before"]
            if record.ref == ref:
                own_record = facts
        else:
            earlier.setdefault(record.campaign_id, []).append(record)
    for records in list(earlier.values())[: campaign.not_twice]:
        for record in records:
            shown_before += shown_products(orjson.loads(record.document))
    before = tuple(dict.fromkeys(shown_before))
    return CampaignMail(campaign, ref, own_record, before, variant, is_begun)


def write_record(
    shown: ShownMail, catalogue: Catalogue, number: int, shown_before: Sequence[str]
) -> str:
    """Return the document of a record. `number`: every change of the store up to it was known."""
    products = []
    for slot in shown.slots:
        if slot is None:
            continue
        product = (
            catalogue.ids[slot.item],
            round(float(slot.score), 6),
            slot.source,
            slot.reason.kind,
            [catalogue.ids[item] for item in slot.reason.items],
            pack_text(slot.reason.text),
        )
        products.append(product)
    facts = {
        "strategy": shown.strategy,
        "fallback_reason": shown.fallback_reason,
        "model_version": shown.model_version,
        "as_of": shown.as_of,
        "number": number,
        "occasion": shown.occasion,
        "score_kind": shown.score_kind,
        "products": products,
        "variant": shown.variant,
        "also": (),  # products that stood in for one of them later
        "before": shown_before,  # products that were not to be shown again
    }
    return orjson.dumps(facts).decode()


def read_record(facts: Mapping[str, Any], catalogue: Catalogue) -> ShownMail:
    """Return what a record holds, in the words of a catalogue."""
    slots: list[Slot | None] = []
    for product_id, score, source, kind, evidence, text in facts["products"]:
        known = tuple(find_known(catalogue.ids, evidence))
        reason = Reason(ReasonKind(kind), known, unpack_text(text))
        items = find_known(catalogue.ids, [product_id])
        slots.append(Slot(items[0], score, source, reason) if items else None)
    fallback_reason = facts["fallback_reason"]
    return ShownMail(
        Strategy(facts["strategy"]),
        FallbackReason(fallback_reason) if fallback_reason else None,
        tuple(slots),
        _score_kind_of(facts),
        facts["model_version"],
        facts["as_of"],
        facts["occasion"],
        _variant_of(facts),
    )


def _variant_of(facts: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the experiment and the variant of a record; older ones have none."""
    names = facts.get("variant")
    return (names[0], names[1]) if names else None


def _score_kind_of(facts: Mapping[str, Any]) -> ScoreKind:
    """Return the meaning of the scores of a record; older records do not hold it."""
    if "score_kind" in facts:
        return ScoreKind(facts["score_kind"])
    if facts["occasion"]:
        return ScoreKind.OCCASION
    is_personal = facts["strategy"] == Strategy.PERSONAL
    return ScoreKind.PROBABILITY if is_personal else ScoreKind.SALES
