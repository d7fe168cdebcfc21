"""One path to a slate for service, evaluation and export.

It leads from candidates over features, ranking and rules to what fills a slate.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from models.artifact import files
from models.artifact.files import Manifest
from models.assembly.assemble import RankedCandidates, rank_each, slots_of_each
from models.assembly.cards import build_card, sum_prices
from models.assembly.diversity import Likeness, SlateLimits, arrange
from models.assembly.draft import SlateDraft
from models.assembly.given import (
    JudgedProducts,
    judge_given,
    order_by_sales,
    order_for_customer,
    remove_unoffered,
)
from models.assembly.popular import Bestsellers, SalesTrends
from models.bundles.around_product import BundleFinder
from models.bundles.basket_ranker import BasketRanker
from models.bundles.bundles import complete_basket, follow_order
from models.bundles.offers import find_offers, put_first
from models.data.catalogue import Catalogue
from models.data.events import DAY, Events
from models.data.history import LATEST, select_before
from models.errors import ArtifactError
from models.model import Model
from models.ranking.context import CONTEXTS_AT_ONCE, ContextInputs, RankingContext, build_contexts
from models.ranking.product_trends import find_recent_arrivals
from models.ranking.ranker import Ranker
from models.ranking.reasons import buy_again
from models.ranking.replenishment import DuePurchase, find_due
from models.ranking.sources import SOURCES, CandidateSource
from models.rules.eligibility import (
    Removed,
    find_allowed,
    remove_bought,
    remove_filtered,
    remove_named,
    remove_other_categories,
    remove_unmatched,
)
from models.rules.filter_mask import find_matching
from models.rules.filters import Repeat
from models.rules.preferences import (
    NO_PREFERENCES,
    NOTHING_LIKED,
    LikedProducts,
    PreferenceEffects,
    Preferences,
    build_preference_effects,
)
from models.rules.rule_effects import RuleEffects, build_rule_effects, remove_unavailable
from models.rules.shop_rules import EarlyAccessRule, ShopRule, active_rules
from models.settings import ModelSettings, read_settings
from models.slate import (
    Bundle,
    FallbackReason,
    GivenProducts,
    Ranking,
    ScoreKind,
    Slate,
    SlateRequest,
    Slot,
    Source,
    Strategy,
    fallback_reason_of,
)
from models.steps import step
from models.updates.customer import (
    NO_UPDATE,
    CustomerUpdate,
    allows,
    asks_for,
    update_history,
)

NOBODY: Final = -1  # the user index of a customer the model does not know
PLAIN_REQUEST: Final = SlateRequest()
KEPT_CARDS: Final = 4096  # of products, a kilobyte or two each
FILTER_MASKS: Final = 128  # of different filters, a byte for each product
# The files of what `popular` reads
POPULAR_FILES: Final = ("catalogue.", "sales.", "customers.market_names.")


class CustomerRequest(NamedTuple):
    """One request for many: whose slate, which slate, and what happened since training."""

    customer_id: str | None
    request: SlateRequest
    update: CustomerUpdate = NO_UPDATE


class PersonalRequest(NamedTuple):
    """A request of a customer or session about whom something may be used."""

    inputs: ContextInputs
    request: SlateRequest
    strategy: Strategy


class PopularRequest(NamedTuple):
    """A request of a customer or session about whom nothing may be used or is known."""

    request: SlateRequest
    strategy: Strategy
    reason: FallbackReason


class DueSlate(NamedTuple):
    """Products that are due, as slots and with their intervals."""

    slate: Slate
    products: tuple[DuePurchase, ...]  # of each slot


# Of one customer: contexts by what of a request they depend on
SharedContexts = dict[Hashable, RankingContext]


class Recommender:
    """A loaded model that answers requests. Threads may share it; what it caches is bounded."""

    def __init__(
        self,
        manifest: Manifest,
        model: Model,
        settings: ModelSettings,
        sales_trends: SalesTrends | None = None,
        sources: Sequence[CandidateSource] = SOURCES,
    ) -> None:
        self.manifest = manifest
        self.model = model
        self.settings = settings
        self.ranker = Ranker(settings.blend, model.lesson, sources, settings.discovery.daring)
        self._bundles = BundleFinder(BasketRanker(model, settings.bundles))
        self._earlier_bundles = lru_cache(maxsize=4)(partial(_bundles_before, model, settings))
        self.sales_trends = sales_trends or SalesTrends(model, settings)
        diversity = settings.diversity
        self.families = Likeness.of_families(model, diversity)
        category = min(diversity.category, settings.popular.category)
        self.popular_likeness = Likeness.of(model, replace(diversity, category=category))
        # A cache of its own methods would keep it in memory until Python looks for cycles
        self._arrivals = lru_cache(maxsize=16)(
            partial(find_recent_arrivals, model.sales, model.catalogue, settings)
        )
        self._effects = lru_cache(maxsize=16)(
            partial(build_rule_effects, catalogue=model.catalogue)
        )
        self._unoffered = lru_cache(maxsize=16)(partial(remove_unoffered, model.catalogue))
        self._preference_effects = lru_cache(maxsize=CONTEXTS_AT_ONCE)(
            partial(build_preference_effects, catalogue=model.catalogue)
        )
        self._personal_effects = lru_cache(maxsize=16)(
            partial(_combine_effects, self._effects, self._preference_effects)
        )
        self._unavailable = lru_cache(maxsize=16)(partial(remove_unavailable, model.catalogue))
        self._matching = lru_cache(maxsize=FILTER_MASKS)(
            partial(find_matching, catalogue=model.catalogue)
        )
        self._similar_row = lru_cache(maxsize=1024)(model.find_similar)
        # (item, locale, shop_url): none may be changed, all answers share them
        self.card = lru_cache(maxsize=KEPT_CARDS)(partial(build_card, model.catalogue))
        self.total_price = lru_cache(maxsize=KEPT_CARDS)(partial(sum_prices, model.catalogue))

    @classmethod
    def load(cls, directory: Path, sources: Sequence[CandidateSource] = SOURCES) -> Self:
        """Map an artifact. Check manifest, sizes and headers; raise ArtifactError with the file."""
        manifest, model = files.load_artifact(directory, Model)
        settings = read_settings(manifest.config, directory)
        return cls(manifest, model, settings, sources=sources)

    @classmethod
    def load_popular(cls, directory: Path, damaged: Mapping[str, ArtifactError]) -> Self:
        """Map an artifact with damaged files for its popular slates: all else of it is wrong.

        `damaged`: what is wrong with each such file. Raises ArtifactError where popular slates need
        one of them.
        """
        for name, error in damaged.items():
            if name.startswith(POPULAR_FILES):
                raise error
        manifest, model = files.load_artifact(directory, Model, without=damaged.keys())
        # The shop's own categories stand in for learned ones; nothing is of one family
        no_family = np.full(len(model.catalogue), -1, np.int32)
        traits = replace(model.traits, category=model.catalogue.category, family=no_family)
        if not damaged.keys().isdisjoint(("traits.category.npy", "traits.family.npy")):
            model = replace(model, traits=traits)
        return cls(manifest, model, read_settings(manifest.config, directory))

    def with_model(self, model: Model) -> Self:
        """Return a recommender with other products or sales; unchanged trends are kept."""
        trends = self.sales_trends.following(model)
        return type(self)(self.manifest, model, self.settings, trends, self.ranker.sources)

    @property
    def catalogue(self) -> Catalogue:
        return self.model.catalogue

    @property
    def score_kind(self) -> ScoreKind:
        """Return the meaning of the scores in slates for customers and visits."""
        if not self.model.lesson.learned:
            return ScoreKind.BLEND
        is_weighted = self.settings.ranker.objective != "purchases"
        return ScoreKind.WEIGHTED if is_weighted else ScoreKind.PROBABILITY

    def moment_of(self, request: SlateRequest) -> int:
        """Return the moment that a slate is made for, in seconds since 1970."""
        return self.manifest.data_as_of if request.as_of is None else request.as_of

    def find_user(self, customer_id: str | None, update: CustomerUpdate = NO_UPDATE) -> int:
        """Return the user index of a customer; NOBODY for strangers, visits and the erased."""
        if customer_id is None or update.forgotten:
            return NOBODY
        return self.model.customers.ids.find(customer_id)

    def find_columns(self, customer_id: str) -> frozenset[tuple[str, str]]:
        """Return what the customers file says of a customer in the columns that the shop named.

        Nothing is said of who refused to be learned from when the model was trained.
        """
        columns = self.model.customers.columns
        return columns.of(self.find_user(customer_id)) if len(columns.names) else frozenset()

    def allows(self, customer_id: str | None, purpose: int, update: CustomerUpdate) -> bool:
        """Tell whether a customer, or a visit of nobody known (None), may be personalised."""
        user = self.find_user(customer_id, update)
        return allows(self.model.customers, user, purpose, update)

    def refusal(
        self, customer_id: str | None, request: SlateRequest, update: CustomerUpdate
    ) -> FallbackReason | None:
        """Return why a customer or a visit is not personalised, None where they are.

        The holdout ends for customers who ask to be personalised: who gave a yes that nobody
        needed, or has said what they like, avoid or need.
        """
        user = self.find_user(customer_id, update)
        if not allows(self.model.customers, user, request.purpose, update):
            return FallbackReason.NO_CONSENT
        holdout, owner = request.holdout, customer_id or update.session_owner
        if holdout is None or owner is None or not holdout.holds(owner):
            return None
        if asks_for(self.model.customers, user, request.purpose, update, holdout.since):
            return None
        return None if self.find_preferences(user, update) else FallbackReason.HOLDOUT

    def at_home(self, user: int, request: SlateRequest) -> SlateRequest:
        """Return the request in the customer's own market where it names none."""
        if user == NOBODY or request.filters.market is not None:
            return request
        market = self.model.customers.market_of(user)
        if market is None:
            return request
        return replace(request, filters=replace(request.filters, market=market))

    def as_told(
        self, user: int, request: SlateRequest, update: CustomerUpdate = NO_UPDATE
    ) -> SlateRequest:
        """Return the request with what the customer has said, where they allow that it is used."""
        said = self.find_preferences(user, update)
        if not said or not allows(self.model.customers, user, request.purpose, update):
            return request
        return replace(request, preferences=said)

    def find_preferences(self, user: int, update: CustomerUpdate = NO_UPDATE) -> Preferences:
        """Return what a customer has said: to the store, else as the model has learned it."""
        if update.preferences is not None:
            return update.preferences
        learned = "" if user == NOBODY else self.model.customers.preferences_of(user)
        return Preferences.read(learned) if learned else NO_PREFERENCES

    def find_liked(self, request: SlateRequest) -> LikedProducts:
        """Return the products that the customer of a request has said they like."""
        if not request.preferences.likes:
            return NOTHING_LIKED
        return self._preference_effects(request.preferences).liked

    def find_events(
        self, user: int, request: SlateRequest, update: CustomerUpdate = NO_UPDATE
    ) -> Events:
        """Return what is known of a user and counts for a request, with an update."""
        histories = self.model.histories
        history = histories.none() if user == NOBODY else histories.of(user)
        if update is not NO_UPDATE:
            history = update_history(history, update)
        until = request.events_until
        if until is None:
            until = LATEST if request.as_of is None else request.as_of
        return select_before(history, until)

    def find_arrivals(self, request: SlateRequest) -> NDArray[np.int64]:
        """Return items that came on sale lately and are not learned about yet.

        What the shop's rules show to some before it is for everyone is among theirs.
        """
        as_of = self.moment_of(request)
        new = self._arrivals(self.model.sales.window_end(as_of))
        begun = self.catalogue.available_from[new] <= as_of
        opened = self._shop_effects(request).opened if len(new) else None
        return new[begun if opened is None else begun | opened[new]]

    def rule_effects(self, request: SlateRequest) -> RuleEffects:
        """Return what the shop's rules that hold for a slate do to every product.

        What the customer has said does it likewise.
        """
        if not request.preferences:
            return self._shop_effects(request)
        return self._personal_effects(self.rules_of(request), request.preferences)

    def _shop_effects(self, request: SlateRequest) -> RuleEffects:
        return self._effects(self.rules_of(request))

    def rules_of(self, request: SlateRequest) -> tuple[ShopRule, ...]:
        """Return the shop's rules that hold for a slate, by their ids."""
        moment, market = self.moment_of(request), request.filters.market
        return active_rules(request.rules, request.placement, market, moment, request.groups)

    def _find_opening(self, request: SlateRequest) -> tuple[str, ...]:
        """Return the rules by which some products are shown before they are for everyone."""
        if not any(isinstance(rule, EarlyAccessRule) for rule in request.rules):
            return ()
        return tuple(
            rule.id for rule in self.rules_of(request) if isinstance(rule, EarlyAccessRule)
        )

    def find_unavailable(self, request: SlateRequest) -> Removed:
        """Find what the shop and what the customer has said keep out; read-only."""
        effects = self._shop_effects(request)
        removed = self._unavailable(self.moment_of(request), request.filters.market, effects)
        return self._refuse(removed, request)

    def _refuse(self, removed: Removed, request: SlateRequest) -> Removed:
        """Remove what the customer has said that they avoid or that does not suit them as well."""
        if not request.preferences:
            return removed
        refused = self._preference_effects(request.preferences).removed
        return np.where(find_allowed(removed), refused, removed)

    def find_filtered(self, request: SlateRequest) -> Removed:
        """Find what the filters of a request keep out, and all of `find_unavailable`."""
        return self._filter(self.find_unavailable(request), request)

    def _filter(self, removed: Removed, request: SlateRequest) -> Removed:
        filters = request.filters
        removed = remove_filtered(removed, self.catalogue, filters)
        if filters.expression is None:
            return removed
        return remove_unmatched(removed, self._matching(filters.expression))

    def find_removed(self, context: RankingContext, request: SlateRequest) -> Removed:
        """Find what keeps products out of this customer's slate, the first rule for each."""
        with step("rules"):
            return remove_bought(
                remove_named(self.find_filtered(request), request.named_items),
                context.pairs,
                context.clocks,
                self.model.repeats,
                request.repeat,
                self.settings.repeats,
            )

    def recommend(
        self,
        customer_id: str | None,
        request: SlateRequest,
        update: CustomerUpdate = NO_UPDATE,
        contexts: SharedContexts | None = None,
    ) -> Slate:
        """Return a slate for a customer, a session, or both. Strangers get one, too."""
        prepared = self._prepare(customer_id, request, update)
        if isinstance(prepared, Slate):
            return prepared
        context = self.context_of(prepared, contexts)
        return self._build_slates([context], [prepared.request], [prepared.strategy])[0]

    def context_of(
        self, personal: PersonalRequest, contexts: SharedContexts | None
    ) -> RankingContext:
        """Return what a request is ranked by, the same for all requests that see the same."""
        request = personal.request
        key: Hashable = (
            request.as_of,
            request.events_until,
            request.filters.market,
            request.recent,
            request.basket,
            request.preferences,
            self._find_opening(request),
        )
        context = None if contexts is None else contexts.get(key)
        if context is None:
            context = build_contexts([personal.inputs], self.model, self.settings)[0]
            if contexts is not None:
                contexts[key] = context
        return context

    def recommend_each(self, requests: Sequence[CustomerRequest]) -> list[Slate]:
        """Return a slate for each request; those computed together take less time."""
        slates: list[Slate] = []
        for start in range(0, len(requests), CONTEXTS_AT_ONCE):
            slates += self._recommend_together(requests[start : start + CONTEXTS_AT_ONCE])
        return slates

    def _recommend_together(self, requests: Sequence[CustomerRequest]) -> list[Slate]:
        prepared = [self._prepare(*request) for request in requests]
        personal = [answer for answer in prepared if isinstance(answer, PersonalRequest)]
        inputs = [request.inputs for request in personal]
        contexts = build_contexts(inputs, self.model, self.settings)
        slates = iter(
            self._build_slates(
                contexts,
                [request.request for request in personal],
                [request.strategy for request in personal],
            )
        )
        return [answer if isinstance(answer, Slate) else next(slates) for answer in prepared]

    def _prepare(
        self, customer_id: str | None, request: SlateRequest, update: CustomerUpdate
    ) -> Slate | PersonalRequest:
        """Return a popular slate where nothing may be used or is known, else what to rank by."""
        prepared = self.find_personal(customer_id, request, update)
        if isinstance(prepared, PersonalRequest):
            return prepared
        slate = self.popular(prepared.request)
        return replace(slate, strategy=prepared.strategy, fallback_reason=prepared.reason)

    def find_personal(
        self, customer_id: str | None, request: SlateRequest, update: CustomerUpdate
    ) -> PopularRequest | PersonalRequest:
        """Return what to rank by, or why nothing may be used or is known."""
        user = self.find_user(customer_id, update)
        request = self.at_home(user, request)
        if reason := self.refusal(customer_id, request, update):
            return PopularRequest(request, Strategy.NOT_PERSONALIZED, reason)
        request = self.as_told(user, request, update)
        events = self.find_events(user, request, update)
        says_something = len(events) > 0 or len(self.find_liked(request).items) > 0
        if not says_something and not request.recent and not request.basket:
            unknown = user == NOBODY and customer_id is not None
            reason = FallbackReason.UNKNOWN_CUSTOMER if unknown else FallbackReason.NO_HISTORY
            return PopularRequest(request, Strategy.POPULAR, reason)
        is_personal = customer_id is not None and says_something
        strategy = Strategy.PERSONAL if is_personal else Strategy.SESSION
        return PersonalRequest(self._inputs(events, request), request, strategy)

    def rank_given(
        self,
        customer_id: str | None,
        given: GivenProducts,
        request: SlateRequest,
        update: CustomerUpdate = NO_UPDATE,
        contexts: SharedContexts | None = None,
    ) -> Ranking:
        """Return given products in the order in which they are worth showing to a customer.

        Neither what the customer bought nor variety takes a product out of it.
        """
        prepared = self.find_personal(customer_id, request, update)
        request = prepared.request
        if isinstance(prepared, PopularRequest):
            strategy, reason = prepared.strategy, prepared.reason
            ranking = self.rank_by_sales(given, request)
            return replace(ranking, strategy=strategy, fallback_reason=reason)
        judged, effects = self._judge_given(given, request), self.rule_effects(request)
        context = self.context_of(prepared, contexts)
        slots, rest = order_for_customer(judged, context, effects, self.ranker)
        nothing = None if len(judged.items) else FallbackReason.NO_CANDIDATES
        return Ranking(prepared.strategy, nothing, slots, rest, judged.left_out, self.score_kind)

    def find_due(
        self,
        customer_id: str | None,
        request: SlateRequest,
        ahead_days: float,
        update: CustomerUpdate = NO_UPDATE,
        contexts: SharedContexts | None = None,
    ) -> DueSlate:
        """Return at most n products that a customer is due to buy again, the nearest day first."""
        prepared = self.find_personal(customer_id, replace(request, repeat=Repeat.INCLUDE), update)
        if isinstance(prepared, PopularRequest):
            is_refused = prepared.strategy is Strategy.NOT_PERSONALIZED
            strategy = Strategy.NOT_PERSONALIZED if is_refused else Strategy.PERSONAL
            return DueSlate(Slate(strategy, prepared.reason, (), ScoreKind.DUE), ())
        context, request = self.context_of(prepared, contexts), prepared.request
        due = find_due(context, self.find_removed(context, request), request.n, ahead_days)
        slots = []
        for product in due:
            reason = buy_again(context.pairs, product.item, context.as_of)
            score = 1 / (1 + abs(product.due - context.as_of) / DAY)
            slots.append(Slot(product.item, score, Source.OWN_PURCHASES, reason))
        nothing = fallback_reason_of(slots)
        slate = Slate(prepared.strategy, nothing, tuple(slots), ScoreKind.DUE)
        return DueSlate(slate, tuple(due))

    def rank_by_sales(self, given: GivenProducts, request: SlateRequest) -> Ranking:
        """Return given products in the order of the shop window, the same for everyone."""
        judged = self._judge_given(given, request)
        slots, rest = order_by_sales(judged, self._bestsellers(request))
        return Ranking(Strategy.POPULAR, None, slots, rest, judged.left_out, ScoreKind.SALES)

    def _judge_given(self, given: GivenProducts, request: SlateRequest) -> JudgedProducts:
        effects, market = self.rule_effects(request), request.filters.market
        unoffered = self._unoffered(self.moment_of(request), market, self._shop_effects(request))
        removed = self._filter(self._refuse(unoffered, request), request)
        return judge_given(given, removed, effects, self.catalogue)

    def build_context(
        self, user: int, request: SlateRequest, update: CustomerUpdate = NO_UPDATE
    ) -> RankingContext:
        """Return what a slate for a user is ranked by."""
        inputs = self._inputs(self.find_events(user, request, update), request)
        return build_contexts([inputs], self.model, self.settings)[0]

    def _inputs(self, events: Events, request: SlateRequest) -> ContextInputs:
        as_of = self.moment_of(request)
        sales_until = self.model.sales.window_end(as_of)
        market = self.model.customers.market_code(request.filters.market)
        return ContextInputs(
            events,
            as_of,
            lag_days=max(as_of - self.manifest.data_as_of, 0) / DAY,
            trends=self.sales_trends.product_trends(sales_until, market),
            arrivals=self.find_arrivals(request),
            liked=self.find_liked(request),
            recent=request.recent,
            basket=request.basket,
        )

    def rank(
        self, context: RankingContext, removed: Removed, request: SlateRequest = PLAIN_REQUEST
    ) -> RankedCandidates:
        """Rank every candidate that the rules leave, best first; ties by item."""
        effects = self.rule_effects(request)
        return rank_each([context], [removed], [request], [effects], self.ranker)[0]

    def rank_for_each(self, users: Sequence[int], request: SlateRequest) -> list[RankedCandidates]:
        """Rank every candidate for each of m users, at half of what it takes one by one."""
        requests = [self.at_home(user, request) for user in users]
        inputs = [
            self._inputs(self.find_events(user, own, NO_UPDATE), own)
            for user, own in zip(users, requests, strict=True)
        ]
        contexts = build_contexts(inputs, self.model, self.settings)
        removed = list(map(self.find_removed, contexts, requests))
        effects = list(map(self.rule_effects, requests))
        return rank_each(contexts, removed, requests, effects, self.ranker)

    def arrange(
        self, context: RankingContext, request: SlateRequest, ranked: RankedCandidates
    ) -> NDArray[np.int64]:
        """Return which ranked candidates are shown, in their order: indices (at most n,)."""
        caps = self._shop_effects(request).caps
        limits = SlateLimits(request.n, request.placement, ranked.pins, caps, request.variety)
        return arrange(ranked.items, context, limits, self.model, self.settings)

    def build_slate(self, context: RankingContext, request: SlateRequest) -> Slate:
        """Return the personal slate of a context."""
        return self._build_slates([context], [request], [Strategy.PERSONAL])[0]

    def _build_slates(
        self,
        contexts: Sequence[RankingContext],
        requests: Sequence[SlateRequest],
        strategies: Sequence[Strategy],
    ) -> list[Slate]:
        if not contexts:
            return []
        effects = [self.rule_effects(request) for request in requests]
        removed, chosen = [], []
        for context, request in zip(contexts, requests, strict=True):
            removed.append(self.find_removed(context, request))
        ranked_each = rank_each(contexts, removed, requests, effects, self.ranker)
        for context, request, ranked in zip(contexts, requests, ranked_each, strict=True):
            chosen.append(ranked.at(self.arrange(context, request, ranked)))
        slots_each = slots_of_each(chosen, contexts, self.ranker)
        slates = []
        for index, request in enumerate(requests):
            rest = {slot.item: slot for slot in slots_each[index]}
            pins = chosen[index].pins.items()
            pinned = {position: rest.pop(item) for position, item in pins}
            likeness = Likeness.of_slate(
                self.model,
                self.settings.diversity,
                contexts[index],
                request.placement,
                request.variety,
            )
            draft = SlateDraft(
                request, effects[index], removed[index], likeness, pinned, list(rest.values())
            )
            slates.append(self._finish(draft, strategies[index], self.score_kind))
        return slates

    def popular(self, request: SlateRequest, window_days: int | None = None) -> Slate:
        """Return what to show anyone: the shop window, or what sold most in so many days.

        Both are of the request's market, the best sellers of other markets after its own.
        """
        bestsellers = self._bestsellers(request, window_days)
        removed = remove_named(self.find_filtered(request), request.named_items)
        effects = self.rule_effects(request)
        draft = SlateDraft.start(
            request, effects, removed, self.popular_likeness, bestsellers.scores.item
        )
        draft.add_bestsellers(bestsellers, Source.POPULAR)
        return self._finish(draft, Strategy.POPULAR, ScoreKind.SALES)

    def similar(self, item: int, request: SlateRequest) -> Slate:
        """Return what a shopper takes in its place; filled with popular ones of its category."""
        removed = remove_named(self.find_filtered(request), np.array([item], np.int32))
        row, effects = self._similar_row(item), self.rule_effects(request)
        draft = SlateDraft.start(request, effects, removed, self.families, row.score_of)
        draft.add_similar(item, row, self.catalogue)
        if draft.missing > 0 and not request.strict:
            draft.removed = remove_other_categories(removed, self.model.traits.category, item)
            draft.add_bestsellers(self._bestsellers(request), Source.FILL)
        return draft.finish(Strategy.SIMILAR, ScoreKind.SIMILARITY)

    def bundles(self, item: int, request: SlateRequest, size: int = 2) -> tuple[Bundle, ...]:
        """Return at most n units around one product: the shop's own, then others of `size`."""
        offers, allowed = self._find_offers([item], request)
        bundles = self._bundles_at(request).find(item, allowed, request.n, size)
        return put_first(offers, bundles, request.n)

    def complete(self, request: SlateRequest) -> tuple[Bundle, ...]:
        """Return at most n units that complete the request's basket, each with a product of it."""
        basket = sorted(set(request.basket))
        offers, allowed = self._find_offers(basket, request)
        bundles = complete_basket(self.baskets_at(request), basket, allowed, request.n)
        return put_first(offers, bundles, request.n)

    def _find_offers(
        self, asked: Sequence[int], request: SlateRequest
    ) -> tuple[list[Bundle], NDArray[np.bool_]]:
        """Return the shop's units with a product asked for, and what is allowed: (items,)."""
        allowed = find_allowed(self.find_filtered(request))
        if not request.bundles:
            return [], allowed
        sellable = find_allowed(self.find_unavailable(request))
        moment = self.moment_of(request)
        return find_offers(self.model, request.bundles, moment, asked, sellable, allowed), allowed

    def follow_up(self, order: Sequence[int], request: SlateRequest) -> Slate:
        """Return what goes with an order and is not of a category that is not needed twice."""
        allowed = find_allowed(self.find_filtered(request))
        baskets, rare = self.baskets_at(request), self.settings.repeats.rare
        slots = follow_order(baskets, order, allowed, request.n, rare)
        return Slate(Strategy.BUNDLES, fallback_reason_of(slots), slots, ScoreKind.TOGETHER)

    @property
    def baskets(self) -> BasketRanker:
        """Return the ranker of baskets that knows all that sold."""
        return self._bundles.baskets

    def baskets_at(self, request: SlateRequest) -> BasketRanker:
        """Return the ranker of baskets that knows what had sold by the moment of a request."""
        return self._bundles_at(request).baskets

    def _bundles_at(self, request: SlateRequest) -> BundleFinder:
        sales = self.model.sales
        sales_until = sales.window_end(self.moment_of(request))
        is_newest = sales_until == sales.newest[0]
        return self._bundles if is_newest else self._earlier_bundles(sales_until)

    def _finish(self, draft: SlateDraft, strategy: Strategy, score_kind: ScoreKind) -> Slate:
        """Fill what is missing from the shop window, unless the request is strict."""
        if draft.missing > 0 and not draft.request.strict:
            draft.add_bestsellers(self._bestsellers(draft.request), Source.FILL)
        return draft.finish(strategy, score_kind)

    def _bestsellers(self, request: SlateRequest, days: int | None = None) -> Bestsellers:
        sales_until = self.model.sales.window_end(self.moment_of(request))
        market = self.model.customers.market_code(request.filters.market)
        return self.sales_trends.ordered(sales_until, days, market, self._shop_effects(request))


def _bundles_before(model: Model, settings: ModelSettings, sales_until: int) -> BundleFinder:
    return BundleFinder(BasketRanker(model, settings.bundles, sales_until))


def _combine_effects(
    rule_effects: Callable[[tuple[ShopRule, ...]], RuleEffects],
    preference_effects: Callable[[Preferences], PreferenceEffects],
    rules: tuple[ShopRule, ...],
    preferences: Preferences,
) -> RuleEffects:
    return preference_effects(preferences).added_to(rule_effects(rules))
