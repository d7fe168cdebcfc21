"""Products first sold after the cut: what their category, brand and price alone tell of who will buy them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.data.events import PURCHASE
from models.ranking.candidates import by_attributes
from models.recommender import Recommender
from models.slate import SlateRequest
from models.sources.scores import rank_best
from training.config import EvaluationConfig
from training.evaluation.results import NewProducts
from training.evaluation.split import Split

MAX_CUSTOMERS: Final = 1_000


def evaluate_new_products(
    directory: Path, split: Split, config: EvaluationConfig
) -> NewProducts | None:
    """Rank the products that nobody had bought among themselves, for customers who then bought one of them.

    None where there is no such product with a known category.
    """
    recommender = Recommender.load(directory)
    sold = np.zeros(len(split.countable), np.bool_)
    sold[split.past.item[split.past.kind == PURCHASE]] = True
    bought = (split.future.kind == PURCHASE) & (split.future.user >= 0) & ~sold[split.future.item]
    items = np.unique(split.future.item[bought]).astype(np.int64)
    items = items[recommender.model.traits.category[items] >= 0]
    known = np.unique(split.past.user[(split.past.kind == PURCHASE) & (split.past.user >= 0)])
    rows = bought & np.isin(split.future.item, items) & np.isin(split.future.user, known)
    pairs = np.unique(np.stack([split.future.user[rows], split.future.item[rows]]), axis=1)
    users = np.unique(pairs[0])
    if len(users) == 0:
        return None
    if len(users) > MAX_CUSTOMERS:
        users = np.sort(
            np.random.default_rng(config.seed).choice(users, MAX_CUSTOMERS, replace=False)
        )
    caught = targets = 0
    for user in users.tolist():
        wanted = pairs[1][pairs[0] == user]
        caught += int(np.isin(_slate(recommender, user, items, split.cut, config.k), wanted).sum())
        targets += len(wanted)
    return NewProducts(
        len(items), len(users), targets, caught / targets, min(config.k / len(items), 1.0)
    )


def _slate(
    recommender: Recommender, user: int, items: NDArray[np.int64], as_of: int, k: int
) -> NDArray[np.int64]:
    case = recommender.build_context(user, SlateRequest(as_of=as_of))
    return items[rank_best(by_attributes(items, case.profile, recommender.model), k)]
