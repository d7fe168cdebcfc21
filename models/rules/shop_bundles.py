"""Units that the shop has put together, each with one price for all of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from models.rules.shop_rules import is_in_force


@dataclass(frozen=True)
class ShopBundle:
    """A unit of products that the shop sells at its own price, for some time or always."""

    id: str
    products: tuple[str, ...]  # their ids, two at least, each once
    price: float  # of the whole unit
    currency: str  # ISO 4217
    title: str | None = None
    starts: int | None = None  # seconds since 1970, UTC: the first second in force
    ends: int | None = None  # the first second that is no longer in force


def bundles_in_force(bundles: Iterable[ShopBundle], clock: int) -> tuple[ShopBundle, ...]:
    """Return the units in force at a moment of the clock, for answers of whatever moment."""
    in_force = (bundle for bundle in bundles if is_in_force(bundle.starts, bundle.ends, clock))
    return tuple(replace(bundle, starts=None, ends=None) for bundle in in_force)
