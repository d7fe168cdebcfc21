"""Recommendation queries: everything that an answer depends on besides the model and the store."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
import orjson

from models.data.catalogue import Catalogue
from models.data.customers import PERSONALIZE_EMAIL, PERSONALIZE_WEB
from models.data.history import LATEST
from models.data.ids import StoredIds, find_known
from models.data.segments import NO_GROUPS, CustomerGroups
from models.experiments.experiment import AssignedBy, AssignedVariant
from models.model import Model
from models.rules.filter_language import FilterExpression, parse_filter
from models.rules.filter_mask import find_unknown_attributes
from models.rules.filters import Filters, Repeat
from models.rules.preferences import NO_PREFERENCES
from models.rules.shop_bundles import ShopBundle
from models.rules.shop_rules import ShopRule
from models.rules.unknown_names import is_unknown, known_names
from models.shop_lists import RatingMean, ShopList
from models.slate import GivenProducts, OutOfStock, SlateRequest
from models.updates.customer import NO_UPDATE, CustomerUpdate
from service.cache.memory import KEY_PREFIX
from service.store.quotas import TokenOwner

EMAIL: Final = "email"  # placements of mails begin with it
LAYOUT: Final = 14  # of answers and keys: answers that another layout has cached are not found


class QueryKind(StrEnum):
    CUSTOMER = "customer"
    SIMILAR = "similar"
    POPULAR = "popular"
    BUNDLES = "bundles"
    BASKET = "basket"
    ORDER = "order"
    RANKING = "ranking"
    LIST = "list"
    REPLENISHMENT = "replenishment"


# Kinds of slates in which a price is shown and decides nothing else
BY_PREFERENCE: Final = (QueryKind.CUSTOMER, QueryKind.SIMILAR, QueryKind.POPULAR)


@dataclass(frozen=True)
class RecommendationQuery:
    """Hold one query as plain values; two queries that are equal have the same answer."""

    kind: QueryKind
    locale: str
    n: int = 10
    placement: str | None = None
    exclude: tuple[str, ...] = ()
    category: str | None = None
    brand: str | None = None
    min_price: float | None = None
    max_price: float | None = None
    market: str | None = None
    filter: str | None = None  # in the one text of all filters that mean the same
    strict: bool = False  # fewer and better products: no fill
    campaign: str | None = None
    as_of: int | None = None  # seconds since 1970; None: shop time
    deadline_ms: int | None = None  # None: the one of the settings
    with_cards: bool = True  # with all that a page or a mail shows of a product
    customer_id: str | None = None
    session_id: str | None = None
    order_id: str | None = None
    order_owner: TokenOwner | None = None  # whose the order must be; None: anybody's
    product_id: str | None = None
    recent: tuple[str, ...] = ()
    basket: tuple[str, ...] = ()
    repeat: Repeat = Repeat.AUTO
    window_days: int | None = None  # None: the model's own
    size: int = 2  # most products in a bundle
    given: tuple[str, ...] = ()  # products whose order is asked for
    shop_list: ShopList = ShopList.NEW
    ahead_days: float = 0.0  # products due by then
    with_rules: bool = True  # of the shop
    out_of_stock: OutOfStock = OutOfStock.LAST
    explained: int = 10  # products of a ranking whose source and reason are told
    # Whose words hold in what is the same for everyone otherwise
    for_customer: str | None = None
    # Nobody is to see it: no campaign is opened for it, no mail recorded, no code given
    rehearsed: bool = False
    in_mail: bool = False  # shown in a mail, whatever its placement
    # The part of an experiment; it follows from the others, so no key depends on it
    assigned: AssignedVariant | None = None

    @property
    def recorded(self) -> bool:
        """Tell whether the store keeps what is shown, so that no cache has to."""
        return self.customer_id is not None and self.campaign is not None

    @property
    def named_customer(self) -> str | None:
        """Return the customer who is to see the answer, if a caller has named one."""
        return self.customer_id if self.customer_id is not None else self.for_customer

    @property
    def cacheable(self) -> bool:
        """Tell whether equal queries may share an answer until a counter of theirs changes.

        No counter of an order tells that its customer has taken a consent back.
        """
        return not self.recorded and self.kind is not QueryKind.ORDER

    @property
    def expression(self) -> FilterExpression | None:
        """Return its filter by any attribute."""
        return None if self.filter is None else parse_filter(self.filter)

    @property
    def reads_ratings(self) -> bool:
        """Tell whether its answer depends on the ratings of all products."""
        return self.kind is QueryKind.LIST and self.shop_list is ShopList.BEST_RATED

    @property
    def reads_prices(self) -> bool:
        """Tell whether prices decide which products are shown, whatever the shop's rules."""
        bounds = (self.min_price, self.max_price, self.filter)
        return self.kind not in BY_PREFERENCE or bounds != (None, None, None)

    @property
    def purpose(self) -> int:
        """Return the consent that it takes to be personalised in its channel."""
        return PERSONALIZE_EMAIL if self.mailed else PERSONALIZE_WEB

    @property
    def mailed(self) -> bool:
        """Tell whether the answer goes into a mail: then the consent for mails must hold."""
        named = self.campaign is not None or (self.placement or "").startswith(EMAIL)
        return named or self.in_mail

    def about(self, **ids: str) -> RecommendationQuery:
        """Return the same query about another customer, product or order."""
        query: RecommendationQuery = object.__new__(RecommendationQuery)
        # A tenth of the time of `replace`, and the options are hashed once for all
        vars(query).update(vars(self), options_hash=self.options_hash, **ids)
        return query

    def key(self, version: str | tuple[str | int, ...], secret: bytes) -> bytes:
        """Return the key of its answer in the cache.

        It is a keyed hash, so nobody who reads the cache learns whose answer it is.
        """
        rest = orjson.dumps((version, self.customer_id, self.product_id, self.order_id))
        digest = hashlib.blake2b(self.options_hash + rest, digest_size=24, key=secret)
        return KEY_PREFIX + digest.hexdigest().encode()

    @cached_property
    def options_hash(self) -> bytes:
        """Return a hash of what decides its answer besides the ids that `about` takes."""
        values = {name: getattr(self, name) for name in OPTION_NAMES}
        content = orjson.dumps((LAYOUT, self.mailed, values))
        return hashlib.blake2b(content, digest_size=32).digest()

    def ref(self, secret: bytes) -> bytes:
        """Return the name of its record in a campaign.

        The parts of a mail ask for different looks of one slate: they share a record. Records of
        older versions bear such names, so their bytes never change.
        """
        options = {
            "n": self.n,
            "placement": self.placement,
            "exclude": self.exclude,
            "category": self.category,
            "brand": self.brand,
            "min_price": self.min_price,
            "max_price": self.max_price,
            "market": self.market,
            "strict": self.strict,
            "campaign": self.campaign,
            "as_of": self.as_of,
        }
        if self.filter is not None:
            options["filter"] = self.filter
        content = (
            options,
            self.customer_id,
            self.session_id,
            self.order_id,
            self.recent,
            self.basket,
            self.repeat,
        )
        return hashlib.blake2b(orjson.dumps(content), digest_size=16, key=secret).digest()

    def assign(self, assigned: AssignedVariant | None) -> RecommendationQuery:
        """Return the query as a part of an experiment has it answered."""
        return self if assigned is self.assigned else replace(self, assigned=assigned)

    @property
    def repeat_in_force(self) -> Repeat:
        """Return what happens to products bought before, whatever a call asks for in a variant."""
        return (self.assigned and self.assigned.variant.repeat) or self.repeat

    @property
    def subjects(self) -> dict[AssignedBy, str | None]:
        """Return the ids by which experiments assign."""
        return {AssignedBy.CUSTOMER: self.named_customer, AssignedBy.SESSION: self.session_id}

    @property
    def variant_names(self) -> tuple[str, str] | None:
        """Return the experiment and the variant that the answer is in, None for none."""
        return self.assigned and (self.assigned.experiment_id, self.assigned.variant.name)

    @property
    def model_version(self) -> str | None:
        """Return the model that an experiment has it answered with, None for the usual one."""
        return self.assigned and self.assigned.variant.model_version

    @property
    def switched_off(self) -> bool:
        """Tell whether an experiment has nothing shown at its placement."""
        return self.assigned is not None and not self.assigned.variant.shown

    def filters(self, exclude: tuple[int, ...]) -> Filters:
        """Return the filters of its slate, with the items that are excluded."""
        return Filters(
            exclude,
            self.category,
            self.brand,
            self.min_price,
            self.max_price,
            self.market,
            self.expression,
        )


