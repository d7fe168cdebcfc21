"""Train the basket ranker on orders placed after a fit, in which one product is hidden."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.bundles.basket_ranker import FEATURES
from models.data.events import PURCHASE
from models.recommender import Recommender
from models.settings import BundleSettings
from models.trees import Trees
from training.progress import Advance, ignore
from training.ranker.boosting import BoostedTrees, TreeRows, fit_trees
from training.ranker.windows import Window
from training.reading.purchases import Purchases

MAX_BASKET: Final = 60  # products; of larger orders, so many by lot, because each costs time
MIN_HITS: Final = 1_000  # hidden products among the candidates, for trees to learn anything
VALIDATION_SHARE: Final = 0.15  # of the orders, on which it is checked when to stop


@dataclass(frozen=True)
class BasketExample:
    """A basket, and the product of its order that is missing in it."""

    order: int
    basket: tuple[int, ...]
    hidden: int


@dataclass(frozen=True, eq=False)
class BasketRows:
    """Hold r candidates of examples whose hidden product is among them."""

    values: NDArray[np.float32]  # (r, FEATURES)
    hit: NDArray[np.bool_]  # (r,) the hidden product
    order: NDArray[np.int32]  # (r,)

    @classmethod
    def none(cls) -> BasketRows:
        """Return no rows."""
        values = np.zeros((0, len(FEATURES)), np.float32)
        return cls(values, np.zeros(0, np.bool_), np.zeros(0, np.int32))

    @classmethod
    def concatenate(cls, parts: Sequence[BasketRows]) -> BasketRows:
        """Join the rows of all parts, in their order."""
        parts = [cls.none(), *parts]
        return cls(
            values=np.concatenate([part.values for part in parts]),
            hit=np.concatenate([part.hit for part in parts]),
            order=np.concatenate([part.order for part in parts]),
        )


def draw_basket_examples(
    purchases: Purchases, window: Window, limit: int, seed: int
) -> list[BasketExample]:
    """Hide `limit` products in the orders of a window's first horizon, in each as many.

    Each is looked for three times, as pages do: from all the rest of its order, from one product of
    it, and from a part of it by lot.
    """
    random = np.random.default_rng(seed)
    orders = _draw_orders(purchases, window, limit, random)
    examples = []
    for number, products in orders:
        for hidden in products[: max(limit // len(orders), 1)].tolist():
            rest = random.permutation(products[products != hidden])[:MAX_BASKET]
            sizes = len(rest), 1, int(random.integers(1, len(rest), endpoint=True))
            for size in sizes:
                basket = tuple(sorted(rest[:size].tolist()))
                examples.append(BasketExample(number, basket, hidden))
    return examples


def _draw_orders(
    purchases: Purchases, window: Window, limit: int, random: np.random.Generator
) -> list[tuple[int, NDArray[np.int32]]]:
    """Orders of several products with their products shuffled, at most so many by lot."""
    rows = (purchases.kind == PURCHASE) & (purchases.time >= window.until)
    rows &= purchases.time < window.until + window.horizon
    order, item = np.unique(np.stack([purchases.order[rows], purchases.item[rows]]), axis=1)
    numbers, starts = np.unique(order, return_index=True)
    orders = [
        (int(number), random.permutation(products))
        for number, products in zip(numbers, np.split(item, starts)[1:], strict=True)
        if len(products) > 1
    ]
    if len(orders) > limit:
        chosen = np.sort(random.choice(len(orders), limit, replace=False))
        orders = [orders[index] for index in chosen]
    return orders


def build_basket_rows(recommender: Recommender, examples: Sequence[BasketExample]) -> BasketRows:
    """Return the candidates of the examples that have the hidden product among them."""
    baskets = recommender.baskets
    everything = np.ones(len(recommender.catalogue), np.bool_)
    parts = []
    for example in examples:
        candidates = baskets.find_candidates(example.basket, everything)
        hit = candidates.item == example.hidden
        if hit.any():
            order = np.full(len(hit), example.order, np.int32)
            parts.append(BasketRows(baskets.build_rows(example.basket, candidates), hit, order))
    return BasketRows.concatenate(parts)


def train_basket_ranker(
    rows: BasketRows,
    settings: BundleSettings,
    *,
    seed: int,
    threads: int = 1,
    on_progress: Advance = ignore,
) -> BoostedTrees:
    """Learn trees that find the hidden product; none where there are too few hits."""
    if np.count_nonzero(rows.hit) < MIN_HITS:
        return BoostedTrees(Trees.none(), {})
    orders = np.unique(rows.order)
    count = int(np.ceil(VALIDATION_SHARE * len(orders)))
    held_back = np.random.default_rng(seed).choice(orders, count, replace=False)
    return fit_trees(
        TreeRows(rows.values, rows.hit, held_back=np.isin(rows.order, held_back)),
        settings.trees,
        names=FEATURES,
        seed=seed,
        threads=threads,
        on_progress=on_progress,
    )
