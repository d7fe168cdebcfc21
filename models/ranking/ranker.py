"""From feature rows to scores: a blend by hand, and what was learned on top of it."""

from __future__ import annotations

from dataclasses import astuple
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.data.ragged import RowGroups
from models.model import LearnedRanker
from models.ranking.features import BLENDED, FEATURES
from models.settings import BlendSettings
from models.slate import Source

Floats = NDArray[np.float32]

# Which features speak for which source of a new product.
SPEAKS_FOR: Final = {
    "affinity": Source.FACTORS,
    "affinity_share": Source.FACTORS,
    "neighbours": Source.NEIGHBOURS,
    "neighbours_share": Source.NEIGHBOURS,
    "basket": Source.BOUGHT_TOGETHER,
    "together": Source.BOUGHT_TOGETHER,
    "category_share": Source.CATEGORY,
    "category_recent": Source.CATEGORY,
    "category_lines": Source.CATEGORY,
    "brand_share": Source.CATEGORY,
    "recent_sales": Source.POPULAR,
    "all_sales": Source.POPULAR,
    "category_sales": Source.POPULAR,
    "share_of_category": Source.POPULAR,
}
NEW_SOURCES: Final = tuple(dict.fromkeys(SPEAKS_FOR.values()))
SPEAKS: Final = np.array(
    [[SPEAKS_FOR.get(name) is source for name in FEATURES] for source in NEW_SOURCES]
)


class Ranker:
    """score = slope · w · x + level + Σ trees(x), with one w, slope and level for products bought before and one for
    new ones. Where the ranker was trained, the score is the log odds of a purchase."""

    def __init__(self, settings: BlendSettings, lesson: LearnedRanker) -> None:
        self.lesson = lesson
        self.weights = np.array([astuple(settings.new), astuple(settings.bought)], np.float32)

    def blend(self, rows: Floats, bought: NDArray[np.bool_]) -> Floats:
        """The score before anything was learned: rows (c, FEATURES) -> (c,)."""
        # Added up row by row, so that no row's score depends on the rows beside it.
        weighed = rows.T[: len(BLENDED)] * self.weights.T[:, bought.astype(np.intp)]
        result: Floats = weighed.sum(axis=0)
        return result

    def start(self, rows: Floats, bought: NDArray[np.bool_]) -> Floats:
        """Where the trees begin: (c,)."""
        kind = bought.astype(np.intp)
        result: Floats = (
            self.lesson.slope[kind] * self.blend(rows, bought) + self.lesson.level[kind]
        )
        return result

    def scores(self, rows: Floats, bought: NDArray[np.bool_]) -> Floats:
        """A score for each candidate (c,), higher is better, from rows (c, FEATURES)."""
        scores = self.start(rows, bought)
        return scores + self.lesson.trees.scores(rows) if self.lesson.learned else scores

    def cascade(self, rows: Floats, bought: NDArray[np.bool_], of: RowGroups, most: int) -> Floats:
        """The same for m customers, whose candidates are `of`, except that the trees look at the `most` of each that
        start highest; the others stay below."""
        scores = self.start(rows, bought)
        if not self.lesson.learned:
            return scores
        places = [_highest(scores[span], most) + span.start for span in of.slices]
        looked_at = np.concatenate(places)
        learned = scores[looked_at] + self.lesson.trees.scores(rows[looked_at])
        for span, part in zip(of.slices, RowGroups.of(map(len, places)).slices, strict=True):
            if part.stop - part.start < span.stop - span.start:
                np.minimum(scores[span], learned[part].min(), out=scores[span])
        scores[looked_at] = learned
        return scores

    def sources(self, rows: Floats, bought: NDArray[np.bool_], scores: Floats) -> list[Source]:
        """Which source put each candidate where it is: the one without whose evidence the score would fall most.

        What was bought before is there because it was.
        """
        new = np.flatnonzero(~bought)
        known = rows[new]
        speaks = SPEAKS @ (known != 0).T
        # Every new row once for each source, without what that source says.
        without = np.where(SPEAKS[:, None], np.float32(0), known).reshape(-1, rows.shape[1])
        lost = scores[new] - self.scores(without, np.zeros(len(without), np.bool_)).reshape(
            speaks.shape
        )
        # A source that says nothing must not win where the others pull down.
        strongest = np.argmax(np.where(speaks, lost, -np.inf), axis=0)
        sources = [Source.OWN_PURCHASES] * len(rows)
        for place, winner in zip(new.tolist(), strongest.tolist(), strict=True):
            sources[place] = NEW_SOURCES[winner]
        return sources


def _highest(scores: Floats, most: int) -> NDArray[np.int64]:
    """Where the highest stand, in the order of their places."""
    if len(scores) <= most:
        return np.arange(len(scores))
    return np.sort(np.argsort(-scores, kind="stable")[:most])


def probability(scores: Floats) -> Floats:
    """Of log odds x: 1 / (1 + e^-x), which must not overflow where x is far below 0."""
    chances: Floats = np.exp(-np.logaddexp(np.float32(0), -scores))
    return chances
