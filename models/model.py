"""A trained model: the arrays of an artifact."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from models.data.catalogue import Catalogue
from models.data.customers import Customers
from models.data.daily_sales import DailySales
from models.data.history import Histories
from models.data.product_stats import ProductStats
from models.sources.als import ItemFactors
from models.sources.co_purchases import CoPurchases
from models.sources.item_neighbours import ItemNeighbours
from models.sources.repurchase import Repurchases
from models.sources.similar_products import Evidence, SimilarProducts, SimilarRow
from models.sources.substitutes import Substitutes
from models.trees import Trees

Floats = NDArray[np.float32]


def whole_share() -> Floats:
    """Return the share of trees that count as they are: (3,)."""
    return np.ones(3, np.float32)


def no_limits() -> NDArray[np.int32]:
    """Return the limits of a ranker that has learned none: (2,)."""
    return np.zeros(2, np.int32)


def no_reach() -> Floats:
    """Return the reach of a ranker that lifts no product: (0,)."""
    return np.zeros(0, np.float32)


def no_daring() -> Floats:
    """Return the daring of a ranker that takes best sellers as they come: (3,)."""
    return np.zeros(3, np.float32)


def no_weights() -> Floats:
    """Return the weights of a ranker that has learned none: (0, 0)."""
    return np.zeros((0, 0), np.float32)


@dataclass(frozen=True, eq=False)
class LearnedRanker:
    """Hold what a shop has taught about ranking.

    Weights blend the features; a line turns the blend into log odds of a purchase, and trees add to
    them. There are three of each but the trees: for products new to a customer, for those bought
    before, and for a visitor of whom no purchase is known.
    """

    slope: Floats  # (3,) new, bought, visit; versions of before have no line for visits
    level: Floats  # (3,)
    trees: Trees  # add to the log odds
    # Log odds that a candidate is what a basket lacks
    baskets: Trees = field(default_factory=Trees.none)
    weights: Floats = field(default_factory=no_weights)  # (3, BLENDED); (0, 0): those of settings
    share: Floats = field(default_factory=whole_share)  # (3,) of what trees add, that counts
    # (2,) products of a category among ten, for customers and for visits; 0: that of settings
    category_limits: NDArray[np.int32] = field(default_factory=no_limits)
    daring: Floats = field(default_factory=no_daring)  # (3,) log odds off for each e-fold of sales
    # (items,) log odds by which products new to a customer rank higher; (0,): none does
    reach: Floats = field(default_factory=no_reach)
    # Add to those of products bought before; where there are none, `trees` do that, too
    repeat_trees: Trees = field(default_factory=Trees.none)

    @classmethod
    def none(cls) -> Self:
        """Return a ranker that has learned nothing: the blend of the settings ranks alone."""
        return cls(np.ones(3, np.float32), np.zeros(3, np.float32), Trees.none())

    @property
    def learned(self) -> bool:
        """Return whether scores are log odds of a purchase."""
        return len(self.trees) > 0 or len(self.weights) > 0


@dataclass(frozen=True, eq=False)
class Model:
    """Hold everything that was learned.

    Fields are never renamed: their names are those of the arrays in artifacts.
    """

    customers: Customers
    catalogue: Catalogue
    traits: ProductStats
    histories: Histories
    factors: ItemFactors
    neighbours: ItemNeighbours
    orders: CoPurchases
    substitutes: Substitutes
    sales: DailySales
    repeats: Repurchases
    lesson: LearnedRanker
    # Versions of before have none
    similar: SimilarProducts = field(default_factory=SimilarProducts.none)

    def find_similar(self, item: int) -> SimilarRow:
        """Return what stands in for a product.

        In versions that have learned none, what the same customers buy takes its place.
        """
        if len(self.similar):
            return self.similar.of(item, self.catalogue, self.traits)
        scores = self.neighbours.similar(item)
        items = np.flatnonzero(scores)
        evidence = np.full(len(items), Evidence.PURCHASES, np.uint8)
        return SimilarRow(items, np.log(scores[items]), evidence)
