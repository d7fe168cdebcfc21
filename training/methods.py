"""The slates that are compared: the one that is served, each of its sources alone, and simple baselines."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.candidates import best
from models.features import FEATURES
from models.history import before, interest, pair_starts
from models.recommender import NOBODY, Case, Recommender
from models.rules import Rule
from models.slate import Repeat, SlateRequest, Source

BLEND: Final = "blend"
AS_SERVED: Final = "blend, repeat=auto"
SOURCES: Final = {  # a source alone: its candidates in the order of its feature
    "source: own purchases": "own_long",
    "source: factors": "affinity",
    "source: neighbours": "neighbours",
    "source: recent sales": "recent_sales",
}
POPULARITY: Final = "popularity"
RECENT_POPULARITY: Final = "popularity, 28 days"
OWN_PURCHASES: Final = "own purchases, decayed"
BASELINES: Final = (POPULARITY, RECENT_POPULARITY, OWN_PURCHASES)
METHODS: Final = (BLEND, AS_SERVED, *SOURCES, *BASELINES)
RECENT_DAYS: Final = 28
OWN_HALF_LIFE_DAYS: Final = 90.0

Items = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Answer:
    items: dict[str, Items]  # method -> its first k products
    filled: int  # slots of the blend that had to be filled


def answers(recommender: Recommender, user: int, as_of: int, k: int) -> tuple[Answer, Answer]:
    """Every method's slates for one customer: of anything, and of what they never bought."""
    request = recommender.at_home(user, SlateRequest(n=k, as_of=as_of))
    case = recommender.case(user, request)
    return (
        _answer(recommender, user, case, replace(request, repeat=Repeat.INCLUDE)),
        _answer(recommender, user, case, replace(request, repeat=Repeat.EXCLUDE)),
    )


def _answer(recommender: Recommender, user: int, case: Case, request: SlateRequest) -> Answer:
    slots = recommender.slate(case, request).slots
    items = {BLEND: np.array([slot.item for slot in slots], np.int64)}
    if request.repeat is Repeat.INCLUDE:
        served = recommender.slate(case, replace(request, repeat=Repeat.AUTO)).slots
        items[AS_SERVED] = np.array([slot.item for slot in served], np.int64)
    removed = recommender.removed(case, request)
    ranked = recommender.ranked(case, removed)
    for name, feature in SOURCES.items():
        items[name] = ranked.items[_highest(ranked.rows[:, FEATURES.index(feature)], ranked.items, request.n)]
    items |= _baselines(recommender, user, case, removed == Rule.NONE, request.n)
    return Answer(items, sum(slot.source is Source.FILL for slot in slots))


def _highest(scores: NDArray[np.float32], items: Items, k: int) -> NDArray[np.int64]:
    """Places of the k highest positive scores, ties by item."""
    order = np.lexsort((items, -scores))[:k]
    return order[scores[order] > 0]


def _baselines(recommender: Recommender, user: int, case: Case, allowed: NDArray[np.bool_], k: int) -> dict[str, Items]:
    model = recommender.model
    events = before(model.histories.of(user), case.as_of)
    starts = pair_starts(events)
    own = np.zeros(len(allowed), np.float32)
    own[events.item[starts]] = interest(
        events, starts, case.as_of, OWN_HALF_LIFE_DAYS, recommender.settings.history.kind_weights
    )
    _, recent = recommender.by_sales(recommender.sales_moment(case.as_of), RECENT_DAYS, NOBODY)
    # Equal counts, such as those of a first order, in the order of what sells; nothing beyond what they bought.
    own = np.where(own > 0, own + recent * np.float32(1e-6), 0)
    scores = {POPULARITY: case.evidence.popularity.total, RECENT_POPULARITY: recent, OWN_PURCHASES: own}
    return {name: best(np.where(allowed, values, np.float32(0)), k) for name, values in scores.items()}
