"""Slates against what customers really bought next, on two tasks: everything, and what was new to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.data.events import DAY, PURCHASE
from models.recommender import Recommender
from models.rules.shop_rules import ShopRule
from training.config import EvaluationConfig
from training.evaluation import metrics
from training.evaluation.evaluate_customers import (
    METRICS,
    PROPOSERS,
    TASKS,
    Observations,
    measure_slate,
    observe_customers,
)
from training.evaluation.methods import DIVERSITIES, METHODS, SERVED
from training.evaluation.metrics import Mean
from training.evaluation.results import (
    Bin,
    CandidateFigures,
    Diversity,
    Group,
    NewProducts,
    Role,
    SourceHits,
)
from training.evaluation.split import Split
from training.parallel import map_with_recommender
from training.progress import Advance

CHUNK: Final = 64  # customers a worker takes at a time
LENGTHS: Final = (1, 5, 20, 100)  # purchase lines from which a history counts as longer
ACTIVITIES: Final = (
    0,
    1,
    2,
    4,
    8,
)  # orders in the days before the cut from which a customer counts as more active
ACTIVE_DAYS: Final = 28
ALL_SOURCES: Final = "all together"

ReferenceSlates = Mapping[
    str, tuple[NDArray[np.int64], NDArray[np.int64]]
]  # method -> (customers, k) of each task, -1 padded


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Figures of one model on one split. `values` keeps them per customer, for paired comparisons."""

    cut: int
    as_of: int
    k: int
    values: dict[
        str, dict[str, NDArray[np.float64]]
    ]  # task -> method -> (customers of the task, METRICS)
    scores: dict[str, dict[str, dict[str, Mean]]]  # task -> method -> metric
    coverage: dict[str, float]  # task -> share of countable products that anyone was shown
    novelty: dict[str, float]  # task -> mean of -log2(share of lines) of what was shown
    filled: dict[str, float]  # task -> share of slots that had to be filled
    by_length: dict[str, tuple[Group, ...]]  # task -> by purchase lines before the cut
    by_activity: dict[str, tuple[Group, ...]]  # task -> by orders in the 28 days before the cut
    candidates: dict[str, CandidateFigures]  # task -> what each source found
    calibration: dict[
        str, tuple[Bin, ...]
    ]  # task -> scores against purchases, where the ranker has learned
    diversity: tuple[Diversity, ...]  # what limits to a category cost
    bundles: dict[str, dict[str, float]]  # "basket", "one product" -> hit rates
    new_products: NewProducts | None = None

    def customers(self, task: str) -> int:
        return len(self.values[task][SERVED])


def evaluate(
    directory: Path,
    split: Split,
    config: EvaluationConfig,
    *,
    bundles: dict[str, dict[str, float]],
    processes: int,
    on_progress: Advance,
    as_of: int | None = None,
    rivals: ReferenceSlates | None = None,
    rules: tuple[ShopRule, ...] = (),
) -> Evaluation:
    """Evaluate the artifact in `directory` for the customers of a split, at the cut unless `as_of` says later.

    With the shop's rules, the slates that they make are one more method, beside what is served without them.
    """
    moment = split.cut if as_of is None else as_of
    customers = list(zip(split.users.tolist(), split.targets, split.discoveries, strict=True))
    parts = []
    work = partial(observe_customers, moment, config.k, rules)
    for part in map_with_recommender(directory, work, customers, chunk=CHUNK, processes=processes):
        parts.append(part)
        on_progress(min(len(parts) * CHUNK, len(customers)), len(customers))
    seen = Observations.of(parts)
    diversity = _diversity(
        seen, Recommender.load(directory), config.seed, int(split.countable.sum())
    )
    return _summed(seen, split, moment, config, diversity, bundles, rivals or {})


