"""Requests and answers: a slate is the ordered list of at most n products."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from models.data.customers import PERSONALIZE_WEB
from models.data.segments import NO_GROUPS, CustomerGroups
from models.experiments.experiment import VarietyLimits
from models.experiments.holdout import Holdout
from models.rules.filters import NO_FILTERS, Filters, Repeat
from models.rules.preferences import NO_PREFERENCES, Preferences
from models.rules.shop_bundles import ShopBundle
from models.rules.shop_rules import ShopRule


class Strategy(StrEnum):
    PERSONAL = "personal"  # a known customer with a history
    SESSION = "session"  # folded in from this session's events alone
    SIMILAR = "similar"  # products like one product
    BUNDLES = "bundles"  # what is bought together
    POPULAR = "popular"  # the same for everyone
    LIST = "list"  # what is new, cheaper, back or best rated
    NOT_PERSONALIZED = "not_personalized"  # the customer said no, or is kept out for measurement


class Source(StrEnum):
    """A recommender that puts products into a slate: the one with most of their score."""

    OWN_PURCHASES = "own_purchases"
    OWN_INTEREST = "own_interest"  # looked at, wished for or put into the basket
    FACTORS = "factors"
    NEIGHBOURS = "neighbours"
    SIMILAR = "similar"  # to the product asked about
    BOUGHT_TOGETHER = "bought_together"
    CATEGORY = "category"
    POPULAR = "popular"
    NEW = "new"
    LIKED = "liked"  # the customer said that they like what it bears
    PRICE_DROPPED = "price_dropped"
    BACK_IN_STOCK = "back_in_stock"
    BEST_RATED = "best_rated"
    PINNED = "pinned"  # the shop: a product that it pins, or that nothing but its boost brought in
    FILL = "fill"


class ReasonKind(StrEnum):
    BUY_AGAIN = "buy_again"
    BECAUSE_YOU_BOUGHT = "because_you_bought"
    BECAUSE_YOU_VIEWED = "because_you_viewed"
    BECAUSE_OF_BASKET = "because_of_basket"
    LEFT_IN_BASKET = "left_in_basket"
    BACK_IN_STOCK = "back_in_stock"
    BOUGHT_TOGETHER = "bought_together"
    SIMILAR_CUSTOMERS = "similar_customers"
    SIMILAR = "similar"
    ALSO_VIEWED = "also_viewed"
    POPULAR = "popular"
    NEW = "new"
    PRICE_DROPPED = "price_dropped"
    BEST_RATED = "best_rated"
    RECENTLY_VIEWED = "recently_viewed"
    BECAUSE_YOU_TOLD_US = "because_you_told_us"
    CHOSEN_BY_SHOP = "chosen_by_shop"


class ScoreKind(StrEnum):
    """A meaning of the scores of one answer. What fills an answer has the score 0."""

    PROBABILITY = "probability"  # that the customer buys it within four weeks
    WEIGHTED = "weighted_probability"  # the same, learned with revenue or margin as the weight
    BLEND = "blend"  # of the formula, where a shop has too little history to learn from
    SIMILARITY = "similarity"  # to the product asked about, 0 to 1
    SALES = "sales"  # order lines in a window
    TOGETHER = "together"  # how strongly it is bought with what was asked about
    OCCASION = "occasion"  # how near it is to what the mail is about
    NEWNESS = "newness"  # part that is left of the 30 days after it came on sale
    RECENCY = "recency"  # part that is left of the 30 days after it came back or was looked at
    SAVING = "saving"  # share of the former price that is saved
    DUE = "due"  # how near the day is on which it is due: 1 / (1 + days)
    STARS = "stars"  # mean of the ratings, drawn towards that of the shop


class FallbackReason(StrEnum):
    """A reason why an answer is less than what was requested."""

    UNKNOWN_CUSTOMER = "unknown_customer"
    UNKNOWN_PRODUCT = "unknown_product"
    NO_HISTORY = "no_history"
    NO_CONSENT = "no_consent"
    STORE_UNAVAILABLE = "store_unavailable"
    DEADLINE = "deadline"
    RATE_LIMITED = "rate_limited"
    NO_CANDIDATES = "no_candidates"
    MODEL_DAMAGED = "model_damaged"
    HOLDOUT = "holdout"  # kept out, so that the others can be compared with them
    SWITCHED_OFF = "switched_off"  # by the variant of an experiment


@dataclass(frozen=True)
class Reason:
    """A reason to show a product, in data and in a sentence that a customer may read."""

    kind: ReasonKind
    items: tuple[int, ...]  # the evidence: products, as item indices
    text: str


@dataclass(frozen=True)
class Slot:
    item: int
    score: float
    source: str  # a Source, or the name of a source that the shop has added
    reason: Reason


@dataclass(frozen=True)
class Slate:
    strategy: Strategy
    fallback_reason: FallbackReason | None
    slots: tuple[Slot, ...]  # best first; ties in the order of the product ids
    score_kind: ScoreKind


class OutOfStock(StrEnum):
    """A choice about products of a ranking that are sold out."""

    LAST = "last"  # behind all others
    KEEP = "keep"  # where they would stand
    REMOVE = "remove"


@dataclass(frozen=True)
class GivenProducts:
    """Products whose order is asked for, and how much is said of it."""

    items: tuple[int, ...]  # distinct
    out_of_stock: OutOfStock = OutOfStock.LAST
    explained: int = 10  # of the first, the source and the reason are told
    most: int | None = None  # products that are shown; None: all


class RankedProducts(NamedTuple):
    """Products of a ranking without sources and reasons, in their order."""

    items: NDArray[np.int64]  # (c,)
    scores: NDArray[np.float32]  # (c,)


@dataclass(frozen=True, eq=False)
class Ranking:
    """Products that were given, in the order in which they are worth showing."""

    strategy: Strategy
    fallback_reason: FallbackReason | None
    slots: tuple[Slot, ...]  # the first ones
    rest: RankedProducts
    left_out: tuple[tuple[int, str], ...]  # the others, each with the name of an ExclusionRule
    score_kind: ScoreKind


@dataclass(frozen=True)
class ExpectedGain:
    """What a unit that is shown may add to the value of an order, and its interval of 95 %.

    It is an association, not an effect: docs/ranking.md says how it is estimated.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Bundle:
    """A unit of products. Its figures are counted from the orders that hold all of it.

    Those of a unit that the shop has put together are None where nothing is known.
    """

    anchor: int  # the requested product, or the basket's product with the strongest tie
    items: tuple[int, ...]  # what goes with it, strongest first
    score: float
    support: int | None  # orders that hold all of the unit
    rule_confidence: float | None  # P(items | anchor and held)
    lift: float | None  # P(items | anchor and held) / P(items)
    gain: ExpectedGain | None = None  # in the currency of its products
    held: tuple[int, ...] = ()  # what of the unit is in the basket, besides the anchor
    offer: ShopBundle | None = None  # what the shop has put together

    @property
    def members(self) -> tuple[int, ...]:
        """Return every product of the unit."""
        return (self.anchor, *self.held, *self.items)


