"""What a shop may say about its rules, and what is answered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final

from pydantic import ConfigDict, Field, WithJsonSchema

from models.rules.shop_rules import CapBy, RuleKind
from service.schemas.answers import Schema
from service.schemas.parameters import CustomerOptions, Id

# Rules are described here; models/rulebook.py checks them.
Described = dict[str, Any]
TEXT: Final[Described] = {"type": "string", "minLength": 1}
TEXTS: Final[Described] = {"type": "array", "items": TEXT}
AWARE: Final[Described] = {"type": "string", "format": "date-time"}
PRICE: Final[Described] = {"type": "number", "minimum": 0, "maximum": 1e12}
MARGIN: Final[Described] = {"type": "number", "minimum": 0, "exclusiveMaximum": 1}
STRENGTH: Final[Described] = {
    "type": "number",
    "minimum": 1,
    "maximum": 1e6,
    "description": "1 has no effect",
}
POSITION: Final[Described] = {
    "type": "integer",
    "minimum": 1,
    "maximum": 100,
    "description": "the next ones follow",
}
MOST: Final[Described] = {
    "type": "integer",
    "minimum": 1,
    "maximum": 10,
    "description": "of one, among ten products",
}
SELECTORS: Final = {
    "product_ids": TEXTS,
    "category": TEXT,
    "brand": TEXT,
    "min_price": PRICE,
    "max_price": PRICE,
}


def _or_null(described: Described) -> Described:
    return {"anyOf": [described, {"type": "null"}]}


def _having(name: str) -> Described:
    """Some products that are told by this."""
    told = {**SELECTORS[name], "minItems": 1} if name == "product_ids" else SELECTORS[name]
    return {"properties": {name: told}, "required": [name]}


ANY: Final[Described] = {
    "type": "object",
    "properties": {name: _or_null(told) for name, told in SELECTORS.items()},
    "additionalProperties": False,
    "description": "the products that meet all of it; without any, every product",
}


def _kind(kind: RuleKind, some_by: Sequence[str] = (), **numbers: Described) -> Described:
    """Rules of one kind: about products that are told by some of `some_by`, about any where that is empty."""
    which = {**ANY, "anyOf": [_having(name) for name in some_by]} if some_by else _or_null(ANY)
    where = {
        "placements": _or_null(TEXTS),
        "market": _or_null(TEXT),
        "starts": _or_null(AWARE),
        "ends": _or_null(AWARE),
    }
    return {
        "type": "object",
        "title": kind.value,
        "properties": {"kind": {"const": kind.value}, "which": which, **where, **numbers},
        "required": ["kind", *numbers, *(["which"] if some_by else [])],
        "additionalProperties": False,
    }


RULE: Final[Described] = {
    "title": "Rule",
    "description": "A rule of one kind, for some placements, one market and some time, or always and everywhere.",
    "oneOf": [
        _kind(RuleKind.FILTER, tuple(SELECTORS)),
        _kind(RuleKind.EXCLUDE, tuple(SELECTORS)),
        _kind(RuleKind.BOOST, strength=STRENGTH),
        _kind(RuleKind.BURY, strength=STRENGTH),
        _kind(RuleKind.PIN, ("product_ids",), position=POSITION),
        _kind(RuleKind.CAP, by={"enum": [by.value for by in CapBy]}, most=MOST),
        _kind(RuleKind.MINIMUM, of={"const": "price"}, minimum=PRICE),
        _kind(RuleKind.MINIMUM, of={"const": "margin"}, minimum=MARGIN),
    ],
    "examples": [
        {"kind": "filter", "which": {"category": "MILK"}, "placements": ["milk-page"]},
        {
            "kind": "exclude",
            "which": {"product_ids": ["1082185"]},
            "ends": "2026-12-24T18:00:00+01:00",
        },
        {"kind": "boost", "which": {"brand": "National"}, "strength": 3},
        {"kind": "bury", "which": {"max_price": 1}, "strength": 2, "market": "north"},
        {
            "kind": "pin",
            "which": {"product_ids": ["1082185"]},
            "position": 1,
            "placements": ["home"],
        },
        {"kind": "cap", "by": "brand", "most": 3},
        {"kind": "minimum", "of": "margin", "minimum": 0.2, "which": {"category": "MILK"}},
    ],
}
RuleBody = Annotated[dict[str, Any], WithJsonSchema(RULE)]


def _named(kind: Described) -> Described:
    return {
        **kind,
        "properties": {"id": TEXT, **kind["properties"]},
        "required": ["id", *kind["required"]],
    }


TRIED: Final[Described] = {
    **RULE,
    "oneOf": [_named(kind) for kind in RULE["oneOf"]],
    "examples": [
        {"id": f"rule-{place}", **example} for place, example in enumerate(RULE["examples"])
    ],
}
TriedRule = Annotated[dict[str, Any], WithJsonSchema(TRIED)]

MOST_TRIED = 20  # tried at once


class PreviewOptions(CustomerOptions):
    """Whose slate, and the rules to try; without `rules` those that the shop has."""

    model_config = ConfigDict(strict=True)
    customer_id: Annotated[
        Id | None, Field(description="whose slate; without one it is what is popular")
    ] = None
    rules: Annotated[
        list[TriedRule] | None,
        Field(max_length=MOST_TRIED, description="by default the shop's own"),
    ] = None


class PreviewAnswer(Schema):
    without: list[dict[str, Any]]
    with_rules: list[dict[str, Any]]
    effects: list[dict[str, Any]] = Field(
        description="what each rule alone does to the slate without rules"
    )


class RuleDocument(Schema):
    rule: dict[str, Any]


class RulesAnswer(Schema):
    rules: list[dict[str, Any]]
