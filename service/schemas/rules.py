"""Rules of the shop as they are read, documented, tried and shown.

`models/rules/shop_rules.py` says what a rule may hold.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import ConfigDict, Field, TypeAdapter, WithJsonSchema

from models.rules.shop_rules import AnyShopRule
from models.slate import Source
from service.schemas.answers import REASON_EXAMPLE, ProductReference, ReasonBody
from service.schemas.base import WARNING_EXAMPLE, AnswerModel, Warnings, examples
from service.schemas.pages import Next
from service.schemas.parameters import CustomerOptions, Id

SHOP_RULE: Final[TypeAdapter[AnyShopRule]] = TypeAdapter(
    Annotated[AnyShopRule, Field(discriminator="kind")]
)
MAX_TRIED_RULES: Final = 20


def parse_rule(content: Mapping[str, Any]) -> AnyShopRule:
    """Return the rule of a document with its id. Raises ValidationError."""
    # json and not orjson, which writes null, a field that is not set, for NaN
    return SHOP_RULE.validate_json(json.dumps(content))


JsonSchema = dict[str, Any]

# What each field is for, and an example
FIELDS: Final[dict[str, tuple[str, Any]]] = {
    "id": ("Id of the rule.", "no-milk"),
    "kind": ("Kind of the rule.", "exclude"),
    "which": (
        "Products that the rule is about: they match all of it. Without any, every product.",
        {"product_ids": ["1082185"]},
    ),
    "placements": ("Placements where the rule holds. By default all.", ["home"]),
    "market": ("Market where the rule holds. By default all.", "north"),
    "starts": ("When the rule begins, with its zone.", "2026-12-01T00:00:00+01:00"),
    "ends": ("When the rule ends, with its zone.", "2026-12-25T00:00:00+01:00"),
    "strength": ("Factor by which the odds of a purchase are multiplied or divided.", 2),
    "position": ("Position of the first product. The others follow.", 1),
    "by": ("Whether products of one category or of one brand are counted.", "brand"),
    "most": ("Most products of one category or brand among ten.", 3),
    "of": ("Whether the minimum is of price or margin.", "margin"),
    "minimum": ("Lowest price that is shown, or lowest margin, a share below 1.", 0.2),
    "product_ids": ("Only these products.", ["1082185"]),
    "category": ("Only products of this category.", "MILK"),
    "brand": ("Only products of this brand.", "National"),
    "min_price": ("Only products at this price or above.", 1),
    "max_price": ("Only products at this price or below.", 20),
    "filter": (
        "Only products that meet this condition on any of their fields and attributes.",
        'product.attributes["color"] == "red"',
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


def _describe_rule(*, with_id: bool) -> JsonSchema:
    """Return the schema of a rule without references, as it stands within other schemas."""
    kinds = SHOP_RULE.json_schema()["$defs"]
    selector = _describe_fields(kinds.pop("ProductSelector"))
    for kind in kinds.values():
        properties = kind["properties"]
        properties["which"] = _inline(properties["which"], selector)
        kind["title"] = properties["kind"]["const"]
        kind["required"] = [*kind["required"], "kind"]
        if not with_id:
            del properties["id"]
            kind["required"].remove("id")
        _describe_fields(kind)
    return {
        "title": "Rule",
        "description": "A rule of one kind. "
        "It may hold for some placements, one market and some time.",
        "oneOf": list(kinds.values()),
    }


def _inline(which: JsonSchema, selector: JsonSchema) -> JsonSchema:
    if "anyOf" in which and "$ref" not in which:
        return {"anyOf": [selector, {"type": "null"}]}
    return {**selector, **{name: value for name, value in which.items() if name != "$ref"}}


def _describe_fields(schema: JsonSchema) -> JsonSchema:
    for name, field in schema["properties"].items():
        description, example = FIELDS[name]
        field.pop("title", None)
        field.pop("default", None)
        field |= {"description": description, "examples": [field.get("const", example)]}
    return schema


RULE: Final = {**_describe_rule(with_id=False), "examples": RULE_EXAMPLES}
TRIED_RULE: Final = {
    **_describe_rule(with_id=True),
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
    "reason": REASON_EXAMPLE,
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


class PreviewedProduct(ProductReference):
    """A product of a slate that is tried."""

    model_config = ConfigDict(json_schema_extra=examples(PREVIEWED_PRODUCT))
    title: str | None = Field(description="Title of the product.")
    source: Source = Field(description="Recommender that put the product into the slate.")
    reason: ReasonBody = Field(description="Why the product is recommended.")


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
                "warnings": [],
            }
        )
    )
    without: list[PreviewedProduct] = Field(description="The slate without rules.")
    with_rules: list[PreviewedProduct] = Field(description="The slate with the rules.")
    effects: list[dict[str, Any]] = Field(
        description="Of each rule alone: which products it removes from the slate without rules, "
        "adds and moves, and how many candidates it keeps out."
    )
    warnings: Warnings


class StoredRule(AnswerModel):
    """A rule of the shop."""

    model_config = ConfigDict(json_schema_extra=examples({"rule": STORED_RULE}))
    rule: dict[str, Any] = Field(description="The rule with its id, without fields that are empty.")


class RuleDocument(StoredRule):
    """A rule of the shop, and names in it that nothing in the shop bears."""

    model_config = ConfigDict(
        json_schema_extra=examples({"rule": STORED_RULE, "warnings": [WARNING_EXAMPLE]})
    )
    warnings: Warnings


class RulesAnswer(AnswerModel):
    """Rules of the shop."""

    model_config = ConfigDict(json_schema_extra=examples({"rules": [STORED_RULE], "next": None}))
    rules: list[dict[str, Any]] = Field(description="The rules, ordered by id.")
    next: Next
