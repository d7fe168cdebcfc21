"""Draw real customers: what they had bought, would have been shown, and then bought."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from models.data.events import DAY
from models.data.history import NEVER, Interactions
from models.recommender import Recommender
from models.rules.filters import Repeat
from models.slate import SlateRequest
from training.config import EvaluationConfig
from training.evaluation.split import Split
from training.report.data import ExampleCustomer, OwnedProduct
from training.report.example_products import show_product, show_slots

EXAMPLE_CUSTOMERS: Final = 20


def draw_example_customers(
    directory: Path, split: Split, config: EvaluationConfig, count: int
) -> tuple[ExampleCustomer, ...]:
    """Draw scored customers by lot, with the slates they would have been served at the cut."""
    recommender = Recommender.load(directory)
    count = min(count, len(split.users))
    random = np.random.default_rng(config.seed)
    chosen = np.sort(random.choice(len(split.users), count, replace=False))
    return tuple(_build_example(recommender, split, index, config.k) for index in chosen.tolist())


def _build_example(recommender: Recommender, split: Split, index: int, k: int) -> ExampleCustomer:
    user = int(split.users[index])
    request = SlateRequest(n=k, as_of=split.cut, repeat=Repeat.INCLUDE)
    request = recommender.at_home(user, request)
    context = recommender.build_context(user, request)
    slots = recommender.build_slate(context, request).slots
    return ExampleCustomer(
        customer_id=recommender.model.customers.ids[user],
        history=_list_owned(recommender, context.pairs, split.cut),
        slate=show_slots(recommender, slots),
        bought=tuple(show_product(recommender, item) for item in sorted(split.targets[index])),
    )


def _list_owned(
    recommender: Recommender, pairs: Interactions, cut: int
) -> tuple[OwnedProduct, ...]:
    """Products that a customer bought, those bought most often first."""
    owned = np.flatnonzero(pairs.last != NEVER)
    order = owned[np.lexsort((-pairs.last[owned], -pairs.lines[owned]))]
    return tuple(
        OwnedProduct(
            product=show_product(recommender, int(pairs.item[index])),
            lines=int(pairs.lines[index]),
            days_since=(cut - int(pairs.last[index])) / DAY,
        )
        for index in order.tolist()
    )
