"""Rules of the shop: what is shown, what moves up or down, what is pinned, how many of a kind.

A rule is data. What rules do to a catalogue and to a slate stands in models/rules/rule_effects.py.
The types of the fields say what a rule may hold; service and training check JSON against them with
pydantic, which this package never loads.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Final, Literal, TypeAlias, TypeVar

import numpy as np
from annotated_types import Interval, MaxLen, MinLen
from numpy.typing import NDArray

from models.data.catalogue import Catalogue
from models.data.customers import MAX_COLUMNS, MAX_VALUES
from models.data.segments import NO_GROUPS, CustomerGroups, SegmentName
from models.rules.filter_language import MAX_CHARACTERS, check_filter, parse_filter
from models.rules.filter_mask import find_matching

Mask = NDArray[np.bool_]


class RuleError(ValueError):
    """A rule whose fields do not fit together: which field is wrong, and what is expected of it."""

    def __init__(self, field: str, expected: str) -> None:
        super().__init__(expected)
        self.field = field


@dataclass(frozen=True, eq=False)
class JsonStep:
    """Tell pydantic about a step before or after it checks the type of a value from JSON."""

    type: Literal["function-before", "function-after"]
    function: Callable[[Any], Any]  # returns the value; raises ValueError with what it should be
    json_schema: Mapping[str, Any] = field(default_factory=dict)  # added to that of the type

    def __get_pydantic_core_schema__(
        self, source: Any, handler: Callable[[Any], Any]
    ) -> dict[str, Any]:
        function = {"type": "no-info", "function": self.function}
        return {"type": self.type, "function": function, "schema": handler(source)}

    def __get_pydantic_json_schema__(
        self, core: Any, handler: Callable[[Any], dict[str, Any]]
    ) -> dict[str, Any]:
        return {**handler(core), **self.json_schema}


def read_whole(value: Any) -> Any:
    """Return 10 for 10.0, which is the same number in JSON, and anything else as it is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def read_moment(value: Any) -> int:
    """Return seconds since 1970. Raises ValueError for what is no ISO 8601 time with a zone."""
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is not None:
            return math.floor(moment.astimezone(UTC).timestamp())
    except (TypeError, ValueError, OverflowError):
        pass
    raise ValueError("should be a date and time with its zone, such as 2026-11-27T00:00:00+01:00")


def require_products(which: ProductSelector) -> ProductSelector:
    if not which:
        raise ValueError("should select products by one part at least, such as `category`")
    return which


def require_product_ids(which: ProductSelector) -> ProductSelector:
    if not which.product_ids:
        raise ValueError("should hold `product_ids` with what the pin shows")
    return which


LAST_ORDER: Final = 1_000_000
Text = Annotated[str, MinLen(1)]
Texts = tuple[Text, ...]
# Columns of the customers file, each with the values of which one is to be met
ColumnValues = Annotated[
    dict[Text, Annotated[Texts, MinLen(1), MaxLen(MAX_VALUES)]], MaxLen(MAX_COLUMNS)
]
FilterText = Annotated[
    str,
    MinLen(1),
    JsonStep("function-after", check_filter, {"maxLength": MAX_CHARACTERS}),
]
Price = Annotated[float, Interval(ge=0, le=1e12)]
Strength = Annotated[float, Interval(ge=1, le=1e6)]  # 1 has no effect
WHOLE: Final = JsonStep("function-before", read_whole)
Position = Annotated[int, Interval(ge=1, le=100), WHOLE]
Order = Annotated[int, Interval(ge=0, le=LAST_ORDER), WHOLE]
CapMaximum = Annotated[int, Interval(ge=1, le=10), WHOLE]
MOMENT_SCHEMA: Final = {"type": "string", "format": "date-time"}
Moment = Annotated[int, JsonStep("function-before", read_moment, MOMENT_SCHEMA)]

SOME_IDS: Final = {
    "required": ["product_ids"],
    "properties": {"product_ids": {"type": "array", "items": {"type": "string"}, "minItems": 1}},
}
SOME_PRODUCTS: Final = [
    SOME_IDS,
    *(
        {"required": [name], "properties": {name: {"not": {"type": "null"}}}}
        for name in ("category", "brand", "min_price", "max_price", "filter")
    ),
]

# Settings of pydantic: nothing is converted, a field that a class does not have is refused
STRICT: Final = {"extra": "forbid", "strict": True}


