"""A rule of the shop as plain JSON, and back. What is wrong with one is told by field, value and remedy."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from models.rules.shop_rules import CapBy, MinimumOf, ProductSelector, RuleKind, ShopRule

# What each kind has beside its products, its dates and where it holds.
NUMBERS: Final[Mapping[RuleKind, tuple[str, ...]]] = {
    RuleKind.FILTER: (),
    RuleKind.EXCLUDE: (),
    RuleKind.BOOST: ("strength",),
    RuleKind.BURY: ("strength",),
    RuleKind.PIN: ("position",),
    RuleKind.CAP: ("by", "most"),
    RuleKind.MINIMUM: ("of", "minimum"),
}
WHERE: Final = ("which", "placements", "market", "starts", "ends")


class RuleError(ValueError):
    """A sentence about what is wrong with a rule."""


def rule_of(content: Mapping[str, Any]) -> ShopRule:
    """The rule that a mapping describes. Raises RuleError about the first thing that is wrong."""
    kind = RuleKind(_read(content, "kind"))
    numbers = NUMBERS[kind]
    _know(content, ("id", "kind", *WHERE, *numbers), f"of a rule of kind {kind}")
    where = [name for name in WHERE if content.get(name) is not None]
    fields: dict[str, Any] = {name: _read(content, name) for name in ("id", *where, *numbers)}
    rule = ShopRule(kind=kind, **fields)
    if rule.starts is not None and rule.ends is not None and rule.ends <= rule.starts:
        raise _wrong("ends", content["ends"], "a moment after `starts`")
    if kind is RuleKind.PIN and not rule.which.product_ids:
        raise _wrong("which", content.get("which"), "`product_ids` with what the pin shows")
    if kind in (RuleKind.FILTER, RuleKind.EXCLUDE) and rule.which == ProductSelector():
        raise _wrong("which", content.get("which"), f"the products that the {kind} is about")
    if rule.of is MinimumOf.MARGIN and rule.minimum >= 1:
        raise _wrong("minimum", rule.minimum, "a margin below 1, such as 0.2 for 20 %")
    return rule


def mapping_of(rule: ShopRule) -> dict[str, Any]:
    """The same as JSON, without what is not set."""
    which = {
        name: _plain(value) for name, value in vars(rule.which).items() if value not in (None, ())
    }
    where = {
        "which": which,
        "placements": list(rule.placements),
        "market": rule.market,
        "starts": _written(rule.starts),
        "ends": _written(rule.ends),
    }
    numbers = {name: _plain(getattr(rule, name)) for name in NUMBERS[rule.kind]}
    given = {name: value for name, value in where.items() if value not in (None, [], {})}
    return {"id": rule.id, "kind": rule.kind.value, **given, **numbers}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return value.value if isinstance(value, StrEnum) else value


def _written(moment: int | None) -> str | None:
    return None if moment is None else datetime.fromtimestamp(moment, UTC).isoformat()


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("a text that is not empty")
    return value


def _texts(value: Any) -> tuple[str, ...]:
    if (
        not isinstance(value, Sequence)
        or isinstance(value, str)
        or not all(isinstance(x, str) and x for x in value)
    ):
        raise ValueError("a list of texts that are not empty")
    return tuple(value)


def _moment(value: Any) -> int:
    """Seconds since 1970."""
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        moment = datetime.min
    if moment.tzinfo is None:
        raise ValueError("a date and time with its zone, such as 2026-11-27T00:00:00+01:00")
    return math.floor(moment.timestamp())


def _number(low: float, high: float, sentence: str, *, whole: bool = False) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        right = (
            isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high
        )
        if not right or (whole and value != int(value)):
            raise ValueError(sentence)
        return int(value) if whole else float(value)

    return read


def _one_of(kind: type[StrEnum]) -> Callable[[Any], StrEnum]:
    def read(value: Any) -> StrEnum:
        if value not in list(kind):
            raise ValueError(f"one of {', '.join(kind)}")
        return kind(value)

    return read


def _which(value: Any) -> ProductSelector:
    if not isinstance(value, Mapping):
        raise ValueError(f"an object with some of {', '.join(SELECTORS)}")
    _know(value, SELECTORS, "of `which`")
    which = ProductSelector(
        **{name: _read(value, name) for name in SELECTORS if value.get(name) is not None}
    )
    if (
        which.min_price is not None
        and which.max_price is not None
        and which.max_price < which.min_price
    ):
        raise _wrong("max_price", which.max_price, "a price that is not below `min_price`")
    return which


SELECTORS: Final = tuple(ProductSelector.__dataclass_fields__)
PRICE: Final = _number(0, 1e12, "a price that is not below 0")
STRENGTH: Final = _number(
    1, 1e6, "a number from 1 (no effect) to 1,000,000 that multiplies the odds"
)
# What each field holds: a function that returns its value, or raises ValueError with what was expected.
READ: Final[Mapping[str, Callable[[Any], Any]]] = {
    "id": _text,
    "kind": _one_of(RuleKind),
    "which": _which,
    "placements": _texts,
    "market": _text,
    "starts": _moment,
    "ends": _moment,
    "strength": STRENGTH,
    "position": _number(1, 100, "a whole number from 1 to 100", whole=True),
    "by": _one_of(CapBy),
    "most": _number(1, 10, "a whole number from 1 to 10, of ten products", whole=True),
    "of": _one_of(MinimumOf),
    "minimum": _number(0, 1e12, "a number that is not below 0"),
    "product_ids": _texts,
    "category": _text,
    "brand": _text,
    "min_price": PRICE,
    "max_price": PRICE,
}


def _read(content: Mapping[str, Any], name: str) -> Any:
    try:
        return READ[name](content.get(name))
    except RuleError:
        raise
    except ValueError as expected:
        raise _wrong(name, content.get(name), str(expected)) from None


def _know(content: Mapping[str, Any], names: Sequence[str], whose: str) -> None:
    for name in content:
        if name not in names:
            raise _wrong(name, content[name], f"only the fields {whose}: {', '.join(names)}")


def _wrong(name: str, value: Any, expected: str) -> RuleError:
    found = "is missing" if value is None else f"is {value!r:.100}"
    return RuleError(f"`{name}` {found}; expected {expected}")
