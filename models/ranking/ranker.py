"""From feature rows to scores: a blend of features, and what trees learned on top of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.data.ragged import RowGroups
from models.model import LearnedRanker
from models.ranking.features import BLENDED, FEATURES, columns_of
from models.ranking.sources import SOURCES, CandidateSource
from models.settings import BlendSettings
from models.trees import probability

Bools = NDArray[np.bool_]
Floats = NDArray[np.float32]

KINDS: Final = ("new", "bought", "visit")  # of rows: fields of BlendSettings
NEW, BOUGHT, VISIT = range(len(KINDS))
VISITS: Final = FEATURES.index("visits")  # 0 where no purchase of a customer is known
TIE_STEP: Final = np.float32(1e-5)  # of log odds, between scores that differ in their order alone
RECENT_SALES: Final = FEATURES.index("recent_sales")


class Ranker:
    """A scorer of candidates that names the source of each.

    score = slope · w · x + level + share · Σ trees(x), with w, slope, level and share of the row's
    kind: a product new to the customer, one bought before, or one for a visitor without purchases.
    Where something was learned, the score is the log odds of a purchase. `daring` takes the place
    of what was learned of it.
    """

    def __init__(
        self,
        settings: BlendSettings,
        lesson: LearnedRanker,
        sources: Sequence[CandidateSource] = SOURCES,
        daring: float | None = None,
    ) -> None:
        self.lesson = lesson
        self.sources = tuple(sources)
        self.columns = columns_of(sources)
        _check(self.sources, self.columns, lesson)
        self.blend_weights = weights_of(settings)
        learned = lesson.weights if len(lesson.weights) else self.blend_weights
        slope = _of_each_kind(lesson.slope)
        self.weights = slope[:, None] * learned
        self.level = _of_each_kind(lesson.level)
        chosen = lesson.daring if daring is None else np.full(len(KINDS), daring, np.float32)
        self.daring = np.where(np.arange(len(KINDS)) == BOUGHT, np.float32(0), chosen)
        self.reach = lesson.reach
        self.discovers = bool(self.daring.any() or self.reach.any())
        self.own_weights = _own_weights(self.sources)
        self.learned_own_weights = slope[:, None] * self.own_weights
        self.source_of = {source.shown_as: source for source in reversed(self.sources)}
        speakers = _speakers(self.sources)
        self.speaking = tuple(speakers)
        self.speaks = np.array([np.isin(self.columns, list(names)) for names in speakers.values()])
        bought = (source.shown_as for source in self.sources if source.proposes_bought)
        self.shows_bought = next(bought, None)

    def blend(self, rows: Floats, bought: Bools) -> Floats:
        """Return the score by the weights of the settings: rows (c, columns) -> (c,)."""
        kind = kind_of(rows, bought)
        own = np.tile(self.own_weights, (len(KINDS), 1))
        return _weigh(rows, kind, self.blend_weights, own)

    def start(self, rows: Floats, bought: Bools) -> Floats:
        """Return the score that the trees add to: (c,)."""
        kind = kind_of(rows, bought)
        return _weigh(rows, kind, self.weights, self.learned_own_weights) + self.level[kind]

    def score(self, rows: Floats, bought: Bools) -> Floats:
        """Score candidates (c, columns), higher is better: (c,)."""
        scores = self.start(rows, bought)
        return scores + self._correct(rows, bought) if len(self.lesson.trees) else scores

    def shown_scores(self, scores: Floats) -> Floats:
        """Return scores as answers tell them: probabilities, where something was learned."""
        return probability(scores) if self.lesson.learned else scores

    def _correct(self, rows: Floats, bought: Bools) -> Floats:
        """Return what the trees add: (c,)."""
        share, repeat_trees = self.lesson.share[kind_of(rows, bought)], self.lesson.repeat_trees
        if not len(repeat_trees):
            return share * self.lesson.trees.scores(rows)
        added = np.empty(len(rows), np.float32)
        for trees, ours in ((self.lesson.trees, ~bought), (repeat_trees, bought)):
            added[ours] = trees.scores(rows.T[:, ours].T)  # its columns stay contiguous
        return share * added

    def discount(self, items: NDArray[np.int64], rows: Floats, bought: Bools) -> Floats:
        """Return how far each candidate is ranked lower than by its score: log odds, (c,).

        What sells most is; below 0 is what hardly anyone would be shown, see LearnedRanker.reach.
        """
        kind = kind_of(rows, bought)
        discount: Floats = self.daring[kind] * rows[:, RECENT_SALES]
        if len(self.reach):
            discount -= np.where(kind == NEW, self.reach[items], np.float32(0))
        return discount

    def score_cascade(self, rows: Floats, bought: Bools, groups: RowGroups, most: int) -> Floats:
        """Score the candidates of m customers, by trees only the `most` of each that start highest.

        The others stay below them, in the order of where they start.
        """
        scores = self.start(rows, bought)
        if not len(self.lesson.trees):
            return scores
        highest = [_highest(scores[span], most) + span.start for span in groups.slices]
        chosen = np.concatenate(highest)
        learned = scores[chosen] + self._correct(rows[chosen], bought[chosen])
        chosen_groups = RowGroups.of(map(len, highest))
        for span, part in zip(groups.slices, chosen_groups.slices, strict=True):
            if part.stop - part.start < span.stop - span.start:
                _keep_below(scores[span], learned[part].min())
        scores[chosen] = learned
        return scores

    def name_sources(self, rows: Floats, bought: Bools, scores: Floats) -> list[str]:
        """Name the source of each candidate: the one without which its score would fall most.

        A product that was bought before is shown because it was.
        """
        new = np.arange(len(rows)) if self.shows_bought is None else np.flatnonzero(~bought)
        lost = self.find_losses(rows[new], bought[new], scores[new])
        strongest = np.argmax(lost, axis=0)
        names = [self.shows_bought or ""] * len(rows)
        for row, winner in zip(new.tolist(), strongest.tolist(), strict=True):
            names[row] = self.speaking[winner]
        return names

    def find_losses(self, rows: Floats, bought: Bools, scores: Floats) -> Floats:
        """Return how far each score would fall without each source: (sources that speak, c).

        It is -inf where a source says nothing of a candidate.
        """
        speaks = self.speaks @ (rows != 0).T
        # Every row once for each source that speaks, without the features of that source
        source, row = speaks.nonzero()
        without = np.where(self.speaks[source], np.float32(0), rows[row])
        # A source without evidence must not win where the others pull down
        lost = np.full(speaks.shape, -np.inf, np.float32)
        lost[source, row] = scores[row] - self.score(without, bought[row])
        return lost


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
    last = max(int(trees.feature.max(initial=-1)) for trees in (lesson.trees, lesson.repeat_trees))
    if last >= len(columns):
        raise ValueError(f"the ranker learned from column {last}; the sources make {len(columns)}")


def weights_of(settings: BlendSettings) -> Floats:
    """Return the weights of settings, by kind of row: (KINDS, BLENDED)."""
    return np.array([astuple(getattr(settings, kind)) for kind in KINDS], np.float32)


def kind_of(rows: Floats, bought: Bools) -> NDArray[np.intp]:
    """Return the index in KINDS of each row (c, columns): (c,)."""
    kind = np.where(rows[:, VISITS] == 0, VISIT, NEW)
    kind[bought] = BOUGHT
    return kind


def _of_each_kind(learned: Floats) -> Floats:
    """Return a number for each of KINDS; visits were ranked as new products once."""
    return learned if len(learned) == len(KINDS) else learned[[NEW, BOUGHT, NEW]]


def _weigh(rows: Floats, kind: NDArray[np.intp], weights: Floats, own: Floats) -> Floats:
    # Added up row by row, so that no row's score depends on the rows beside it.
    result: Floats = (rows.T[: len(BLENDED)] * weights.T[:, kind]).sum(axis=0)
    if own.shape[1]:
        result += (rows.T[len(FEATURES) :] * own.T[:, kind]).sum(axis=0)
    return result


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


def _keep_below(scores: Floats, limit: np.float32) -> None:
    """Lower the scores above a limit to just below it, in their order."""
    above = np.flatnonzero(scores > limit)
    order = above[np.argsort(-scores[above], kind="stable")]
    scores[order] = limit - TIE_STEP * np.arange(len(order), dtype=np.float32)


def _highest(scores: Floats, most: int) -> NDArray[np.int64]:
    """Return the indices of the highest scores, sorted."""
    if len(scores) <= most:
        return np.arange(len(scores))
    return np.sort(np.argsort(-scores, kind="stable")[:most])
