"""Explanations of a customer's slate, as they are asked for and told."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import ConfigDict, Field

from models.explanation import Verdict
from models.rules.filters import Repeat
from models.slate import FallbackReason, ScoreKind, Strategy
from service.schemas.answers import REASON_EXAMPLE, ProductReference, ReasonBody
from service.schemas.base import AnswerModel, examples
from service.schemas.operations import VERSION
from service.schemas.parameters import (
    WHOLE_NUMBER,
    AsOf,
    ChoiceOptions,
    Id,
    Market,
    PriceLocale,
    RepeatOption,
    Size,
    Strict,
)

EXPLAINED_EXAMPLE: Final[dict[str, Any]] = {
    "id": "1082185",
    "title": "Bananas",
    "rank": 1,
    "position": 1,
    "score": 0.81,
    "proposed_by": ["own_purchases", "due", "popular"],
    "source": "own_purchases",
    "reason": REASON_EXAMPLE,
    "bought": True,
    "without_source": {"factors": 1.5, "popular": -0.6},
    "features": {"own_lines": 22.0, "days_since": 9.0, "recent_sales": 6.1},
    "removed_by": None,
    "shop_rules": [],
}
REMOVED_EXAMPLE: Final[dict[str, Any]] = {
    **EXPLAINED_EXAMPLE,
    "id": "1029743",
    "title": "Milk",
    "rank": None,
    "position": None,
    "removed_by": "shop_excluded",
    "shop_rules": ["no-milk"],
}


class ExplainOptions(ChoiceOptions):
    """A slate to explain, and a product to ask about."""

    market: Market = None
    locale: PriceLocale = None
    as_of: AsOf = None
    n: Size = 10
    strict: Strict = False
    repeat: RepeatOption = Repeat.AUTO
    product_id: Annotated[
        Id | None,
        Field(
            description="Product to ask about: why it is in the slate, or why not.",
            examples=["1029743"],
        ),
    ] = None
    candidates: Annotated[
        int,
        Field(
            ge=0,
            le=500,
            description="Most products listed under `ranked`, and under `removed`.",
            examples=[50],
        ),
        WHOLE_NUMBER,
    ] = 50


class ExplainedProductBody(ProductReference):
    """A product that might be shown, with all that decided about it."""

    model_config = ConfigDict(json_schema_extra=examples(EXPLAINED_EXAMPLE))
    title: str | None = Field(description="Title of the product.")
    rank: int | None = Field(
        description="Place among all candidates that the rules left, from 1. Null for others."
    )
    position: int | None = Field(description="Place in the slate, from 1. Null: it is not shown.")
    score: float | None = Field(
        description="Score, as `score_kind` says. Null where nothing was ranked for the customer."
    )
    proposed_by: list[str] = Field(description="Sources that proposed it, by their names.")
    source: str | None = Field(description="Source that the slate names for it, or would name.")
    reason: ReasonBody | None = Field(description="Why it is recommended, or would be.")
    bought: bool = Field(description="Whether the customer bought it before.")
    without_source: dict[str, float] = Field(
        description="By source: how far the score would fall without what it knows, in log odds. "
        "Below zero it would rise."
    )
    features: dict[str, float] = Field(description="Features that ranked it, by name.")
    removed_by: str | None = Field(description="Rule that takes it out of this slate, if one does.")
    shop_rules: list[str] = Field(
        description="Ids of the shop's rules in force for this slate that bear on it."
    )


class AskedProduct(AnswerModel):
    """A product that was asked about, and the answer."""

    model_config = ConfigDict(
        json_schema_extra=examples({"verdict": "removed", "product": REMOVED_EXAMPLE})
    )
    verdict: Verdict = Field(description="Why it is in the slate, or why not.")
    product: ExplainedProductBody | None = Field(
        description="All that is known of it and this slate. Null for an unknown product."
    )


class ExplainAnswer(AnswerModel):
    """A customer's slate, and what there was to choose from."""

    model_config = ConfigDict(
        json_schema_extra=examples(
            {
                "customer_id": "2034",
                "placement": "home",
                "strategy": "personal",
                "fallback_reason": None,
                "model_version": VERSION,
                "data_as_of": "2026-11-21T23:55:00Z",
                "score_kind": "probability",
                "rules": ["no-milk"],
                "slate": ["1082185"],
                "candidates": 341,
                "proposed": {"own_purchases": 170, "due": 50, "popular": 50},
                "removed_by": {"not_yet_due": 12, "shop_excluded": 1},
                "ranked": [EXPLAINED_EXAMPLE],
                "removed": [REMOVED_EXAMPLE],
                "asked": {"verdict": "removed", "product": REMOVED_EXAMPLE},
            }
        )
    )
    customer_id: str = Field(description="Customer of the slate.")
    placement: str | None = Field(description="Placement that was asked for.")
    strategy: Strategy = Field(description="How the slate was made.")
    fallback_reason: FallbackReason | None = Field(
        description="Why it is less than a personal slate of `n` products, if it is."
    )
    model_version: str = Field(description="Version of the model that made it.")
    data_as_of: datetime = Field(description="Shop time, for which it was made by default.")
    score_kind: ScoreKind = Field(description="Meaning of the scores.")
    rules: list[str] = Field(description="Ids of the shop's rules in force for this slate.")
    slate: list[str] = Field(description="Ids of the products in the slate, best first.")
    candidates: int = Field(description="Products that sources proposed and the rules left.")
    proposed: dict[str, int] = Field(description="How many of them each source proposed.")
    removed_by: dict[str, int] = Field(
        description="How many products that would have been candidates each rule took out."
    )
    ranked: list[ExplainedProductBody] = Field(
        description="Candidates, best first. Empty for a slate of popular products."
    )
    removed: list[ExplainedProductBody] = Field(
        description="Products that rules took out, in the order in which they would have ranked."
    )
    asked: AskedProduct | None = Field(description="The product asked about, if one was.")
