"""Compare slates with what customers bought next, of all products and of those new to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.data.events import DAY, PURCHASE
from models.recommender import Recommender
from training.config import EvaluationConfig
from training.evaluation import metrics
from training.evaluation.daring import measure_daring
from training.evaluation.evaluate_customers import (
    METRICS,
    NEXT_VIEW,
    PROPOSERS,
    TASKS,
    VISIT,
    VISIT_FORMS,
    Observations,
    ScoredCustomer,
    measure_slate,
    observe_customers,
    observe_visits,
)
from training.evaluation.methods import DIVERSITIES, NOTHING_ADDED, SERVED, AddedMethods
from training.evaluation.metrics import Mean
from training.evaluation.results import (
    Bin,
    CandidateFigures,
    CustomerGroup,
    Daring,
    Diversity,
    NewProducts,
    Role,
    SourceHits,
)
from training.evaluation.split import Split
from training.parallel import RecommenderWork, map_with_recommender
from training.progress import Advance

CHUNK: Final = 64  # customers a worker takes at a time
LENGTHS: Final = (1, 5, 20, 100)  # purchase lines from which a history counts as longer
ACTIVE_DAYS: Final = 28  # before the cut
ACTIVITIES: Final = (0, 1, 2, 4, 8)  # orders in them from which a customer counts as more active

# method -> task -> (customers or visits of the split, k), -1 padded
ReferenceSlates = Mapping[str, Mapping[str, NDArray[np.int64]]]


@dataclass(frozen=True, eq=False)
class ExtraMethods:
    """Hold what is measured beside the methods of the model itself."""

    references: ReferenceSlates = field(default_factory=dict)
    added: AddedMethods = NOTHING_ADDED


NO_EXTRAS: Final = ExtraMethods()


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Hold the figures of one model on one split, by task.

    `values` has a row for every customer of a task with targets, in the order of the split, and a
    column for each of METRICS; of a visit, a row for each of its forms.
    """

    cut: int
    as_of: int
    k: int
    values: dict[str, dict[str, NDArray[np.float64]]] = field(default_factory=dict)  # by method
    scores: dict[str, dict[str, dict[str, Mean]]] = field(default_factory=dict)  # method -> metric
    coverage: dict[str, float] = field(default_factory=dict)  # share of countable products shown
    novelty: dict[str, float] = field(default_factory=dict)  # mean -log2(share of lines) of shown
    filled: dict[str, float] = field(default_factory=dict)  # share of slots that were filled
    by_length: dict[str, tuple[CustomerGroup, ...]] = field(default_factory=dict)  # by LENGTHS
    by_activity: dict[str, tuple[CustomerGroup, ...]] = field(default_factory=dict)  # by ACTIVITIES
    candidates: dict[str, CandidateFigures] = field(default_factory=dict)
    # Scores against purchases, where the ranker has learned
    calibration: dict[str, tuple[Bin, ...]] = field(default_factory=dict)
    diversity: tuple[Diversity, ...] = ()  # what limits to a category cost
    daring: tuple[Daring, ...] = ()  # what is discovered beyond best sellers
    # "basket", "one product" -> hit rates
    bundles: dict[str, dict[str, float]] = field(default_factory=dict)
    new_products: NewProducts | None = None

    def customers(self, task: str) -> int:
        """Return how many customers a task is about."""
        return len(self.values[task][SERVED])


@dataclass(frozen=True, eq=False)
class PastFigures:
    """Hold what the days before the cut say of products and of the c customers of a split."""

    surprise: NDArray[np.float64]  # (items,) -log2(share of lines)
    countable: int  # products
    lines: NDArray[np.int64]  # (c,) of purchases
    recent_orders: NDArray[np.int64]  # (c,) in the ACTIVE_DAYS


