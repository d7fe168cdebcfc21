"""Read exports of vendors as the command line does, and tell what came out."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from models.data.customers import PERSONALIZE_EMAIL, YES
from models.data.events import RETURN
from tests.support.vendor_shop import FIRST
from training.reading.options import ReadingOptions
from training.reading.purchases import Purchases, read_purchases

NOW = 1_796_083_200  # 2026-12-01T00:00:00Z


def read(
    purchases: Path, products: Path | None = None, customers: Path | None = None, **options: Any
) -> Purchases:
    """Read files without one option, or with `options`."""
    return read_purchases(
        [purchases],
        products=products,
        customers=customers,
        now=NOW,
        options=ReadingOptions(**options),
    )


def write_csv(
    path: Path,
    columns: Sequence[str],
    rows: Iterable[Mapping[str, object]],
    delimiter: str = ",",
) -> Path:
    """Write rows under the columns of an export, those that a row lacks empty."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n", delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    return path


def write_json_lines(path: Path, documents: Iterable[object]) -> Path:
    path.write_text("".join(json.dumps(document) + "\n" for document in documents))
    return path


def sold_in(shop: Purchases) -> Counter[tuple[str, str, int]]:
    """Return the pieces that were read, by customer, product and moment."""
    sold: Counter[tuple[str, str, int]] = Counter()
    for row in np.flatnonzero(shop.kind == 0).tolist():
        user = int(shop.user[row])
        buyer = shop.customer_ids[user] if user >= 0 else "guest"
        product = shop.product_ids[int(shop.item[row])]
        sold[buyer, product, int(shop.time[row])] += int(shop.quantity[row])
    return sold


def kept_in(shop: Purchases) -> Counter[tuple[str, str]]:
    """Return the pieces bought and not brought back, by customer and product."""
    kept = pieces(sold_in(shop))
    for row in np.flatnonzero(shop.kind == RETURN).tolist():
        customer = shop.customer_ids[int(shop.user[row])]
        kept[customer, shop.product_ids[int(shop.item[row])]] -= int(shop.quantity[row])
    return +kept


def pieces(sold: Counter[tuple[str, str, int]]) -> Counter[tuple[str, str]]:
    """Return the pieces by customer and product."""
    total: Counter[tuple[str, str]] = Counter()
    for (customer, product, _), count in sold.items():
        total[customer, product] += count
    return total


def shown_in(shop: Purchases) -> set[str]:
    """Return the products that may stand in a slate."""
    catalogue = shop.catalogue
    shown = catalogue.in_stock & (catalogue.available_until > int(FIRST.timestamp()))
    return {catalogue.ids[item] for item in np.flatnonzero(shown).tolist()}


def consents_in(shop: Purchases) -> dict[str, bool]:
    """Return whether mails may be personalised, by customer."""
    answers = shop.consent[:, PERSONALIZE_EMAIL] == YES
    return dict(zip(shop.customer_ids, answers.tolist(), strict=True))
