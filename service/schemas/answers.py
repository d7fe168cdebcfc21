"""The answers, as they are documented. The hot path writes JSON itself; a test holds the two together."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from models.mail.mailings import MailKind
from models.slate import FallbackReason, ReasonKind, Source, Strategy


class Schema(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ReasonBody(Schema):
    kind: ReasonKind
    product_ids: list[str] = Field(description="the evidence")
    text: str = Field(description="a sentence that a customer may read")


class Recommendation(Schema):
    """Id, score, source and reason always; the rest with `fields=card`, null where nothing is known."""

    id: str
    score: float
    source: Source
    reason: ReasonBody
    title: str | None = None
    category: str | None = None
    brand: str | None = None
    price: float | None = None
    currency: str | None = None
    price_text: str | None = None
    url: str | None = None
    image_url: str | None = None
    in_stock: bool | None = None
    attributes: dict[str, Any] = {}
    click_url: str | None = Field(
        None, description="where it leads from a mail; null where the slate is for none"
    )


class Occasion(Schema):
    kind: MailKind
    text: str = Field(
        description="why this customer gets this mail now, in a sentence they may read"
    )
    until: datetime = Field(description="the last moment at which the mail makes sense")


class AnswerBody(Schema):
    recommendation_id: str
    customer_id: str | None
    placement: str | None
    strategy: Strategy
    fallback: bool = Field(description="less than what was asked for; fallback_reason says why")
    fallback_reason: FallbackReason | None
    model_version: str
    data_as_of: datetime = Field(description="the newest event that the model or the store holds")
    requested: int
    count: int
    complete: bool = Field(description="count is what was requested")
    missing_ids: list[str] = Field(
        description="products in the request that the catalogue does not know"
    )
    occasion: Occasion | None = Field(
        description="why this mail is due; null where it is not, or is none"
    )


RECOMMENDATION_EXAMPLE: Final[dict[str, Any]] = {
    "id": "1082185",
    "score": 0.81,
    "source": "own_purchases",
    "reason": {
        "kind": "buy_again",
        "product_ids": ["1082185"],
        "text": "You buy this about every 9 days",
    },
    "title": "Bananas",
    "category": "TROPICAL FRUIT",
    "brand": "National",
    "price": 1.29,
    "currency": "USD",
    "price_text": "$1.29",
    "url": "https://shop.example/p/1082185",
    "image_url": "https://shop.example/i/1082185.jpg",
    "in_stock": True,
    "attributes": {},
    "click_url": None,
}
ANSWER_EXAMPLE: Final[dict[str, Any]] = {
    "recommendation_id": "q7Xo2m0vWk1J…",
    "customer_id": "2034",
    "placement": "home",
    "strategy": "personal",
    "fallback": False,
    "fallback_reason": None,
    "model_version": "20261121T200000Z-1f0c9a52d7be",
    "data_as_of": "2017-12-31T23:55:00Z",
    "requested": 1,
    "count": 1,
    "complete": True,
    "missing_ids": [],
    "occasion": None,
}


class SlateAnswer(AnswerBody):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{**ANSWER_EXAMPLE, "recommendations": [RECOMMENDATION_EXAMPLE]}]
        }
    )
    recommendations: list[Recommendation]


class Unit(Schema):
    """Products that go together. The figures are those of the anchor and the first product."""

    anchor_id: str = Field(
        description="the product asked for, or the one in the basket with the strongest tie"
    )
    products: list[Recommendation] = Field(description="what goes with it")
    support: int = Field(description="orders that hold both")
    rule_confidence: float = Field(description="P(product | anchor)")
    lift: float = Field(description="P(both) / (P(anchor) P(product))")
    total_price: float | None = Field(
        description="anchor and products; null when a price is unknown"
    )
    total_price_text: str | None
    currency: str | None


class BundleAnswer(AnswerBody):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    **ANSWER_EXAMPLE,
                    "customer_id": None,
                    "recommendations": [
                        {
                            "anchor_id": "995242",
                            "products": [RECOMMENDATION_EXAMPLE],
                            "support": 812,
                            "rule_confidence": 0.21,
                            "lift": 3.4,
                            "total_price": 2.58,
                            "total_price_text": "$2.58",
                            "currency": "USD",
                        }
                    ],
                }
            ]
        }
    )
    recommendations: list[Unit]


class Feed(Schema):
    """The same for everyone."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "feed": "popular",
                    "data_as_of": ANSWER_EXAMPLE["data_as_of"],
                    "requested": 1,
                    "count": 1,
                    "complete": True,
                    "recommendations": [RECOMMENDATION_EXAMPLE],
                }
            ]
        }
    )
    feed: str
    data_as_of: datetime = Field(description="the newest event that the model or the store holds")
    requested: int
    count: int
    complete: bool = Field(description="count is what was requested; a feed ends below 3.3 MB")
    recommendations: list[Recommendation]


class ModelFacts(Schema):
    version: str
    active: bool = Field(description="named by the registry")
    loaded: bool = Field(description="served by the worker that answered")
    created: datetime
    data_from: datetime
    data_as_of: datetime
    counts: dict[str, int]
    metrics: dict[str, Any]


class Models(Schema):
    active: str | None
    loaded: str | None
    models: list[ModelFacts] = Field(description="newest first")


class Refused(Schema):
    version: str
    reason: str


class Ready(Schema):
    ready: bool
    model_version: str | None
    data_as_of: datetime | None
    refused: Refused | None = Field(
        description="the active version where it is damaged; the one before it stays, or the newest whole one is served"
    )
    store: str = Field(
        description="which one, and whether it answers: breaker closed, half_open or open"
    )
    cache: str


class Alive(Schema):
    alive: bool
