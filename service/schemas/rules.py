"""Rules of the shop as they are documented, tried and shown.

`models/rules/shop_rule_json.py` validates them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final

from pydantic import ConfigDict, Field, WithJsonSchema

from models.rules.shop_rules import CapBy, RuleKind
from service.schemas.base import AnswerModel, examples
from service.schemas.parameters import CustomerOptions, Id

MAX_TRIED_RULES: Final = 20
JsonSchema = dict[str, Any]

TEXT: Final[JsonSchema] = {"type": "string", "minLength": 1}
TEXTS: Final[JsonSchema] = {"type": "array", "items": TEXT}
ZONED_TIME: Final[JsonSchema] = {"type": "string", "format": "date-time"}
PRICE: Final[JsonSchema] = {"type": "number", "minimum": 0, "maximum": 1e12}
MARGIN: Final[JsonSchema] = {"type": "number", "minimum": 0, "exclusiveMaximum": 1}
STRENGTH: Final[JsonSchema] = {
    "type": "number",
    "minimum": 1,
    "maximum": 1e6,
    "description": "Factor by which the odds of a purchase are multiplied or divided.",
    "examples": [2],
}
POSITION: Final[JsonSchema] = {
    "type": "integer",
    "minimum": 1,
    "maximum": 100,
    "description": "Position of the first product. The others follow.",
    "examples": [1],
}
MOST: Final[JsonSchema] = {
    "type": "integer",
    "minimum": 1,
    "maximum": 10,
    "description": "Most products of one category or brand among ten.",
    "examples": [3],
}
CAP_BY: Final[JsonSchema] = {
    "enum": [by.value for by in CapBy],
    "description": "Whether products of one category or of one brand are counted.",
    "examples": ["brand"],
}
SELECTORS: Final[dict[str, JsonSchema]] = {
    "product_ids": TEXTS,
    "category": TEXT,
    "brand": TEXT,
    "min_price": PRICE,
    "max_price": PRICE,
}


def _described(schema: JsonSchema, description: str, example: object) -> JsonSchema:
    return {**schema, "description": description, "examples": [example]}


def _or_null(schema: JsonSchema) -> JsonSchema:
    return {"anyOf": [schema, {"type": "null"}]}


SELECTED: Final[JsonSchema] = {
    "product_ids": _described(_or_null(TEXTS), "Only these products.", ["1082185"]),
    "category": _described(_or_null(TEXT), "Only products of this category.", "MILK"),
    "brand": _described(_or_null(TEXT), "Only products of this brand.", "National"),
    "min_price": _described(_or_null(PRICE), "Only products at this price or above.", 1),
    "max_price": _described(_or_null(PRICE), "Only products at this price or below.", 20),
}
SELECTOR: Final[JsonSchema] = {
    "type": "object",
    "properties": SELECTED,
    "additionalProperties": False,
}
WHICH: Final = "Products that the rule is about: they match all of it. Without any, every product."
CONDITIONS: Final[JsonSchema] = {
    "placements": _described(
        _or_null(TEXTS), "Placements where the rule holds. By default all.", ["home"]
    ),
    "market": _described(_or_null(TEXT), "Market where the rule holds. By default all.", "north"),
    "starts": _described(
        _or_null(ZONED_TIME), "When the rule begins, with its zone.", "2026-12-01T00:00:00+01:00"
    ),
    "ends": _described(
        _or_null(ZONED_TIME), "When the rule ends, with its zone.", "2026-12-25T00:00:00+01:00"
    ),
}
RULE_EXAMPLES: Final[list[dict[str, Any]]] = [
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
]


def _requiring(selector: str) -> JsonSchema:
    schema = SELECTORS[selector]
    if schema is TEXTS:
        schema = {**schema, "minItems": 1}
    return {"properties": {selector: schema}, "required": [selector]}


def _kind(
    kind: RuleKind, effect: str, *, by_one_of: Sequence[str] = (), **numbers: JsonSchema
) -> JsonSchema:
    """Return the schema of the rules of one kind.

    Such a rule needs one of the selectors `by_one_of`, or none where that is empty.
    """
    which = _or_null(SELECTOR)
    required = ["kind", *numbers]
    if by_one_of:
        which = {**SELECTOR, "anyOf": [_requiring(selector) for selector in by_one_of]}
        required.append("which")
    return {
        "type": "object",
        "title": kind.value,
        "description": effect,
        "properties": {
            "kind": _described({"const": kind.value}, "Kind of the rule.", kind.value),
            "which": _described(which, WHICH, {"product_ids": ["1082185"]}),
            **CONDITIONS,
            **numbers,
        },
        "required": required,
        "additionalProperties": False,
    }


def _minimum(measure: str, schema: JsonSchema, example: float) -> JsonSchema:
    return _kind(
        RuleKind.MINIMUM,
        f"Matching products with a {measure} below the minimum, or without one, are not shown.",
        of=_described({"const": measure}, "Whether the minimum is of price or margin.", measure),
        minimum=_described(schema, f"Lowest {measure} that is shown.", example),
    )


ANY_SELECTOR: Final = tuple(SELECTORS)
RULE: Final[JsonSchema] = {
    "title": "Rule",
    "description": "A rule of one kind. It may hold for some placements, one market and some time.",
    "oneOf": [
        _kind(RuleKind.FILTER, "Only matching products are shown.", by_one_of=ANY_SELECTOR),
        _kind(RuleKind.EXCLUDE, "Matching products are not shown.", by_one_of=ANY_SELECTOR),
        _kind(RuleKind.BOOST, "Matching products rank higher.", strength=STRENGTH),
        _kind(RuleKind.BURY, "Matching products rank lower.", strength=STRENGTH),
        _kind(
            RuleKind.PIN,
            "The products stand from a position on.",
            by_one_of=("product_ids",),
            position=POSITION,
        ),
        _kind(
            RuleKind.CAP,
            "At most a number of the matching products of one category or brand are shown.",
            by=CAP_BY,
            most=MOST,
        ),
        _minimum("price", PRICE, 2.5),
        _minimum("margin", MARGIN, 0.2),
    ],
    "examples": RULE_EXAMPLES,
}


def _with_id(kind: JsonSchema) -> JsonSchema:
    rule_id = _described(TEXT, "Id of the rule.", "no-milk")
    return {
        **kind,
        "properties": {"id": rule_id, **kind["properties"]},
        "required": ["id", *kind["required"]],
    }


TRIED_RULE: Final[JsonSchema] = {
    **RULE,
    "oneOf": [_with_id(kind) for kind in RULE["oneOf"]],
    "examples": [
        {"id": f"rule-{number}", **example} for number, example in enumerate(RULE_EXAMPLES)
    ],
}
RuleBody = Annotated[dict[str, Any], WithJsonSchema(RULE)]
TriedRule = Annotated[dict[str, Any], WithJsonSchema(TRIED_RULE)]

STORED_RULE: Final[dict[str, Any]] = {
    "id": "no-milk",
    "kind": "exclude",
    "which": {"category": "MILK"},
}
PREVIEWED_PRODUCT: Final[dict[str, Any]] = {
    "id": "1082185",
    "title": "Bananas",
    "source": "own_purchases",
    "text": "You buy this about every 9 days",
}


class PreviewOptions(CustomerOptions):
    """A customer, and the rules to try on their slate."""

    model_config = ConfigDict(
        strict=True,
        json_schema_extra=examples({"customer_id": "2034", "rules": [STORED_RULE], "n": 5}),
    )
    customer_id: Annotated[
        Id | None,
        Field(
            description="Customer the slate is for. Without one it is the popular slate.",
            examples=["2034"],
        ),
    ] = None
    rules: Annotated[
        list[TriedRule] | None,
        Field(
            max_length=MAX_TRIED_RULES,
            description="Rules to try. By default the shop's own.",
            examples=[[STORED_RULE]],
        ),
    ] = None


class PreviewAnswer(AnswerModel):
    """A slate with and without rules, and the effect of each rule."""

    model_config = ConfigDict(
        json_schema_extra=examples(
            {
                "without": [PREVIEWED_PRODUCT],
                "with_rules": [],
                "effects": [
                    {
                        "rule_id": "no-milk",
                        "removed": ["1082185"],
                        "added": [],
                        "moved": [],
                        "kept_out": 7,
                    }
                ],
            }
        )
    )
    without: list[dict[str, Any]] = Field(description="The slate without rules.")
    with_rules: list[dict[str, Any]] = Field(description="The slate with the rules.")
    effects: list[dict[str, Any]] = Field(
        description="Of each rule alone: which products it removes from the slate without rules, "
        "adds and moves, and how many candidates it keeps out."
    )


class RuleDocument(AnswerModel):
    """A rule of the shop."""

    model_config = ConfigDict(json_schema_extra=examples({"rule": STORED_RULE}))
    rule: dict[str, Any] = Field(description="The rule with its id, without fields that are empty.")


class RulesAnswer(AnswerModel):
    """Every rule of the shop."""

    model_config = ConfigDict(json_schema_extra=examples({"rules": [STORED_RULE]}))
    rules: list[dict[str, Any]] = Field(description="The rules, ordered by id.")
