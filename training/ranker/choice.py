"""Hold what was learned against simple lists on newer windows; serve what was best there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.model import LearnedRanker
from models.ranking.features import BLENDED
from models.ranking.ranker import BOUGHT, NEW, VISIT, Ranker, kind_of, weights_of
from models.settings import ModelSettings
from training.progress import Advance, ignore
from training.ranker.learning import EACH_KIND, RankerLearning, learn_ranker, rank_by
from training.ranker.rows import RankerRows
from training.ranker.weights import AUDIENCES, Audience
from training.ranker.windows import Window

SLOTS: Final = 10  # of a slate, in which a purchase counts
MIN_EXAMPLES: Final = 30  # with purchases, for methods to be held against each other
MIN_ERRORS: Final = 2.5  # standard errors by which another method must be better to serve
LEARNED: Final = "blend and trees"
HALF_LEARNED: Final = "blend and half of the trees"
LEARNED_BLEND: Final = "learned blend"
BLEND: Final = "blend of the settings"
# Lists by one feature; of products bought before, the first weight is that of new ones
LISTS: Final[Mapping[str, tuple[Mapping[str, float], Mapping[str, float]]]] = {
    "recent sales": ({"recent_sales": 1.0}, {"recent_sales": 1.0}),
    "all sales": ({"all_sales": 1.0}, {"all_sales": 1.0}),
    "factors": ({"affinity": 1.0}, {"affinity": 1.0}),
    "neighbours": ({"neighbours": 1.0}, {"neighbours": 1.0}),
    "own purchases, then recent sales": (
        {"recent_sales": 1.0},
        {"constant": 20.0, "own_long": 1.0},
    ),
}


@dataclass(frozen=True)
class MethodTrial:
    """Hold the Recall of one method on the newest windows, learned from those before them."""

    audience: str
    method: str
    recall: float  # mean over examples, estimated where candidates were left out by lot
    examples: int
    serves: bool

    def __str__(self) -> str:
        return (
            f'{self.audience.capitalize()} are served by the method "{self.method}": in the newest '
            "weeks it found clearly more than what was learned."
        )


@dataclass(frozen=True)
class Choice:
    """Hold a ranker that serves each audience by what was best for it."""

    ranker: LearnedRanker
    trials: tuple[MethodTrial, ...] = ()
    # What would serve, had it learned from the windows before the newest ones alone
    rehearsal: LearnedRanker | None = None
    # What could have served, by method; learned from all windows
    methods: Mapping[str, LearnedRanker] = field(default_factory=dict)


def choose_methods(
    windows: Sequence[tuple[Window, RankerRows]],
    learned: RankerLearning,
    settings: ModelSettings,
    on_progress: Advance = ignore,
    *,
    processes: int = 1,
) -> Choice:
    """Return what was learned from all windows, or a simple list where that was clearly better.

    Every method ranks the examples of the newest third of the windows, and is learned from windows
    that had ended before these began: trees know products by their price and their sales, and what
    sold in a week that both have seen would speak for them. A short history has nothing to choose
    by.
    """
    everything = RankerRows.concatenate([rows for _, rows in windows])
    learned_methods = _methods_of(learned.ranker, everything, settings)
    unchosen = Choice(learned.ranker, methods=learned_methods)
    held_back = windows[: count_held_back(windows)]
    begin = min(window.until for window, _ in held_back)
    older = [rows for window, rows in windows if window.end <= begin]
    if not older:
        return unchosen
    newest = RankerRows.concatenate([rows for _, rows in held_back])
    before = RankerRows.concatenate(older)
    if not (newest.hit.any() and before.hit.any()):
        return unchosen
    rehearsal = learn_ranker(before, settings, on_progress, processes=processes).ranker
    ranker, rehearsed, trials = learned.ranker, rehearsal, []
    methods = _methods_of(rehearsal, before, settings)
    for audience in AUDIENCES:
        recalls = {
            name: _recall_of_examples(newest, Ranker(settings.blend, method), audience)
            for name, method in methods.items()
        }
        best = _choose(recalls)
        if best != LEARNED:
            ranker = _take_over(ranker, learned_methods[best], audience)
            rehearsed = _take_over(rehearsed, methods[best], audience)
        for name, recall in recalls.items():
            if len(recall):
                serves = name == best
                trials.append(
                    MethodTrial(audience.name, name, float(recall.mean()), len(recall), serves)
                )
    return Choice(ranker, tuple(trials), rehearsed, learned_methods)


def count_held_back(windows: Sequence[object]) -> int:
    """Return how many of the newest windows methods are held against each other on."""
    return max(len(windows) // 3, 1)


def _methods_of(
    learned: LearnedRanker, rows: RankerRows, settings: ModelSettings
) -> dict[str, LearnedRanker]:
    """Return every method as a ranker that learned from some rows."""
    prior = weights_of(settings.blend)
    methods = {
        LEARNED: learned,
        HALF_LEARNED: replace(learned, share=learned.share * np.float32(0.5)),
        LEARNED_BLEND: replace(learned, share=np.zeros_like(learned.share)),
        BLEND: _without_trees(rank_by(prior, rows, settings, together=EACH_KIND)),
    }
    together = [audience.kinds for audience in AUDIENCES]
    for name, (new, bought) in LISTS.items():
        weights = np.zeros_like(prior)
        for kind, features in ((NEW, new), (BOUGHT, bought), (VISIT, new)):
            for feature, weight in features.items():
                weights[kind, BLENDED.index(feature)] = weight
        methods[name] = _without_trees(rank_by(weights, rows, settings, together=together))
    return methods


def _without_trees(ranker: LearnedRanker) -> LearnedRanker:
    return replace(ranker, share=np.zeros_like(ranker.share))


def _recall_of_examples(
    rows: RankerRows, ranker: Ranker, audience: Audience
) -> NDArray[np.float64]:
    """Estimate Recall@10 of each example of an audience that has a purchase among its candidates.

    Of any product, and of those new to the customer: the mean of both, where there are both.
    Purchases weigh 1, their price or their margin, as the objective of the settings has it.
    """
    kind = kind_of(rows.values, rows.bought)
    ours = np.isin(kind, audience.kinds)
    scores = ranker.score(rows.values[ours], rows.bought[ours]).astype(np.float64)
    example, hit = rows.example[ours], rows.hit[ours]
    weight = rows.weight[ours].astype(np.float64)
    everything = estimate_recall(scores, example, hit, weight)
    new = ~rows.bought[ours]
    discoveries = estimate_recall(scores[new], example[new], hit[new], weight[new])
    both = np.array([everything, _at(discoveries, everything)])
    values: NDArray[np.float64] = np.nanmean(both, axis=0)[1]
    return values


def estimate_recall(
    scores: NDArray[np.float64],
    example: NDArray[np.int32],
    hit: NDArray[np.bool_],
    weight: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return (2, examples with a hit): their numbers, and their Recall.

    `weight`: what a hit is worth, and how many rows any other stands for.
    """
    order = np.lexsort((-scores, example))
    example, hit, weight = example[order], hit[order], weight[order]
    numbers, first = np.unique(example, return_index=True)
    worth, rows = np.where(hit, weight, 0), np.where(hit, 1, weight)
    before = np.cumsum(rows) - rows  # rows that stand before each, of all examples
    sizes = np.diff(np.append(first, len(example)))
    rank = before - np.repeat(before[first], sizes) if len(first) else before
    hits = np.add.reduceat(hit.astype(np.float64), first) if len(first) else np.zeros(0)
    caught = hit & (rank < SLOTS)
    found = np.add.reduceat(np.where(caught, worth, 0), first) if len(first) else np.zeros(0)
    all_worth = np.add.reduceat(worth, first) if len(first) else np.zeros(0)
    has_hit = hits > 0
    # Of more hits than slots as much can be found as that many of them are worth on average
    recall = found[has_hit] / (all_worth * np.minimum(1, SLOTS / np.maximum(hits, 1)))[has_hit]
    return np.array([numbers[has_hit], recall])


def _at(recall: NDArray[np.float64], examples: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the Recall of the same examples; NaN where there is none."""
    values = np.full(examples.shape[1], np.nan)
    values[np.searchsorted(examples[0], recall[0])] = recall[1]
    return np.array([examples[0], values])


def _choose(recalls: Mapping[str, NDArray[np.float64]]) -> str:
    """Return the method that serves: what was learned, unless another one is clearly better."""
    learned = recalls[LEARNED]
    best, best_gain = LEARNED, 0.0
    if len(learned) < MIN_EXAMPLES:
        return best
    for name, recall in recalls.items():
        gains = recall - learned
        error = float(gains.std(ddof=1)) / np.sqrt(len(gains))
        gain = float(gains.mean())
        if gain > max(best_gain, MIN_ERRORS * error):
            best, best_gain = name, gain
    return best


def _take_over(ranker: LearnedRanker, method: LearnedRanker, audience: Audience) -> LearnedRanker:
    """Return a ranker that serves an audience as a method does."""
    parts = {}
    for name in ("weights", "slope", "level", "share"):
        part = getattr(ranker, name).copy()
        part[list(audience.kinds)] = getattr(method, name)[list(audience.kinds)]
        parts[name] = part
    return replace(ranker, **parts)
