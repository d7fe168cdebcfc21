"""Measure how well attributes alone predict who buys products first sold after the cut."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.data.events import PURCHASE
from models.ranking.sources import score_by_attributes
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
    """Rank products that nobody had bought, for customers who then bought one of them.

    None where there is no such product with a known category.
    """
    recommender = Recommender.load(directory)
    past, future = split.past, split.future
    bought_before = past.kind == PURCHASE
    sold = np.zeros(len(split.countable), np.bool_)
    sold[past.item[bought_before]] = True
    bought = (future.kind == PURCHASE) & (future.user >= 0) & ~sold[future.item]
    items = np.unique(future.item[bought]).astype(np.int64)
    items = items[recommender.model.traits.category[items] >= 0]
    known = np.unique(past.user[bought_before & (past.user >= 0)])
    rows = bought & np.isin(future.item, items) & np.isin(future.user, known)
    user, item = np.unique(np.stack([future.user[rows], future.item[rows]]), axis=1)
    users = np.unique(user)
    if len(users) == 0:
        return None
    if len(users) > MAX_CUSTOMERS:
        random = np.random.default_rng(config.seed)
        users = np.sort(random.choice(users, MAX_CUSTOMERS, replace=False))
    caught = targets = 0
    for customer in users.tolist():
        wanted = item[user == customer]
        slate = _rank(recommender, customer, items, split.cut, config.k)
        caught += int(np.isin(slate, wanted).sum())
        targets += len(wanted)
    return NewProducts(
        products=len(items),
        customers=len(users),
        targets=targets,
        caught=caught / targets,
        by_chance=min(config.k / len(items), 1.0),
    )


def _rank(
    recommender: Recommender, user: int, items: NDArray[np.int64], as_of: int, k: int
) -> NDArray[np.int64]:
    context = recommender.build_context(user, SlateRequest(as_of=as_of))
    return items[rank_best(score_by_attributes(items, context.profile, recommender.model), k)]
