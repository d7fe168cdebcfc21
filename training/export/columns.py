"""Lay out slates in the columns of a file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from models.assembly.cards import build_offer
from models.data.catalogue import Catalogue
from models.data.timestamps import format_timestamp
from models.data.urls import add_utm_parameters
from models.experiments.experiment import AssignedVariant
from models.languages.languages import Language, Languages
from models.mail.mailings import MailKind
from models.mail.occasions import MailOccasion
from models.rules.filter_language import FilterExpression
from models.rules.filters import Repeat
from models.slate import Slate, Slot
from training.export.offers import RowOffer

SLATE_TYPES: Final = {"count": pa.int32(), "strategy": pa.string(), "fallback_reason": pa.string()}
OCCASION_TYPES: Final = {"occasion_text": pa.string(), "occasion_until": pa.string()}
# After all that was there before, so that no column has another place; offers where asked for
EXPERIMENT_TYPES: Final = {"experiment": pa.string(), "variant": pa.string()}
OFFER_TYPES: Final = dict.fromkeys(
    ("offer", "offer_text", "offer_code", "offer_until"), pa.string()
)
LONG_PRODUCT_TYPES: Final = {
    "rank": pa.int32(),
    "product_id": pa.string(),
    "score": pa.float32(),
    "source": pa.string(),
}
CARD_TYPES: Final = {
    "title": pa.string(),
    "price": pa.float64(),
    "price_text": pa.string(),
    "currency": pa.string(),
    "url": pa.string(),
    "image_url": pa.string(),
}
CARDS_CACHED: Final = 65_536


class Layout(StrEnum):
    """A choice of rows."""

    LONG = "long"  # a row a product: customer_id, rank, product_id, score, source
    WIDE = "wide"  # a row a customer: customer_id, rec_1_id, … rec_n_id


@dataclass(frozen=True)
class Cards:
    """Hold options of the columns that show a product."""

    locale: str = "en_US"
    shop_url: str | None = None  # to which relative addresses are joined
    utm_source: str = "regulars"
    campaign: str | None = None  # name in the utm parameters of links; None: links have none


@dataclass(frozen=True)
class ExportOptions:
    """Hold options that all slates of an export share."""

    n: int
    repeat: Repeat
    layout: Layout
    cards: Cards | None = None  # None: ids alone
    mailing: MailKind | None = None  # None: a newsletter
    expression: FilterExpression | None = None  # which products; None: all
    locale: str = "en_US"  # of sentences
    wording: Path | None = None  # the folder with the shop's own sentences
    with_offers: bool = False  # what stands beside the slates

    @property
    def schema(self) -> pa.Schema:
        """Return the columns of the file with their types."""
        types = {"customer_id": pa.string()}
        occasion = OCCASION_TYPES if self.mailing else {}
        last = EXPERIMENT_TYPES | (OFFER_TYPES if self.with_offers else {})
        if self.layout is Layout.LONG:
            types |= LONG_PRODUCT_TYPES | occasion
            if self.cards:
                types |= CARD_TYPES | {"reason": pa.string()}
            return pa.schema(types | last)
        product = {"id": pa.string()}
        if self.cards:
            types |= SLATE_TYPES
            product |= CARD_TYPES | {"reason": pa.string(), "source": pa.string()}
        types |= occasion
        for rank in self.ranks:
            types |= {f"rec_{rank}_{name}": type_ for name, type_ in product.items()}
        return pa.schema(types | last)

    @property
    def ranks(self) -> range:
        """Return 1 to n."""
        return range(1, self.n + 1)


@dataclass(frozen=True)
class RecipientSlate:
    """One recipient's slate, why they get it now, and what goes with it."""

    customer_id: str
    slate: Slate
    occasion: MailOccasion | None = None
    assigned: AssignedVariant | None = None
    offer: RowOffer | None = None  # what stands beside it


def slate_table(
    slates: Sequence[RecipientSlate], options: ExportOptions, catalogue: Catalogue
) -> pa.Table:
    """Return the rows of these slates, in their order."""
    language = language_of(options.locale, options.wording)
    cards = _ProductCells(catalogue, _items(slates), options.cards, language)
    if options.layout is Layout.WIDE:
        columns = _wide_columns(slates, options.ranks, cards)
    else:
        columns = _long_columns(slates, cards)
    # Columns that these options do not ask for are left out.
    schema = options.schema
    cells = [pa.array(columns[field.name], field.type) for field in schema]
    return pa.table(cells, schema=schema)


