"""What stands in the columns of a file of slates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final

import numpy as np
import pyarrow as pa

from models.assembly.cards import offer
from models.data.catalogue import Catalogue
from models.data.timestamps import format_timestamp
from models.data.urls import tagged
from models.mail.mailings import MailKind
from models.mail.occasions import MailOccasion
from models.rules.filters import Repeat
from models.slate import Slate, Slot

STATE: Final = {"count": pa.int32(), "strategy": pa.string(), "fallback_reason": pa.string()}
OCCASION: Final = {"occasion_text": pa.string(), "occasion_until": pa.string()}
CARD: Final = {
    "title": pa.string(),
    "price": pa.float64(),
    "price_text": pa.string(),
    "currency": pa.string(),
    "url": pa.string(),
    "image_url": pa.string(),
}
Columns = Mapping[str, Sequence[Any] | pa.Array]


class Layout(StrEnum):
    LONG = "long"  # a row a product: customer_id, rank, product_id, score, source
    WIDE = "wide"  # a row a customer: customer_id, rec_1_id, … rec_n_id


@dataclass(frozen=True)
class Cards:
    """How products are shown."""

    locale: str = "en_US"
    shop_url: str | None = None  # what relative addresses are joined to
    utm_source: str = "regulars"
    campaign: str | None = None  # its links bear utm parameters


@dataclass(frozen=True)
class ExportOptions:
    """What every slate of an export has in common."""

    n: int
    repeat: Repeat
    layout: Layout
    cards: Cards | None = None  # None: ids alone
    mailing: MailKind | None = None  # None: a newsletter

    @property
    def schema(self) -> pa.Schema:
        occasion = OCCASION if self.mailing else {}
        if self.layout is Layout.LONG:
            product = {
                "rank": pa.int32(),
                "product_id": pa.string(),
                "score": pa.float32(),
                "source": pa.string(),
            }
            card = {**CARD, "reason": pa.string()} if self.cards else {}
            return pa.schema({"customer_id": pa.string(), **product, **occasion, **card})
        told = STATE if self.cards else {}
        product = {
            "id": pa.string(),
            **(CARD | {"reason": pa.string(), "source": pa.string()} if self.cards else {}),
        }
        numbered = {
            f"rec_{rank}_{name}": kind for rank in self.ranks for name, kind in product.items()
        }
        return pa.schema({"customer_id": pa.string(), **told, **occasion, **numbered})

    @property
    def ranks(self) -> range:
        return range(1, self.n + 1)


@dataclass(frozen=True)
class RecipientSlate:
    """One recipient's slate, and why they get it now."""

    customer_id: str
    slate: Slate
    occasion: MailOccasion | None = None


def table_of(
    mails: Sequence[RecipientSlate], order: ExportOptions, catalogue: Catalogue
) -> pa.Table:
    """The rows of these mails, in their order."""
    products = _Products(
        catalogue, (slot.item for mail in mails for slot in mail.slate.slots), order.cards
    )
    columns = (
        _wide(mails, order, products) if order.layout is Layout.WIDE else _long(mails, products)
    )
    # A column that this order does not ask for is left.
    return pa.table(
        [pa.array(columns[field.name], field.type) for field in order.schema], schema=order.schema
    )


def _wide(
    mails: Sequence[RecipientSlate], order: ExportOptions, products: _Products
) -> dict[str, Any]:
    columns = _of_mails(mails)
    for rank in order.ranks:
        slots = [
            mail.slate.slots[rank - 1] if rank <= len(mail.slate.slots) else None for mail in mails
        ]
        columns |= {
            f"rec_{rank}_{name}": values for name, values in products.columns(slots).items()
        }
    return columns


def _long(mails: Sequence[RecipientSlate], products: _Products) -> dict[str, Any]:
    slots = [slot for mail in mails for slot in mail.slate.slots]
    columns = products.columns(slots)
    return {
        **_of_mails([mail for mail in mails for _ in mail.slate.slots]),
        **columns,
        "product_id": columns["id"],
        "rank": [rank for mail in mails for rank in range(1, len(mail.slate.slots) + 1)],
        "score": [slot.score for slot in slots],
    }


def _of_mails(mails: Sequence[RecipientSlate]) -> dict[str, Any]:
    return {
        "customer_id": [mail.customer_id for mail in mails],
        "count": [len(mail.slate.slots) for mail in mails],
        "strategy": [mail.slate.strategy for mail in mails],
        "fallback_reason": [mail.slate.fallback_reason for mail in mails],
        "occasion_text": [mail.occasion.text if mail.occasion else None for mail in mails],
        "occasion_until": [
            format_timestamp(mail.occasion.until) if mail.occasion else None for mail in mails
        ],
    }


class _Products:
    """The products of some slates, each looked up once however many slates show it."""

    def __init__(self, catalogue: Catalogue, items: Iterable[int], cards: Cards | None) -> None:
        self.items = np.array(sorted(set(items)), np.int64)
        shown = [_card(catalogue, item, cards) for item in self.items.tolist()]
        kinds = {"id": pa.string(), **(CARD if cards else {})}
        self.of_items = {
            name: pa.array([card[name] for card in shown], kind) for name, kind in kinds.items()
        }

    def columns(self, slots: Sequence[Slot | None]) -> dict[str, Any]:
        """One value a slot; None where there is no product."""
        items = [slot.item if slot else -1 for slot in slots]
        places = pa.array(np.searchsorted(self.items, items), mask=np.array(items, np.int64) < 0)
        return {
            **{name: values.take(places) for name, values in self.of_items.items()},
            "reason": [slot.reason.text if slot else None for slot in slots],
            "source": [slot.source if slot else None for slot in slots],
        }


@lru_cache(maxsize=65_536)  # the next part shows many of the same products
def _card(catalogue: Catalogue, item: int, cards: Cards | None) -> dict[str, Any]:
    product_id = catalogue.ids[item]
    if cards is None:
        return {"id": product_id}
    shown = offer(catalogue, item, cards.locale, cards.shop_url)
    if cards.campaign is not None and shown["url"] is not None:
        shown["url"] = tagged(shown["url"], cards.utm_source, cards.campaign, product_id)
    return {"id": product_id, "title": catalogue.title[item] or None, **shown}
