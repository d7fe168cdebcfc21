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
from training.evaluation.split import Split
from training.report.data import ExampleCustomer, ExampleProduct, ExampleSlot, OwnedProduct

EXAMPLE_CUSTOMERS: Final = 20


def draw_example_customers(
    directory: Path, split: Split, config: EvaluationConfig
) -> tuple[ExampleCustomer, ...]:
    """Drawn by lot among the scored customers, with the slates that they would have been served at the cut."""
    recommender = Recommender.load(directory)
    count = min(EXAMPLE_CUSTOMERS, len(split.users))
    places = np.sort(
        np.random.default_rng(config.seed).choice(len(split.users), count, replace=False)
    )
    return tuple(
        _customer(recommender, int(split.users[place]), split.targets[place], split.cut, config.k)
        for place in places.tolist()
    )


def _customer(
    recommender: Recommender, user: int, targets: frozenset[int], cut: int, k: int
) -> ExampleCustomer:
    request = recommender.at_home(user, SlateRequest(n=k, as_of=cut, repeat=Repeat.INCLUDE))
    case = recommender.build_context(user, request)
    pairs = case.pairs
    owned = np.flatnonzero(pairs.last != NEVER)
    order = owned[np.lexsort((-pairs.last[owned], -pairs.lines[owned]))].tolist()
    history = tuple(
        OwnedProduct(
            _product(recommender, int(pairs.item[place])),
            int(pairs.lines[place]),
            (cut - int(pairs.last[place])) / DAY,
        )
        for place in order
    )
    slots = recommender.build_slate(case, request).slots
    return ExampleCustomer(
        customer_id=recommender.model.customers.ids[user],
        history=history,
        slate=tuple(
            ExampleSlot(_product(recommender, slot.item), slot.reason.text, slot.source)
            for slot in slots
        ),
        bought=tuple(_product(recommender, item) for item in sorted(targets)),
    )


def _product(recommender: Recommender, item: int) -> ExampleProduct:
    return ExampleProduct(
        recommender.catalogue.ids[item], recommender.catalogue.title[item] or None
    )
