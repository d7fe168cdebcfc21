"""Bundles against real orders: hide one product, rank the rest of the catalogue given the others, or one of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.data.events import PURCHASE
from models.recommender import Recommender
from models.slate import Bundle, SlateRequest
from training.config import EvaluationConfig
from training.evaluation.split import Split
from training.parallel import map_with_recommender
from training.progress import Advance

MODES: Final = ("basket", "one product")
CHUNK: Final = 32  # orders a worker takes at a time


def evaluate_bundles(
    directory: Path, split: Split, config: EvaluationConfig, on_progress: Advance, *, processes: int
) -> dict[str, dict[str, float]]:
    """Hit rate at k in orders placed after the cut, every product hidden once.

    `per order` is the mean over orders of their share of hits, so that each order weighs the same, as when one product
    an order is hidden; `per product` is the share of all hidden products, in which large orders weigh more.
    """
    orders = _orders(split, config)
    hits: dict[str, list[NDArray[np.bool_]]] = {mode: [] for mode in MODES}
    numbered = list(enumerate(orders))
    for part in map_with_recommender(
        directory, partial(_hits, config), numbered, chunk=CHUNK, processes=processes
    ):
        for found in part:
            for mode, column in zip(MODES, found.T, strict=True):
                hits[mode].append(column)
        on_progress(len(hits[MODES[0]]), len(orders))
    if not orders:
        return {}
    return {
        mode: {
            "per order": float(np.mean([column.mean() for column in columns])),
            "per product": float(np.concatenate(columns).mean()),
            "orders": len(columns),
        }
        for mode, columns in hits.items()
    }


def _hits(
    config: EvaluationConfig,
    recommender: Recommender,
    orders: Sequence[tuple[int, NDArray[np.int32]]],
) -> list[NDArray[np.bool_]]:
    """For every product of every order whether it was found, by mode: (products, MODES) each."""
    found = []
    for number, order in orders:
        random = np.random.default_rng([config.seed, number])
        found.append(
            np.array(
                [
                    _found(recommender, order, hidden, config.k, random)
                    for hidden in range(len(order))
                ]
            )
        )
    return found


def _orders(split: Split, config: EvaluationConfig) -> list[NDArray[np.int32]]:
    """The countable products of at most `max_orders` orders of the right size."""
    rows = (split.future.kind == PURCHASE) & split.countable[split.future.item]
    pairs = np.unique(np.stack([split.future.order[rows], split.future.item[rows]]), axis=1)
    order, item = pairs
    starts = np.flatnonzero(np.diff(order, prepend=-1))
    baskets = [
        basket for basket in np.split(item, starts[1:]) if 3 <= len(basket) <= config.largest_order
    ]
    if len(baskets) <= config.max_orders:
        return baskets
    chosen = np.random.default_rng(config.seed).choice(
        len(baskets), config.max_orders, replace=False
    )
    return [baskets[place] for place in np.sort(chosen)]


def _found(
    recommender: Recommender,
    order: NDArray[np.int32],
    hidden: int,
    k: int,
    random: np.random.Generator,
) -> tuple[bool, bool]:
    """Whether the hidden product is proposed for all the others, and for one of them, as the service would."""
    rest = np.delete(order, hidden).tolist()
    one = rest[int(random.integers(len(rest)))]
    whole = recommender.complete(SlateRequest(n=k, basket=tuple(rest)))
    around = recommender.bundles(one, SlateRequest(n=k))
    return _proposes(whole, order[hidden]), _proposes(around, order[hidden])


def _proposes(bundles: tuple[Bundle, ...], item: int) -> bool:
    return any(bundle.items[0] == item for bundle in bundles)
