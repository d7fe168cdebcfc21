"""Learn which words of products tell most: what few others have, and what tells the price."""

from __future__ import annotations

from collections import Counter
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.data.catalogue import Catalogue
from models.data.ids import Ids
from models.data.product_words import TEXT_OF, ProductWords, collect_words

Floats = NDArray[np.float32]

COLUMN_WEIGHT: Final = 1.5  # of the text of a column, beside a level of a category
LEAST_KIND: Final = 0.3  # share of the variance of prices that every word of a title explains
PRIOR_PRODUCTS: Final = 3.0  # of a usual word, mixed into the variance of each


def fit_product_words(catalogue: Catalogue, log_price: Floats) -> ProductWords:
    """Weigh the words of all products, whose prices (items,) are NaN where unknown."""
    words_each = [sorted(collect_words(catalogue, item)) for item in range(len(catalogue))]
    counts = Counter(word for words in words_each for word in words)
    names = sorted(counts, key=str.encode)
    code = {name: index for index, name in enumerate(names)}
    sizes = [len(words) for words in words_each]
    word = np.array([code[word] for words in words_each for word in words], np.int32)
    owner = np.repeat(np.arange(len(sizes)), sizes)
    # weight = √ln((n + 1) / products that have it), times what the word tells of the kind
    shares = np.array([counts[name] for name in names], np.float32) / (len(catalogue) + 1)
    of_title = np.array([" " not in name for name in names], np.bool_)
    of_column = np.array([TEXT_OF in name for name in names], np.bool_)
    kind = np.where(of_column, COLUMN_WEIGHT, 1)
    kind[of_title] = _measure_kind(word, log_price[owner], len(names))[of_title]
    rarity = (np.sqrt(-np.log(shares)) * kind).astype(np.float32)
    length = np.sqrt(np.bincount(owner, rarity[word] ** 2, len(sizes)))
    return ProductWords(
        names=Ids.of(names),
        rarity=rarity,
        indptr=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        word=word,
        weight=(rarity[word] / np.maximum(length, 1e-9)[owner]).astype(np.float32),
    )


def _measure_kind(word: NDArray[np.int32], log_price: Floats, n_words: int) -> Floats:
    """Return how well each word tells what a product is: (words,), 1 at most.

    Lamps cost what lamps cost, and what is red costs anything. `log_price` is that of each use of a
    word, NaN where unknown.
    """
    # kind = √(1 - variance of ln(price) with the word / variance of all)
    priced = np.isfinite(log_price)
    word, prices = word[priced], log_price[priced].astype(np.float64)
    variance = float(prices.var()) if len(prices) else 0.0
    if variance == 0:
        return np.ones(n_words, np.float32)
    counts = np.bincount(word, minlength=n_words)
    means = np.bincount(word, prices, n_words) / np.maximum(counts, 1)
    squares = np.bincount(word, (prices - means[word]) ** 2, n_words)
    freedom = np.maximum(counts - 1, 0)
    usual = float(squares.sum()) / max(int(freedom.sum()), 1)
    within = (squares + PRIOR_PRODUCTS * usual) / (freedom + PRIOR_PRODUCTS)
    return np.sqrt(np.clip(1 - within / variance, LEAST_KIND, 1)).astype(np.float32)
