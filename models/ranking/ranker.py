"""From feature rows to scores: a blend by hand, and what was learned on top of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple

import numpy as np
from numpy.typing import NDArray

from models.data.ragged import RowGroups
from models.model import LearnedRanker
from models.ranking.features import BLENDED, FEATURES, columns_of
from models.ranking.sources import SOURCES, CandidateSource
from models.settings import BlendSettings

Bools = NDArray[np.bool_]
Floats = NDArray[np.float32]


class Ranker:
    """A scorer of candidates that names the source of each.

    score = slope · w · x + level + Σ trees(x), with one w, slope and level for products bought
    before and one for new ones. Where something was learned, the score is the log odds of a
    purchase.
    """

    def __init__(
        self,
        settings: BlendSettings,
        lesson: LearnedRanker,
        sources: Sequence[CandidateSource] = SOURCES,
    ) -> None:
        self.lesson = lesson
        self.sources = tuple(sources)
        self.columns = columns_of(sources)
        _check(self.sources, self.columns, lesson)
        self.weights = np.array([astuple(settings.new), astuple(settings.bought)], np.float32)
        self.own_weights = _own_weights(self.sources)
        self.source_of = {source.shown_as: source for source in reversed(self.sources)}
        speakers = _speakers(self.sources)
        self.speaking = tuple(speakers)
        self.speaks = np.array([np.isin(self.columns, list(names)) for names in speakers.values()])
        bought = (source.shown_as for source in self.sources if source.proposes_bought)
        self.shows_bought = next(bought, None)

    def blend(self, rows: Floats, bought: Bools) -> Floats:
        """Return the score before anything was learned: rows (c, columns) -> (c,)."""
        # Added up row by row, so that no row's score depends on the rows beside it.
        weighed = rows.T[: len(BLENDED)] * self.weights.T[:, bought.astype(np.intp)]
        result: Floats = weighed.sum(axis=0)
        if len(self.own_weights):
            result += (rows.T[len(FEATURES) :] * self.own_weights[:, None]).sum(axis=0)
        return result

    def start(self, rows: Floats, bought: Bools) -> Floats:
        """Return the score that the trees add to: (c,)."""
        kind = bought.astype(np.intp)
        blend = self.blend(rows, bought)
        result: Floats = self.lesson.slope[kind] * blend + self.lesson.level[kind]
        return result

    def score(self, rows: Floats, bought: Bools) -> Floats:
        """Score candidates (c, columns), higher is better: (c,)."""
        scores = self.start(rows, bought)
        return scores + self.lesson.trees.scores(rows) if self.lesson.learned else scores

    def score_cascade(self, rows: Floats, bought: Bools, groups: RowGroups, most: int) -> Floats:
        """Score the candidates of m customers, by trees only the `most` of each that start highest.

        The others stay below them.
        """
        scores = self.start(rows, bought)
        if not self.lesson.learned:
            return scores
        highest = [_highest(scores[span], most) + span.start for span in groups.slices]
        chosen = np.concatenate(highest)
        learned = scores[chosen] + self.lesson.trees.scores(rows[chosen])
        chosen_groups = RowGroups.of(map(len, highest))
        for span, part in zip(groups.slices, chosen_groups.slices, strict=True):
            if part.stop - part.start < span.stop - span.start:
                np.minimum(scores[span], learned[part].min(), out=scores[span])
        scores[chosen] = learned
        return scores

    def name_sources(self, rows: Floats, bought: Bools, scores: Floats) -> list[str]:
        """Name the source of each candidate: the one without which its score would fall most.

        A product that was bought before is shown because it was.
        """
        new = np.arange(len(rows)) if self.shows_bought is None else np.flatnonzero(~bought)
        known = rows[new]
        speaks = self.speaks @ (known != 0).T
        # Every new row once for each source, without the features of that source
        without = np.where(self.speaks[:, None], np.float32(0), known).reshape(-1, rows.shape[1])
        scores_without = self.score(without, np.tile(bought[new], len(self.speaks)))
        lost = scores[new] - scores_without.reshape(speaks.shape)
        # A source without evidence must not win where the others pull down
        strongest = np.argmax(np.where(speaks, lost, -np.inf), axis=0)
        names = [self.shows_bought or ""] * len(rows)
        for row, winner in zip(new.tolist(), strongest.tolist(), strict=True):
            names[row] = self.speaking[winner]
        return names


def _check(
    sources: Sequence[CandidateSource], columns: Sequence[str], lesson: LearnedRanker
) -> None:
    """Raise ValueError where sources cannot rank together, or not with what was learned."""
    names = [source.name for source in sources]
    if len(set(names)) < len(names):
        raise ValueError(f"two sources have one name: {', '.join(names)}")
    if len(set(columns)) < len(columns):
        raise ValueError("a source adds a feature that there is already")
    for source in sources:
        unknown = set(source.features) - set(columns)
        if unknown:
            raise ValueError(f"{source.name}: no features {', '.join(sorted(unknown))}")
    if not any(source.features or source.own_features for source in sources):
        raise ValueError("no source has features that speak for it")
    last = int(lesson.trees.feature.max(initial=-1))
    if last >= len(columns):
        raise ValueError(f"the ranker learned from column {last}; the sources make {len(columns)}")


def _own_weights(sources: Sequence[CandidateSource]) -> Floats:
    weights: list[float] = []
    for source in sources:
        weights += [feature.weight for feature in source.own_features]
    return np.array(weights, np.float32)


def _speakers(sources: Sequence[CandidateSource]) -> dict[str, set[str]]:
    """Return the features that speak for each source, by the name it is shown as."""
    speakers: dict[str, set[str]] = {}
    for source in sources:
        features = {*source.features, *(feature.name for feature in source.own_features)}
        if features:
            speakers.setdefault(source.shown_as, set()).update(features)
    return speakers


def _highest(scores: Floats, most: int) -> NDArray[np.int64]:
    """Return the indices of the highest scores, sorted."""
    if len(scores) <= most:
        return np.arange(len(scores))
    return np.sort(np.argsort(-scores, kind="stable")[:most])
