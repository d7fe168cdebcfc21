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
from models.sources.substitutes import Substitutes
from models.trees import Trees

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class LearnedRanker:
    """Hold what ranks on top of the blend.

    A line turns the blend's scores into log odds of a purchase, for new products and for products
    that the customer bought before, and trees add to them.
    """

    slope: Floats  # (2,) new, bought
    level: Floats  # (2,)
    trees: Trees  # add to the log odds
    # Log odds that a candidate is what a basket lacks
    baskets: Trees = field(default_factory=Trees.none)

    @classmethod
    def none(cls) -> Self:
        """Return a ranker that has learned nothing: the blend ranks alone."""
        return cls(np.ones(2, np.float32), np.zeros(2, np.float32), Trees.none())

    @property
    def learned(self) -> bool:
        return len(self.trees) > 0


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
