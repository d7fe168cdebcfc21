"""Gradient-boosted trees. The one file that imports `lightgbm`; the service evaluates its trees as models.trees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import lightgbm
import numpy as np
from numpy.typing import NDArray

from models.settings import TreeSettings
from models.trees import MOST_LEAVES, Trees, TreeSplit
from training.progress import Advance, ignore


@dataclass(frozen=True, eq=False)
class BoostedTrees:
    trees: Trees
    importance: dict[str, float]  # each feature's share of what all splits gained


def fit_trees(
    rows: NDArray[np.float32],
    labels: NDArray[Any],
    weights: NDArray[np.float32] | None,
    settings: TreeSettings,
    *,
    names: Sequence[str],
    seed: int,
    threads: int = 1,
    start: NDArray[np.float32] | None = None,
    checked: NDArray[np.bool_] | None = None,
    on_progress: Advance = ignore,
) -> BoostedTrees:
    """Trees that tell labels (r,) 0 or 1 from rows (r, names), a row counting by its weight.

    What they learn adds to the log odds `start` (r,). Nothing is learned from rows that are `checked` (r,): trees after
    the one with which those are told best are left out. The same seed gives the same trees on any number of threads.
    Raises ValueError where a row holds something that is not a finite number.
    """
    if settings.leaves > MOST_LEAVES:
        raise ValueError(f"leaves is {settings.leaves}, at most {MOST_LEAVES} can be evaluated")
    wrong = [names[column] for column in np.flatnonzero(~np.isfinite(rows).all(axis=0)).tolist()]
    if wrong:
        raise ValueError(
            f"rows to learn from must be finite numbers, which these features are not: {', '.join(wrong)}"
        )
    parameters = _parameters(settings, seed, threads)
    taught = np.ones(len(rows), np.bool_) if checked is None else ~checked

    def data(
        chosen: NDArray[np.bool_], reference: lightgbm.Dataset | None = None
    ) -> lightgbm.Dataset:
        weight, init = (None if values is None else values[chosen] for values in (weights, start))
        return lightgbm.Dataset(
            rows[chosen],
            labels[chosen],
            weight=weight,
            init_score=init,
            reference=reference,
            params=parameters,
        )

    learned = data(taught)
    callbacks: list[Any] = [lambda state: on_progress(state.iteration + 1, state.end_iteration)]
    if checked is not None:
        callbacks.append(lightgbm.early_stopping(settings.patience, verbose=False))
    booster = lightgbm.train(
        parameters,
        learned,
        num_boost_round=settings.trees,
        valid_sets=None if checked is None else [data(checked, learned)],
        callbacks=callbacks,
    )
    best = booster.best_iteration if checked is not None else -1
    gain = booster.feature_importance("gain", iteration=best)
    shares = (gain / max(gain.sum(), np.finfo(np.float64).tiny)).tolist()
    return BoostedTrees(convert_trees(booster), dict(zip(names, shares, strict=True)))


def _parameters(settings: TreeSettings, seed: int, threads: int) -> dict[str, Any]:
    return {
        "objective": "binary",
        "num_leaves": settings.leaves,
        "learning_rate": settings.learning_rate,
        "min_data_in_leaf": settings.min_rows,
        "lambda_l2": settings.l2,
        "feature_fraction": settings.feature_share,
        "bagging_fraction": settings.row_share,
        "bagging_freq": 1,
        "max_bin": settings.max_bins,
        "use_missing": False,
        "seed": seed,
        "num_threads": threads,
        "deterministic": True,
        # By rows, each thread sums a part of the rows, and equal gains are told apart by how the sums were rounded
        "force_col_wise": True,
        "verbosity": -1,
    }


def convert_trees(booster: lightgbm.Booster) -> Trees:
    """The trees of a booster that knows numbers only, all of them present."""
    splits: list[TreeSplit] = []
    values: list[list[float]] = []
    for tree in booster.dump_model(num_iteration=booster.best_iteration)["tree_info"]:
        values.append([])
        _descend(tree["tree_structure"], len(values) - 1, splits, values[-1])
    return Trees.of(splits, values)


def _descend(node: dict[str, Any], tree: int, splits: list[TreeSplit], values: list[float]) -> None:
    """Append the splits below a node, and the values of its leaves from left to right."""
    if "leaf_value" in node:
        values.append(node["leaf_value"])
        return
    first = len(values)
    _descend(node["left_child"], tree, splits, values)
    splits.append(TreeSplit(tree, node["split_feature"], node["threshold"], first, len(values)))
    _descend(node["right_child"], tree, splits, values)
