"""Feedback: which products disappoint whom, as the command `insights` has computed it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from pydantic import ConfigDict, Field

from models.data.segments import Segment
from service.schemas.base import AnswerModel, examples

SAID_WORD: Final[dict[str, Any]] = {"word": "leaks", "customers": 9}
PRODUCT: Final[dict[str, Any]] = {
    "product_id": "1082185",
    "segment": None,
    "customers": 41,
    "disappointed": 23,
    "share": 0.561,
    "ratings": 30,
    "rating": 2.6,
    "low_ratings": 14,
    "dismissals": 8,
    "unused": 3,
    "words": [SAID_WORD],
}
ANSWER: Final[dict[str, Any]] = {
    "computed": "2026-11-22T03:00:00Z",
    "from": "2025-11-22T03:00:00Z",
    "until": "2026-11-22T03:00:00Z",
    "min_customers": 5,
    "feedback": [PRODUCT],
}


class SaidWord(AnswerModel):
    """A word that customers used of a product."""

    model_config = ConfigDict(json_schema_extra=examples(SAID_WORD))
    word: str = Field(description="The word, in lower case.")
    customers: int = Field(description="Customers who used it.")


class ProductFeedback(AnswerModel):
    """What customers say of a product: all of them, or those of a segment."""

    model_config = ConfigDict(json_schema_extra=examples(PRODUCT))
    product_id: str = Field(description="The product.")
    segment: Segment | None = Field(description="Of whom; null for everybody.")
    customers: int = Field(description="Customers who said something of it.")
    disappointed: int = Field(
        description="Those who rated it with 1 or 2 stars, dismissed it or struck it out."
    )
    share: float = Field(description="Those as a share of `customers`.")
    ratings: int = Field(description="Customers who rated it; the last rating of each counts.")
    rating: float | None = Field(description="Mean stars; null without a rating.")
    low_ratings: int = Field(description="Ratings of 1 or 2 stars.")
    dismissals: int = Field(description="Customers who dismissed it.")
    unused: int = Field(description="Customers who struck it out of what is known of them.")
    words: list[SaidWord] = Field(
        description="Words that five customers or more used of it, the telling ones first; of "
        "everybody alone."
    )


class FeedbackAnswer(AnswerModel):
    """Which products disappoint whom."""

    model_config = ConfigDict(json_schema_extra=examples(ANSWER))
    computed: datetime = Field(description="When the figures were computed.")
    start: datetime = Field(alias="from", description="First moment that is listened to.")
    until: datetime = Field(description="Last moment that is listened to.")
    min_customers: int = Field(
        description="What fewer customers said is not told, nor what would tell it as the rest."
    )
    feedback: list[ProductFeedback] = Field(
        description="The 1,000 products that disappoint most customers, each of everybody and then "
        "of the segments."
    )
