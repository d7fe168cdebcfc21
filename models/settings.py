"""Every hyperparameter, under one name. Where the defaults come from: docs/quality.md."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Self

from models.errors import ArtifactError

SHORTEST_HORIZON_DAYS = 1  # within which a purchase counts as a hit; shorter data teach nothing


@dataclass(frozen=True)
class KindWeights:
    """Weights of events in a customer's interest in a product, by kind, once a visit is over.

    A return takes away what its purchase weighs, a product taken out of the cart what it weighed
    there. What was shown or dismissed adds nothing.
    """

    purchase: float = 1.0  # and, taken away, of a return
    view: float = 0.05  # of a product's page
    cart: float = 0.2  # and, taken away, of a product taken out of the cart
    wishlist: float = 0.2  # put on the list
    click: float = 0.05  # on a link in a mail
    rating: float = 0.5  # of five stars; minus this of one star

    @classmethod
    def of_list(cls, weights: Sequence[float]) -> Self:
        """Return the weights of a list, as artifacts recorded them once: one for each kind.

        Raises LookupError where two kinds that share a weight have different ones.
        """
        purchase, returned, view, cart, wishlist, removed, dismissed, shown, click, rating = weights
        if (returned, removed, dismissed, shown) != (purchase, cart, 0, 0):
            raise LookupError("kind_weights of returns, removals, dismissals or exposures")
        return cls(purchase, view, cart, wishlist, click, rating)


@dataclass(frozen=True)
class HistorySettings:
    """Settings of a history, in which a customer's events are summed up."""

    min_lines: int = 3  # purchase lines that a product needs to be learned from
    long_half_life_days: float = 240.0  # of what customers always buy
    middle_half_life_days: float = 60.0  # of what they buy this season
    short_half_life_days: float = 15.0  # of what they buy now
    taste_half_life_days: float = 30.0  # of events that fold the customer in
    recent_half_life_days: float = 20.0  # of events whose neighbours are candidates
    # In which an event of a visit, which weighs 1 at first, fades to the weight of its kind
    visit_half_life_days: float = 0.25
    cart_days: float = 1.0  # that a product stays in the cart
    # Weights of events in a customer's interest in a product, by kind, once a visit is over
    kind_weights: KindWeights = field(default_factory=KindWeights)


@dataclass(frozen=True)
class FactorSettings:
    """Settings of alternating least squares."""

    factors: int = 128  # numbers that describe a product
    regularization: float = 40.0  # pulls factors with little evidence to 0
    iterations: int = 10  # over customers and products
    alpha: float = 6.0  # confidence = 1 + alpha · interest
    half_life_days: float = 60.0  # of the events that the item factors are learned from


@dataclass(frozen=True)
class NeighbourSettings:
    """Settings of item neighbours over customers."""

    half_life_days: float = 180.0  # of the events that neighbours are learned from
    power: float = 0.5  # interest^power, so that the hundredth purchase tells less than the first
    customer_norm: float = 1.0  # how far customers of many products tell less about each pair
    item_norm: float = 0.75  # how far a popular product in the history is discounted
    neighbour_norm: float = 0.5  # how far a popular neighbour is discounted
    neighbours: int = 100  # that are kept of each product
    min_customers: int = 2  # who bought both, for a product to be a neighbour


@dataclass(frozen=True)
class PopularSettings:
    """Settings of popularity."""

    half_life_days: float = 10.0  # of the first window of popular products
    window_days: int = 28  # of the popular slate, and of recent sales
    slow_half_life_days: float = 30.0  # of the second window of popular products
    season_prior: float = 100.0  # lines that doubt how a category changed a year ago
    # How far the best sellers of a category come down that are more than its share of ten
    spread: float = 0.3
    category: int = 3  # of ten popular products, while there is something else
    market_prior: float = 200.0  # lines of the whole shop, mixed into those of a market


@dataclass(frozen=True)
class RepeatSettings:
    """Settings of repeat purchases: how often a product is bought again, and after how long."""

    category_prior: float = 50.0  # customers, or gaps, of the whole shop, mixed into a category's
    rate_prior: float = 10.0  # customers of the category, mixed into a product's repeat rate
    interval_prior: float = 5.0  # gaps of the category, mixed into a product's interval
    own_interval_prior: float = 2.0  # gaps of the product, mixed into a customer's interval
    overdue_purchases: int = 3  # purchases from which a customer's own interval is trusted
    # repeat=auto leaves out products bought again less often than this share of the average
    rare: float = 0.2
    too_soon: float = 0.02  # repeat=auto leaves out what was bought this share of its interval ago


@dataclass(frozen=True)
class CandidateSettings:
    """Numbers of products that each source proposes for ranking."""

    bought: int = 200  # of those bought before, besides all that are due
    new: int = 50  # of factors, of neighbours, of orders and of sales
    category: int = 50  # of the categories that are searched
    categories: int = 15  # of the customer that are searched
    arrivals: int = 10  # products just come on sale
    # Products with the best blend that the trees rank: as many as a slate may hold
    ranked: int = 100


