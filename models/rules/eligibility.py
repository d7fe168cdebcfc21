"""Products that may enter a slate. Every one that is removed is removed by a rule with a name."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.data.catalogue import Catalogue
from models.data.history import Interactions
from models.rules.filters import Filters, Repeat
from models.settings import RepeatSettings
from models.sources.repurchase import RepurchaseClocks, Repurchases

Removed = NDArray[np.uint8]  # (items,) the first ExclusionRule that removes each product


class ExclusionRule(IntEnum):
    NONE = 0
    NOT_FOR_SALE = 1
    EXCLUDED = 2  # by the request
    OTHER_CATEGORY = 3
    OTHER_BRAND = 4
    OTHER_PRICE = 5
    ASKED_ABOUT = 6  # in the basket, in the session, or the product that others are compared to
    RETURNED = 7
    BOUGHT_BEFORE = 8
    BOUGHT_ONCE = 9  # this shop's customers do not buy it again
    NOT_YET_DUE = 10  # just bought
    DISMISSED = 14  # by the customer, or rated low
    IN_CART = 15
    SHOP_FILTER = 11  # by a rule of the shop, which shows nothing but something else
    SHOP_EXCLUDED = 12
    OTHER_ATTRIBUTES = 16  # than the filter of the request names
    AVOIDED = 17  # by what the customer said they avoid
    UNSUITABLE = 18  # it does not bear, or is not known to bear, what the customer said they need
    SHOP_MINIMUM = 13  # below a price or a margin, or neither is known


# A member of an enum makes NumPy work with 64 bits
NONE: Final = np.uint8(ExclusionRule.NONE)
NOT_FOR_SALE: Final = np.uint8(ExclusionRule.NOT_FOR_SALE)


def remove_unsellable(
    catalogue: Catalogue, as_of: int, market: str | None, opened: NDArray[np.bool_] | None = None
) -> Removed:
    """Remove what the catalogue keeps from everyone but those for whom it is `opened` (items,)."""
    sellable = catalogue.sellable(as_of, market, opened)
    return np.where(sellable, NONE, NOT_FOR_SALE)


def remove_filtered(removed: Removed, catalogue: Catalogue, filters: Filters) -> Removed:
    """Remove what the filters of a request keep out as well."""
    if filters == Filters(market=filters.market, expression=filters.expression):
        return removed
    removed = removed.copy()
    if filters.category is not None:
        code = catalogue.category_names.find(filters.category)
        _remove(removed, (catalogue.category != code) | (code < 0), ExclusionRule.OTHER_CATEGORY)
    if filters.brand is not None:
        code = catalogue.brand_names.find(filters.brand)
        _remove(removed, (catalogue.brand != code) | (code < 0), ExclusionRule.OTHER_BRAND)
    # An unknown price is neither above a lower nor below an upper bound.
    if filters.min_price is not None:
        _remove(removed, ~(catalogue.price >= filters.min_price), ExclusionRule.OTHER_PRICE)
    if filters.max_price is not None:
        _remove(removed, ~(catalogue.price <= filters.max_price), ExclusionRule.OTHER_PRICE)
    _remove_items(removed, np.array(filters.exclude, np.int32), ExclusionRule.EXCLUDED)
    return removed


def remove_unmatched(removed: Removed, matching: NDArray[np.bool_]) -> Removed:
    """Remove what does not match the filter of a request (items,) as well."""
    removed = removed.copy()
    _remove(removed, ~matching, ExclusionRule.OTHER_ATTRIBUTES)
    return removed


def remove_bought(
    removed: Removed,
    pairs: Interactions,
    clocks: RepurchaseClocks,
    repeats: Repurchases,
    repeat: Repeat,
    settings: RepeatSettings,
) -> Removed:
    """Remove what this customer's own purchases keep out as well."""
    owned, item = pairs.owned, pairs.item
    own = np.zeros(len(pairs), np.uint8)  # of several rules the one that is written last
    if repeat is Repeat.EXCLUDE:
        own[owned] = ExclusionRule.BOUGHT_BEFORE
    elif repeat is Repeat.AUTO:
        own[owned & (clocks.passed < settings.too_soon)] = ExclusionRule.NOT_YET_DUE
        bought_once = owned & (repeats.rate[item] < settings.rare * repeats.average[0])
        own[bought_once] = ExclusionRule.BOUGHT_ONCE
    own[pairs.in_cart] = ExclusionRule.IN_CART
    own[pairs.refused] = ExclusionRule.DISMISSED
    own[owned & (pairs.count <= 0)] = ExclusionRule.RETURNED
    before = removed[item]
    removed = removed.copy()
    removed[item] = np.where(before, before, own)
    return removed


def remove_named(removed: Removed, items: NDArray[np.int32]) -> Removed:
    """Remove the products that the request itself names as well."""
    if len(items) == 0:
        return removed
    removed = removed.copy()
    _remove_items(removed, items, ExclusionRule.ASKED_ABOUT)
    return removed


def remove_other_categories(removed: Removed, category: NDArray[np.int32], item: int) -> Removed:
    """Remove what is not of the category (items,) of an item; nothing where that is unknown."""
    if category[item] < 0:
        return removed
    removed = removed.copy()
    _remove(removed, category != category[item], ExclusionRule.OTHER_CATEGORY)
    return removed


def find_allowed(removed: Removed) -> NDArray[np.bool_]:
    """Return what no rule removes: a mask (items,)."""
    allowed: NDArray[np.bool_] = removed == NONE
    return allowed


def _remove(removed: Removed, mask: NDArray[np.bool_], rule: ExclusionRule) -> None:
    removed[mask & find_allowed(removed)] = int(rule)


def _remove_items(removed: Removed, items: NDArray[np.int32], rule: ExclusionRule) -> None:
    if len(items):
        removed[items[find_allowed(removed[items])]] = int(rule)
