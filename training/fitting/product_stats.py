"""Learn what is known of each product from the catalogue and from every line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.data.catalogue import Catalogue
from models.data.events import PURCHASE, RETURN
from models.data.history import NEVER
from models.data.product_stats import ProductStats
from models.data.title_words import code_family, find_title_words
from training.reading.purchases import Purchases

MIN_SHARING_PRODUCTS: Final = 3  # for a word of their titles to stand for a category
MAX_SHARING_PART: Final = 0.1  # of all products, above which a word they share means nothing


def fit_product_stats(purchases: Purchases) -> ProductStats:
    """Collect category, family, price, buyers, first sale and rate of returns of every product."""
    catalogue, n_items = purchases.catalogue, len(purchases.product_ids)
    bought, returned = purchases.kind == PURCHASE, purchases.kind == RETURN
    titles = [find_title_words(title) for title in catalogue.title]
    category = (
        catalogue.category if (catalogue.category >= 0).any() else _categories_of_words(titles)
    )
    log_price = _log_price(purchases, catalogue)
    pairs = np.unique(purchases.user[bought].astype(np.int64) * n_items + purchases.item[bought])
    first = np.full(n_items, np.iinfo(np.int64).max)
    np.minimum.at(first, purchases.item[bought], purchases.time[bought])
    lines = np.bincount(purchases.item[bought], minlength=n_items)
    back = np.bincount(purchases.item[returned], minlength=n_items)
    return ProductStats(
        category=category,
        family=_families(titles, catalogue),
        log_price=log_price,
        price_in_category=_less_category(log_price, category),
        customers=np.bincount(pairs[pairs >= 0] % n_items, minlength=n_items).astype(np.float32),
        first_sold=np.where(lines > 0, first, NEVER),
        return_rate=(back / np.maximum(lines, 1)).astype(np.float32),
    )


def _categories_of_words(titles: Sequence[tuple[str, ...]]) -> NDArray[np.int32]:
    """Number products by the most common word of their title that is not in nearly all titles."""
    shared = Counter(word for words in titles for word in set(words))
    limit = max(MAX_SHARING_PART * len(titles), MIN_SHARING_PRODUCTS)
    codes: dict[str, int] = {}
    category = np.full(len(titles), -1, np.int32)
    for item, words in enumerate(titles):
        usable = [word for word in words if MIN_SHARING_PRODUCTS <= shared[word] <= limit]
        if usable:
            word = max(usable, key=lambda word: (shared[word], word))
            category[item] = codes.setdefault(word, len(codes))
    return category


def _families(titles: Sequence[tuple[str, ...]], catalogue: Catalogue) -> NDArray[np.int32]:
    """Return the family of every product: (items,), -1 untitled."""
    names = ["", *catalogue.category_names]
    rows = zip(catalogue.category.tolist(), titles, strict=True)
    return np.array([code_family(names[code + 1], words) for code, words in rows], np.int32)


def _log_price(purchases: Purchases, catalogue: Catalogue) -> NDArray[np.float32]:
    """Return ln(price / median of the shop): of the mean price paid, or else of the catalogue's.

    The median is of what was sold: a history knows nothing of what is first sold after it.
    """
    bought = purchases.kind == PURCHASE
    priced = bought & (purchases.price > 0)
    item, n_items = purchases.item[priced], len(catalogue)
    lines = np.bincount(item, minlength=n_items)
    paid = np.bincount(item, np.log(purchases.price[priced]), n_items) / np.maximum(lines, 1)
    listed = np.log(np.where(catalogue.price > 0, catalogue.price, np.nan))
    prices = np.where(lines > 0, paid, listed)
    sold = np.isfinite(prices)
    sold &= np.bincount(purchases.item[bought], minlength=n_items) > 0
    median = np.median(prices[sold]) if sold.any() else 0.0
    return (prices - median).astype(np.float32)


def _less_category(
    log_price: NDArray[np.float32], category: NDArray[np.int32]
) -> NDArray[np.float32]:
    priced = np.isfinite(log_price)
    code = category + 1  # products without a category make one of their own
    count = np.bincount(code[priced], minlength=int(code.max(initial=0)) + 1)
    mean = np.bincount(code[priced], log_price[priced], len(count)) / np.maximum(count, 1)
    return (log_price - mean[code]).astype(np.float32)
