"""One row of numbers a candidate: the same function for training, export and service."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.candidates import Evidence
from models.history import NEVER, Interactions
from models.repeats import Clocks, Repeats
from models.settings import ModelSettings

# The columns; docs/ranking.md says what each one means.
FEATURES: Final = (
    "constant",
    "affinity",
    "neighbours",
    "basket",
    "recent_sales",
    "all_sales",
    "own_long",
    "own_short",
    "repeat_rate",
    "overdue",
)


def features(
    items: NDArray[np.int64],
    evidence: Evidence,
    pairs: Interactions,
    clocks: Clocks,
    repeats: Repeats,
    settings: ModelSettings,
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Rows of candidates (sorted items): float32 (c, FEATURES), and which were bought before: bool (c,)."""
    rows = np.zeros((len(FEATURES), len(items)), np.float32)
    rows[0], scales = 1, settings.scales
    for column, values, scale in (
        ("affinity", evidence.affinity, scales.affinity),
        ("neighbours", evidence.neighbours, scales.neighbours),
        ("basket", evidence.basket, scales.basket),
        ("recent_sales", evidence.popularity.recent, scales.recent_sales),
        ("all_sales", evidence.popularity.total, scales.all_sales),
    ):
        rows[FEATURES.index(column)] = np.log1p(values[items] / np.float32(scale))

    bought = np.zeros(len(items), np.bool_)
    owned = np.flatnonzero(pairs.last != NEVER)
    place = np.searchsorted(items, pairs.item[owned])
    here = place < len(items)
    here[here] = items[place[here]] == pairs.item[owned[here]]
    owned, place = owned[here], place[here]
    bought[place] = True
    rows[FEATURES.index("own_long"), place] = np.log1p(pairs.long[owned] / np.float32(scales.own_long))
    rows[FEATURES.index("own_short"), place] = np.log1p(pairs.short[owned] / np.float32(scales.own_short))
    rows[FEATURES.index("repeat_rate"), place] = np.log(repeats.rate[pairs.item[owned]] + np.float32(1e-3))
    # ln of how many intervals have passed, once more than one has: the customer may have left it behind.
    since, interval = clocks.since[owned] + 2, clocks.interval[owned] + 2
    trusted = pairs.lines[owned] >= settings.repeats.overdue_purchases
    rows[FEATURES.index("overdue"), place] = np.where(trusted, np.log(np.maximum(since / interval, 1)), 0)
    return rows.T, bought
