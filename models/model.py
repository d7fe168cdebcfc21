"""All that was learned: the arrays of an artifact."""

from __future__ import annotations

from dataclasses import dataclass

from models.catalogue import Catalogue
from models.customers import Customers
from models.factors import ItemFactors
from models.history import Histories
from models.lesson import Lesson
from models.neighbours import Neighbours
from models.pairs import OrderPairs
from models.repeats import Repeats
from models.sales import DailySales
from models.substitutes import Substitutes
from models.traits import Traits


@dataclass(frozen=True, eq=False)
class Model:
    customers: Customers
    catalogue: Catalogue
    traits: Traits
    histories: Histories
    factors: ItemFactors
    neighbours: Neighbours
    orders: OrderPairs
    substitutes: Substitutes
    sales: DailySales
    repeats: Repeats
    lesson: Lesson
