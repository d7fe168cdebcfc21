"""The slates that are compared: the one that is served, the blend, each source alone, and simple baselines."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.assembly.assemble import RankedCandidates
from models.assembly.diversity import diversify
from models.assembly.popular import EVERYWHERE
from models.data.history import find_pair_starts, select_before, sum_interest
from models.ranking.candidates import proposals
from models.ranking.context import RankingContext
from models.ranking.features import FEATURES
from models.recommender import Recommender
from models.rules.eligibility import ExclusionRule, Removed, find_allowed
from models.rules.filters import Repeat
from models.rules.shop_rules import ShopRule
from models.settings import DiversitySettings
from models.slate import SlateRequest
from models.sources.scores import rank_best

SERVED: Final = "served"
AUTO: Final = "served, repeat=auto"
RULED: Final = "served, with the shop's rules"
BLEND: Final = "blend"  # without what the ranker has learned
SOURCES: Final = {  # a source alone: its candidates in the order of its feature
    "source: own purchases": "own_long",
    "source: factors (ALS)": "affinity",
    "source: item neighbours": "neighbours",
    "source: recent sales": "recent_sales",
}
POPULARITY: Final = "popularity"
RECENT_POPULARITY: Final = "popularity, 28 days"
OWN_PURCHASES: Final = "own purchases, decayed"
BASELINES: Final = (POPULARITY, RECENT_POPULARITY, OWN_PURCHASES)
METHODS: Final = (SERVED, AUTO, RULED, BLEND, *SOURCES, *BASELINES)
DIVERSITIES: Final = (10, 5, 3, 2)  # products of a category among ten
RECENT_DAYS: Final = 28
OWN_HALF_LIFE_DAYS: Final = 90.0

Items = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class MethodSlates:
    """What every method shows one customer."""

    items: dict[str, Items]  # method -> its first k products
    filled: int  # slots of what is served that had to be filled
    ranked: RankedCandidates
    proposed: dict[str, Items]  # source -> its candidates
    varied: tuple[Items, ...]  # the first k with each of DIVERSITIES


def build_method_slates(
    recommender: Recommender, user: int, as_of: int, k: int, rules: tuple[ShopRule, ...] = ()
) -> tuple[MethodSlates, MethodSlates]:
    """Every method's slates for one customer: of anything, and of what they never bought."""
    request = recommender.at_home(user, SlateRequest(n=k, as_of=as_of))
    case = recommender.build_context(user, request)
    everything, new = (
        _answer(recommender, user, case, replace(request, repeat=repeat))
        for repeat in (Repeat.INCLUDE, Repeat.EXCLUDE)
    )
    everything.items[AUTO] = _slate(recommender, case, replace(request, repeat=Repeat.AUTO))
    if rules:
        for answer, repeat in ((everything, Repeat.INCLUDE), (new, Repeat.EXCLUDE)):
            answer.items[RULED] = _slate(
                recommender, case, replace(request, repeat=repeat, rules=rules)
            )
    return everything, new


def _answer(
    recommender: Recommender, user: int, case: RankingContext, request: SlateRequest
) -> MethodSlates:
    removed = recommender.find_removed(case, request)
    ranked = recommender.rank(case, removed)
    served, filled = _served(recommender, case, request, ranked)
    items = {SERVED: served}
    rows = ranked.rows
    blended = np.lexsort((ranked.items, -recommender.ranker.blend(rows, ranked.bought)))
    items[BLEND] = ranked.items[blended[: request.n]]
    for name, feature in SOURCES.items():
        items[name] = ranked.items[
            _highest(rows[:, FEATURES.index(feature)], ranked.items, request.n)
        ]
    items |= _baselines(recommender, user, case, removed, request.n)
    limits = (
        replace(recommender.settings.diversity, category=limit, placements=())
        for limit in DIVERSITIES
    )
    return MethodSlates(
        items,
        filled,
        ranked,
        proposals(case, recommender.model, find_allowed(removed), recommender.settings),
        tuple(_varied(recommender, ranked, request.n, diversity) for diversity in limits),
    )


def _slate(recommender: Recommender, case: RankingContext, request: SlateRequest) -> Items:
    ranked = recommender.rank(case, recommender.find_removed(case, request), request)
    return _served(recommender, case, request, ranked)[0]


def _served(
    recommender: Recommender, case: RankingContext, request: SlateRequest, ranked: RankedCandidates
) -> tuple[Items, int]:
    """What a slate would hold, without the cost of its reasons, and how much of it is filling."""
    places = recommender.arrange(case, request, ranked)
    if len(places) == request.n:
        return ranked.items[places], 0
    slots = recommender.build_slate(case, request).slots
    return np.array([slot.item for slot in slots], np.int64), len(slots) - len(places)


def _varied(
    recommender: Recommender, ranked: RankedCandidates, k: int, diversity: DiversitySettings
) -> Items:
    return ranked.items[diversify(ranked.items, k, recommender.model, diversity)]


def _highest(scores: NDArray[np.float32], items: Items, k: int) -> NDArray[np.int64]:
    """Places of the k highest positive scores, ties by item."""
    order = np.lexsort((items, -scores))[:k]
    return order[scores[order] > 0]


def _baselines(
    recommender: Recommender, user: int, case: RankingContext, removed: Removed, k: int
) -> dict[str, Items]:
    model, allowed = recommender.model, removed == ExclusionRule.NONE
    events = select_before(model.histories.of(user), case.as_of)
    starts = find_pair_starts(events)
    own = np.zeros(len(allowed), np.float32)
    own[events.item[starts]] = sum_interest(
        events, starts, case.as_of, OWN_HALF_LIFE_DAYS, recommender.settings.history
    )
    sales_until = recommender.sales_until(case.as_of)
    recent = recommender.sales_trends.bestsellers(sales_until, RECENT_DAYS, EVERYWHERE).lines
    total = recommender.sales_trends.product_trends(sales_until, EVERYWHERE).popularity.total
    # Equal counts, such as those of a first order, in the order of what sells; nothing beyond what they bought.
    own = np.where(own > 0, own + recent * np.float32(1e-6), 0)
    scores = {POPULARITY: total, RECENT_POPULARITY: recent, OWN_PURCHASES: own}
    return {
        name: rank_best(np.where(allowed, values, np.float32(0)), k)
        for name, values in scores.items()
    }
