"""One row of numbers a candidate: the same function for training, export and service."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.candidates import Evidence
from models.history import NEVER, Interactions
from models.repeats import Clocks, Repeats
from models.settings import RepeatSettings

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

# x enters as ln(1 + x / scale): 0 without evidence, a doubling adds the same wherever x is well above the scale.
SCALES: Final = {
    "affinity": 0.002,
    "neighbours": 0.005,
    "basket": 0.005,
    "recent_sales": 5.0,  # lines
    "all_sales": 50.0,  # lines
    "own_long": 0.02,  # lines
    "own_short": 0.03,  # lines
}


def features(
    items: NDArray[np.int64],
    evidence: Evidence,
    pairs: Interactions,
    clocks: Clocks,
    repeats: Repeats,
    settings: RepeatSettings,
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Rows of candidates (sorted items): float32 (c, FEATURES), and which were bought before: bool (c,)."""
    rows = np.zeros((len(FEATURES), len(items)), np.float32)
    rows[0] = 1
    for column, values in (
        ("affinity", evidence.affinity),
        ("neighbours", evidence.neighbours),
        ("basket", evidence.basket),
        ("recent_sales", evidence.popularity.recent),
        ("all_sales", evidence.popularity.total),
    ):
        rows[FEATURES.index(column)] = np.log1p(values[items] / np.float32(SCALES[column]))

    bought = np.zeros(len(items), np.bool_)
    owned = np.flatnonzero(pairs.last != NEVER)
    place = np.searchsorted(items, pairs.item[owned])
    here = place < len(items)
    here[here] = items[place[here]] == pairs.item[owned[here]]
    owned, place = owned[here], place[here]
    bought[place] = True
    rows[FEATURES.index("own_long"), place] = np.log1p(pairs.long[owned] / np.float32(SCALES["own_long"]))
    rows[FEATURES.index("own_short"), place] = np.log1p(pairs.short[owned] / np.float32(SCALES["own_short"]))
    rows[FEATURES.index("repeat_rate"), place] = np.log(repeats.rate[pairs.item[owned]] + np.float32(1e-3))
    # ln of how many intervals have passed, once more than one has: the customer may have left it behind.
    since, interval = clocks.since[owned] + 2, clocks.interval[owned] + 2
    trusted = pairs.count[owned] >= settings.overdue_purchases
    rows[FEATURES.index("overdue"), place] = np.where(trusted, np.log(np.maximum(since / interval, 1)), 0)
    return rows.T, bought
