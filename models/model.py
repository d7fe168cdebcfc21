"""All that was learned: the arrays of an artifact."""

from __future__ import annotations

from dataclasses import dataclass

from models.data.catalogue import Catalogue
from models.data.customers import Customers
from models.data.daily_sales import DailySales
from models.data.history import Histories
from models.data.product_stats import ProductStats
from models.ranking.learned_ranker import LearnedRanker
from models.sources.als import ItemFactors
from models.sources.co_purchases import CoPurchases
from models.sources.item_neighbours import ItemNeighbours
from models.sources.repurchase import Repurchases
from models.sources.substitutes import Substitutes


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