def _summed(
    seen: Observations,
    split: Split,
    as_of: int,
    config: EvaluationConfig,
    diversity: tuple[Diversity, ...],
    bundles: dict[str, dict[str, float]],
    rivals: ReferenceSlates,
) -> Evaluation:
    bought = split.past.kind == PURCHASE
    lines = np.bincount(split.past.item[bought], minlength=len(split.countable)).astype(np.float64)
    surprise = -np.log2((lines + 1) / (lines.sum() + len(lines)))
    countable = max(int(split.countable.sum()), 1)
    user = split.past.user[bought]
    length = np.bincount(user[user >= 0], minlength=int(split.users.max()) + 1)[split.users]
    activity = _orders_lately(split)
    found = Evaluation(
        split.cut, as_of, config.k, {}, {}, {}, {}, {}, {}, {}, {}, {}, diversity, bundles
    )
    for task, name in enumerate(TASKS):
        scored = seen.targets[task] > 0
        if not scored.any():
            continue
        values = {
            method: seen.values[task, scored, index]
            for index, method in enumerate(METHODS)
            if not np.isnan(seen.values[task, scored, index]).any()
        }
        values |= {
            method: _rival(slates[task], split, task, scored, config.k)
            for method, slates in rivals.items()
        }
        found.values[name] = values
        found.scores[name] = {
            method: {
                metric: metrics.mean(column, config.seed)
                for metric, column in zip(METRICS, rows.T, strict=True)
            }
            for method, rows in values.items()
        }
        items = seen.items[task, scored]
        shown = items[items >= 0]
        found.coverage[name] = len(np.unique(shown)) / countable
        found.novelty[name] = float(surprise[shown].sum() / max(len(shown), 1))
        found.filled[name] = float(seen.filled[task, scored].sum() / max(len(shown), 1))
        recall = values[SERVED][:, 0]
        found.by_length[name] = _groups(recall, length[scored], LENGTHS, "line", config.seed)
        found.by_activity[name] = _groups(
            recall, activity[scored], ACTIVITIES, "order", config.seed
        )
        found.candidates[name] = _candidates(seen, task, scored)
        found.calibration[name] = _calibration(seen.scores[task, scored].sum(axis=0))
    return found


def _rival(
    slates: NDArray[np.int64], split: Split, task: int, scored: NDArray[np.bool_], k: int
) -> NDArray[np.float64]:
    targets = (split.targets, split.discoveries)[task]
    rows = np.flatnonzero(scored).tolist()
    return np.array([measure_slate(slates[row][slates[row] >= 0], targets[row], k) for row in rows])


def _orders_lately(split: Split) -> NDArray[np.int64]:
    """Orders of each scored customer in the days before the cut: (customers,)."""
    past = split.past
    lately = (
        (past.kind == PURCHASE) & (past.user >= 0) & (past.time >= split.cut - ACTIVE_DAYS * DAY)
    )
    orders = np.unique(np.stack([past.user[lately], past.order[lately]]), axis=1)[0]
    counted: NDArray[np.int64] = np.bincount(orders, minlength=int(split.users.max()) + 1)[
        split.users
    ]
    return counted


def _groups(
    recall: NDArray[np.float64],
    size: NDArray[np.int64],
    bounds: tuple[int, ...],
    unit: str,
    seed: int,
) -> tuple[Group, ...]:
    groups = []
    for low, high in zip(bounds, (*bounds[1:], None), strict=True):
        inside = (size >= low) & (size < high if high else True)
        if inside.sum() >= 2:
            groups.append(
                Group(
                    _range(low, high, unit), int(inside.sum()), metrics.mean(recall[inside], seed)
                )
            )
    return tuple(groups)


def _range(low: int, high: int | None, unit: str) -> str:
    if high is None:
        return f"{low} {unit}s and more"
    if high - 1 == low:
        return f"{low} {unit}" if low == 1 else f"{low or 'no'} {unit}s"
    return f"{low} to {high - 1} {unit}s"


def _candidates(seen: Observations, task: int, scored: NDArray[np.bool_]) -> CandidateFigures:
    """What each source found, mean over customers of the share of their targets."""
    counts, targets = seen.proposed[task, scored].astype(np.float64), seen.targets[task, scored]
    counts[:, :, 1:] /= targets[:, None, None]
    means = counts.mean(axis=0).tolist()
    sources = tuple(SourceHits(name, *row) for name, row in zip(PROPOSERS, means, strict=False))
    return CandidateFigures(sources, means[-1][0], means[-1][1])


def _calibration(bins: NDArray[np.float64]) -> tuple[Bin, ...]:
    return tuple(
        Bin(chance / count, bought / count, int(count))
        for count, chance, bought in bins.tolist()
        if count
    )


def _diversity(
    seen: Observations, recommender: Recommender, seed: int, countable: int
) -> tuple[Diversity, ...]:
    """What limits to the products of one category cost on the task of all products."""
    scored = seen.targets[0] > 0
    found = []
    for row, limit in enumerate(DIVERSITIES):
        slates = seen.varied[0, scored, row]
        category = np.where(slates >= 0, recommender.model.traits.category[slates], -1)
        different = (
            np.mean([len(np.unique(known[known >= 0])) for known in category])
            if len(category)
            else 0.0
        )
        name = "no limit" if limit == DIVERSITIES[0] else f"at most {limit} of a category"
        ndcg = metrics.mean(seen.varied_ndcg[0, scored, row], seed)
        coverage = len(np.unique(slates[slates >= 0])) / max(countable, 1)
        role = Role.SERVED if limit == recommender.settings.diversity.category else Role.OTHER
        found.append(Diversity(name, role, ndcg, coverage, float(different)))
    return tuple(found)
