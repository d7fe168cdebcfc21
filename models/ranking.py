"""From feature rows to scores. A learned ranker takes the blend's seat by keeping to `Ranker`."""

from __future__ import annotations

from dataclasses import astuple
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from models.features import FEATURES
from models.settings import BlendSettings
from models.slate import Source

# Which features speak for which source.
SPEAKS_FOR: Final = {
    "affinity": Source.FACTORS,
    "neighbours": Source.NEIGHBOURS,
    "basket": Source.BOUGHT_TOGETHER,
    "recent_sales": Source.POPULAR,
    "all_sales": Source.POPULAR,
}
NEW_SOURCES: Final = tuple(dict.fromkeys(SPEAKS_FOR.values()))


class Ranker(Protocol):
    """What a recommender ranks with."""

    def scores(self, rows: NDArray[np.float32], bought: NDArray[np.bool_]) -> NDArray[np.float32]:
        """A score for each candidate (c,), higher is better, from rows (c, FEATURES)."""
        ...

    def source(self, row: NDArray[np.float32], bought: bool) -> Source:
        """Which source put a candidate where it is, from its row (FEATURES,)."""
        ...


class Blend:
    """score = w · x, with one w for products bought before and one for new ones."""

    def __init__(self, settings: BlendSettings) -> None:
        self.new = np.array(astuple(settings.new), np.float32)
        self.bought = np.array(astuple(settings.bought), np.float32)
        self.sources = np.array([[SPEAKS_FOR.get(name) is source for name in FEATURES] for source in NEW_SOURCES])
        self.parts = (self.sources * self.new).T.astype(np.float32)

    def scores(self, rows: NDArray[np.float32], bought: NDArray[np.bool_]) -> NDArray[np.float32]:
        result: NDArray[np.float32] = np.where(bought, rows @ self.bought, rows @ self.new)
        return result

    def source(self, row: NDArray[np.float32], bought: bool) -> Source:
        """The source with the largest part in a candidate's score; what was bought before is there because it was."""
        if bought:
            return Source.OWN_PURCHASES
        # A part may be negative, so a source that says nothing must not win with its 0.
        speaks = self.sources @ row > 0
        return NEW_SOURCES[int(np.argmax(np.where(speaks, row @ self.parts, -np.inf)))]
