"""Words of products as vectors: what their titles, categories and attributes have in common."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import orjson
from numpy.typing import NDArray

from models.data.catalogue import Catalogue
from models.data.ids import Ids
from models.data.ragged import RowGroups, find_stored
from models.data.title_words import find_title_words

Floats = NDArray[np.float32]
Items = NDArray[np.int64]

PATH_SEPARATORS: Final = (" > ", "/", "|")  # between the levels of a category's name
TEXT_OF: Final = " is "  # between the name of an attribute and its text


@dataclass(frozen=True, eq=False)
class ProductWords:
    """Hold the words of item i as a vector of length 1, in the entries `indptr[i]:indptr[i + 1]`.

    Products that came after training have no entries: their vectors are made of their words.
    """

    names: Ids  # (words,)
    rarity: Floats  # (words,) how much each tells: of rare words, and of those that tell the kind
    indptr: NDArray[np.int64]
    word: NDArray[np.int32]
    weight: Floats

    def __len__(self) -> int:
        """Return how many products were learned about."""
        return len(self.indptr) - 1

    def vector(self, catalogue: Catalogue, item: int) -> Floats:
        """Return the vector of a product: (words,)."""
        vector = np.zeros(len(self.rarity), np.float32)
        words, weights = self._entries(catalogue, item)
        vector[words] = weights
        return vector

    def cosines(self, vector: Floats, items: Items, catalogue: Catalogue) -> Floats:
        """Return the cosine of a vector with products (c,) in ascending order: (c,)."""
        learned = items[: items.searchsorted(len(self))]
        entries, counts, _ = find_stored(self.indptr, learned, RowGroups.of([len(learned)]))
        owner = np.arange(len(learned)).repeat(counts)
        cosines = np.zeros(len(items), np.float32)
        parts = vector[self.word[entries]] * self.weight[entries]
        cosines[: len(learned)] = np.bincount(owner, parts, len(learned))
        for index in range(len(learned), len(items)):
            words, weights = self._entries(catalogue, int(items[index]))
            cosines[index] = vector[words] @ weights
        return cosines

    def _entries(self, catalogue: Catalogue, item: int) -> tuple[NDArray[np.int32], Floats]:
        """Return the words of a product and their weights; those not learned are left out."""
        if item < len(self):
            entries = slice(self.indptr[item], self.indptr[item + 1])
            return self.word[entries], self.weight[entries]
        codes = [self._code[word] for word in collect_words(catalogue, item) if word in self._code]
        words = np.array(sorted(codes), np.int32)
        rarity = self.rarity[words]
        length = max(float(np.linalg.norm(rarity)), 1e-9)
        return words, (rarity / length).astype(np.float32)

    @cached_property
    def _code(self) -> dict[str, int]:
        """Map each word to its code; built when the first product comes after training."""
        return {name: code for code, name in enumerate(self.names)}

    def sharing(self, vector: Floats) -> Items:
        """Return the products that were learned about and have a word of a vector, ascending."""
        entries = np.flatnonzero(vector[self.word] > 0)
        return np.unique(self.indptr.searchsorted(entries, side="right") - 1)


def collect_words(catalogue: Catalogue, item: int) -> set[str]:
    """Return the words of a product: of its title, its other texts, and the tree of its category.

    Sizes and numbers are no words. A text of an attribute is one word, with the attribute's name.
    """
    words = set(find_title_words(catalogue.title[item]))
    category = int(catalogue.category[item])
    if category >= 0:
        name = catalogue.category_names[category]
        for separator in PATH_SEPARATORS:
            levels = name.split(separator)
            words |= {f"in {separator.join(levels[:end])}" for end in range(1, len(levels))}
    attributes = catalogue.attributes.bytes_at(item)
    if attributes:
        for name, value in orjson.loads(attributes).items():
            if isinstance(value, str) and not any(letter.isdigit() for letter in value):
                words.add(f"{name}{TEXT_OF}{value}")
    return words
