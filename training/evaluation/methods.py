"""Build the slates that are compared: what is served, the blend, sources alone, baselines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.assembly.assemble import RankedCandidates
from models.assembly.discovery import prefer_rare
from models.assembly.diversity import Likeness, diversify
from models.assembly.popular import EVERYWHERE
from models.data.history import find_pair_starts, sum_interest
from models.model import LearnedRanker
from models.ranking.context import RankingContext
from models.ranking.ranker import NEW, RECENT_SALES, Ranker
from models.ranking.sources import SOURCES, propose_candidates
from models.recommender import NOBODY, Recommender
from models.rules.eligibility import ExclusionRule, Removed, find_allowed
from models.rules.filters import Repeat
from models.rules.shop_rules import ShopRule
from models.slate import SlateRequest, Source
from models.sources.scores import rank_best

SERVED: Final = "served"
AUTO: Final = "served, repeat=auto"
RULED: Final = "served, with the shop's rules"
BLEND: Final = "blend"  # by the weights of the settings: nothing was learned
LEARNED_BLEND: Final = "learned blend"  # without trees
SINGLE_SOURCES: Final = {  # a source alone: its candidates in the order of its feature
    f"source: {source.title}": source.ranked_by for source in SOURCES if source.ranked_by
}
CATEGORIES: Final = "source: categories"  # best sellers of the customer's categories
POPULARITY: Final = "popularity"
WEEK_POPULARITY: Final = "popularity, 7 days"
RECENT_POPULARITY: Final = "popularity, 28 days"
QUARTER_POPULARITY: Final = "popularity, 91 days"
WINDOW_DAYS: Final = {WEEK_POPULARITY: 7, RECENT_POPULARITY: 28, QUARTER_POPULARITY: 91}
OWN_PURCHASES: Final = "own purchases, decayed"
BASELINES: Final = (POPULARITY, RECENT_POPULARITY, OWN_PURCHASES)
METHODS: Final = (
    SERVED,
    AUTO,
    RULED,
    BLEND,
    LEARNED_BLEND,
    *SINGLE_SOURCES,
    CATEGORIES,
    *BASELINES,
    WEEK_POPULARITY,
    QUARTER_POPULARITY,
)
DIVERSITIES: Final = (10, 5, 3, 2)  # products of a category among ten
DARINGS: Final = (0.0, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0)  # [model.discovery] daring
OWN_HALF_LIFE_DAYS: Final = 90.0

Items = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class AddedMethods:
    """Hold methods that are measured beside METHODS."""

    rules: tuple[ShopRule, ...] = ()  # the shop's; what is served with them is one more method
    # Rankers of the same candidates, by name: each with and without the limits of variety
    rankers: Mapping[str, LearnedRanker] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of all methods, in the order of their figures."""
        return (*METHODS, *self.rankers, *map(name_varied, self.rankers))


def name_varied(method: str) -> str:
    """Return the name of a ranking whose slates obey the limits of variety."""
    return f"{method}, varied"


NOTHING_ADDED: Final = AddedMethods()


@dataclass(frozen=True, eq=False)
class MethodSlates:
    """Hold what every method shows one customer."""

    items: dict[str, Items]  # method -> its first k products
    filled: int  # slots of what is served that had to be filled
    ranked: RankedCandidates
    proposed: dict[str, Items]  # source -> its candidates
    varied: tuple[Items, ...]  # the first k with each of DIVERSITIES
    dared: tuple[Items, ...]  # the first k by each degree of daring, of products new to them


def build_method_slates(
    recommender: Recommender, user: int, as_of: int, k: int, added: AddedMethods = NOTHING_ADDED
) -> tuple[MethodSlates, MethodSlates]:
    """Build a customer's slates by every method: of all products, and of those new to them."""
    request = recommender.at_home(user, SlateRequest(n=k, as_of=as_of))
    context = recommender.build_context(user, request)
    any_product = replace(request, repeat=Repeat.INCLUDE)
    new_to_them = replace(request, repeat=Repeat.EXCLUDE)
    everything = _fill_slates(recommender, user, context, any_product, added)
    new = _fill_slates(recommender, user, context, new_to_them, added)
    automatic = replace(request, repeat=Repeat.AUTO)
    everything.items[AUTO] = _serve_with_rules(recommender, context, automatic)
    if added.rules:
        for slates, unruled in ((everything, any_product), (new, new_to_them)):
            ruled = replace(unruled, rules=added.rules)
            slates.items[RULED] = _serve_with_rules(recommender, context, ruled)
    return everything, new


def build_visit_slates(
    recommender: Recommender, request: SlateRequest, added: AddedMethods = NOTHING_ADDED
) -> MethodSlates:
    """Build the slates of a visit by someone anonymous by every method."""
    context = recommender.build_context(NOBODY, request)
    slates = _fill_slates(recommender, NOBODY, context, request, added)
    del slates.items[OWN_PURCHASES]
    return slates