@dataclass(frozen=True)
class ArrivalSettings:
    """Settings of arrivals: products just come on sale, without purchases to learn from."""

    days: int = 28  # since available_from, in which a product is an arrival
    share: float = 0.1  # of a slate, at most
    # Part of the customer's purchases that a category needs for its arrivals to get their chance
    category_share: float = 0.05


@dataclass(frozen=True)
class TreeSettings:
    """Settings of gradient-boosted trees."""

    trees: int = 200  # at most, before learning ends
    # Trees without a gain on customers that are not learned from, after which learning ends
    patience: int = 20
    leaves: int = 31  # of a tree, at most 64
    learning_rate: float = 0.05  # part of each tree's value that counts
    min_rows: int = 100  # in a leaf
    l2: float = 5.0  # pulls the value of a leaf with few rows to 0
    feature_share: float = 0.7  # of the features that a tree may split on
    row_share: float = 0.8  # of the rows that a tree learns from
    max_bins: int = 255  # distinct values of a feature


@dataclass(frozen=True)
class RankerSettings:
    """Settings of the ranker, which learns from what customers bought after earlier moments."""

    # What a purchase weighs: 1 (purchases), its price (revenue), or what the shop keeps of it
    # after the product's cost (margin)
    objective: Literal["purchases", "revenue", "margin"] = "purchases"
    customers: int = 30_000  # to learn from, at most, each at one moment
    visits: int = 10_000  # orders to learn from as if their customers were unknown, at most
    # Fits of the past, a horizon apart; fewer where the data are short, 0 for the blend alone
    windows: int = 3
    # Purchases to learn from, below which there are up to four times as many windows
    examples: int = 5_000
    # Within which a purchase counts as a hit; at most a fifth of the history
    horizon_days: int = 28
    trees_prior: float = 5_000.0  # hits among the examples with which trees count half
    weights_prior: float = 10.0  # how strongly the learned weights are drawn to those of the blend
    # Days between a fit and the moment at which a customer is ranked; one for each customer
    lags_days: tuple[int, ...] = (0, 7, 14)
    # Of the candidates bought before and not bought now, that are learned from
    bought_share: float = 0.25
    new_share: float = 0.1  # of the new candidates that were not bought
    trees: TreeSettings = field(default_factory=TreeSettings)  # that correct the blend


@dataclass(frozen=True)
class PlacementSettings:
    """Limits of one placement; None stands for the limit of all placements."""

    name: str
    category: int | None = None
    brand: int | None = None


@dataclass(frozen=True)
class DiversitySettings:
    """Limits on how many of ten products may be alike, while there is something else.

    Products of one family differ in size alone; two of them do not stand side by side.
    """

    category: int = 5  # of ten products, of one category
    brand: int = 10  # of ten products, of one brand
    family: int = 2  # of ten products, that differ in size alone
    # Part of the Recall on earlier weeks that the limit of a category may cost; where it costs
    # more, a wider one takes its place, but never that of a placement
    category_cost: float = 0.005
    # Limits of single placements: tables of `name`, `category` and `brand`
    placements: tuple[PlacementSettings, ...] = ()

    def at(self, placement: str | None, learned: int = 0) -> DiversitySettings:
        """Return the limits that hold for a placement; `learned`: of a category, 0 for none."""
        category, brand = max(self.category, learned), self.brand
        for limits in self.placements:
            if limits.name == placement:
                category, brand = limits.category or category, limits.brand or brand
        if (category, brand) == (self.category, self.brand):
            return self
        return replace(self, category=category, brand=brand)


@dataclass(frozen=True)
class DiscoverySettings:
    """Settings of how far slates look beyond best sellers for products new to a customer."""

    # How far best sellers are ranked lower for customers to whom they are new: from 0, safe, to 1.
    # Without it, as far as it cost next to nothing in the shop's own weeks
    daring: float | None = None
    # Share of the products that customers should be shown: those that lack little rank higher,
    # until so many are; 0 for none
    shown: float = 0.05


@dataclass(frozen=True)
class Scales:
    """Scales of the features of the blend.

    A feature x enters it as ln(1 + x / scale): a doubling adds the same wherever x is far above the
    scale.
    """

    affinity: float = 0.002  # product of the customer's factors and the product's
    neighbours: float = 0.005  # similarity to what was bought lately
    basket: float = 0.005  # ties to the basket or the last purchase
    recent_sales: float = 5.0  # lines of the whole shop in the popular window
    all_sales: float = 50.0  # lines of the whole shop, ever
    own_long: float = 0.02  # the customer's lines, by the long half-life
    own_short: float = 0.03  # the customer's lines, by the short half-life


@dataclass(frozen=True)
class Weights:
    """Weights of the features in the score of a candidate.

    Features are 0 where there is no evidence.
    """

    constant: float = 0.0  # of every candidate of this kind
    affinity: float = 0.0  # product of the customer's factors and the product's
    neighbours: float = 0.0  # similarity to what was bought lately
    basket: float = 0.0  # ties to the basket or the last purchase
    recent_sales: float = 0.0  # of the whole shop in the popular window
    all_sales: float = 0.0  # of the whole shop, ever
    own_long: float = 0.0  # the customer's purchases, by the long half-life
    own_short: float = 0.0  # the customer's purchases, by the short half-life
    repeat_rate: float = 0.0  # how often customers buy it again
    overdue: float = 0.0  # how far the customer's own interval has passed


