"""Learn the weights of the blend and trees from rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import ceil
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import root
from scipy.special import expit

from models.model import LearnedRanker
from models.ranking.features import BLENDED
from models.ranking.ranker import BOUGHT, KINDS, NEW, VISIT, Ranker, kind_of, weights_of
from models.settings import ModelSettings
from models.trees import Trees
from training.evaluation.split import MIN_CUSTOMERS
from training.parallel import map_in_threads
from training.progress import Advance, ignore
from training.ranker.boosting import BoostedTrees, TreeRows, fit_trees
from training.ranker.rows import RankerRows
from training.ranker.weights import Choices, learn_weights

MIN_HITS: Final = 500  # purchases of candidates, for trees to learn anything
MIN_HITS_APART: Final = 5_000  # of new products and of those bought before, for trees of each
EACH_KIND: Final = ((NEW,), (BOUGHT,), (VISIT,))
VALIDATION_SHARE: Final = 0.1  # of the customers, on whom it is checked when to stop


@dataclass(frozen=True, eq=False)
class RankerLearning:
    """Hold what was learned from rows; `note` says why there are no trees, where there are none."""

    ranker: LearnedRanker
    importance: dict[str, float]  # feature -> share of the gain of all splits
    note: str | None = None


def learn_ranker(
    rows: RankerRows,
    settings: ModelSettings,
    on_progress: Advance = ignore,
    *,
    processes: int = 1,
) -> RankerLearning:
    """Learn the weights of the blend, and trees where there is enough to learn them from.

    `processes`: how many sets of trees are learned at a time.
    """
    blend = learn_blend(rows, settings)
    hits, customers = int(rows.hit.sum()), len(np.unique(rows.customers))
    if hits < MIN_HITS or customers < MIN_CUSTOMERS:
        note = f"No trees were learned: {hits} hits of {customers} customers are too few."
        return RankerLearning(blend, {}, note)
    parts = _split_for_trees(rows)
    learn = partial(_learn_trees, blend=blend, settings=settings)
    boosted = map_in_threads(learn, parts, on_progress, threads=processes)
    part_hits = np.array([part.hit.sum() for part in parts])
    # Few purchases teach trees what holds for these customers alone
    trust = (part_hits / (part_hits + settings.ranker.trees_prior)).astype(np.float32)
    share = np.full(len(KINDS), trust[0])
    share[BOUGHT] = trust[-1]
    repeat_trees = boosted[1].trees if len(boosted) > 1 else Trees.none()
    ranker = replace(blend, trees=boosted[0].trees, repeat_trees=repeat_trees, share=share)
    return RankerLearning(ranker, _average_importance(boosted, part_hits / hits))


def _split_for_trees(rows: RankerRows) -> list[RankerRows]:
    """Return the rows that each set of trees learns from: new products, and those bought before.

    What is bought again is bought for other reasons than what is new, and so much more often that
    trees for both would hardly learn the new. Where either is too few, trees learn from both.
    """
    parts = [rows.select(~rows.bought), rows.select(rows.bought)]
    if min(int(part.hit.sum()) for part in parts) < MIN_HITS_APART:
        return [rows]
    return parts


def _average_importance(
    boosted: Sequence[BoostedTrees], weights: NDArray[np.float64]
) -> dict[str, float]:
    """Return each feature's share of the gain in sets of trees, by the weight of each set."""
    importance: dict[str, float] = {}
    for trees, weight in zip(boosted, weights.tolist(), strict=True):
        for name, share in trees.importance.items():
            importance[name] = importance.get(name, 0.0) + weight * share
    return importance


def learn_blend(rows: RankerRows, settings: ModelSettings) -> LearnedRanker:
    """Learn the weights of the blend, and the lines that make log odds of it."""
    kind = kind_of(rows.values, rows.bought)
    choices = Choices(rows.values[:, : len(BLENDED)], kind, rows.hit, rows.weight, rows.example)
    prior = weights_of(settings.blend)
    weights = learn_weights(choices, prior, settings.ranker.weights_prior)
    return rank_by(weights.astype(np.float32), rows, settings, together=EACH_KIND)


