"""Answers that hold products, as they are documented.

The hot path writes its JSON without these models; tests hold the two together.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import ConfigDict, Field

from models.mail.mailings import MailKind
from models.slate import FallbackReason, ReasonKind, ScoreKind, Source, Strategy
from service.schemas.base import AnswerModel, examples

REASON_EXAMPLE: Final[dict[str, Any]] = {
    "kind": "buy_again",
    "product_ids": ["1082185"],
    "text": "You buy this about every 9 days",
}
RECOMMENDATION_EXAMPLE: Final[dict[str, Any]] = {
    "id": "1082185",
    "score": 0.81,
    "source": "own_purchases",
    "reason": REASON_EXAMPLE,
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
SLATE_OFFER_EXAMPLE: Final[dict[str, Any]] = {
    "id": "thanks",
    "text": "Thank you: 10 % off your next order",
    "code": "TX-81F2",
    "single_use": True,
    "until": "2026-12-24T18:00:00Z",
}
ANSWER_EXAMPLE: Final[dict[str, Any]] = {
    "recommendation_id": "q7Xo2m0vWk1J…",
    "customer_id": "2034",
    "placement": "home",
    "experiment": None,
    "variant": None,
    "offer": None,
    "strategy": "personal",
    "fallback": False,
    "fallback_reason": None,
    "model_version": "20261121T200000Z-1f0c9a52d7be",
    "data_as_of": "2026-11-21T23:55:00Z",
    "model_age_days": 0.0,
    "requested": 1,
    "count": 1,
    "complete": True,
    "missing_ids": [],
    "unknown_names": {},
    "occasion": None,
    "language": "en",
    "score_kind": "probability",
}
SLATE_EXAMPLE: Final = {**ANSWER_EXAMPLE, "recommendations": [RECOMMENDATION_EXAMPLE]}
CARD_FIELDS: Final = (
    "title",
    "category",
    "brand",
    "price",
    "currency",
    "price_text",
    "url",
    "image_url",
    "in_stock",
    "attributes",
    "click_url",
)
FACTS_EXAMPLE: Final = {name: RECOMMENDATION_EXAMPLE[name] for name in CARD_FIELDS[:-1]}
ANCHOR_EXAMPLE: Final[dict[str, Any]] = {
    "id": "995242",
    **{name: RECOMMENDATION_EXAMPLE[name] for name in CARD_FIELDS},
    "title": "Milk",
    "category": "MILK",
}
GAIN_EXAMPLE: Final[dict[str, float]] = {"value": 0.1146, "low": 0.1012, "high": 0.1279}
OFFER_EXAMPLE: Final[dict[str, Any]] = {
    "bundle_id": "milk-bananas",
    "title": "Milk and bananas",
    "price": 2.29,
    "price_text": "$2.29",
    "currency": "USD",
    "saving": 0.29,
    "saving_text": "$0.29",
}
BUNDLE_EXAMPLE: Final[dict[str, Any]] = {
    "anchor_id": "995242",
    "anchor": ANCHOR_EXAMPLE,
    "held_ids": [],
    "products": [RECOMMENDATION_EXAMPLE],
    "support": 812,
    "rule_confidence": 0.21,
    "lift": 3.4,
    "total_price": 2.58,
    "total_price_text": "$2.58",
    "currency": "USD",
    "expected_gain": GAIN_EXAMPLE,
    "offer": OFFER_EXAMPLE,
}
FEED_EXAMPLE: Final[dict[str, Any]] = {
    "feed": "popular",
    "data_as_of": "2026-11-21T23:55:00Z",
    "requested": 1,
    "count": 1,
    "complete": True,
    "unknown_names": {},
    "language": "en",
    "score_kind": "sales",
    "recommendations": [RECOMMENDATION_EXAMPLE],
}

DataAsOf = Annotated[
    datetime,
    Field(
        description="Shop time: the newest moment that sales confirm, in the model or in the store."
    ),
]
LanguageOfAnswer = Annotated[
    str,
    Field(
        description="Language of the sentences. It is English where there is none of the `locale`."
    ),
]
Requested = Annotated[int, Field(description="Number of products that were asked for.")]
Count = Annotated[int, Field(description="Number of entries in `recommendations`.")]
Currency = Annotated[str | None, Field(description="Currency of the price, ISO 4217.")]


class ReasonBody(AnswerModel):
    """Why a product is recommended."""

    model_config = ConfigDict(json_schema_extra=examples(REASON_EXAMPLE))
    kind: ReasonKind = Field(description="Kind of the reason.")
    product_ids: list[str] = Field(description="Ids of the products that are the evidence.")
    text: str = Field(description="The reason in a sentence that a customer may read.")


class ProductReference(AnswerModel):
    """A product by its id."""

    id: str = Field(description="Id of the product.")


class ProposedProduct(ProductReference):
    """A product with its place in a slate."""

    score: float = Field(
        description="Score by which the answer is ordered, before rules and diversity: "
        "`score_kind` says what it means."
    )
    source: Source = Field(description="Recommender that put the product into the slate.")
    reason: ReasonBody = Field(description="Why the product is recommended.")


class ProductFacts(AnswerModel):
    """What a page shows of a product."""

    model_config = ConfigDict(json_schema_extra=examples(FACTS_EXAMPLE))
    title: str | None = Field(None, description="Title of the product.")
    category: str | None = Field(None, description="Category of the product.")
    brand: str | None = Field(None, description="Brand of the product.")
    price: float | None = Field(None, description="Price of the product.")
    currency: Currency = None
    price_text: str | None = Field(None, description="The price as it is written in `locale`.")
    url: str | None = Field(None, description="Address of the product's page.")
    image_url: str | None = Field(None, description="Address of the product's picture.")
    in_stock: bool | None = Field(None, description="Whether the product can be bought now.")
    attributes: dict[str, Any] = Field({}, description="Further facts that the shop reported.")


class LinkedFacts(ProductFacts):
    """What a page or a mail shows of a product."""

    model_config = ConfigDict(json_schema_extra=examples({**FACTS_EXAMPLE, "click_url": None}))
    click_url: str | None = Field(
        None,
        description="Link for a mail that counts the click and leads to the product. Null where "
        "the slate is not for a mail.",
    )


class Card(LinkedFacts, ProductReference):
    """A product as a page or a mail shows it.

    `id` is always there, the other fields with `fields=card`. They are null where nothing is known.
    """

    model_config = ConfigDict(json_schema_extra=examples(ANCHOR_EXAMPLE))


class Recommendation(LinkedFacts, ProposedProduct):
    """A recommended product.

    `id`, `score`, `source` and `reason` are always there, the other fields with `fields=card`.
    They are null where nothing is known.
    """

    model_config = ConfigDict(json_schema_extra=examples(RECOMMENDATION_EXAMPLE))


class Occasion(AnswerModel):
    """Why a mail is due for a customer."""

    model_config = ConfigDict(
        json_schema_extra=examples(
            {
                "kind": "replenishment",
                "text": "You may be running out of Bananas",
                "until": "2026-11-24T00:00:00Z",
            }
        )
    )
    kind: MailKind = Field(description="Kind of the mail.")
    text: str = Field(
        description="Why this customer gets this mail now, in a sentence they may read."
    )
    until: datetime = Field(description="Last moment at which the mail makes sense.")


UnknownNames = Annotated[
    dict[str, str],
    Field(
        description="The `category`, `brand` and `market` of the request that nothing in the shop "
        "bears, by option, and under `filter` the attributes that no product has. An unknown "
        "market is answered like all markets; an unknown category or brand has no products.",
        examples=[{"market": "SE"}],
    ),
]


ScoreKindOfAnswer = Annotated[
    ScoreKind,
    Field(description="What the scores of this answer mean. What fills it up has the score 0."),
]


class SlateOffer(AnswerModel):
    """What the shop offers this customer, beside the slate."""

    model_config = ConfigDict(json_schema_extra=examples(SLATE_OFFER_EXAMPLE))
    id: str = Field(description="Id of the offer.")
    text: str = Field(description="What it says, in a language of the customer.")
    code: str | None = Field(description="Code to redeem it with, or null where it takes none.")
    single_use: bool = Field(description="Whether the code is this customer's own.")
    until: datetime | None = Field(description="When it ends; null: it does not.")


class AnswerBody(AnswerModel):
    """Facts that every slate states about itself."""

    recommendation_id: str = Field(
        description="Signed id of this slate. Send it with events that the slate led to. Equal "
        "slates have equal ids; it holds no customer id."
    )
    customer_id: str | None = Field(description="Customer the slate is for, if there is one.")
    placement: str | None = Field(description="Placement of the request.")
    experiment: str | None = Field(description="Experiment that the answer is in, or null.")
    variant: str | None = Field(description="Variant of the experiment, or null.")
    offer: SlateOffer | None = Field(
        description="Offer of the shop to this customer, or null. No id of the slate depends on it."
    )
    strategy: Strategy = Field(description="Kind of the slate.")
    fallback: bool = Field(
        description="Whether the slate is less than what was asked for; `fallback_reason` says why."
    )
    fallback_reason: FallbackReason | None = Field(
        description="Why the slate is less than what was asked for, or null."
    )
    model_version: str = Field(description="Version of the model that answered.")
    data_as_of: DataAsOf
    model_age_days: float = Field(
        description="How old what the model has learned is at `data_as_of`, in days."
    )
    requested: Requested
    count: Count
    complete: bool = Field(description="Whether `count` is what was requested.")
    missing_ids: list[str] = Field(
        description="Products in the request that the catalogue does not know."
    )
    unknown_names: UnknownNames
    occasion: Occasion | None = Field(
        description="Why this mail is due. Null where it is not due, or the slate is for no mail."
    )
    language: LanguageOfAnswer
    score_kind: ScoreKindOfAnswer


class SlateAnswer(AnswerBody):
    """A slate: recommended products, best first."""

    model_config = ConfigDict(json_schema_extra=examples(SLATE_EXAMPLE))
    recommendations: list[Recommendation] = Field(description="The products, best first.")


class GainBody(AnswerModel):
    """What a bundle that is shown may add to the value of an order, an association."""

    model_config = ConfigDict(json_schema_extra=examples(GAIN_EXAMPLE))
    value: float = Field(description="Mean for an order that holds the anchor.")
    low: float = Field(description="Lower bound of the interval of 95 %.")
    high: float = Field(description="Upper bound of the interval of 95 %.")


class Offer(AnswerModel):
    """Price that the shop has set for a bundle of its own."""

    model_config = ConfigDict(json_schema_extra=examples(OFFER_EXAMPLE))
    bundle_id: str = Field(description="Id of the bundle.")
    title: str | None = Field(description="Title of the bundle.")
    price: float = Field(description="Price of all its products together.")
    price_text: str | None = Field(description="The price as it is written in `locale`.")
    currency: Currency
    saving: float | None = Field(
        description="How much less that is than its products cost. Null where it is unknown."
    )
    saving_text: str | None = Field(description="The saving as it is written in `locale`.")


class Unit(AnswerModel):
    """A bundle: products that are bought together, or that the shop has put together.

    The figures are counted from the orders that hold all of it.
    """

    model_config = ConfigDict(json_schema_extra=examples(BUNDLE_EXAMPLE))
    anchor_id: str = Field(
        description="Id of the product in the address, or of the one in the basket with the "
        "strongest tie."
    )
    anchor: Card = Field(description="The anchor itself.")
    held_ids: list[str] = Field(
        description="Ids of further products of the bundle that are in the basket."
    )
    products: list[Recommendation] = Field(description="Products that go with the anchor.")
    support: int | None = Field(description="Number of orders that hold the whole bundle.")
    rule_confidence: float | None = Field(
        description="P(products | anchor and what else the basket holds of the bundle)."
    )
    lift: float | None = Field(description="`rule_confidence` / P(products).")
    total_price: float | None = Field(
        description="Price of all products of the bundle, one by one. Null where one is unknown."
    )
    total_price_text: str | None = Field(
        description="The total price as it is written in `locale`."
    )
    currency: Currency
    expected_gain: GainBody | None = Field(
        description="What the bundle may add to the value of an order that holds the anchor, in "
        "the currency of the products. Null where prices or orders are unknown."
    )
    offer: Offer | None = Field(
        description="The shop's own price for this bundle. Null where it is none of the shop's."
    )


class BundleAnswer(AnswerBody):
    """Bundles, best first."""

    model_config = ConfigDict(
        json_schema_extra=examples(
            {
                **ANSWER_EXAMPLE,
                "customer_id": None,
                "strategy": "bundles",
                "score_kind": "together",
                "recommendations": [BUNDLE_EXAMPLE],
            }
        )
    )
    recommendations: list[Unit] = Field(description="The bundles, best first.")


class Feed(AnswerModel):
    """A feed: one list of products for everyone."""

    model_config = ConfigDict(json_schema_extra=examples(FEED_EXAMPLE))
    feed: str = Field(description="Name of the feed.")
    data_as_of: DataAsOf
    requested: Requested
    count: Count
    complete: bool = Field(
        description="Whether `count` is what was requested. A feed ends below 3.3 MB."
    )
    unknown_names: UnknownNames
    language: LanguageOfAnswer
    score_kind: ScoreKindOfAnswer
    recommendations: list[Recommendation] = Field(description="The products, best first.")