@dataclass(frozen=True)
class ProductSelector:
    """A choice of the products that meet every part that is set; all products where none is.

    An unknown price is within no limit.
    """

    __pydantic_config__: ClassVar[Mapping[str, Any]] = STRICT
    product_ids: Texts | None = None
    category: Text | None = None
    brand: Text | None = None
    min_price: Price | None = None
    max_price: Price | None = None
    filter: FilterText | None = None  # by any attribute: models/rules/filter_language.py

    def __post_init__(self) -> None:
        low, high = self.min_price, self.max_price
        if low is not None and high is not None and high < low:
            raise RuleError("max_price", "should be a price that is not below `min_price`")

    @property
    def reads_prices(self) -> bool:
        """Tell whether it depends on prices which products it means."""
        return not (self.min_price is None and self.max_price is None and self.filter is None)

    def __bool__(self) -> bool:
        return any(value not in (None, ()) for value in vars(self).values())

    def matches(self, catalogue: Catalogue) -> Mask:
        """Return a mask (items,). Ids and names that the catalogue does not know match nothing."""
        matched = np.ones(len(catalogue), np.bool_)
        if self.product_ids:
            items = catalogue.ids.find_all(self.product_ids)
            matched &= np.isin(np.arange(len(catalogue)), items)
        if self.category is not None:
            code = catalogue.category_names.find(self.category)
            matched &= (catalogue.category == code) & (code >= 0)
        if self.brand is not None:
            code = catalogue.brand_names.find(self.brand)
            matched &= (catalogue.brand == code) & (code >= 0)
        if self.min_price is not None:
            matched &= catalogue.price >= self.min_price
        if self.max_price is not None:
            matched &= catalogue.price <= self.max_price
        if self.filter is not None:
            matched &= find_matching(parse_filter(self.filter), catalogue)
        return matched


SomeProducts = Annotated[
    ProductSelector, JsonStep("function-after", require_products, {"anyOf": SOME_PRODUCTS})
]
NamedProducts = Annotated[
    ProductSelector, JsonStep("function-after", require_product_ids, {"anyOf": [SOME_IDS]})
]


@dataclass(frozen=True)
class ShopRule:
    """A rule for some placements, one market and some time, or for all of them.

    Two rules that are equal have the same id, so a rule hashes like its id.
    """

    __pydantic_config__: ClassVar[Mapping[str, Any]] = STRICT
    id: Text
    which: ProductSelector | None = None  # None: every product
    placements: Texts | None = None  # None or empty: all
    market: Text | None = None  # None: all
    starts: Moment | None = None  # seconds since 1970, UTC: the first second in force
    ends: Moment | None = None  # the first second that is no longer in force
    order: Order | None = None  # the lower goes first; None: after those that have one
    segments: tuple[SegmentName, ...] | None = None  # None or empty: everyone
    customers: ColumnValues | None = None  # None or empty: everyone
    kind: str = field(kw_only=True)

    def __post_init__(self) -> None:
        if self.starts is not None and self.ends is not None and self.ends <= self.starts:
            raise RuleError("ends", "should be a moment after `starts`")

    def __hash__(self) -> int:
        return hash(self.id)

    @property
    def place(self) -> tuple[int, str]:
        """Return what rules are sorted by: their order, then their ids."""
        return place_of(self.id, self.order)

    def matches(self, catalogue: Catalogue) -> Mask:
        """Return which products the rule is about: a mask (items,)."""
        return (self.which or ProductSelector()).matches(catalogue)

    @property
    def reads_prices(self) -> bool:
        """Tell whether a price decides what the rule does."""
        return self.which is not None and self.which.reads_prices

    def keeps_out(self, catalogue: Catalogue) -> Mask:
        """Return which products the rule removes from every slate: a mask (items,)."""
        return np.zeros(len(catalogue), np.bool_)

    def holds(
        self,
        placement: str | None,
        market: str | None,
        as_of: int,
        groups: CustomerGroups = NO_GROUPS,
    ) -> bool:
        """Tell whether it holds for a slate. `groups`: of the customer."""
        return (
            (not self.placements or placement in self.placements)
            and self.market in (None, market)
            and groups.meet(self.segments, self.customers)
            and is_in_force(self.starts, self.ends, as_of)
        )

    def document(self) -> dict[str, Any]:
        """Return the rule as JSON values, without what is not set."""
        which = {} if self.which is None else vars(self.which)
        document: dict[str, Any] = {
            "id": self.id,
            "kind": self.kind,
            "which": {name: _plain(part) for name, part in which.items() if part not in (None, ())},
            "placements": list(self.placements or ()),
            "market": self.market,
            "starts": format_moment(self.starts),
            "ends": format_moment(self.ends),
        }
        more = {name: value for name, value in vars(self).items() if name not in document}
        document |= {name: _plain(value) for name, value in more.items()}
        return {name: value for name, value in document.items() if value not in (None, [], {})}


def place_of(rule_id: str, order: int | None) -> tuple[int, str]:
    """Return the place of a rule among the others, which are sorted by it."""
    return (LAST_ORDER + 1 if order is None else order, rule_id)


def is_in_force(starts: int | None, ends: int | None, moment: int) -> bool:
    """Tell whether what has these first and last seconds is in force; None: it has none."""
    return (starts is None or starts <= moment) and (ends is None or moment < ends)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    return list(value) if isinstance(value, tuple) else value


def format_moment(moment: int | None) -> str | None:
    """Return a moment as ISO 8601 in UTC, None where there is none."""
    return None if moment is None else datetime.fromtimestamp(moment, UTC).isoformat()