def evaluate(
    directory: Path,
    split: Split,
    config: EvaluationConfig,
    *,
    processes: int,
    on_progress: Advance,
    as_of: int | None = None,
    extras: ExtraMethods = NO_EXTRAS,
) -> Evaluation:
    """Evaluate the artifact in `directory` on the tasks of a split, at the cut or at `as_of`.

    Bundles and new products are measured elsewhere.
    """
    moment = split.cut if as_of is None else as_of
    visits_of = {VISIT: split.visits, NEXT_VIEW: split.views}
    total = len(split.users) + sum(map(len, visits_of.values()))

    def observe(
        work: RecommenderWork[Any, Observations], inputs: Sequence[Any], before: int
    ) -> Observations:
        parts = []
        for part in map_with_recommender(directory, work, inputs, chunk=CHUNK, processes=processes):
            parts.append(part)
            on_progress(before + min(len(parts) * CHUNK, len(inputs)), total)
        return Observations.concatenate(parts)

    columns = zip(split.users.tolist(), split.targets, split.discoveries, strict=True)
    customers = [ScoredCustomer(*row) for row in columns]
    past = _count_past(split)
    evaluation = Evaluation(split.cut, moment, config.k)
    if customers:
        work = partial(observe_customers, moment, config.k, extras.added)
        observations = observe(work, customers, 0)
        recommender = Recommender.load(directory)
        diversity = _measure_diversity(observations, recommender, config.seed, past.countable)
        discovery = observations.dared[TASKS.index("discovery")]
        daring = measure_daring(discovery, recommender, split, config.seed)
        evaluation = replace(evaluation, diversity=diversity, daring=daring)
        for task, name in enumerate(TASKS):
            scored = observations.targets[task] > 0
            if scored.any():
                values = _model_values(observations, task, scored, extras.added)
                targets = (split.targets, split.discoveries)[task]
                values |= _reference_values(extras.references, name, targets, config.k)
                _add_task(evaluation, name, observations, task, values, past, config.seed)
                _add_groups(evaluation, name, scored, past, config.seed)
    done = len(customers)
    for name, visits in visits_of.items():
        if visits:
            forms = VISIT_FORMS[name]
            work = partial(observe_visits, moment, config.k, forms, extras.added)
            observations = observe(work, visits, done)
            values = _model_values(observations, 0, observations.targets[0] > 0, extras.added)
            targets = [visit.targets for visit in visits]
            for method, rows in _reference_values(
                extras.references, name, targets, config.k
            ).items():
                values[method] = rows.repeat(len(forms), axis=0)
            _add_task(evaluation, name, observations, 0, values, past, config.seed)
            done += len(visits)
    return evaluation


def _add_task(
    evaluation: Evaluation,
    name: str,
    observations: Observations,
    task: int,
    values: dict[str, NDArray[np.float64]],
    past: PastFigures,
    seed: int,
) -> None:
    """Add the figures of one task, whose `values` are known by method."""
    scored = observations.targets[task] > 0
    evaluation.values[name] = values
    _add_means(evaluation, name, seed)
    _add_reach(evaluation, name, observations, task, scored, past)
    evaluation.candidates[name] = _measure_candidates(observations, task, scored)
    bins = observations.scores[task, scored].sum(axis=0)
    evaluation.calibration[name] = _calibrate(bins)


def _count_past(split: Split) -> PastFigures:
    past = split.past
    bought = past.kind == PURCHASE
    lines = np.bincount(past.item[bought], minlength=len(split.countable)).astype(np.float64)
    user = past.user[bought]
    lines_of_user = np.bincount(user[user >= 0], minlength=int(split.users.max(initial=-1)) + 1)
    return PastFigures(
        surprise=-np.log2((lines + 1) / (lines.sum() + len(lines))),
        countable=int(split.countable.sum()),
        lines=lines_of_user[split.users],
        recent_orders=_count_recent_orders(split),
    )


def _model_values(
    observations: Observations, task: int, scored: NDArray[np.bool_], added: AddedMethods
) -> dict[str, NDArray[np.float64]]:
    """Figures of each method that has a slate for every customer of a task."""
    values = {}
    for index, method in enumerate(added.names):
        rows = observations.values[task, scored, index]
        if not np.isnan(rows).any():
            values[method] = rows
    return values


def _reference_values(
    references: ReferenceSlates, task: str, targets: Sequence[frozenset[int]], k: int
) -> dict[str, NDArray[np.float64]]:
    """Figures of each reference method for those who have targets."""
    values = {}
    for method, slates_of in references.items():
        if task in slates_of:
            rows = []
            for slate, wanted in zip(slates_of[task], targets, strict=True):
                if wanted:
                    rows.append(measure_slate(slate[slate >= 0], wanted, k))
            values[method] = np.array(rows)
    return values


def _add_means(evaluation: Evaluation, name: str, seed: int) -> None:
    evaluation.scores[name] = {}
    for method, rows in evaluation.values[name].items():
        evaluation.scores[name][method] = {
            metric: metrics.mean(column, seed)
            for metric, column in zip(METRICS, rows.T, strict=True)
        }


