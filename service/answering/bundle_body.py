"""Bundles as units: the products that go with an anchor, and what they cost together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from models.assembly.cards import format_price, read_price
from models.data.catalogue import Catalogue
from models.ranking.reasons import BOUGHT_TOGETHER
from models.slate import Bundle, Slot, Source
from service.answering.render import AnswerRenderer


def render_bundle(renderer: AnswerRenderer, bundle: Bundle) -> dict[str, Any]:
    """Return the unit of a bundle, with the figures of its anchor and its first product."""
    catalogue = renderer.model.recommender.catalogue
    reason = BOUGHT_TOGETHER.about(catalogue, bundle.anchor)
    slots = [Slot(item, bundle.score, Source.BOUGHT_TOGETHER, reason) for item in bundle.items]
    return {
        "anchor_id": catalogue.ids[bundle.anchor],
        "products": [renderer.render_slot(slot) for slot in slots],
        "support": int(bundle.support),
        "rule_confidence": round(float(bundle.rule_confidence), 6),
        "lift": round(float(bundle.lift), 6),
        **_total_price(catalogue, (bundle.anchor, *bundle.items), renderer.query.locale),
    }


def _total_price(catalogue: Catalogue, items: Sequence[int], locale: str) -> dict[str, Any]:
    """Return one price for all; one unknown price or a second currency makes it unknown."""
    prices = [read_price(catalogue, item) for item in items]
    known = [price for price in prices if price is not None]
    currencies = {catalogue.currency[item] or None for item in items}
    currency = currencies.pop() if len(currencies) == 1 else None
    total = round(sum(known), 4) if len(known) == len(prices) and currency else None
    return {
        "total_price": total,
        "total_price_text": format_price(total, currency, locale),
        "currency": currency if total is not None else None,
    }
