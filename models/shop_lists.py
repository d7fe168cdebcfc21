"""Lists of their own: what is new, cheaper, back or best rated, and what a customer looked at.

Each holds what is true of its products and nothing else: it is not filled up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.data.events import DAY, KINDS
from models.languages.phrases import Phrase, counted
from models.ranking.reasons import THIS, new_arrival
from models.recommender import Recommender
from models.rules.eligibility import find_allowed
from models.slate import (
    Reason,
    ReasonKind,
    ScoreKind,
    Slate,
    SlateRequest,
    Slot,
    Source,
    Strategy,
    fallback_reason_of,
)
from models.updates.customer import CustomerUpdate

RECENT_DAYS: Final = 30  # since a product came, came back, became cheaper or was looked at
MIN_RATINGS: Final = 3  # of a product among the best rated
PRIOR_RATINGS: Final = 5  # as many ratings of the shop's mean are added to those of each product
VIEW: Final = KINDS.index("view")


class ShopList(StrEnum):
    """A list that the service keeps."""

    NEW = "new"
    PRICE_DROPPED = "price-dropped"
    BACK_IN_STOCK = "back-in-stock"
    BEST_RATED = "best-rated"
    RECENTLY_VIEWED = "recently-viewed"  # by one customer or visit


@dataclass(frozen=True)
class PriceDrop:
    """A price that a shop has lowered."""

    time: int  # seconds since 1970, of the last time it was lowered
    former: float  # the lowest price in the 30 days before
    currency: str | None

    def holds(self, price: float, currency: str | None, as_of: int) -> bool:
        """Tell whether a price is less than the former one, and was lowered in the last 30 days."""
        is_recent = as_of - self.time < RECENT_DAYS * DAY
        return is_recent and currency == self.currency and price < self.former


@dataclass(frozen=True)
class PriceChange:
    """A price that a shop has changed, as it was before; None: it was not known."""

    time: int  # seconds since 1970
    price: float | None
    currency: str | None


def find_drop(changes: Sequence[PriceChange], price: float) -> PriceDrop | None:
    """Return how a price was lowered to what it is now; None where that is not so or not known.

    `changes`: in their order. The former price is the lowest of the 30 days before, so that a price
    that is raised for a day and lowered again has not dropped.
    """
    prices_after = [*(change.price for change in changes[1:]), price]
    for index in range(len(changes) - 1, -1, -1):
        change, after = changes[index], prices_after[index]
        if change.price is None or after is None:
            return None
        if after < change.price:
            since = change.time - RECENT_DAYS * DAY
            before = [other.price for other in changes[: index + 1] if other.time >= since]
            known = [former for former in before if former is not None]
            if len(known) < len(before) or min(known) <= price:
                return None
            return PriceDrop(change.time, min(known), change.currency)
    return None


@dataclass(frozen=True)
class RatingMean:
    """What customers think of a product."""

    count: int
    mean: float  # stars, 1 to 5


@dataclass(frozen=True)
class ListFacts:
    """Hold what the store knows for lists and no model does, by item."""

    restocked: Mapping[int, int] = field(default_factory=dict)  # when, seconds since 1970
    drops: Mapping[int, PriceDrop] = field(default_factory=dict)
    ratings: Mapping[int, RatingMean] = field(default_factory=dict)


NO_FACTS: Final = ListFacts()


@dataclass(frozen=True)
class ListedFacts:
    """Hold what a list says of a product besides its slot; None where it says nothing."""

    since: int | None = None  # seconds since 1970
    former_price: float | None = None
    rating: RatingMean | None = None


@dataclass(frozen=True)
class ListedProducts:
    """Products of a list, with what it says of each."""

    slate: Slate
    facts: tuple[ListedFacts, ...]  # of each slot


Listed = tuple[Slot, ListedFacts]
Find = Callable[[Recommender, SlateRequest, ListFacts], Iterator[Listed]]


def list_products(
    name: ShopList, recommender: Recommender, request: SlateRequest, facts: ListFacts
) -> ListedProducts:
    """Return the first n products of a list, by rules of the shop and not by taste."""
    find, score_kind = LISTS[name]
    return _first(find(recommender, request, facts), request.n, score_kind)


def list_viewed(
    recommender: Recommender,
    customer_id: str | None,
    request: SlateRequest,
    update: CustomerUpdate,
) -> ListedProducts:
    """Return what a customer or a visit looked at in the last 30 days, newest first.

    It is empty where they are not personalised.
    """
    if refused := recommender.refusal(customer_id, request, update):
        slate = Slate(Strategy.NOT_PERSONALIZED, refused, (), ScoreKind.RECENCY)
        return ListedProducts(slate, ())
    user = recommender.find_user(customer_id, update)
    request = recommender.as_told(user, recommender.at_home(user, request), update)
    events = recommender.find_events(user, request, update)
    seen: dict[int, int] = {}
    viewed = np.flatnonzero(events.kind == VIEW)
    order = np.argsort(-events.time[viewed], kind="stable")
    for row in viewed[order].tolist():
        seen.setdefault(int(events.item[row]), int(events.time[row]))
    reason = Reason(ReasonKind.RECENTLY_VIEWED, (), Phrase("You looked at {product}", product=THIS))
    rows = _recent(recommender, request, seen, Source.OWN_INTEREST, lambda _: reason)
    listed = _first(rows, request.n, ScoreKind.RECENCY)
    strategy = Strategy.PERSONAL if customer_id is not None else Strategy.SESSION
    return replace(listed, slate=replace(listed.slate, strategy=strategy))


def _first(listed: Iterator[Listed], n: int, score_kind: ScoreKind) -> ListedProducts:
    rows = [row for row, _ in zip(listed, range(n), strict=False)]
    slots = tuple(slot for slot, _ in rows)
    slate = Slate(Strategy.LIST, fallback_reason_of(slots), slots, score_kind)
    return ListedProducts(slate, tuple(facts for _, facts in rows))


def _allowed(recommender: Recommender, request: SlateRequest) -> NDArray[np.bool_]:
    return find_allowed(recommender.find_filtered(request))


def _find_new(recommender: Recommender, request: SlateRequest, _: ListFacts) -> Iterator[Listed]:
    """Yield what came on sale in the last 30 days, newest first.

    What a rule of the shop opens to this customer before it is for everyone stands before that.
    """
    catalogue, as_of = recommender.catalogue, recommender.moment_of(request)
    available, since = catalogue.available_from, as_of - RECENT_DAYS * DAY
    begun, opened = available <= as_of, recommender.rule_effects(request).opened
    if opened is not None:
        begun |= opened
    items = np.flatnonzero(_allowed(recommender, request) & (available > since) & begun)
    for item in items[np.argsort(-available[items], kind="stable")].tolist():
        score = min(float(available[item] - since) / (RECENT_DAYS * DAY), 1.0)
        slot = Slot(item, score, Source.NEW, new_arrival(catalogue, item))
        yield slot, ListedFacts(since=int(available[item]))


def _find_restocked(
    recommender: Recommender, request: SlateRequest, facts: ListFacts
) -> Iterator[Listed]:
    """Yield what came back into stock in the last 30 days, newest first."""
    reason = Reason(ReasonKind.BACK_IN_STOCK, (), Phrase("Back in stock"))
    source = Source.BACK_IN_STOCK
    return _recent(recommender, request, facts.restocked, source, lambda _: reason)


def _recent(
    recommender: Recommender,
    request: SlateRequest,
    times: Mapping[int, int],
    source: Source,
    reason_of: Callable[[int], Reason],
) -> Iterator[Listed]:
    """Yield products by their times, newest first; ties by item.

    The score is the part that is left of 30 days. The shop's clock may be ahead of shop time.
    """
    as_of, allowed = recommender.moment_of(request), _allowed(recommender, request)
    for item in _by_value(times):
        age = max(as_of - times[item], 0)
        if age < RECENT_DAYS * DAY and allowed[item]:
            slot = Slot(item, 1 - age / (RECENT_DAYS * DAY), source, reason_of(item))
            yield slot, ListedFacts(since=times[item])


def _find_cheaper(
    recommender: Recommender, request: SlateRequest, facts: ListFacts
) -> Iterator[Listed]:
    """Yield what costs less than it did, the largest share of the price first; ties by item."""
    catalogue, as_of = recommender.catalogue, recommender.moment_of(request)
    allowed = _allowed(recommender, request)
    saved = {}
    for item, drop in facts.drops.items():
        price = float(catalogue.price[item])
        if allowed[item] and drop.holds(price, catalogue.currency[item] or None, as_of):
            saved[item] = 1 - price / drop.former
    for item in _by_value(saved):
        drop = facts.drops[item]
        text = Phrase("{percent}% less than before", percent=round(100 * saved[item]))
        reason = Reason(ReasonKind.PRICE_DROPPED, (), text)
        slot = Slot(item, saved[item], Source.PRICE_DROPPED, reason)
        yield slot, ListedFacts(since=drop.time, former_price=drop.former)


def _find_best_rated(
    recommender: Recommender, request: SlateRequest, facts: ListFacts
) -> Iterator[Listed]:
    """Yield what customers rate best, by the mean with five ratings of the shop's mean added."""
    allowed, ratings = _allowed(recommender, request), facts.ratings
    count = sum(rating.count for rating in ratings.values())
    total = sum(rating.count * rating.mean for rating in ratings.values())
    # (n · mean + k · mean of the shop) / (n + k)
    prior = PRIOR_RATINGS * total / max(count, 1)
    shrunk = {}
    for item, rating in ratings.items():
        if rating.count >= MIN_RATINGS and allowed[item]:
            stars = rating.count * rating.mean + prior
            shrunk[item] = stars / (rating.count + PRIOR_RATINGS)
    for item in _by_value(shrunk):
        rating = ratings[item]
        text = counted(
            "Rated {stars} of 5 by one customer",
            "Rated {stars} of 5 by {count} customers",
            rating.count,
            stars=round(rating.mean, 1),
        )
        reason = Reason(ReasonKind.BEST_RATED, (), text)
        yield Slot(item, shrunk[item], Source.BEST_RATED, reason), ListedFacts(rating=rating)


def _by_value(values: Mapping[int, float]) -> Sequence[int]:
    return sorted(values, key=lambda item: (-values[item], item))


LISTS: Final[Mapping[ShopList, tuple[Find, ScoreKind]]] = {
    ShopList.NEW: (_find_new, ScoreKind.NEWNESS),
    ShopList.PRICE_DROPPED: (_find_cheaper, ScoreKind.SAVING),
    ShopList.BACK_IN_STOCK: (_find_restocked, ScoreKind.RECENCY),
    ShopList.BEST_RATED: (_find_best_rated, ScoreKind.STARS),
}
