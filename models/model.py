"""All that was learned: the arrays of an artifact."""

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
    """On top of the blend: how its scores become log odds of a purchase, and trees that add to them."""

    slope: Floats  # (2,) of the blend's score in the log odds of a purchase, for new products and bought ones
    level: Floats  # (2,)
    trees: Trees  # add to the log odds
    baskets: Trees = field(
        default_factory=Trees.none
    )  # log odds that a candidate is what a basket lacks

    @classmethod
    def none(cls) -> Self:
        """Nothing: the blend ranks alone."""
        return cls(np.ones(2, np.float32), np.zeros(2, np.float32), Trees.none())

    @property
    def learned(self) -> bool:
        return len(self.trees) > 0


@dataclass(frozen=True, eq=False)
class Model:
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
