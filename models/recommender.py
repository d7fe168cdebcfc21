"""The one path to a slate: candidates, features, ranking, rules, fill. Service, evaluation and export all take it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from models.artifact import files
from models.artifact.files import Manifest
from models.assembly import reasons
from models.assembly.assemble import RankedCandidates, rank_each, slots_of_each
from models.assembly.bestsellers import Bestsellers
from models.assembly.diversity import arrange
from models.assembly.popular import SalesTrends
from models.bundles import bundles
from models.bundles.basket_ranker import BasketRanker
from models.data.catalogue import Catalogue
from models.data.events import DAY, Events
from models.data.history import before
from models.model import Model
from models.ranking.candidates import proposals
from models.ranking.context import CONTEXTS_AT_ONCE, ContextInputs, RankingContext, build_contexts
from models.ranking.product_trends import recent_arrivals
from models.ranking.ranker import Ranker
from models.rules import eligibility
from models.rules.eligibility import ExclusionRule, Removed
from models.rules.filters import Filters
from models.rules.rule_effects import CapCounter, RuleEffects, closed, rule_effects_of, seated
from models.rules.shop_rules import ShopRule, active
from models.settings import ModelSettings, settings_of
from models.slate import (
    Bundle,
    FallbackReason,
    Slate,
    SlateRequest,
    Slot,
    Source,
    Strategy,
    why_less,
)
from models.updates.customer import NO_UPDATE, CustomerUpdate, allows, updated_history

NOBODY = -1
PLAIN = SlateRequest()


class Recommender:
    """One loaded model. Immutable and safe to share between threads; what it caches is bounded."""

    def __init__(
        self,
        manifest: Manifest,
        model: Model,
        settings: ModelSettings,
        selling: SalesTrends | None = None,
    ) -> None:
        self.manifest = manifest
        self.model = model
        self.settings = settings
        self.ranker = Ranker(settings.blend, model.lesson)
        self.baskets = BasketRanker(model, settings.bundles)
        self.selling = selling or SalesTrends(model, settings)
        self.newcomers = lru_cache(maxsize=16)(
            partial(recent_arrivals, model.sales, model.catalogue, settings)
        )
        self.shelves = lru_cache(maxsize=16)(partial(rule_effects_of, catalogue=self.catalogue))
        self.closed = lru_cache(maxsize=16)(partial(closed, self.catalogue))
        self.by_sales = lru_cache(maxsize=32)(partial(_by_sales, self.selling))

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Map an artifact. Checks manifest, sizes and headers; raises ArtifactError naming the file."""
        manifest, model = files.load_artifact(directory, Model)
        return cls(manifest, model, settings_of(manifest.config, directory))

    def with_model(self, model: Model) -> Self:
        """The same with other products or sales; what they do not change is not counted again."""
        return type(self)(self.manifest, model, self.settings, self.selling.of(model))

    @property
    def catalogue(self) -> Catalogue:
        return self.model.catalogue

    def recommend(
        self, customer_id: str | None, request: SlateRequest, since: CustomerUpdate = NO_UPDATE
    ) -> Slate:
        """A slate for a customer, a session, or both. Whoever they are, there is an answer."""
        return self.recommend_all([(customer_id, request, since)])[0]

    def recommend_all(
        self, asked: Sequence[tuple[str | None, SlateRequest, CustomerUpdate]]
    ) -> list[Slate]:
        """The same for many, of whom some are looked at together, which takes less time."""
        parts = (
            asked[start : start + CONTEXTS_AT_ONCE]
            for start in range(0, len(asked), CONTEXTS_AT_ONCE)
        )
        return [slate for part in parts for slate in self._recommended(part)]

    def _recommended(
        self, asked: Sequence[tuple[str | None, SlateRequest, CustomerUpdate]]
    ) -> Iterator[Slate]:
        told = [self._told(*one) for one in asked]
        personal = [one for one in told if not isinstance(one, Slate)]
        cases = build_contexts([one[0] for one in personal], self.model, self.settings)
        slates = iter(
            self._slates(cases, [one[1] for one in personal], [one[2] for one in personal])
        )
        return (one if isinstance(one, Slate) else next(slates) for one in told)

    def _told(
        self, customer_id: str | None, request: SlateRequest, since: CustomerUpdate
    ) -> Slate | tuple[ContextInputs, SlateRequest, Strategy]:
        """The slate of who may not or cannot be told from others; of anyone else what theirs is made from."""
        user = (
            NOBODY
            if customer_id is None or since.forgotten
            else self.model.customers.ids.find(customer_id)
        )
        request = self.at_home(user, request)
        if customer_id is not None and not allows(
            self.model.customers, user, request.purpose, since
        ):
            slate = self.popular(request)
            return replace(
                slate, strategy=Strategy.NOT_PERSONALIZED, fallback_reason=FallbackReason.NO_CONSENT
            )
        events = self.events(user, request, since)
        if len(events) == 0 and not request.recent and not request.basket:
            stranger = user == NOBODY and customer_id is not None
            reason = FallbackReason.UNKNOWN_CUSTOMER if stranger else FallbackReason.NO_HISTORY
            return replace(self.popular(request), fallback_reason=reason)
        strategy = (
            Strategy.PERSONAL if customer_id is not None and len(events) else Strategy.SESSION
        )
        return self._asked(events, request), request, strategy

    def case(
        self, user: int, request: SlateRequest, since: CustomerUpdate = NO_UPDATE
    ) -> RankingContext:
        """What a slate for this user would be made from; -1 is someone unknown."""
        return build_contexts(
            [self._asked(self.events(user, request, since), request)], self.model, self.settings
        )[0]

    def slate(
        self, case: RankingContext, request: SlateRequest, strategy: Strategy = Strategy.PERSONAL
    ) -> Slate:
        return self._slates([case], [request], [strategy])[0]

    def _slates(
        self,
        cases: Sequence[RankingContext],
        requests: Sequence[SlateRequest],
        strategies: Sequence[Strategy],
    ) -> list[Slate]:
        if not cases:
            return []
        removed = [
            self.removed(case, request) for case, request in zip(cases, requests, strict=True)
        ]
        ranked = self.ranked_each(cases, removed, requests)
        shown = [
            one.at(self.shown(case, request, one))
            for case, request, one in zip(cases, requests, ranked, strict=True)
        ]
        slates = []
        for slots, one, strategy, barred, request in zip(
            self.slots_each(shown, cases), shown, strategies, removed, requests, strict=True
        ):
            rest = {slot.item: slot for slot in slots}
            seats = {spot: rest.pop(item) for spot, item in one.pins.items()}
            slates.append(self._completed(list(rest.values()), seats, strategy, barred, request))
        return slates

    def ranked(
        self, case: RankingContext, removed: Removed, request: SlateRequest = PLAIN
    ) -> RankedCandidates:
        """Every candidate that the rules leave, best first; ties by item."""
        return self.ranked_each([case], [removed], [request])[0]

    def ranked_each(
        self,
        cases: Sequence[RankingContext],
        removed: Sequence[Removed],
        requests: Sequence[SlateRequest],
    ) -> list[RankedCandidates]:
        """The same for many customers."""
        shelves = [self.shelf(request) for request in requests]
        return rank_each(cases, removed, requests, shelves, self.model, self.ranker, self.settings)

    def slots_each(
        self, shown: Sequence[RankedCandidates], cases: Sequence[RankingContext]
    ) -> list[tuple[Slot, ...]]:
        """What is shown to many customers, in its order, each with its source and reason."""
        return slots_of_each(shown, cases, self.model, self.ranker, self.settings)

    def proposals(self, case: RankingContext, removed: Removed) -> dict[str, NDArray[np.int64]]:
        """The candidates of each source that the rules leave."""
        return proposals(case, self.model, eligibility.allowed(removed), self.settings)

    def shown(
        self, case: RankingContext, request: SlateRequest, ranked: RankedCandidates
    ) -> NDArray[np.int64]:
        """The places in `ranked` of what is shown, in its order."""
        caps = self.shelf(request).caps
        return arrange(
            ranked.items,
            request.n,
            case,
            self.model,
            self.settings,
            request.placement,
            ranked.pins,
            caps,
        )

    def removed(self, case: RankingContext, request: SlateRequest) -> Removed:
        """Which products the rules keep out of this customer's slate, each with the rule."""
        removed = self._shown_to_anyone(request)
        repeats, settings = self.model.repeats, self.settings.repeats
        return eligibility.bought(
            removed, case.pairs, case.clocks, repeats, request.repeat, settings
        )

    def popular(self, request: SlateRequest, window_days: int | None = None) -> Slate:
        """What sold most in a window, in the market asked for first: the same for everyone."""
        removed = self._shown_to_anyone(request)
        days = window_days or self.settings.popular.window_days
        sellers = self._sellers(request, days)
        seats = self._seats(removed, request, sellers.lines)
        rest = sellers.slots(
            removed, self._room(request, seats.values()), request.n - len(seats), Source.POPULAR
        )
        return self._completed(rest, seats, Strategy.POPULAR, removed, request)

    def popular_for(self, customer_id: str, request: SlateRequest) -> Slate:
        """What is popular in the customer's own market: all that it takes to know is where they are."""
        return self.popular(self.at_home(self.model.customers.ids.find(customer_id), request))

    def similar(self, item: int, request: SlateRequest) -> Slate:
        """Products that the same customers buy; filled with popular ones of its category."""
        removed = eligibility.asked_about(self._filtered(request), np.array([item], np.int32))
        scores, shelf = self.model.neighbours.similar(item), self.shelf(request)
        seats = self._seats(removed, request, scores)
        near = np.flatnonzero((scores > 0) & (removed == ExclusionRule.NONE))
        near = near[
            np.argsort(-(np.log(scores[near], dtype=np.float64) + shelf.odds[near]), kind="stable")
        ]
        found = self._room(request, seats.values()).first(near, request.n - len(seats))
        why = reasons.similar_to(self.catalogue, item)
        rest = [Slot(other, float(scores[other]), Source.NEIGHBOURS, why) for other in found]
        if len(rest) + len(seats) < request.n and self.catalogue.category[item] >= 0:
            elsewhere = self.catalogue.category != self.catalogue.category[item]
            removed[elsewhere & (removed == ExclusionRule.NONE)] = ExclusionRule.OTHER_CATEGORY
        return self._completed(rest, seats, Strategy.SIMILAR, removed, request)

    def bundles(
        self,
        item: int,
        n: int,
        filters: Filters,
        as_of: int | None = None,
        size: int = 2,
        *,
        placement: str | None = None,
        rules: tuple[ShopRule, ...] = (),
    ) -> tuple[Bundle, ...]:
        """At most n units of `size` products around one product."""
        request = SlateRequest(as_of=as_of, filters=filters, placement=placement, rules=rules)
        return bundles.around(
            self.baskets, item, self._filtered(request) == ExclusionRule.NONE, n, size
        )

    def complete(
        self,
        basket: Sequence[int],
        n: int,
        filters: Filters,
        as_of: int | None = None,
        *,
        placement: str | None = None,
        rules: tuple[ShopRule, ...] = (),
    ) -> tuple[Bundle, ...]:
        """At most n products that complete a basket, each a unit with the product of the basket it goes with."""
        request = SlateRequest(as_of=as_of, filters=filters, placement=placement, rules=rules)
        return bundles.complete(
            self.baskets, sorted(set(basket)), self._filtered(request) == ExclusionRule.NONE, n
        )

    def follow_up(self, order: Sequence[int], request: SlateRequest) -> Slate:
        """What goes with an order that was made: nothing of it, nothing of a category that is not needed twice."""
        allowed = self._filtered(request) == ExclusionRule.NONE
        slots = bundles.after(self.baskets, order, allowed, request.n, self.settings.repeats.rare)
        return Slate(Strategy.BUNDLES, why_less(slots), slots)

    def shelf(self, request: SlateRequest) -> RuleEffects:
        """What the rules of the shop that hold for a slate do to every product."""
        return self.shelves(
            active(request.rules, request.placement, request.filters.market, self._moment(request))
        )

    def at_home(self, user: int, request: SlateRequest) -> SlateRequest:
        """The request in the customer's own market where it names none."""
        if (
            user == NOBODY
            or request.filters.market is not None
            or self.model.customers.market[user] < 0
        ):
            return request
        market = self.model.customers.market_names[int(self.model.customers.market[user])]
        return replace(request, filters=replace(request.filters, market=market))

    def _moment(self, request: SlateRequest) -> int:
        return self.manifest.data_as_of if request.as_of is None else request.as_of

    def events(self, user: int, request: SlateRequest, since: CustomerUpdate = NO_UPDATE) -> Events:
        histories = self.model.histories
        learned = histories.none() if user == NOBODY else histories.of(user)
        return before(
            updated_history(learned, since) if since is not NO_UPDATE else learned,
            self._moment(request),
        )

    def _asked(self, events: Events, request: SlateRequest) -> ContextInputs:
        as_of = self._moment(request)
        sold, market = (
            self.sales_moment(as_of),
            self.model.customers.market_names.find(request.filters.market or ""),
        )
        lag_days = max(as_of - self.manifest.data_as_of, 0) / DAY
        demand, new = self.selling.demand(sold, market), self.arrivals(as_of)
        return ContextInputs(events, as_of, lag_days, demand, new, request.recent, request.basket)

    def _shown_to_anyone(self, request: SlateRequest) -> Removed:
        return eligibility.asked_about(
            self._filtered(request), np.array(request.recent + request.basket, np.int32)
        )

    def _filtered(self, request: SlateRequest) -> Removed:
        closed = self.closed(self._moment(request), request.filters.market, self.shelf(request))
        return eligibility.filtered(closed, self.catalogue, request.filters)

    def _seats(
        self, removed: Removed, request: SlateRequest, scores: NDArray[np.float32]
    ) -> dict[int, Slot]:
        """What the shop pins to a slate that is the same for everyone, by the spot from 0."""
        return {
            spot: Slot(item, float(scores[item]), Source.PINNED, reasons.CHOSEN_BY_SHOP)
            for spot, item in self.shelf(request).seats(removed, request.n).items()
        }

    def _completed(
        self,
        rest: list[Slot],
        seats: dict[int, Slot],
        strategy: Strategy,
        removed: Removed,
        request: SlateRequest,
    ) -> Slate:
        """A slate with every product in its seat and, where it may be, filled."""
        shown = [*rest, *seats.values()]
        if len(shown) < request.n and not request.strict:
            sellers = self._sellers(request, self.settings.popular.window_days)
            rest += sellers.slots(
                removed, self._room(request, shown), request.n - len(shown), Source.FILL
            )
        slots = tuple(seated(rest, seats))
        return Slate(strategy, why_less(slots), slots)

    def _room(self, request: SlateRequest, shown: Iterable[Slot]) -> CapCounter:
        return CapCounter(self.shelf(request).caps, request.n, [slot.item for slot in shown])

    def _sellers(self, request: SlateRequest, days: int) -> Bestsellers:
        market = self.model.customers.market_names.find(request.filters.market or "")
        return self.by_sales(
            self.sales_moment(self._moment(request)), days, market, self.shelf(request)
        )

    def sales_moment(self, as_of: int) -> int:
        """When windows of sales end: at the newest event, for an earlier moment at the beginning of its day."""
        newest = int(self.model.sales.newest[0])
        return newest if as_of >= newest else as_of // DAY * DAY

    def arrivals(self, as_of: int) -> NDArray[np.int64]:
        """Items that have just come on sale, also since what was sold last, and are not learned about yet."""
        new = self.newcomers(self.sales_moment(as_of))
        return new[self.catalogue.available_from[new] <= as_of]


def _by_sales(
    selling: SalesTrends, as_of: int, days: int, market: int, shelf: RuleEffects
) -> Bestsellers:
    return selling.bestsellers(as_of, days, market).on(shelf)
