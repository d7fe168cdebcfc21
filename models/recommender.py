"""The one path to a slate: candidates, features, ranking, rules, fill. Service, evaluation and export all take it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from models import artifact, bundles, reasons, rules
from models.arrangement import arranged
from models.artifact import Manifest
from models.baskets import Baskets
from models.candidates import best, candidates, proposals
from models.case import Case, case_of
from models.catalogue import Catalogue
from models.customers import NO
from models.demand import Demand, demand_of
from models.events import DAY, Events
from models.features import features
from models.history import before, interactions, pair_starts, with_session
from models.model import Model
from models.ranking import Ranker, probability
from models.rules import Removed, Rule
from models.settings import ModelSettings, settings_of
from models.slate import Bundle, FallbackReason, Filters, Slate, SlateRequest, Slot, Source, Strategy

NOBODY = -1
DEMAND_CELLS = 1_600_000  # markets times products whose demand is kept, about 80 bytes each


@dataclass(frozen=True, eq=False)
class Ranked:
    """Candidates by score, best first: items (c,), scores (c,), rows (c, FEATURES), bought before (c,)."""

    items: NDArray[np.int64]
    scores: NDArray[np.float32]
    rows: NDArray[np.float32]
    bought: NDArray[np.bool_]


class Recommender:
    """One loaded model. Immutable and safe to share between threads; what it caches is bounded."""

    def __init__(self, manifest: Manifest, model: Model, settings: ModelSettings) -> None:
        self.manifest = manifest
        self.model = model
        self.settings = settings
        self.ranker = Ranker(settings.blend, model.lesson)
        self.baskets = Baskets(model, settings.bundles)
        # Of every market where products are few; of 16 where they are many, as each takes memory by its products.
        self.demand = lru_cache(maxsize=max(16, DEMAND_CELLS // max(len(model.catalogue), 1)))(self._demand_in)
        self.not_for_sale = lru_cache(maxsize=16)(partial(rules.not_for_sale, self.catalogue))
        self.by_sales = lru_cache(maxsize=32)(self._by_sales)

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Map an artifact. Checks manifest, sizes and headers; raises ArtifactError naming the file."""
        manifest, model = artifact.load(directory, Model)
        return cls(manifest, model, settings_of(manifest.config, directory))

    @property
    def catalogue(self) -> Catalogue:
        return self.model.catalogue

    def recommend(self, customer_id: str | None, request: SlateRequest) -> Slate:
        """A slate for a customer, a session, or both. Whoever they are, there is an answer."""
        user = NOBODY if customer_id is None else self.model.customers.ids.find(customer_id)
        request = self.at_home(user, request)
        if user != NOBODY and self.model.customers.consent[user, request.purpose] == NO:
            slate = self.popular(request)
            return replace(slate, strategy=Strategy.NOT_PERSONALIZED, fallback_reason=FallbackReason.NO_CONSENT)
        events = self._events(user, request)
        if len(events) == 0 and not request.recent and not request.basket:
            stranger = user == NOBODY and customer_id is not None
            reason = FallbackReason.UNKNOWN_CUSTOMER if stranger else FallbackReason.NO_HISTORY
            return replace(self.popular(request), fallback_reason=reason)
        strategy = Strategy.PERSONAL if len(events) else Strategy.SESSION
        return self.slate(self._case(events, request), request, strategy)

    def case(self, user: int, request: SlateRequest) -> Case:
        """What a slate for this user would be made from."""
        return self._case(self._events(user, request), request)

    def slate(self, case: Case, request: SlateRequest, strategy: Strategy = Strategy.PERSONAL) -> Slate:
        removed = self.removed(case, request)
        ranked = self.ranked(case, removed)
        slots = self._slots(case, request, ranked)
        if len(slots) < request.n and not request.strict:
            slots += tuple(self._fill(removed, request, {slot.item for slot in slots}))
        return Slate(strategy, _why_less(slots), slots)

    def ranked(self, case: Case, removed: Removed) -> Ranked:
        """Every candidate that the rules leave, best first; ties by item."""
        items = candidates(self.proposals(case, removed))
        rows, bought = features(items, case, self.model, self.settings)
        scores = self.ranker.cascade(rows, bought, self.settings.candidates.ranked)
        order = np.argsort(-scores, kind="stable")
        return Ranked(items[order], scores[order], rows[order], bought[order])

    def proposals(self, case: Case, removed: Removed) -> dict[str, NDArray[np.int64]]:
        """The candidates of each source that the rules leave."""
        return proposals(case, self.model, removed == Rule.NONE, self.settings)

    def shown(self, case: Case, request: SlateRequest, ranked: Ranked) -> NDArray[np.int64]:
        """The places in `ranked` of what is shown, in its order."""
        return arranged(ranked.items, request.n, case, self.model, self.settings, request.placement)

    def removed(self, case: Case, request: SlateRequest) -> Removed:
        """Which products the rules keep out of this customer's slate, each with the rule."""
        removed = self._shown_to_anyone(request)
        repeats, settings = self.model.repeats, self.settings.repeats
        return rules.bought(removed, case.pairs, case.clocks, repeats, request.repeat, settings)

    def popular(self, request: SlateRequest, window_days: int | None = None) -> Slate:
        """What sold most in a window, in the market asked for first: the same for everyone."""
        removed = self._shown_to_anyone(request)
        days = window_days or self.settings.popular.window_days
        slots = tuple(self._popular_slots(removed, request, days, Source.POPULAR, request.n, set()))
        return Slate(Strategy.POPULAR, _why_less(slots), slots)

    def popular_for(self, customer_id: str, request: SlateRequest) -> Slate:
        """What is popular in the customer's own market: all that it takes to know is where they are."""
        return self.popular(self.at_home(self.model.customers.ids.find(customer_id), request))

    def similar(self, item: int, request: SlateRequest) -> Slate:
        """Products that the same customers buy; filled with popular ones of its category."""
        removed = rules.asked_about(self._filtered(request), np.array([item], np.int32))
        scores = np.where(removed == Rule.NONE, self.model.neighbours.similar(item), np.float32(0))
        why = reasons.similar_to(self.catalogue, item)
        found = best(scores, request.n)
        slots = tuple(Slot(int(other), float(scores[other]), Source.NEIGHBOURS, why) for other in found)
        if len(slots) < request.n and not request.strict:
            if self.catalogue.category[item] >= 0:
                elsewhere = self.catalogue.category != self.catalogue.category[item]
                removed[elsewhere & (removed == Rule.NONE)] = Rule.OTHER_CATEGORY
            slots += tuple(self._fill(removed, request, set(found.tolist())))
        return Slate(Strategy.SIMILAR, _why_less(slots), slots)

    def bundles(
        self, item: int, n: int, filters: Filters, as_of: int | None = None, size: int = 2
    ) -> tuple[Bundle, ...]:
        """At most n units of `size` products around one product."""
        allowed = self._filtered(SlateRequest(as_of=as_of, filters=filters)) == Rule.NONE
        return bundles.around(self.baskets, item, allowed, n, size)

    def complete(self, basket: Sequence[int], n: int, filters: Filters, as_of: int | None = None) -> tuple[Bundle, ...]:
        """At most n products that complete a basket, each a unit with the product of the basket it goes with."""
        removed = self._filtered(SlateRequest(as_of=as_of, filters=filters))
        unique = sorted(set(basket))
        return bundles.complete(self.baskets, unique, removed == Rule.NONE, n)

    def at_home(self, user: int, request: SlateRequest) -> SlateRequest:
        """The request in the customer's own market where it names none."""
        if user == NOBODY or request.filters.market is not None or self.model.customers.market[user] < 0:
            return request
        market = self.model.customers.market_names[int(self.model.customers.market[user])]
        return replace(request, filters=replace(request.filters, market=market))

    def _moment(self, request: SlateRequest) -> int:
        return self.manifest.data_as_of if request.as_of is None else request.as_of

    def _events(self, user: int, request: SlateRequest) -> Events:
        histories = self.model.histories
        return histories.none() if user == NOBODY else before(histories.of(user), self._moment(request))

    def _case(self, events: Events, request: SlateRequest) -> Case:
        as_of = self._moment(request)
        pairs = interactions(events, pair_starts(events), as_of, self.settings.history)
        session = np.unique(np.array(request.recent + request.basket, np.int32))
        return case_of(
            events,
            with_session(pairs, session) if len(session) else pairs,
            sorted(set(request.basket)),
            self._demand(request),
            self.model,
            self.settings,
            as_of=as_of,
            lag_days=max(as_of - self.manifest.data_as_of, 0) / DAY,
        )

    def _demand(self, request: SlateRequest) -> Demand:
        market = self.model.customers.market_names.find(request.filters.market or "")
        return self.demand(self.sales_moment(self._moment(request)), market)

    def _shown_to_anyone(self, request: SlateRequest) -> Removed:
        return rules.asked_about(self._filtered(request), np.array(request.recent + request.basket, np.int32))

    def _filtered(self, request: SlateRequest) -> Removed:
        closed = self.not_for_sale(self._moment(request), request.filters.market)
        return rules.filtered(closed, self.catalogue, request.filters)

    def _slots(self, case: Case, request: SlateRequest, ranked: Ranked) -> tuple[Slot, ...]:
        places = self.shown(case, request, ranked)
        items, scores, bought = ranked.items[places], ranked.scores[places], ranked.bought[places]
        sources = self.ranker.sources(ranked.rows[places], bought, scores)
        new = np.isin(items, case.arrivals)
        sources = [Source.NEW if fresh else source for fresh, source in zip(new.tolist(), sources, strict=True)]
        told = probability(scores) if self.model.lesson.learned else scores
        why = reasons.of_slate(items.tolist(), sources, case, sorted(set(request.basket)), self.model, self.settings)
        return tuple(
            Slot(item, score, source, why[item])
            for item, score, source in zip(items.tolist(), told.tolist(), sources, strict=True)
        )

    def _fill(self, removed: Removed, request: SlateRequest, shown: set[int]) -> Iterator[Slot]:
        days = self.settings.popular.window_days
        return self._popular_slots(removed, request, days, Source.FILL, request.n - len(shown), shown)

    def _popular_slots(
        self, removed: Removed, request: SlateRequest, days: int, source: Source, n: int, shown: set[int]
    ) -> Iterator[Slot]:
        market = self.model.customers.market_names.find(request.filters.market or "")
        order, lines = self.by_sales(self.sales_moment(self._moment(request)), days, market)
        allowed = order[removed[order] == Rule.NONE][: n + len(shown)].tolist()
        chosen = [item for item in allowed if item not in shown][:n]
        return (Slot(item, float(lines[item]), source, reasons.popular(lines[item])) for item in chosen)

    def sales_moment(self, as_of: int) -> int:
        """When windows of sales end: at the newest event, for an earlier moment at the beginning of its day."""
        newest = int(self.model.sales.newest[0])
        return newest if as_of >= newest else as_of // DAY * DAY

    def _demand_in(self, as_of: int, market: int) -> Demand:
        model = self.model
        place = market if market >= 0 else None
        return demand_of(model.sales, model.catalogue, model.traits, model.repeats, self.settings, as_of, place)

    def _by_sales(self, as_of: int, days: int, market: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Products that were ever sold, by lines in the window: in the market, then everywhere, then of all time."""
        sales, n_items = self.model.sales, len(self.catalogue)
        everywhere = sales.window(as_of, days, n_items)
        here = sales.window(as_of, days, n_items, market) if market >= 0 else everywhere
        total = self.demand(as_of, NOBODY).popularity.total
        order = np.lexsort((-total, -everywhere, -here)).astype(np.int32)
        return order[total[order] > 0], here


def _why_less(slots: tuple[Slot, ...]) -> FallbackReason | None:
    """A slate that nothing but filling made is less than what was asked for."""
    proposed = any(slot.source is not Source.FILL for slot in slots)
    return None if proposed else FallbackReason.NO_CANDIDATES
