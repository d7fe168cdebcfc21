"""Sources of candidates: each proposes products to a customer and explains those shown for it.

`SOURCES` registers the built-in ones. Candidates, the ranker, reasons and evaluation read that
tuple, so a new source is a class with its place in it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.data.history import NEVER
from models.data.ragged import is_among, sort_distinct
from models.model import Model
from models.ranking import reasons
from models.ranking.context import RankingContext
from models.ranking.customer_profile import CATEGORY_FEATURES, MIN_WEIGHT, CustomerProfile
from models.ranking.reasons import (
    BECAUSE_OF_BASKET,
    BECAUSE_YOU_BOUGHT,
    BECAUSE_YOU_VIEWED,
    BOUGHT_BY_OTHERS,
    CUSTOMERS_WHO_BUY,
    CUSTOMERS_WHO_LIKE,
)
from models.slate import Reason, Source
from models.sources.scores import by_size, rank_best

Bools = NDArray[np.bool_]
Floats = NDArray[np.float32]
Items = NDArray[np.int64]

DUE_FROM: Final = 0.75  # intervals after the last purchase
DUE_UNTIL: Final = 1.5
MOST_LIKED: Final = 20  # products that a customer's slate may take from what they said they like
BRAND_WEIGHT: Final = 4  # of a brand's share beside that of a category


class OwnFeature(NamedTuple):
    """A column that a source adds to the feature rows."""

    name: str
    weight: float  # in the blend; trees that were learned with the source read it too


class CandidateSource(ABC):
    """A recommender that proposes candidates to one customer. It keeps no state of its own.

    A candidate that was not bought before is shown for the source without whose features its
    score would fall most.
    """

    name: str  # unique among the sources of a recommender
    features: Sequence[str] = ()  # columns of the feature rows that speak for it
    own_features: Sequence[OwnFeature] = ()  # columns that it adds, which speak for it too
    limit: str | None = "new"  # the field of CandidateSettings that bounds it; None: all products
    proposes_bought: bool = False  # whether it proposes what the customer bought before
    evaluated: bool = True  # whether a report can tell what it finds
    title: str = ""  # in the report, where its candidates are also ranked alone
    ranked_by: str | None = None  # the column that ranks them alone; None: they are not

    @property
    def shown_as(self) -> str:
        """Return the `source` that slots name. Those that share it share features and reasons."""
        return self.name

    @abstractmethod
    def propose(self, context: RankingContext, allowed: Bools, n: int) -> Items:
        """Return at most n different items of those allowed (items,)."""

    @abstractmethod
    def explain(self, items: list[int], context: RankingContext) -> Sequence[Iterable[Reason]]:
        """Return all true reasons to show each of these items for this source, strongest first."""

    def own_values(self, items: Items, context: RankingContext) -> Floats:
        """Return the values of `own_features` for candidates: (own features, c)."""
        raise NotImplementedError(f"{self.name} adds features without values")

    def claims(self, items: Items, context: RankingContext) -> Bools | None:  # noqa: B027 optional
        """Return which of these items (c,) are shown for it whatever their scores; None: none."""


class OwnPurchases(CandidateSource):
    """Propose what the customer bought before, the strongest habits first."""

    name: str = Source.OWN_PURCHASES
    limit: str | None = "bought"
    proposes_bought = True
    title = "own purchases"
    ranked_by: str | None = "own_long"

    def propose(self, context: RankingContext, allowed: Bools, n: int) -> Items:
        pairs = context.pairs
        rows = np.flatnonzero(pairs.owned & allowed[pairs.item])
        if len(rows) > n:
            rows = rows[rank_best(pairs.long[rows] + pairs.short[rows], n)]
        return pairs.item[rows].astype(np.int64)

    def explain(self, items: list[int], context: RankingContext) -> Sequence[Iterable[Reason]]:
        return [(reason,) for reason in reasons.buy_again_each(context.pairs, items, context.as_of)]


class DuePurchases(OwnPurchases):
    """Propose all that the customer is due to buy again about now."""

    name: str = "due"
    shown_as = Source.OWN_PURCHASES
    limit = None
    ranked_by = None

    def propose(self, context: RankingContext, allowed: Bools, n: int) -> Items:
        item, passed = context.pairs.item, context.clocks.passed
        due = (passed >= DUE_FROM) & (passed <= DUE_UNTIL) & allowed[item]
        return item[due][:n].astype(np.int64)


class Factors(CandidateSource):
    """Propose what customers of the same taste buy, by the factors of models/sources/als.py."""

    name = Source.FACTORS
    features = ("affinity", "affinity_share")
    title = "factors (ALS)"
    ranked_by = "affinity"

    def propose(self, context: RankingContext, allowed: Bools, n: int) -> Items:
        return context.scores.affinity.best(allowed, n)

    def explain(self, items: list[int], context: RankingContext) -> Sequence[Iterable[Reason]]:
        return [
            _of_taste(evidence, context) for evidence in context.observed.evidence(np.array(items))
        ]


class Neighbours(CandidateSource):
    """Propose what those who buy the products of the history also buy."""

    name = Source.NEIGHBOURS
    features = ("neighbours", "neighbours_share")
    title = "item neighbours"
    ranked_by = "neighbours"

    def propose(self, context: RankingContext, allowed: Bools, n: int) -> Items:
        return context.scores.neighbours.best(allowed, n)

    def explain(self, items: list[int], context: RankingContext) -> Sequence[Iterable[Reason]]:
        pairs = context.pairs
        rows_each = context.model.neighbours.evidence(pairs.item, pairs.recent, items)
        return [_of_history(rows, context) for rows in rows_each]


class BoughtTogether(CandidateSource):
    """Propose what is ordered together with the customer's last purchase."""

    name: str = Source.BOUGHT_TOGETHER
    features = ("basket", "together")

    def propose(self, context: RankingContext, allowed: Bools, n: int) -> Items:
        return context.scores.together.best(allowed, n)

    def explain(self, items: list[int], context: RankingContext) -> Sequence[Iterable[Reason]]:
        """Name products of the basket, then those of the last purchase."""
        model, lift_weight = context.model, context.settings.bundles.lift_weight
        baskets = (context.basket, context.profile.last_basket)
        return reasons.bought_together(model.orders, model.catalogue, baskets, items, lift_weight)