def _fill_slates(
    recommender: Recommender,
    user: int,
    context: RankingContext,
    request: SlateRequest,
    added: AddedMethods,
) -> MethodSlates:
    removed = recommender.find_removed(context, request)
    ranked = recommender.rank(context, removed)
    served, filled = _serve(recommender, context, request, ranked)
    items = {SERVED: served}
    ranker, settings = recommender.ranker, recommender.settings.blend
    scorers = {BLEND: ranker.blend, LEARNED_BLEND: ranker.start}
    for name, lesson in added.rankers.items():
        scorers[name] = Ranker(settings, lesson, ranker.sources).score
    for name, score in scorers.items():
        scores = score(ranked.rows, ranked.bought)
        ordered = ranked.at(np.lexsort((ranked.items, -scores)))
        items[name] = ordered.items[: request.n]
        if name in added.rankers:
            shown = recommender.arrange(context, request, ordered)
            items[name_varied(name)] = ordered.items[shown]
    for name, feature in SINGLE_SOURCES.items():
        column = ranked.rows[:, recommender.ranker.columns.index(feature)]
        items[name] = ranked.items[_highest(column, ranked.items, request.n)]
    items |= _rank_baselines(recommender, user, context, removed, request.n)
    proposed = propose_candidates(ranker.sources, context, find_allowed(removed))
    items[CATEGORIES] = proposed[Source.CATEGORY][: request.n]  # best first
    varied = _vary(recommender, ranked, request.n)
    is_discovery = request.repeat is Repeat.EXCLUDE
    dared = _dare(recommender, context, ranked, request.n) if is_discovery else ()
    return MethodSlates(items, filled, ranked, proposed, varied, dared)


def _serve_with_rules(
    recommender: Recommender, context: RankingContext, request: SlateRequest
) -> Items:
    ranked = recommender.rank(context, recommender.find_removed(context, request), request)
    return _serve(recommender, context, request, ranked)[0]


def _serve(
    recommender: Recommender,
    context: RankingContext,
    request: SlateRequest,
    ranked: RankedCandidates,
) -> tuple[Items, int]:
    """Return the products of a slate and how many of them fill it, without its reasons."""
    indices = recommender.arrange(context, request, ranked)
    if len(indices) == request.n:
        return ranked.items[indices], 0
    slots = recommender.build_slate(context, request).slots
    return np.array([slot.item for slot in slots], np.int64), len(slots) - len(indices)


def _vary(recommender: Recommender, ranked: RankedCandidates, k: int) -> tuple[Items, ...]:
    slates = []
    for limit in DIVERSITIES:
        diversity = replace(recommender.settings.diversity, category=limit, placements=())
        likeness = Likeness.of(recommender.model, diversity)
        slates.append(ranked.items[diversify(ranked.items.tolist(), k, likeness)])
    return tuple(slates)


class Degree(NamedTuple):
    """Hold how far slates look beyond best sellers."""

    daring: float
    reaches: bool  # products rank higher that hardly anyone would be shown


def degrees_of_daring(recommender: Recommender) -> tuple[Degree, ...]:
    """Return the degrees that are measured, safest first: DARINGS and what is served."""
    served = served_degree(recommender)
    degrees = {served, *(Degree(daring, served.reaches) for daring in DARINGS)}
    return (*{Degree(0, reaches=False)} - degrees, *sorted(degrees))


def served_degree(recommender: Recommender) -> Degree:
    """Return how daring slates of products new to a customer are."""
    ranker = recommender.ranker
    return Degree(round(float(ranker.daring[NEW]), 6), bool(ranker.reach.any()))


def _dare(
    recommender: Recommender, context: RankingContext, ranked: RankedCandidates, k: int
) -> tuple[Items, ...]:
    diversity = recommender.settings.diversity
    likeness = Likeness.of_slate(recommender.model, diversity, context, placement=None)
    safe = np.lexsort((ranked.items, -ranked.scores))
    sales, new = ranked.rows[:, RECENT_SALES], ~ranked.bought
    slates = []
    reach = recommender.ranker.reach
    for daring, reaches in degrees_of_daring(recommender):
        discount = np.float32(daring) * sales
        if reaches:
            discount -= reach[ranked.items]
        items = ranked.items[prefer_rare(safe, ranked.scores, discount, new)]
        slates.append(items[diversify(items.tolist(), k, likeness)])
    return tuple(slates)


def _highest(scores: NDArray[np.float32], items: Items, k: int) -> NDArray[np.int64]:
    """Indices of the k highest positive scores, ties by item."""
    order = np.lexsort((items, -scores))[:k]
    return order[scores[order] > 0]


def _rank_baselines(
    recommender: Recommender, user: int, context: RankingContext, removed: Removed, k: int
) -> dict[str, Items]:
    sales_until = recommender.model.sales.window_end(context.as_of)
    windows = {}
    for name, days in WINDOW_DAYS.items():
        windows[name] = recommender.sales_trends.bestsellers(sales_until, days, EVERYWHERE).lines
    total = recommender.sales_trends.product_trends(sales_until, EVERYWHERE).popularity.total
    own = _sum_own_purchases(recommender, user, context.as_of)
    # Equal counts, such as those of a first order, in the order of what sells; nothing beyond what
    # they bought.
    own = np.where(own > 0, own + windows[RECENT_POPULARITY] * np.float32(1e-6), 0)
    allowed = removed == ExclusionRule.NONE
    scores = {POPULARITY: total, **windows, OWN_PURCHASES: own}
    return {
        name: rank_best(np.where(allowed, values, np.float32(0)), k)
        for name, values in scores.items()
    }


def _sum_own_purchases(recommender: Recommender, user: int, as_of: int) -> NDArray[np.float32]:
    """How often a customer bought each product, old purchases less: (items,)."""
    model = recommender.model
    events = recommender.find_events(user, SlateRequest(as_of=as_of))
    starts = find_pair_starts(events)
    own = np.zeros(len(model.catalogue), np.float32)
    own[events.item[starts]] = sum_interest(
        events, starts, as_of, OWN_HALF_LIFE_DAYS, recommender.settings.history
    )
    return own