# How long a caller waits changes no answer, nor does what tells that it is for a mail.
OPTION_NAMES: Final = tuple(
    each.name
    for each in fields(RecommendationQuery)
    if each.name
    not in ("customer_id", "product_id", "order_id", "deadline_ms", "in_mail", "assigned")
)


@dataclass(frozen=True, eq=False)
class StoreKnowledge:
    """Hold what the store knows at the moment of the answer and the model does not."""

    update: CustomerUpdate
    number: int = 0  # of the newest change that is in it
    away: bool = False  # the store does not answer: this is as far as this process knows
    order: tuple[str, ...] = ()  # products of the order in the query
    unwanted: tuple[str, ...] = ()  # products that must not be shown
    # What is known of each customer who bought the order; None: a guest.
    buyers: Mapping[str | None, CustomerUpdate] = field(default_factory=dict)
    ratings: Mapping[str, RatingMean] = field(default_factory=dict)  # for the list of the best
    # Of a customer who allows to be learned from; whether they may be used depends on the channel
    groups: CustomerGroups = NO_GROUPS

    def without_preferences(self) -> StoreKnowledge:
        """Return the same of a customer who has said nothing."""
        return replace(self, update=replace(self.update, preferences=NO_PREFERENCES))


AS_LEARNED: Final = StoreKnowledge(NO_UPDATE)
AWAY: Final = StoreKnowledge(NO_UPDATE, away=True)


