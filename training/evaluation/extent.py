"""Compare how much was read with what the active version has learned from.

A history that lost its end, or most of its customers, still passes the figures of its own last
days.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from models.artifact.files import load_artifact
from models.data.events import DAY, PURCHASE
from models.data.timestamps import format_timestamp
from models.model import Model
from training.reading.purchases import Purchases

MIN_SHARE: Final = 0.5  # of what the active version has learned from
MAX_DAYS_OLDER: Final = 7  # of the newest sale


@dataclass(frozen=True)
class Extent:
    """Hold how much a history holds."""

    customers: int
    products: int
    lines: int
    first_day: int  # of the first sale, days since 1970
    last_day: int  # of the newest sale that others confirm

    @property
    def days(self) -> int:
        """Return the days from the first sale to the newest."""
        return self.last_day - self.first_day + 1


def measure_purchases(purchases: Purchases) -> Extent:
    """Return the extent of a history, which holds a purchase."""
    sold = purchases.time[purchases.kind == PURCHASE]
    return Extent(
        customers=len(purchases.customer_ids),
        products=len(purchases.product_ids),
        lines=len(purchases),
        first_day=int(sold.min()) // DAY,
        last_day=purchases.shop_time // DAY,
    )


def measure_version(directory: Path) -> Extent:
    """Return the extent of what a version has learned from. Raises ArtifactError."""
    manifest, model = load_artifact(directory, Model)
    first_day = int(model.sales.first_day[0])
    return Extent(
        customers=manifest.counts.get("customers", 0),
        products=manifest.counts.get("products", 0),
        lines=manifest.counts.get("lines", 0),
        first_day=first_day,
        last_day=first_day + len(model.sales.indptr) - 2,
    )


def find_losses(history: Extent, active: Extent, until: int | None) -> list[str]:
    """Name what a history holds much less of than the active version's, with both figures.

    What `until`, in seconds since 1970, leaves out was left out on purpose: days are compared up to
    it, and counts only where it lies after the active version's newest sale.
    """
    counted = {"customers": active.customers, "products": active.products, "lines": active.lines}
    if until is not None and (until - 1) // DAY < active.last_day:
        active = replace(active, last_day=(until - 1) // DAY)
        counted = {}
    losses = [
        f"{getattr(history, name):,} {name} ({count:,})"
        for name, count in (counted | {"days": active.days}).items()
        if getattr(history, name) < MIN_SHARE * count
    ]
    if active.last_day - history.last_day > MAX_DAYS_OLDER:
        losses.append(
            f"the newest sale of {_format_day(history.last_day)} ({_format_day(active.last_day)})"
        )
    return losses


def _format_day(day: int) -> str:
    return format_timestamp(day * DAY)[: len("2025-12-31")]
