"""Products that a shopper takes in place of another: alike by what is known of them, or looked at
one after the other.

The log odds that b stands in for a are a weighted sum of what is known of the pair, each between 0
and 1:

    log odds(a, b) = Σ weight · feature - EVEN
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from models.data.catalogue import Catalogue
from models.data.ids import Ids
from models.data.product_stats import ProductStats
from models.data.product_words import ProductWords
from models.trees import probability

Floats = NDArray[np.float32]
Items = NDArray[np.int64]

CATEGORY_WEIGHT: Final = 5.0  # of the same category
WORDS_WEIGHT: Final = 0.5  # cosine of the words
BRAND_WEIGHT: Final = 0.3
PRICE_WEIGHT: Final = 0.5
SALES_WEIGHT: Final = 1.5  # what sells is looked for
BOUGHT_WEIGHT: Final = 0.75  # similarity over customers, as a share of the product's highest
VIEWED_WEIGHT: Final = 6.0  # looked at soon after the other
BOUGHT_ALONE: Final = 3.0  # less where nothing but purchases ties the two: it comes last
EVEN: Final = 6.0  # what makes odds of 1: one category, and some of the rest
FARTHEST_PRICE: Final = 2.0  # ln of a ratio of prices above which both are as far apart
UNKNOWN_PRICE: Final = 0.5  # nearness where a price is not known
ALIKE_WORDS: Final = 0.3  # cosine from which words alone make products similar
MOST_LATER: Final = 50  # products that came after training and are compared


class Evidence(IntEnum):
    """What makes a product similar to another. An artifact keeps the number."""

    ATTRIBUTES = 0  # one category, or the same words
    VIEWS = 1  # looked at one after the other
    PURCHASES = 2  # nothing but that the same customers buy both


@dataclass(frozen=True, eq=False)
class SimilarRow:
    """Hold the products similar to one: (s,) each, in no order."""

    item: Items
    log_odds: Floats
    evidence: NDArray[np.uint8]  # numbers of Evidence

    def score_of(self, item: int) -> float:
        """Return the probability that an item is taken instead, 0 where nothing is known of it."""
        chance = probability(self.log_odds[self.item == item])
        return float(chance.max(initial=0))

    def extend(self, other: SimilarRow) -> SimilarRow:
        return SimilarRow(
            np.concatenate([self.item, other.item]),
            np.concatenate([self.log_odds, other.log_odds]),
            np.concatenate([self.evidence, other.evidence]),
        )


@dataclass(frozen=True, eq=False)
class SimilarProducts:
    """Hold the most similar products of item i in the entries `indptr[i]:indptr[i + 1]`.

    Products that came after training have no row: their attributes are compared on request. A model
    of an earlier version has no row at all.
    """

    indptr: NDArray[np.int64]
    item: NDArray[np.int32]
    log_odds: Floats
    evidence: NDArray[np.uint8]
    sales: Floats  # (items,) how well each sells, from 0 to 1
    words: ProductWords

    @classmethod
    def none(cls) -> Self:
        """Return those of a shop of which nothing was learned."""
        floats, codes = np.zeros(0, np.float32), np.zeros(0, np.int32)
        start = np.zeros(1, np.int64)
        words = ProductWords(Ids.of(()), floats, start, codes, floats)
        return cls(start, codes, floats, codes.astype(np.uint8), floats, words)

    def __len__(self) -> int:
        """Return how many products were learned about."""
        return len(self.indptr) - 1

    def of(self, item: int, catalogue: Catalogue, stats: ProductStats) -> SimilarRow:
        """Return what is similar to a product, those that came after training included."""
        category = catalogue.category[item]
        later = self._find_later(item, catalogue)
        if item < len(self):
            entries = slice(self.indptr[item], self.indptr[item + 1])
            learned = SimilarRow(
                self.item[entries].astype(np.int64), self.log_odds[entries], self.evidence[entries]
            )
            if len(later) == 0:
                return learned
            return learned.extend(self._compare(item, later, catalogue, stats))
        candidates = np.flatnonzero(catalogue.category[: len(self)] == category)
        if category < 0 or len(candidates) == 0:
            candidates = self.words.sharing(self.words.vector(catalogue, item))
        return self._compare(item, np.append(candidates, later), catalogue, stats)

    def _find_later(self, item: int, catalogue: Catalogue) -> Items:
        """Find the newest products after training that may be alike, in ascending order."""
        later = np.arange(len(self), len(catalogue))
        category = catalogue.category[later]
        if catalogue.category[item] >= 0:
            later = later[(category == catalogue.category[item]) | (category < 0)]
        later = later[later != item]
        newest = np.argsort(catalogue.available_from[later], kind="stable")[-MOST_LATER:]
        return np.sort(later[newest])

    def _compare(
        self, item: int, others: Items, catalogue: Catalogue, stats: ProductStats
    ) -> SimilarRow:
        """Compare a product by its attributes with others in ascending order."""
        cosines = self.words.cosines(self.words.vector(catalogue, item), others, catalogue)
        pairs = PairAttributes.of(np.full(len(others), item), others, cosines, catalogue, stats)
        learned = others[: others.searchsorted(len(self))]
        log_odds = pairs.log_odds
        log_odds[: len(learned)] += np.float32(SALES_WEIGHT) * self.sales[learned]
        alike = pairs.are_alike
        evidence = np.full(int(alike.sum()), Evidence.ATTRIBUTES, np.uint8)
        return SimilarRow(others[alike], log_odds[alike], evidence)


@dataclass(frozen=True, eq=False)
class PairAttributes:
    """Hold what the attributes of pairs of products tell: (pairs,) each."""

    log_odds: Floats  # of the attributes alone
    are_alike: NDArray[np.bool_]  # of one category, or with the same words

    @classmethod
    def of(
        cls, a: Items, b: Items, cosines: Floats, catalogue: Catalogue, stats: ProductStats
    ) -> Self:
        """Compare pairs whose words have these cosines.

        Where a category is not known, the words stand in for it.
        """
        of_a, of_b = catalogue.category[a], catalogue.category[b]
        kinds = np.where((of_a < 0) | (of_b < 0), cosines, of_a == of_b)
        brand = (catalogue.brand[a] == catalogue.brand[b]) & (catalogue.brand[a] >= 0)
        distance = np.abs(stats.log_price[a] - stats.log_price[b]) / np.float32(FARTHEST_PRICE)
        nearness = np.where(np.isnan(distance), UNKNOWN_PRICE, 1 - np.minimum(distance, 1))
        log_odds = CATEGORY_WEIGHT * kinds + WORDS_WEIGHT * cosines - EVEN
        log_odds += BRAND_WEIGHT * brand + PRICE_WEIGHT * nearness
        return cls(log_odds.astype(np.float32), np.maximum(kinds, cosines) >= ALIKE_WORDS)
