"""Gradient-boosted trees.

The one file that imports `lightgbm`; the service evaluates its trees as models.trees.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import lightgbm
import numpy as np
from numpy.typing import NDArray

from models.settings import TreeSettings
from models.trees import MAX_LEAVES, Trees, TreeSplit
from training.progress import Advance, ignore


@dataclass(frozen=True, eq=False)
class TreeRows:
    """Hold r rows to learn from."""

    values: NDArray[np.float32]  # (r, features) finite numbers
    labels: NDArray[Any]  # (r,) 0 or 1
    weight: NDArray[np.float32] | None = None  # (r,) how much each counts
    start: NDArray[np.float32] | None = None  # (r,) log odds that the trees add to
    # (r,) rows from which nothing is learned: they tell after which tree to stop
    held_back: NDArray[np.bool_] | None = None

    def dataset(
        self, chosen: NDArray[np.bool_], parameters: dict[str, Any], like: Any = None
    ) -> lightgbm.Dataset:
        """Return some rows as LightGBM reads them, binned as those of another dataset."""
        return lightgbm.Dataset(
            self.values[chosen],
            self.labels[chosen],
            weight=None if self.weight is None else self.weight[chosen],
            init_score=None if self.start is None else self.start[chosen],
            reference=like,
            params=parameters,
        )


@dataclass(frozen=True, eq=False)
class BoostedTrees:
    """Hold trees, and how much each feature did for them."""

    trees: Trees
    importance: dict[str, float]  # each feature's share of what all splits gained


def fit_trees(
    rows: TreeRows,
    settings: TreeSettings,
    *,
    names: Sequence[str],
    seed: int,
    threads: int = 1,
    on_progress: Advance = ignore,
) -> BoostedTrees:
    """Learn trees that predict the labels of rows from features with these names.

    Where rows are held back, trees after the one that predicts them best are left out. The same
    seed gives the same trees on any number of threads. Raises ValueError where a row holds
    something that is not a finite number.
    """
    _check(rows, settings, names)
    parameters = _parameters(settings, seed, threads)
    callbacks: list[Any] = [lambda state: on_progress(state.iteration + 1, state.end_iteration)]
    if rows.held_back is None:
        everything = np.ones(len(rows.values), np.bool_)
        learned, validation = rows.dataset(everything, parameters), None
    else:
        learned = rows.dataset(~rows.held_back, parameters)
        validation = [rows.dataset(rows.held_back, parameters, learned)]
        callbacks.append(lightgbm.early_stopping(settings.patience, verbose=False))
    booster = lightgbm.train(
        parameters,
        learned,
        num_boost_round=settings.trees,
        valid_sets=validation,
        callbacks=callbacks,
    )
    best = -1 if validation is None else booster.best_iteration
    gain = booster.feature_importance("gain", iteration=best)
    shares = (gain / max(gain.sum(), np.finfo(np.float64).tiny)).tolist()
    return BoostedTrees(convert_trees(booster), dict(zip(names, shares, strict=True)))


def _check(rows: TreeRows, settings: TreeSettings, names: Sequence[str]) -> None:
    if settings.leaves > MAX_LEAVES:
        raise ValueError(f"leaves is {settings.leaves}, at most {MAX_LEAVES} can be evaluated")
    bad_columns = np.flatnonzero(~np.isfinite(rows.values).all(axis=0)).tolist()
    if bad_columns:
        features = ", ".join(names[column] for column in bad_columns)
        raise ValueError(
            f"rows to learn from must be finite numbers, which these features are not: {features}"
        )


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
        # By rows, each thread sums a part of the rows, and equal gains are told apart by how the
        # sums were rounded
        "force_col_wise": True,
        "verbosity": -1,
    }


def convert_trees(booster: lightgbm.Booster) -> Trees:
    """Return the trees of a booster of numbers, none of which was missing."""
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