@dataclass(frozen=True)
class SlateRequest:
    """A request for a slate; the products of a session and a basket as item indices."""

    n: int = 10
    as_of: int | None = None  # seconds since 1970, UTC; None: shop time when the model learned
    # The customer's own events up to it count, seconds since 1970. None: those up to `as_of`, or
    # all where that is None
    events_until: int | None = None
    repeat: Repeat = Repeat.AUTO
    strict: bool = False  # fewer and better: no fill
    filters: Filters = NO_FILTERS
    recent: tuple[int, ...] = ()  # products of this session
    basket: tuple[int, ...] = ()
    placement: str | None = None  # where it is shown, for limits of diversity and shop rules
    rules: tuple[ShopRule, ...] = ()  # all of the shop's; the ones active here are applied
    bundles: tuple[ShopBundle, ...] = ()  # units that the shop has put together, likewise
    # What the customer has said, where it may be used
    preferences: Preferences = NO_PREFERENCES
    purpose: int = PERSONALIZE_WEB  # which consent it takes: PERSONALIZE_WEB or PERSONALIZE_EMAIL
    holdout: Holdout | None = None  # customers who are never personalised
    variety: VarietyLimits | None = None  # of an experiment, in place of the model's own
    groups: CustomerGroups = NO_GROUPS  # of the customer, where they may be used by rules

    @property
    def named_items(self) -> NDArray[np.int32]:
        """Return the products that the request is about: they are no answer to it."""
        return np.array(self.recent + self.basket, np.int32)

    def without(self, items: Iterable[int]) -> Self:
        """Return the request with these products excluded as well."""
        excluded = tuple(items)
        if not excluded:
            return self
        exclude = (*self.filters.exclude, *excluded)
        return replace(self, filters=replace(self.filters, exclude=exclude))


def fallback_reason_of(slots: Iterable[Slot]) -> FallbackReason | None:
    """Return NO_CANDIDATES for a slate of nothing but filling and what the shop pins, else None."""
    proposed = any(slot.source not in (Source.FILL, Source.PINNED) for slot in slots)
    return None if proposed else FallbackReason.NO_CANDIDATES