@cache
def language_of(locale: str, wording: Path | None) -> Language:
    """Return the language of a locale, with the shop's own sentences."""
    return Languages(wording).of(locale)


def _items(slates: Sequence[RecipientSlate]) -> Iterable[int]:
    return (slot.item for slate in slates for slot in slate.slate.slots)


def _wide_columns(
    slates: Sequence[RecipientSlate], ranks: range, cards: _ProductCells
) -> dict[str, Any]:
    columns = _slate_columns(slates, cards.language)
    for rank in ranks:
        slots = [_slot_at(slate.slate, rank) for slate in slates]
        for name, cells in cards.columns(slots).items():
            columns[f"rec_{rank}_{name}"] = cells
    return columns


def _slot_at(slate: Slate, rank: int) -> Slot | None:
    return slate.slots[rank - 1] if rank <= len(slate.slots) else None


def _long_columns(slates: Sequence[RecipientSlate], cards: _ProductCells) -> dict[str, Any]:
    slots: list[Slot] = []
    ranks: list[int] = []
    slate_of_slot: list[RecipientSlate] = []
    for slate in slates:
        count = len(slate.slate.slots)
        slots += slate.slate.slots
        ranks += range(1, count + 1)
        slate_of_slot += [slate] * count
    columns = _slate_columns(slate_of_slot, cards.language) | cards.columns(slots)
    scores = [slot.score for slot in slots]
    return columns | {"product_id": columns["id"], "rank": ranks, "score": scores}


def _slate_columns(slates: Sequence[RecipientSlate], language: Language) -> dict[str, Any]:
    occasions = [slate.occasion for slate in slates]
    assigned = [slate.assigned for slate in slates]
    offers = [slate.offer for slate in slates]
    return {
        "customer_id": [slate.customer_id for slate in slates],
        "count": [len(slate.slate.slots) for slate in slates],
        "strategy": [slate.slate.strategy for slate in slates],
        "fallback_reason": [slate.slate.fallback_reason for slate in slates],
        "occasion_text": [
            language.say(occasion.text) if occasion else None for occasion in occasions
        ],
        "occasion_until": [
            format_timestamp(occasion.until) if occasion else None for occasion in occasions
        ],
        "experiment": [one.experiment_id if one else None for one in assigned],
        "variant": [one.variant.name if one else None for one in assigned],
        "offer": [offer.id if offer else None for offer in offers],
        "offer_text": [offer.text if offer else None for offer in offers],
        "offer_code": [offer.code if offer else None for offer in offers],
        "offer_until": [offer.until if offer else None for offer in offers],
    }


class _ProductCells:
    """Hold cells of products, each looked up once however many slates show it."""

    def __init__(
        self, catalogue: Catalogue, items: Iterable[int], cards: Cards | None, language: Language
    ) -> None:
        self.language = language
        self._items = np.array(sorted(set(items)), np.int64)
        rows = [_product_cells(catalogue, item, cards) for item in self._items.tolist()]
        types = {"id": pa.string()} | (CARD_TYPES if cards else {})
        self._cells: dict[str, pa.Array] = {}
        for name, type_ in types.items():
            self._cells[name] = pa.array([row[name] for row in rows], type_)

    def columns(self, slots: Sequence[Slot | None]) -> dict[str, Any]:
        """Return one cell for each slot under each name; None where there is no product."""
        items = np.array([slot.item if slot else -1 for slot in slots], np.int64)
        rows = pa.array(np.searchsorted(self._items, items), mask=items < 0)
        columns: dict[str, Any] = {name: cells.take(rows) for name, cells in self._cells.items()}
        columns["reason"] = [
            self.language.say(slot.reason.text) if slot else None for slot in slots
        ]
        columns["source"] = [slot.source if slot else None for slot in slots]
        return columns


@lru_cache(maxsize=CARDS_CACHED)  # the next part shows many of the same products
def _product_cells(catalogue: Catalogue, item: int, cards: Cards | None) -> dict[str, Any]:
    product_id = catalogue.ids[item]
    if cards is None:
        return {"id": product_id}
    cells = build_offer(catalogue, item, cards.locale, cards.shop_url)
    if cards.campaign is not None and cells["url"] is not None:
        cells["url"] = add_utm_parameters(
            cells["url"], cards.utm_source, cards.campaign, product_id
        )
    return {"id": product_id, "title": catalogue.title[item] or None, **cells}
