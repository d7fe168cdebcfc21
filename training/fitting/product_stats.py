"""Traits of products, from the catalogue and from every line."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.data.catalogue import Catalogue
from models.data.events import PURCHASE, RETURN
from models.data.history import NEVER
from models.data.product_stats import ProductStats
from training.reading.purchases import Purchases

MIN_SHARING_PRODUCTS: Final = 3  # products that share a word, for it to stand for a category
MAX_SHARING_PART: Final = (
    0.1  # part of all products that share a word, up to which it tells anything
)
WORD: Final = re.compile(r"[^\W\d_]{3,}")  # letters of any script; sizes and numbers are left out


def fit_product_stats(purchases: Purchases) -> ProductStats:
    catalogue, n_items = purchases.catalogue, len(purchases.product_ids)
    bought, returned = purchases.kind == PURCHASE, purchases.kind == RETURN
    titles = [tuple(WORD.findall(title.lower())) for title in catalogue.title]
    category = catalogue.category if (catalogue.category >= 0).any() else _by_words(titles)
    log_price = _log_price(purchases, catalogue)
    pairs = np.unique(purchases.user[bought].astype(np.int64) * n_items + purchases.item[bought])
    first = np.full(n_items, np.iinfo(np.int64).max)
    np.minimum.at(first, purchases.item[bought], purchases.time[bought])
    lines = np.bincount(purchases.item[bought], minlength=n_items)
    back = np.bincount(purchases.item[returned], minlength=n_items)
    return ProductStats(
        category=category,
        family=_families(titles, category),
        log_price=log_price,
        price_in_category=_less_category(log_price, category),
        customers=np.bincount(pairs[pairs >= 0] % n_items, minlength=n_items).astype(np.float32),
        first_sold=np.where(lines > 0, first, NEVER),
        return_rate=(back / np.maximum(lines, 1)).astype(np.float32),
    )


def _by_words(titles: Sequence[tuple[str, ...]]) -> NDArray[np.int32]:
    """The word of each title that most other titles share, unless nearly all do: (items,) codes."""
    shared = Counter(word for words in titles for word in set(words))
    limit = max(MAX_SHARING_PART * len(titles), MIN_SHARING_PRODUCTS)
    codes: dict[str, int] = {}
    category = np.full(len(titles), -1, np.int32)
    for item, words in enumerate(titles):
        known = [word for word in words if MIN_SHARING_PRODUCTS <= shared[word] <= limit]
        if known:
            word = max(known, key=lambda word: (shared[word], word))
            category[item] = codes.setdefault(word, len(codes))
    return category


def _families(titles: Sequence[tuple[str, ...]], category: NDArray[np.int32]) -> NDArray[np.int32]:
    """Products of one category whose titles have the same words: (items,) codes."""
    codes: dict[tuple[int, tuple[str, ...]], int] = {}
    keys = zip(category.tolist(), titles, strict=True)
    return np.array([codes.setdefault(key, len(codes)) if key[1] else -1 for key in keys], np.int32)


def _log_price(purchases: Purchases, catalogue: Catalogue) -> NDArray[np.float32]:
    """ln of the mean paid, of the catalogue's price where nothing is known to have been paid, over the shop's median.

    The median is of what was sold: a history knows nothing of what is first sold after it.
    """
    known = (purchases.kind == PURCHASE) & (purchases.price > 0)
    item, n_items = purchases.item[known], len(catalogue)
    lines = np.bincount(item, minlength=n_items)
    paid = np.bincount(item, np.log(purchases.price[known]), n_items) / np.maximum(lines, 1)
    listed = np.log(np.where(catalogue.price > 0, catalogue.price, np.nan))
    prices = np.where(lines > 0, paid, listed)
    sold = np.isfinite(prices) & (
        np.bincount(purchases.item[purchases.kind == PURCHASE], minlength=n_items) > 0
    )
    middle = np.median(prices[sold]) if sold.any() else 0.0
    return (prices - middle).astype(np.float32)


def _less_category(
    log_price: NDArray[np.float32], category: NDArray[np.int32]
) -> NDArray[np.float32]:
    known = np.isfinite(log_price)
    code = category + 1  # what has no category is one of its own
    count = np.bincount(code[known], minlength=int(code.max(initial=0)) + 1)
    mean = np.bincount(code[known], log_price[known], len(count)) / np.maximum(count, 1)
    return (log_price - mean[code]).astype(np.float32)