@dataclass(frozen=True)
class BlendSettings:
    """Settings of a log-linear blend: what ranks before a shop has taught anything.

    There are weights for products new to a customer, for those bought before, and for a visitor of
    whom no purchase is known. What a shop teaches about them is drawn towards these.
    """

    # Of products new to a customer
    new: Weights = Weights(
        affinity=0.8, neighbours=0.65, basket=1.0, recent_sales=0.6, all_sales=-0.55
    )
    # Of products bought before
    bought: Weights = Weights(
        # The logarithms of the scales of their features make both kinds comparable
        constant=3.04,
        affinity=0.3,
        basket=1.0,
        recent_sales=0.35,
        all_sales=-0.4,
        own_long=0.9,
        own_short=0.05,
        repeat_rate=0.45,
        overdue=-0.2,
    )
    # Of a visitor: what is seen or in the basket tells more than the taste of an empty history
    visit: Weights = Weights(affinity=0.4, neighbours=1.8, basket=0.6, recent_sales=0.8)


@dataclass(frozen=True)
class BundleSettings:
    """Settings of bundles and of what completes a basket."""

    half_life_days: float = 180.0  # an order's age at which it counts half
    size_power: float = 0.4  # a pair in an order of s products counts (s - 1)^-size_power
    largest_order: int = 1000  # products; larger orders tell nothing of pairs, and cost the square
    neighbours: int = 100  # partners that are kept of each product
    lift_damping: float = 0.15  # pairs that doubt the lift
    confidence_damping: float = 2.0  # orders that doubt the confidence
    lift_weight: float = 0.95  # exponent of the lift in a large basket
    min_support: int = 3  # orders with both products that a pair needs
    unit_lift_weight: float = 0.2  # exponent of the lift among the partners of one product
    min_lift: float = 1.2  # of every two products of a unit, by plain counts
    min_unit_support: int = 5  # orders that hold all of a unit of three or more
    # Products in most orders, which go with everything and so stand last
    best_sellers: int = 20
    best_seller_share: float = 0.01  # of all products that may be such best sellers, at most
    # Exponent of P(product | partner), by which a unit stands before one with what sells anyway
    partner_weight: float = 0.5
    # A further product joins a unit with ties of at least this part of the first one: a choice
    coherence: float = 0.25
    # Like products with fewer than this part of the common orders that chance makes are substitutes
    substitute_ratio: float = 0.67
    substitute_damping: float = 5.0  # orders on both sides of that ratio
    candidates: int = 100  # products with the strongest ties to a basket that are ranked
    questions: int = 5_000  # products hidden from orders for the ranker to find, at most
    # That rank what completes a basket
    trees: TreeSettings = TreeSettings(trees=120, leaves=15, learning_rate=0.07)


@dataclass(frozen=True)
class ModelSettings:
    """All hyperparameters of a model."""

    seed: int = 0  # of all random choices of a training
    history: HistorySettings = field(default_factory=HistorySettings)
    factors: FactorSettings = field(default_factory=FactorSettings)
    neighbours: NeighbourSettings = field(default_factory=NeighbourSettings)
    popular: PopularSettings = field(default_factory=PopularSettings)
    repeats: RepeatSettings = field(default_factory=RepeatSettings)
    scales: Scales = field(default_factory=Scales)
    candidates: CandidateSettings = field(default_factory=CandidateSettings)
    blend: BlendSettings = field(default_factory=BlendSettings)
    ranker: RankerSettings = field(default_factory=RankerSettings)
    arrivals: ArrivalSettings = field(default_factory=ArrivalSettings)
    diversity: DiversitySettings = field(default_factory=DiversitySettings)
    discovery: DiscoverySettings = field(default_factory=DiscoverySettings)
    bundles: BundleSettings = field(default_factory=BundleSettings)


def read_settings(config: Mapping[str, Any], artifact: Path) -> ModelSettings:
    """Build the settings that a manifest recorded. Raises ArtifactError where some are unknown."""
    try:
        settings: ModelSettings = _build(ModelSettings, config)
    except (TypeError, ValueError, AttributeError, LookupError) as error:
        raise ArtifactError(
            f"{artifact}: has settings that this version does not know ({error})"
        ) from error
    return settings


def _build(kind: Any, content: Mapping[str, Any]) -> Any:
    hints = typing.get_type_hints(kind)
    return kind(**{name: _build_value(hints[name], value) for name, value in content.items()})


def _build_value(hint: Any, value: Any) -> Any:
    if hint is KindWeights and isinstance(value, list):
        return KindWeights.of_list(value)
    if isinstance(value, list):
        return tuple(_build_value(typing.get_args(hint)[0], part) for part in value)
    return _build(hint, value) if dataclasses.is_dataclass(hint) else value