class CompletesBasket(BoughtTogether):
    """Propose what is ordered together with the products in the basket."""

    name: str = "basket"
    shown_as = Source.BOUGHT_TOGETHER
    evaluated = False  # evaluation asks for slates without a basket

    def propose(self, context: RankingContext, allowed: Bools, n: int) -> Items:
        return context.scores.basket.best(allowed, n)


class KnownCategories(CandidateSource):
    """Propose what sells best in the categories that the customer buys from."""

    name = Source.CATEGORY
    features = ("category_share", "category_recent", "category_lines", "brand_share")
    limit = "category"

    def propose(self, context: RankingContext, allowed: Bools, n: int) -> Items:
        trends, lines = context.trends, context.profile.category_lines
        categories = rank_best(lines, context.settings.candidates.categories)
        starts = trends.sellers_of[categories]
        stops = np.minimum(trends.sellers_of[categories + 1], starts + n)
        sellers = [trends.sellers[:0]]
        for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
            sellers.append(trends.sellers[start:stop])
        items: Items = np.concatenate(sellers)
        items = items[allowed[items]].astype(np.int64)
        category = context.model.traits.category[items]
        return items[rank_best(trends.popularity.recent[items] * lines[category], n)]

    def explain(self, items: list[int], context: RankingContext) -> Sequence[Iterable[Reason]]:
        return [_of_known_category(item, context) for item in items]


class Popular(CandidateSource):
    """Propose what sold best lately, and some of what sold best ever, alike to everyone."""

    name = Source.POPULAR
    features = ("recent_sales", "all_sales", "category_sales", "share_of_category")
    title = "recent sales"
    ranked_by = "recent_sales"

    def propose(self, context: RankingContext, allowed: Bools, n: int) -> Items:
        sellers = context.trends.sellers_lately_and_ever
        first = sellers[: 4 * n]
        items = first[allowed[first]][:n]
        if len(items) < n and len(first) < len(sellers):
            items = sellers[allowed[sellers]][:n]
        return items

    def explain(self, items: list[int], context: RankingContext) -> Sequence[Iterable[Reason]]:
        recent = context.trends.popularity.recent
        return [(reasons.popular(recent[item]),) for item in items]


class NewArrivals(CandidateSource):
    """Propose what has just come on sale, best suited to the customer first."""

    name = Source.NEW
    limit = "arrivals"

    def propose(self, context: RankingContext, allowed: Bools, n: int) -> Items:
        items = context.arrivals[allowed[context.arrivals]]
        if len(items) == 0:
            return items
        scores = score_by_attributes(items, context.profile, context.model)
        return items[rank_best(scores, n)]

    def explain(self, items: list[int], context: RankingContext) -> Sequence[Iterable[Reason]]:
        catalogue = context.model.catalogue
        return [(reasons.new_arrival(catalogue, item),) for item in items]

    def claims(self, items: Items, context: RankingContext) -> Bools | None:
        return is_among(items, context.arrivals) if len(context.arrivals) else None