def rank_by(
    weights: NDArray[np.float32],
    rows: RankerRows,
    settings: ModelSettings,
    *,
    together: Sequence[tuple[int, ...]],
) -> LearnedRanker:
    """Return a ranker by weights (KINDS, BLENDED), without trees.

    Kinds that stand together have one line that makes log odds of a purchase of the blend, so that
    their order stays.
    """
    even = LearnedRanker(
        np.ones(len(KINDS), np.float32),
        np.zeros(len(KINDS), np.float32),
        Trees.none(),
        weights=weights,
    )
    scores = Ranker(settings.blend, even).start(rows.values, rows.bought)
    kind = kind_of(rows.values, rows.bought)
    slope, level = even.slope.copy(), even.level.copy()
    for kinds in together:
        part = np.isin(kind, kinds)
        line = fit_logistic(scores[part], rows.hit[part], rows.weight[part])
        # Visits that taught nothing are ranked by the line of new products
        taught = part.any() or NEW in kinds
        slope[list(kinds)], level[list(kinds)] = line if taught else (slope[NEW], level[NEW])
    return replace(even, slope=slope, level=level)


def _learn_trees(
    rows: RankerRows, advance: Advance, *, blend: LearnedRanker, settings: ModelSettings
) -> BoostedTrees:
    """Learn trees that add to the log odds of the blend what it misses."""
    ranker = Ranker(settings.blend, blend)
    customers = np.unique(rows.customers)
    held_back = np.random.default_rng(settings.seed).choice(
        customers, ceil(VALIDATION_SHARE * len(customers)), replace=False
    )
    return fit_trees(
        TreeRows(
            rows.values,
            rows.hit,
            rows.weight,
            start=ranker.start(rows.values, rows.bought),
            held_back=np.isin(rows.customers, held_back),
        ),
        settings.ranker.trees,
        names=ranker.columns,
        seed=settings.seed,
        on_progress=advance,
    )


def fit_logistic(
    scores: NDArray[np.float32], hit: NDArray[np.bool_], weight: NDArray[np.float32]
) -> tuple[float, float]:
    """Return slope and level that turn scores into log odds; slope 1 where all or none are hits.

    They are the likeliest had there been two rows more, a width above the mean score and below it,
    each half a hit: so a shop in which the scores tell every hit does not make them certain.
    """
    if len(scores) == 0:
        return 1.0, 0.0
    middle, width = scores.mean(dtype=np.float64), scores.std(dtype=np.float64) or 1.0
    if hit.all() or not hit.any():
        odds = (weight @ hit + 0.5) / (weight @ ~hit + 0.5)
        return 1.0, float(np.log(odds) - middle)
    centred = np.append((scores - middle) / width, [-1, 1])
    inputs = np.stack([centred, np.ones(len(scores) + 2)], axis=1)
    hits, share = np.append(hit, [0.5, 0.5]), np.append(weight, [1, 1])
    share = share / share.sum(dtype=np.float64)

    # Σ weight · (ln(1 + e^odds) - hit · odds) is convex, so it is least where its gradient is 0
    def gradient(line: NDArray[np.float64]) -> NDArray[np.float64]:
        slopes: NDArray[np.float64] = inputs.T @ (share * (expit(inputs @ line) - hits))
        return slopes

    def curvature(line: NDArray[np.float64]) -> NDArray[np.float64]:
        chance = expit(inputs @ line)
        curves: NDArray[np.float64] = (inputs.T * (share * chance * (1 - chance))) @ inputs
        return curves

    slope, level = root(gradient, np.zeros(2), jac=curvature, tol=1e-12).x
    return float(slope / width), float(level - slope * middle / width)
