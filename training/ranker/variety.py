"""Learn how many products of one category slates need room for, where the limit costs much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.assembly.diversity import Likeness, diversify
from models.model import LearnedRanker
from models.recommender import Recommender
from models.settings import DiversitySettings
from training.evaluation.metrics import recall
from training.ranker.rows import check_no_leak, request_of
from training.ranker.windows import Example, Window

SLOTS: Final = 10  # of a slate
WIDER: Final = (6, 7, 8, 10)  # limits of ten that may take the place of the settings' one
MAX_EXAMPLES: Final = 1_000  # customers, and visits, that the cost of limits is measured on


def list_limits(diversity: DiversitySettings) -> tuple[int, ...]:
    """Return the limits that are tried, the strictest first; the last one is none."""
    return (diversity.category, *(limit for limit in WIDER if limit > diversity.category))


def draw_limit_examples(examples: Sequence[Example], seed: int) -> list[Example]:
    """Return at most MAX_EXAMPLES of customers and as many visits, by lot."""
    drawn = []
    for group in (
        [example for example in examples if example.user >= 0],
        [example for example in examples if example.user < 0],
    ):
        count = min(len(group), MAX_EXAMPLES)
        chosen = np.random.default_rng(seed).choice(len(group), count, replace=False)
        drawn += [group[index] for index in np.sort(chosen).tolist()]
    return drawn


def measure_limits(
    window: Window, lesson: LearnedRanker, recommender: Recommender, examples: Sequence[Example]
) -> NDArray[np.float64]:
    """Return the Recall of each example with each limit, as a ranker serves it: (e, limits).

    It is the mean of two: of any product, and of those new to the customer. Raises LeakError.
    """
    check_no_leak(window, recommender)
    model, settings = recommender.model, recommender.settings
    shop = Recommender(recommender.manifest, replace(model, lesson=lesson), settings)
    likenesses = []
    for limit in list_limits(settings.diversity):
        diversity = replace(settings.diversity, category=limit, placements=())
        likenesses.append(Likeness.of(model, diversity))
    rows = [_recall_with_each(shop, example, likenesses) for example in examples]
    return np.array(rows).reshape(len(examples), len(likenesses))


def _recall_with_each(
    shop: Recommender, example: Example, likenesses: Sequence[Likeness]
) -> list[float]:
    request = request_of(shop, example)
    context = shop.build_context(example.user, request)
    ranked = shop.rank(context, shop.find_removed(context, request))
    new = ranked.items[~ranked.bought]
    owned = context.pairs.item[context.pairs.owned].tolist()
    discoveries = example.targets.difference(owned)
    recalls = []
    for likeness in likenesses:
        values = []
        for items, targets in ((ranked.items, example.targets), (new, discoveries)):
            if targets:
                shown = items[diversify(items.tolist(), SLOTS, likeness)]
                values.append(recall(shown, targets, SLOTS))
        recalls.append(float(np.mean(values)))
    return recalls


def choose_limit(recalls: NDArray[np.float64], diversity: DiversitySettings) -> int:
    """Return the strictest limit that costs no more Recall (e, limits) than the settings allow."""
    limits = list_limits(diversity)
    totals = recalls.sum(axis=0)
    least = (1 - diversity.category_cost) * totals[-1] if len(totals) else 0.0
    for limit, total in zip(limits, totals.tolist(), strict=True):
        if total >= least:
            return limit
    return limits[-1]
