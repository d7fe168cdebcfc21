"""Bundles against real orders, in which one product is hidden and looked for from the others."""

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
    """Measure the hit rate at k in orders placed after the cut, every product hidden once.

    `per order` is the mean over orders of their share of hits, so that each order weighs the same,
    as when one product an order is hidden; `per product` is the share of all hidden products, in
    which large orders weigh more.
    """
    orders = list(enumerate(_draw_orders(split, config)))
    if not orders:
        return {}
    hits: list[NDArray[np.bool_]] = []
    work = partial(_find_hits, config)
    for part in map_with_recommender(directory, work, orders, chunk=CHUNK, processes=processes):
        hits += part
        on_progress(len(hits), len(orders))
    rates = {}
    for index, mode in enumerate(MODES):
        columns = [of_order[:, index] for of_order in hits]
        rates[mode] = {
            "per order": float(np.mean([column.mean() for column in columns])),
            "per product": float(np.concatenate(columns).mean()),
            "orders": len(columns),
        }
    return rates


def _find_hits(
    config: EvaluationConfig,
    recommender: Recommender,
    orders: Sequence[tuple[int, NDArray[np.int32]]],
) -> list[NDArray[np.bool_]]:
    """Hide every product of every order, and mark whether it is found: (products, MODES)."""
    hits = []
    for number, order in orders:
        random = np.random.default_rng([config.seed, number])
        rows = [
            _is_proposed(recommender, order, hidden, config.k, random)
            for hidden in range(len(order))
        ]
        hits.append(np.array(rows))
    return hits


def _draw_orders(split: Split, config: EvaluationConfig) -> list[NDArray[np.int32]]:
    """The countable products of at most `max_orders` orders of the right size."""
    rows = (split.future.kind == PURCHASE) & split.countable[split.future.item]
    pairs = np.unique(np.stack([split.future.order[rows], split.future.item[rows]]), axis=1)
    order, item = pairs
    starts = np.flatnonzero(np.diff(order, prepend=-1))
    orders = [
        basket for basket in np.split(item, starts[1:]) if 3 <= len(basket) <= config.largest_order
    ]
    if len(orders) <= config.max_orders:
        return orders
    random = np.random.default_rng(config.seed)
    chosen = random.choice(len(orders), config.max_orders, replace=False)
    return [orders[index] for index in np.sort(chosen)]


def _is_proposed(
    recommender: Recommender,
    order: NDArray[np.int32],
    hidden: int,
    k: int,
    random: np.random.Generator,
) -> tuple[bool, bool]:
    """Return whether the hidden product is proposed for all others, and for one of them."""
    rest = np.delete(order, hidden).tolist()
    product = rest[int(random.integers(len(rest)))]
    of_basket = recommender.complete(SlateRequest(n=k, basket=tuple(rest)))
    of_product = recommender.complete(SlateRequest(n=k, basket=(product,)))
    return _holds(of_basket, order[hidden]), _holds(of_product, order[hidden])


def _holds(bundles: tuple[Bundle, ...], item: int) -> bool:
    return any(bundle.items[0] == item for bundle in bundles)
