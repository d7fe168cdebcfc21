"""Twenty real customers: what they had bought, what they would have been shown, and what they then bought."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from models.data.events import DAY
from models.data.history import NEVER
from models.recommender import Recommender
from models.rules.filters import Repeat
from models.slate import SlateRequest
from training.config import EvaluationConfig
from training.report_data import Customer, Owned, Product, Shown
from training.split import Split

CUSTOMERS: Final = 20


def example_customers(directory: Path, split: Split, config: EvaluationConfig) -> tuple[Customer, ...]:
    """Drawn by lot among the scored customers, with the slates that they would have been served at the cut."""
    recommender = Recommender.load(directory)
    count = min(CUSTOMERS, len(split.users))
    places = np.sort(np.random.default_rng(config.seed).choice(len(split.users), count, replace=False))
    return tuple(
        _customer(recommender, int(split.users[place]), split.targets[place], split.cut, config.k)
        for place in places.tolist()
    )


def _customer(recommender: Recommender, user: int, targets: frozenset[int], cut: int, k: int) -> Customer:
    request = recommender.at_home(user, SlateRequest(n=k, as_of=cut, repeat=Repeat.INCLUDE))
    case = recommender.case(user, request)
    pairs = case.pairs
    owned = np.flatnonzero(pairs.last != NEVER)
    order = owned[np.lexsort((-pairs.last[owned], -pairs.lines[owned]))].tolist()
    history = tuple(
        Owned(
            _product(recommender, int(pairs.item[place])),
            int(pairs.lines[place]),
            (cut - int(pairs.last[place])) / DAY,
        )
        for place in order
    )
    slots = recommender.slate(case, request).slots
    return Customer(
        customer_id=recommender.model.customers.ids[user],
        history=history,
        slate=tuple(Shown(_product(recommender, slot.item), slot.reason.text, slot.source) for slot in slots),
        bought=tuple(_product(recommender, item) for item in sorted(targets)),
    )


def _product(recommender: Recommender, item: int) -> Product:
    return Product(recommender.catalogue.ids[item], recommender.catalogue.title[item] or None)
