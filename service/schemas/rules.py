"""Rules of the shop as they are read, documented, tried and shown.

`models/rules/shop_rules.py` says what a rule may hold.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import ConfigDict, Field, TypeAdapter, WithJsonSchema

from models.rules.shop_rules import AnyShopRule
from models.slate import Source
from service.patterns import PLACEMENT
from service.schemas.answers import REASON_EXAMPLE, ProductReference, ReasonBody
from service.schemas.base import (
    WARNING_EXAMPLE,
    AnswerModel,
    ParameterModel,
    Warnings,
    examples,
)
from service.schemas.pages import Next
from service.schemas.parameters import WHOLE_NUMBER, CustomerOptions, Id, Size

SHOP_RULE: Final[TypeAdapter[AnyShopRule]] = TypeAdapter(
    Annotated[AnyShopRule, Field(discriminator="kind")]
)
MAX_TRIED_RULES: Final = 20
MAX_COUNTED_CUSTOMERS: Final = 1000
MAX_COUNTED_SECONDS: Final = 60


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
    "order": ("Place among the rules: the lower goes first. By default last, by id.", 3),
    "segments": (
        "Segments of the customers for whom the rule holds. By default everyone. It takes their "
        "consent to training, and that of the channel.",
        ["connected"],
    ),
    "customers": (
        "Columns of the customers file, each with values: customers who have one of them in each "
        "column. By default everyone. It takes the same consents as `segments`.",
        {"tier": ["gold"]},
    ),
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
    {"kind": "boost", "which": {"brand": "Private"}, "strength": 2, "segments": ["connected"]},
    {"kind": "minimum", "of": "margin", "minimum": 0.2, "which": {"category": "MILK"}},
    {"kind": "early_access", "which": {"brand": "National"}, "segments": ["connected"]},
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
COUNTED_HITS: Final[dict[str, Any]] = {"hits": 412, "recall": 0.194}
RECALL_DIFFERENCE: Final[dict[str, Any]] = {"recall": -0.005, "low": -0.009, "high": -0.001}
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
    keep_others: Annotated[
        bool,
        Field(
            description="Whether the shop's own rules with other ids hold beside those to try. By "
            "default only those to try.",
            examples=[True],
        ),
    ] = False


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


class RuleCostOptions(ParameterModel):
    """Rules, and the slates on which their cost is counted."""

    model_config = ConfigDict(
        strict=True,
        json_schema_extra=examples({"rules": [STORED_RULE], "placement": "home"}),
    )
    rules: Annotated[
        list[TriedRule] | None,
        Field(
            max_length=MAX_TRIED_RULES,
            description="Rules whose cost is counted as if they held now, beside the shop's own "
            "rules with other ids. By default all rules of the shop that hold now.",
            examples=[[STORED_RULE]],
        ),
    ] = None
    placement: Annotated[
        str | None,
        Field(
            pattern=PLACEMENT,
            description="Placement of the slates. By default none, where only rules for all "
            "placements hold.",
            examples=["home"],
        ),
    ] = None
    n: Size = 10
    max_customers: Annotated[
        int,
        Field(
            ge=1,
            le=MAX_COUNTED_CUSTOMERS,
            description="Most customers whose slates are counted.",
            examples=[200],
        ),
        WHOLE_NUMBER,
    ] = 200
    max_seconds: Annotated[
        float,
        Field(
            gt=0,
            le=MAX_COUNTED_SECONDS,
            description="Seconds after which no more customers are looked at.",
            examples=[3],
        ),
    ] = 3


class CountedHits(AnswerModel):
    """Hits of the slates of all customers that were counted."""

    model_config = ConfigDict(json_schema_extra=examples(COUNTED_HITS))
    hits: int = Field(description="Products on the slates that their customers bought afterwards.")
    recall: float | None = Field(
        description="Mean over customers of hits over the smaller of `n` and the number of "
        "products they bought. Null of no customers."
    )


class RecallDifference(AnswerModel):
    """Difference of the recall with rules and without, and its interval."""

    model_config = ConfigDict(json_schema_extra=examples(RECALL_DIFFERENCE))
    recall: float = Field(description="Recall with the rules minus recall without.")
    low: float = Field(description="Lower end of the 95 % interval.")
    high: float = Field(description="Upper end of the 95 % interval.")


class CostUnknown(StrEnum):
    """Why the cost of rules cannot be told."""

    NO_PURCHASES = "no_purchases"
    FEW_CUSTOMERS = "few_customers"


class RuleCostAnswer(AnswerModel):
    """What rules cost in hits, on what customers bought after the model had learned."""

    model_config = ConfigDict(
        json_schema_extra=examples(
            {
                "model_version": "20261121T200000Z-1f0c9a52d7be",
                "since": "2026-11-21T23:55:00Z",
                "until": "2026-11-27T21:10:00Z",
                "placement": "home",
                "n": 10,
                "customers": 200,
                "complete": False,
                "changed": 61,
                "without": COUNTED_HITS,
                "with_rules": {"hits": 401, "recall": 0.189},
                "difference": RECALL_DIFFERENCE,
                "unknown": None,
            }
        )
    )
    model_version: str = Field(description="Model that made the slates.")
    since: datetime = Field(
        description="Moment up to which the model has learned: the slates are as of then."
    )
    until: datetime | None = Field(
        description="Time of the last purchase that was read, at most 28 days later. Null: nobody "
        "bought anything."
    )
    placement: str | None = Field(description="Placement of the slates.")
    n: int = Field(description="Number of products of each slate.")
    customers: int = Field(description="Customers whose slates were counted.")
    complete: bool = Field(
        description="Whether these are all who bought since and allow `measure`. Otherwise they "
        "are a sample, as many as were asked for or as there was time for."
    )
    changed: int = Field(description="Customers whose slates are not the same with the rules.")
    without: CountedHits = Field(description="Hits without the rules, all others in force.")
    with_rules: CountedHits = Field(description="Hits with the rules.")
    difference: RecallDifference | None = Field(
        description="Difference in recall. Null where it cannot be told."
    )
    unknown: CostUnknown | None = Field(
        description="Why it cannot be told: `no_purchases` since the model has learned by anyone "
        "who may be counted, or `few_customers`, fewer than 30. Null where it can."
    )


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
    rules: list[dict[str, Any]] = Field(
        description="The rules in their order, those without one by id."
    )
    next: Next
