"""Slates against what customers really bought next, on two tasks: everything, and what was new to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.events import PURCHASE
from models.recommender import Recommender
from training import metrics
from training.config import EvaluationConfig
from training.methods import BLEND, METHODS, answers
from training.metrics import Mean
from training.progress import Advance
from training.split import Split
from training.workers import spread

TASKS: Final = ("all", "discovery")
METRICS: Final = ("recall", "ndcg")
CHUNK: Final = 64  # customers a worker takes at a time
LENGTHS: Final = (1, 5, 20, 100)  # purchase lines from which a history counts as longer

Customer = tuple[int, frozenset[int], frozenset[int]]  # user, targets, discoveries


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Figures of one model on one split. `values` keeps them per customer, for paired comparisons."""

    cut: int
    as_of: int
    k: int
    values: dict[str, dict[str, NDArray[np.float64]]]  # task -> method -> (customers of the task, METRICS)
    scores: dict[str, dict[str, dict[str, Mean]]]  # task -> method -> metric
    coverage: dict[str, float]  # task -> share of countable products that anyone was shown
    novelty: dict[str, float]  # task -> mean of -log2(share of lines) of what was shown
    filled: dict[str, float]  # task -> share of slots that had to be filled
    by_length: dict[str, dict[str, Mean]]  # task -> "5 to 19 lines" -> recall
    bundles: dict[str, dict[str, float]]  # "basket", "one product" -> hit rates

    def customers(self, task: str) -> int:
        return len(self.values[task][BLEND])


@dataclass(frozen=True, eq=False)
class Shown:
    """What came out for some customers: values (tasks, customers, METHODS, METRICS), items and fills of the blend."""

    values: NDArray[np.float64]
    items: NDArray[np.int64]  # (tasks, customers, k), -1 where the slate was shorter
    filled: NDArray[np.int64]  # (tasks, customers)


def evaluate(
    directory: Path,
    split: Split,
    config: EvaluationConfig,
    *,
    bundles: dict[str, dict[str, float]],
    processes: int,
    on_progress: Advance,
    as_of: int | None = None,
) -> Evaluation:
    """Evaluate the artifact in `directory` for the customers of a split, at the cut unless `as_of` says later."""
    moment = split.cut if as_of is None else as_of
    customers = list(zip(split.users.tolist(), split.targets, split.discoveries, strict=True))
    parts = []
    work = partial(_measure, moment, config.k)
    for part in spread(directory, work, customers, chunk=CHUNK, processes=processes):
        parts.append(part)
        on_progress(min(len(parts) * CHUNK, len(customers)), len(customers))
    shown = Shown(
        np.concatenate([part.values for part in parts], axis=1),
        np.concatenate([part.items for part in parts], axis=1),
        np.concatenate([part.filled for part in parts], axis=1),
    )
    return _summed(shown, split, moment, config, bundles)


def _measure(as_of: int, k: int, recommender: Recommender, customers: Sequence[Customer]) -> Shown:
    shape = (len(TASKS), len(customers))
    values = np.full((*shape, len(METHODS), len(METRICS)), np.nan)
    items = np.full((*shape, k), -1, np.int64)
    filled = np.zeros(shape, np.int64)
    for place, (user, *targets) in enumerate(customers):
        for task, (answer, wanted) in enumerate(zip(answers(recommender, user, as_of, k), targets, strict=True)):
            if not wanted:
                continue
            for method, slate in answer.items.items():
                figures = metrics.recall(slate, wanted, k), metrics.ndcg(slate, wanted, k)
                values[task, place, METHODS.index(method)] = figures
            served = answer.items[BLEND]
            items[task, place, : len(served)] = served
            filled[task, place] = answer.filled
    return Shown(values, items, filled)


def _summed(
    shown: Shown, split: Split, as_of: int, config: EvaluationConfig, bundles: dict[str, dict[str, float]]
) -> Evaluation:
    bought = split.past.kind == PURCHASE
    lines = np.bincount(split.past.item[bought], minlength=len(split.countable)).astype(np.float64)
    surprise = -np.log2((lines + 1) / (lines.sum() + len(lines)))
    user = split.past.user[bought]
    length = np.bincount(user[user >= 0], minlength=int(split.users.max()) + 1)[split.users]
    evaluation = Evaluation(split.cut, as_of, config.k, {}, {}, {}, {}, {}, {}, bundles)
    for task, name in enumerate(TASKS):
        scored = ~np.isnan(shown.values[task, :, METHODS.index(BLEND), 0])
        if not scored.any():
            continue
        values = {
            method: shown.values[task, scored, index]
            for index, method in enumerate(METHODS)
            if not np.isnan(shown.values[task, scored, index]).any()
        }
        evaluation.values[name] = values
        evaluation.scores[name] = {
            method: {metric: metrics.mean(figures[:, at], config.seed) for at, metric in enumerate(METRICS)}
            for method, figures in values.items()
        }
        items = shown.items[task, scored]
        seen = items[items >= 0]
        evaluation.coverage[name] = len(np.unique(seen)) / max(int(split.countable.sum()), 1)
        evaluation.novelty[name] = float(surprise[seen].sum() / max(len(seen), 1))
        evaluation.filled[name] = float(shown.filled[task, scored].sum() / max(len(seen), 1))
        evaluation.by_length[name] = _by_length(values[BLEND][:, 0], length[scored], config.seed)
    return evaluation


def _by_length(recall: NDArray[np.float64], length: NDArray[np.int64], seed: int) -> dict[str, Mean]:
    groups = {}
    for low, high in zip(LENGTHS, (*LENGTHS[1:], None), strict=True):
        inside = (length >= low) & (length < high if high else True)
        if inside.sum() >= 2:
            name = f"{low} to {high - 1} lines" if high else f"{low} lines and more"
            groups[name] = metrics.mean(recall[inside], seed)
    return groups