class Liked(CandidateSource):
    """Propose what sells best lately of all that the customer has said they like."""

    name = Source.LIKED
    limit = None
    evaluated = False

    def propose(self, context: RankingContext, allowed: Bools, n: int) -> Items:
        items = context.liked.items[allowed[context.liked.items]]
        recent = context.trends.popularity.recent[items]
        return items[rank_best(1 + recent, min(n, MOST_LIKED))]

    def explain(self, items: list[int], context: RankingContext) -> Sequence[Iterable[Reason]]:
        return [(reasons.told_to_like(context.liked.name_of(item)),) for item in items]

    def claims(self, items: Items, context: RankingContext) -> Bools | None:
        liked = context.liked.items
        return is_among(items, liked) if len(liked) else None


SOURCES: Final[tuple[CandidateSource, ...]] = (
    OwnPurchases(),
    DuePurchases(),
    Factors(),
    Neighbours(),
    CompletesBasket(),
    BoughtTogether(),
    KnownCategories(),
    Popular(),
    NewArrivals(),
    Liked(),
)


def propose_candidates(
    sources: Sequence[CandidateSource], context: RankingContext, allowed: Bools
) -> dict[str, Items]:
    """Return what each source proposes, by its name, among the products allowed (items,)."""
    new = allowed.copy()
    new[context.pairs.item[context.pairs.owned]] = False
    limits = context.settings.candidates
    proposals = {}
    for source in sources:
        choice = allowed if source.proposes_bought else new
        n = len(allowed) if source.limit is None else getattr(limits, source.limit)
        proposals[source.name] = source.propose(context, choice, n)
    return proposals


def merge_candidates(proposals: Mapping[str, Items]) -> Items:
    """Return every item that a source proposed, sorted: (c,)."""
    return sort_distinct(np.concatenate(list(proposals.values())))


def score_by_attributes(items: Items, profile: CustomerProfile, model: Model) -> Floats:
    """Score products by category, brand and price alone: (items,), 0 without a known category."""
    # score = share of category · (1 + 4 · share of brand) · exp(-|how much dearer than usual|)
    traits = model.traits
    category, brand = traits.category[items], model.catalogue.brand[items]
    category_share = profile.by_category[CATEGORY_FEATURES.index("category_share"), category]
    brand_share = profile.brands[brand]
    dearer = traits.price_in_category[items] - np.float32(profile.price_in_category)
    dearer = np.where(np.isnan(dearer), 0, dearer)
    scores = category_share * (1 + BRAND_WEIGHT * brand_share) * np.exp(-np.abs(dearer))
    result: Floats = scores.astype(np.float32)
    return result


def _of_taste(evidence: Iterable[int], context: RankingContext) -> Iterator[Reason]:
    """Name products of the history as customers of the same taste buy or like them."""
    pairs = context.pairs
    for item in evidence:
        bought = pairs.last[pairs.item.searchsorted(item)] != NEVER
        template = CUSTOMERS_WHO_BUY if bought else CUSTOMERS_WHO_LIKE
        yield template.about(context.model.catalogue, item)
    yield CUSTOMERS_WHO_LIKE.unnamed


def _of_history(rows: Iterable[int], context: RankingContext) -> Iterator[Reason]:
    """Name the products in some rows of the history, and what the customer did with them."""
    pairs = context.pairs
    strongest = None
    for row in rows:
        item = int(pairs.item[row])
        if item in context.basket:
            template = BECAUSE_OF_BASKET
        elif pairs.last[row] == NEVER:
            template = BECAUSE_YOU_VIEWED
        else:
            template = BECAUSE_YOU_BOUGHT
        strongest = strongest or template
        yield template.about(context.model.catalogue, item)
    if strongest is not None:
        yield strongest.unnamed


def _of_known_category(item: int, context: RankingContext) -> Iterator[Reason]:
    """Name what the customer buys most and keeps of its category, then of its brand."""
    model, pairs = context.model, context.pairs
    strength = np.where(pairs.count > 0, np.maximum(pairs.long, MIN_WEIGHT), 0)
    known = False
    for codes in (model.traits.category, model.catalogue.brand):
        alike = (codes[pairs.item] == codes[item]) & (codes[item] >= 0) & (pairs.item != item)
        for row in by_size(np.where(alike, strength, 0)):
            known = True
            yield BECAUSE_YOU_BOUGHT.about(model.catalogue, int(pairs.item[row]))
    yield BECAUSE_YOU_BOUGHT.unnamed if known else BOUGHT_BY_OTHERS