def _add_reach(
    evaluation: Evaluation,
    name: str,
    observations: Observations,
    task: int,
    scored: NDArray[np.bool_],
    past: PastFigures,
) -> None:
    """Add how much of the shop is shown to the customers of a task."""
    items = observations.items[task, scored]
    shown = items[items >= 0]
    slots = max(len(shown), 1)
    evaluation.coverage[name] = len(np.unique(shown)) / max(past.countable, 1)
    evaluation.novelty[name] = float(past.surprise[shown].sum() / slots)
    evaluation.filled[name] = float(observations.filled[task, scored].sum() / slots)


def _add_groups(
    evaluation: Evaluation, name: str, scored: NDArray[np.bool_], past: PastFigures, seed: int
) -> None:
    recall = evaluation.values[name][SERVED][:, 0]
    lines, orders = past.lines[scored], past.recent_orders[scored]
    evaluation.by_length[name] = _group(recall, lines, LENGTHS, "line", seed)
    evaluation.by_activity[name] = _group(recall, orders, ACTIVITIES, "order", seed)


def _count_recent_orders(split: Split) -> NDArray[np.int64]:
    """Orders of each customer of the split in the days before the cut: (customers,)."""
    past = split.past
    recent = past.time >= split.cut - ACTIVE_DAYS * DAY
    recent &= (past.kind == PURCHASE) & (past.user >= 0)
    orders = np.unique(np.stack([past.user[recent], past.order[recent]]), axis=1)
    counts: NDArray[np.int64] = np.bincount(
        orders[0], minlength=int(split.users.max(initial=-1)) + 1
    )
    return counts[split.users]


def _group(
    recall: NDArray[np.float64],
    size: NDArray[np.int64],
    bounds: tuple[int, ...],
    unit: str,
    seed: int,
) -> tuple[CustomerGroup, ...]:
    groups = []
    for low, high in zip(bounds, (*bounds[1:], None), strict=True):
        inside = (size >= low) & (size < high if high else True)
        customers = int(inside.sum())
        if customers >= 2:
            mean = metrics.mean(recall[inside], seed)
            groups.append(CustomerGroup(_range_name(low, high, unit), customers, mean))
    return tuple(groups)


def _range_name(low: int, high: int | None, unit: str) -> str:
    if high is None:
        return f"{low} {unit}s and more"
    if high - 1 == low:
        return f"{low} {unit}" if low == 1 else f"{low or 'no'} {unit}s"
    return f"{low} to {high - 1} {unit}s"


def _measure_candidates(
    observations: Observations, task: int, scored: NDArray[np.bool_]
) -> CandidateFigures:
    """Mean over customers of the share of their targets that each source proposed."""
    counts = observations.proposed[task, scored].astype(np.float64)
    targets = observations.targets[task, scored]
    counts[:, :, 1:] /= targets[:, None, None]
    means = counts.mean(axis=0).tolist()
    sources = tuple(SourceHits(name, *row) for name, row in zip(PROPOSERS, means, strict=False))
    together = means[-1]
    return CandidateFigures(sources, per_customer=together[0], recall=together[1])


def _calibrate(bins: NDArray[np.float64]) -> tuple[Bin, ...]:
    return tuple(
        Bin(chance / count, bought / count, int(count))
        for count, chance, bought in bins.tolist()
        if count
    )


def _measure_diversity(
    observations: Observations, recommender: Recommender, seed: int, countable: int
) -> tuple[Diversity, ...]:
    """Measure, on the task of all products, what limits to the products of one category cost."""
    scored = observations.targets[0] > 0
    served_limit = recommender.settings.diversity.category
    rows = []
    for index, limit in enumerate(DIVERSITIES):
        slates = observations.varied[0, scored, index]
        ndcg = metrics.mean(observations.varied_ndcg[0, scored, index], seed)
        rows.append(
            Diversity(
                name="no limit" if limit == DIVERSITIES[0] else f"at most {limit} of a category",
                role=Role.SERVED if limit == served_limit else Role.OTHER,
                ndcg=ndcg,
                coverage=len(np.unique(slates[slates >= 0])) / max(countable, 1),
                categories=_mean_categories(slates, recommender.model.traits.category),
            )
        )
    return tuple(rows)


def _mean_categories(slates: NDArray[np.int64], category: NDArray[np.int32]) -> float:
    """Different categories in a slate, mean over slates (s, k), -1 padded."""
    if not len(slates):
        return 0.0
    categories = np.where(slates >= 0, category[slates], -1)
    return float(np.mean([len(np.unique(row[row >= 0])) for row in categories]))
