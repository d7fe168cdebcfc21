"""Learn which words of products tell most: those that few others have."""

from __future__ import annotations

from collections import Counter
from typing import Final

import numpy as np

from models.data.catalogue import Catalogue
from models.data.ids import Ids
from models.data.product_words import TEXT_OF, ProductWords, collect_words

COLUMN_WEIGHT: Final = 2  # of the text of a column, beside a word of a title


def fit_product_words(catalogue: Catalogue) -> ProductWords:
    """Weigh the words of all products by how rare they are."""
    words_each = [sorted(collect_words(catalogue, item)) for item in range(len(catalogue))]
    counts = Counter(word for words in words_each for word in words)
    names = sorted(counts, key=str.encode)
    # rarity = √ln((n + 1) / products that have it), twice that for what stands in its own column
    shares = np.array([counts[name] for name in names], np.float32) / (len(catalogue) + 1)
    of_column = np.array([TEXT_OF in name for name in names], np.bool_)
    rarity = np.sqrt(-np.log(shares)) * np.where(of_column, COLUMN_WEIGHT, 1).astype(np.float32)
    code = {name: index for index, name in enumerate(names)}
    sizes = [len(words) for words in words_each]
    word = np.array([code[word] for words in words_each for word in words], np.int32)
    owner = np.repeat(np.arange(len(sizes)), sizes)
    length = np.sqrt(np.bincount(owner, rarity[word] ** 2, len(sizes)))
    return ProductWords(
        names=Ids.of(names),
        rarity=rarity,
        indptr=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        word=word,
        weight=(rarity[word] / np.maximum(length, 1e-9)[owner]).astype(np.float32),
    )