@dataclass(frozen=True)
class FilterRule(ShopRule):
    """Only matching products are shown."""

    which: SomeProducts = field()
    kind: Literal["filter"] = field(default="filter", kw_only=True)
    __hash__ = ShopRule.__hash__

    def keeps_out(self, catalogue: Catalogue) -> Mask:
        return ~self.matches(catalogue)


@dataclass(frozen=True)
class ExcludeRule(ShopRule):
    """Matching products are not shown."""

    which: SomeProducts = field()
    kind: Literal["exclude"] = field(default="exclude", kw_only=True)
    __hash__ = ShopRule.__hash__

    def keeps_out(self, catalogue: Catalogue) -> Mask:
        return self.matches(catalogue)


@dataclass(frozen=True)
class BoostRule(ShopRule):
    """Matching products rank higher."""

    strength: Strength = field(kw_only=True)
    kind: Literal["boost"] = field(default="boost", kw_only=True)
    __hash__ = ShopRule.__hash__


@dataclass(frozen=True)
class BuryRule(ShopRule):
    """Matching products rank lower."""

    strength: Strength = field(kw_only=True)
    kind: Literal["bury"] = field(default="bury", kw_only=True)
    __hash__ = ShopRule.__hash__


@dataclass(frozen=True)
class PinRule(ShopRule):
    """Products stand from a position on, in the order of `product_ids`."""

    which: NamedProducts = field()
    position: Position = field(kw_only=True)
    kind: Literal["pin"] = field(default="pin", kw_only=True)
    __hash__ = ShopRule.__hash__


@dataclass(frozen=True)
class CapRule(ShopRule):
    """At most a number of the matching products of one category or brand are shown."""

    by: Literal["category", "brand"] = field(kw_only=True)
    most: CapMaximum = field(kw_only=True)
    kind: Literal["cap"] = field(default="cap", kw_only=True)
    __hash__ = ShopRule.__hash__


@dataclass(frozen=True)
class MinimumRule(ShopRule):
    """Matching products below a price or margin, or without one, are not shown."""

    __pydantic_config__: ClassVar[Mapping[str, Any]] = STRICT | {
        "json_schema_extra": {
            "anyOf": [
                {"required": ["of"], "properties": {"of": {"const": "price"}}},
                {"required": ["minimum"], "properties": {"minimum": {"exclusiveMaximum": 1}}},
            ]
        }
    }
    of: Literal["price", "margin"] = field(kw_only=True)
    minimum: Price = field(kw_only=True)  # in the catalogue's currency; 0.2 is a margin of 20 %
    kind: Literal["minimum"] = field(default="minimum", kw_only=True)
    __hash__ = ShopRule.__hash__

    @property
    def reads_prices(self) -> bool:
        return True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.of == "margin" and self.minimum >= 1:
            raise RuleError("minimum", "should be a margin below 1, such as 0.2 for 20 %")

    def keeps_out(self, catalogue: Catalogue) -> Mask:
        values = catalogue.price if self.of == "price" else catalogue.margin
        return self.matches(catalogue) & ~(values >= self.minimum)  # an unknown one is below


@dataclass(frozen=True)
class EarlyAccessRule(ShopRule):
    """Some customers are shown matching products before their `available_from`."""

    __pydantic_config__: ClassVar[Mapping[str, Any]] = STRICT | {
        "json_schema_extra": {
            "anyOf": [
                {"required": [name], "properties": {name: some}}
                for name, some in (
                    ("segments", {"type": "array", "minItems": 1, "items": {}}),
                    ("customers", {"type": "object", "minProperties": 1}),
                )
            ]
        }
    }
    which: SomeProducts = field()
    kind: Literal["early_access"] = field(default="early_access", kw_only=True)
    __hash__ = ShopRule.__hash__

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.segments and not self.customers:
            raise RuleError("segments", "should say for whom, or `customers` should")


# Told apart by `kind`
AnyShopRule: TypeAlias = (
    FilterRule
    | ExcludeRule
    | BoostRule
    | BuryRule
    | PinRule
    | CapRule
    | MinimumRule
    | EarlyAccessRule
)
Rule = TypeVar("Rule", bound=ShopRule)


def active_rules(
    rules: Sequence[Rule],
    placement: str | None,
    market: str | None,
    as_of: int,
    groups: CustomerGroups = NO_GROUPS,
) -> tuple[Rule, ...]:
    """Return the rules that hold for a slate, in their order.

    `groups`: of the customer, where they may be used for the slate.
    """
    active = [rule for rule in rules if rule.holds(placement, market, as_of, groups)]
    return tuple(sorted(active, key=lambda rule: rule.place))


def rules_in_force(rules: Sequence[Rule], clock: int) -> tuple[Rule, ...]:
    """Return the rules in force at a moment of the clock, for slates of whatever moment."""
    in_force = (rule for rule in rules if is_in_force(rule.starts, rule.ends, clock))
    return tuple(replace(rule, starts=None, ends=None) for rule in in_force)