class AnswerMoment(NamedTuple):
    """The moment that an answer is made for, in seconds since 1970."""

    as_of: int
    events_until: int = LATEST  # the customer's own events up to it count


@dataclass(frozen=True)
class ResolvedQuery:
    """Hold a query in the words of one catalogue: items instead of ids."""

    request: SlateRequest
    item: int  # the product asked for, -1 where there is none or it is unknown
    # In the order product, given, recent, basket, exclude; each once
    missing_ids: tuple[str, ...]
    given: GivenProducts
    given_ids: Mapping[int, str]  # of the given products, by item


def resolve_query(
    query: RecommendationQuery,
    catalogue: Catalogue,
    rules: tuple[ShopRule, ...],
    moment: AnswerMoment,
    unwanted: tuple[str, ...] = (),
    bundles: tuple[ShopBundle, ...] = (),
) -> ResolvedQuery:
    """Return the query for one catalogue; unknown products are named and otherwise ignored.

    Products in the basket, and the one that is asked for, are never recommended. `moment`: the one
    for which it is answered where it names none. `unwanted`: products that the store keeps out.
    `bundles`: units that the shop has put together.
    """
    missing: dict[str, None] = {}

    def find_items(ids: tuple[str, ...]) -> tuple[int, ...]:
        if not ids:
            return ()
        items = catalogue.ids.find_all(ids)
        missing.update(dict.fromkeys(ids[index] for index in np.flatnonzero(items < 0)))
        return tuple(item for item in items.tolist() if item >= 0)

    product = find_items((query.product_id,)) if query.product_id is not None else ()
    given_ids: dict[int, str] = {}
    if query.given:
        items = catalogue.ids.find_all(query.given)
        given_ids = dict(zip(items.tolist(), query.given, strict=True))
        given_ids.pop(-1, None)
        missing.update(dict.fromkeys(query.given[index] for index in np.flatnonzero(items < 0)))
    recent = find_items(query.recent)
    basket = tuple(dict.fromkeys(find_items(query.basket)))
    kept_out = find_known(catalogue.ids, unwanted)
    excluded_ids = _split_lists(query.exclude, catalogue.ids)
    named = () if query.kind is QueryKind.RANKING else (*basket, *product)
    exclude = tuple(sorted({*find_items(excluded_ids), *named, *kept_out}))
    if query.as_of is not None:
        moment = AnswerMoment(query.as_of, query.as_of)
    request = SlateRequest(
        n=query.n,
        as_of=moment.as_of,
        events_until=moment.events_until,
        repeat=query.repeat_in_force,
        strict=query.strict,
        filters=query.filters(exclude),
        recent=recent,
        basket=basket,
        placement=query.placement,
        rules=rules if query.with_rules else (),
        bundles=bundles,
        purpose=query.purpose,
    )
    return ResolvedQuery(
        request,
        product[0] if product else -1,
        tuple(missing),
        GivenProducts(tuple(given_ids), query.out_of_stock, query.explained, query.n),
        given_ids,
    )


def _split_lists(ids: tuple[str, ...], known_ids: StoredIds) -> tuple[str, ...]:
    """Return the ids, those of a list `a,b` in place of one that nothing in the shop bears."""
    if not any("," in listed for listed in ids):
        return ids
    split: dict[str, None] = {}
    for listed in ids:
        parts = [listed] if known_ids.find(listed) >= 0 else listed.split(",")
        split |= dict.fromkeys(part for part in parts if part)
    return tuple(split)


def find_unknown_names(query: RecommendationQuery, model: Model) -> dict[str, str]:
    """Return the names in a query that nothing in the shop bears, by option.

    An unknown market is answered like all markets; of an unknown category or brand is no product.
    Attributes of its filter that no product has stand in one text.
    """
    catalogue = model.catalogue
    unknown = {}
    for option, tables in known_names(catalogue, model.customers.market_names).items():
        name = getattr(query, option)
        if is_unknown(name, tables):
            unknown[option] = name
    if query.expression is not None:
        attributes = find_unknown_attributes(query.expression, catalogue)
        if attributes:
            unknown["filter"] = ", ".join(attributes)
    return unknown
