"""Consent, profile, export and erasure of customers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from models.data.customers import NO, PURPOSES, YES
from models.slate import FallbackReason, Strategy
from service.schemas.answers import REASON_EXAMPLE, ProductFacts, ProductReference, ReasonBody
from service.schemas.base import AnswerModel, ParameterModel, examples
from service.schemas.events import Placement, Time
from service.schemas.parameters import AsOf, Id, PriceLocale
from service.schemas.worth import OF_CUSTOMER

GIVEN_CONSENT: Final[dict[str, Any]] = {
    "train": {"given": True, "time": "2026-11-22T09:30:00Z"},
    "personalize_web": {"given": False, "time": "2026-11-22T09:30:00Z"},
    "personalize_email": {"given": None, "time": None},
    "measure": {"given": None, "time": None},
}
DUE_PRODUCT: Final[dict[str, Any]] = {
    "id": "1082185",
    "purchases": 14,
    "last_purchase": "2026-11-14T10:12:00Z",
    "interval_days": 9.1,
    "due": "2026-11-23T12:36:00Z",
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
}
EXPLAINED_PRODUCT: Final[dict[str, Any]] = {
    "id": "1082185",
    "title": "Bananas",
    "reason": REASON_EXAMPLE,
}
COMPUTED: Final[dict[str, Any]] = {
    name: value
    for name, value in OF_CUSTOMER.items()
    if name not in ("customer_id", "computed", "as_of", "currency")
}
GIVEN_CODE: Final[dict[str, Any]] = {
    "offer": "thanks",
    "code": "TX-81F2",
    "given": "2026-11-22T09:35:00Z",
}
PROFILE_SLATE: Final[dict[str, Any]] = {
    "strategy": "personal",
    "fallback_reason": None,
    "recommendations": [EXPLAINED_PRODUCT],
}
SAID: Final[dict[str, Any]] = {
    "likes": [{"attribute": "brand", "values": ["Ashby"]}],
    "avoids": [{"attribute": "contains", "values": ["nuts"]}],
    "needs": [{"attribute": "size", "values": ["M", "L"]}],
}
CustomerId = Annotated[str, Field(description="Id of the customer.")]
Consent = Annotated[
    dict[str, Any],
    Field(
        description="By purpose: the answer that was given (true, false or null if there is none) "
        "and when."
    ),
]


class ConsentBody(BaseModel):
    """A customer's consent by purpose. Purposes that are left out keep their answer."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        json_schema_extra=examples({"personalize_web": False}),
    )
    train: Annotated[
        bool | None,
        Field(description="Whether models may learn from their history.", examples=[True]),
    ] = None
    personalize_web: Annotated[
        bool | None,
        Field(description="Whether slates on pages may be made for them.", examples=[False]),
    ] = None
    personalize_email: Annotated[
        bool | None,
        Field(description="Whether slates in mails may be made for them.", examples=[True]),
    ] = None
    measure: Annotated[
        bool | None,
        Field(
            description="Whether what they were shown may be counted under their id.",
            examples=[True],
        ),
    ] = None
    time: Annotated[
        Time | None,
        Field(
            description="When they answered, ISO 8601 with its zone. By default now. The latest "
            "answer counts.",
            examples=["2026-11-22T09:30:00Z"],
        ),
    ] = None

    def values(self) -> dict[int, int]:
        """Return YES or NO for each purpose that was answered."""
        answers = {purpose: getattr(self, name) for purpose, name in enumerate(PURPOSES)}
        return {
            purpose: YES if answer else NO
            for purpose, answer in answers.items()
            if answer is not None
        }


class UnusedBody(BaseModel):
    """A product that a customer removes from their profile, or takes back into it."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra=examples({"product_id": "1082185", "unused": True}),
    )
    product_id: Annotated[
        Id, Field(description="Product that must no longer be used.", examples=["1082185"])
    ]
    unused: Annotated[
        bool,
        Field(
            strict=True,
            description="Whether it must not be used. False takes an earlier true back.",
            examples=[True],
        ),
    ] = True


class PersonOptions(ParameterModel):
    """Options of a customer's profile."""

    n: Annotated[int, Field(ge=1, le=100, description="Number of products.", examples=[10])] = 10
    as_of: AsOf = None
    locale: PriceLocale = None


class DueOptions(PersonOptions):
    """Options of the products that are due."""

    placement: Annotated[
        Placement | None,
        Field(
            description="Where the products are shown. One that begins with `email` needs the "
            "consent for mails.",
            examples=["home"],
        ),
    ] = None
    ahead_days: Annotated[
        float,
        Field(
            ge=0,
            le=365,
            description="Number of days to look ahead: products that will be due by then are "
            "included.",
            examples=[7],
        ),
    ] = 0.0


class ConsentAnswer(AnswerModel):
    """A customer's consent now."""

    model_config = ConfigDict(
        json_schema_extra=examples({"customer_id": "2034", "consent": GIVEN_CONSENT})
    )
    customer_id: CustomerId
    consent: Consent


class DueProduct(ProductFacts, ProductReference):
    """A product that a customer is due to buy again, with its card."""

    model_config = ConfigDict(json_schema_extra=examples(DUE_PRODUCT))
    purchases: int = Field(description="How often the customer bought it.")
    last_purchase: datetime = Field(description="When they bought it last.")
    interval_days: float = Field(description="Days between their purchases.")
    due: datetime = Field(description="When it is due.")
    reason: ReasonBody = Field(description="Why it is due.")


class DueAnswer(AnswerModel):
    """Products that a customer is due to buy again."""

    model_config = ConfigDict(
        json_schema_extra=examples(
            {
                "customer_id": "2034",
                "data_as_of": "2026-11-21T23:55:00Z",
                "count": 1,
                "recommendations": [DUE_PRODUCT],
            }
        )
    )
    customer_id: CustomerId
    data_as_of: datetime = Field(
        description="Shop time: the newest moment that sales confirm, in the model or in the store."
    )
    count: int = Field(description="Number of products.")
    recommendations: list[DueProduct] = Field(description="The products, most urgent first.")


class ExplainedProduct(ProductReference):
    """A product of a slate, and why it is there."""

    model_config = ConfigDict(json_schema_extra=examples(EXPLAINED_PRODUCT))
    title: str | None = Field(description="Title of the product.")
    reason: ReasonBody = Field(description="Why the product is recommended.")


class ProfileSlate(AnswerModel):
    """A slate as a profile explains it."""

    model_config = ConfigDict(json_schema_extra=examples(PROFILE_SLATE))
    strategy: Strategy = Field(description="Kind of the slate.")
    fallback_reason: FallbackReason | None = Field(
        description="Why the slate is less than what was asked for, or null."
    )
    recommendations: list[ExplainedProduct] = Field(description="The products, best first.")


class ProfileAnswer(AnswerModel):
    """A profile of a customer, in words that they understand."""

    model_config = ConfigDict(
        json_schema_extra=examples(
            {
                "customer_id": "2034",
                "consent": {
                    name: {**answer, "holds": answer["given"] is not False}
                    for name, answer in GIVEN_CONSENT.items()
                },
                "used_for": ["To choose the products in mails to you"],
                "known": {
                    "events": 25,
                    "products_bought": 10,
                    "first_purchase": "2025-11-27T12:48:28Z",
                    "last_purchase": "2026-11-14T12:16:00Z",
                    "market": "north",
                    "preferences": SAID,
                    "products_not_used": ["1029743"],
                },
                "segment": "You are one of our regulars",
                "products": [
                    {
                        "id": "1082185",
                        "title": "Bananas",
                        "purchases": 14,
                        "text": "You buy this about every 9 days",
                    }
                ],
                "slate": PROFILE_SLATE,
                "offers": [GIVEN_CODE],
            }
        )
    )
    customer_id: CustomerId
    consent: dict[str, Any] = Field(
        description="By purpose: the answer that was given, when, and whether the purpose holds "
        "for this customer now."
    )
    used_for: list[str] = Field(description="What the history is used for, one sentence each.")
    known: dict[str, Any] = Field(
        description="Number of events and of products bought, first and last purchase, market, "
        "what the customer said they like, avoid and need, and products that are not used."
    )
    segment: str | None = Field(
        description="How the customer stands with the shop, in words for them, as last computed; "
        "null where it is not, or training is not allowed."
    )
    products: list[dict[str, Any]] = Field(
        description="The products that say most about the customer, with what is known of each."
    )
    slate: ProfileSlate = Field(
        description="The customer's slate of now, and why each product is in it."
    )
    offers: list[dict[str, Any]] = Field(
        description="Single-use codes of offers that the customer was given, oldest first."
    )


class ExportAnswer(AnswerModel):
    """Everything that is stored about a person."""

    model_config = ConfigDict(
        json_schema_extra=examples(
            {
                "customer_id": "2034",
                "consent": GIVEN_CONSENT,
                "preferences": {**SAID, "time": "2026-11-22T09:30:00Z"},
                "products_not_used": ["1029743"],
                "sessions": ["s-1"],
                "events": [
                    {
                        "event_id": "v-77",
                        "kind": "view",
                        "time": "2026-11-22T09:31:00Z",
                        "session_id": "s-1",
                        "product_id": "995242",
                        "reported_by": "customer",
                    }
                ],
                "exposures": [
                    {
                        "time": "2026-11-22T09:29:00Z",
                        "recommendation_id": "q7Xo2m0vWk1J…",
                        "showed": ["1082185"],
                    }
                ],
                "mails": [
                    {
                        "campaign": "spring",
                        "time": "2026-11-22T09:35:00Z",
                        "showed": ["1082185"],
                        "showed_also": [],
                    }
                ],
                "offers": [GIVEN_CODE],
                "audited": [
                    {
                        "time": "2026-11-22T09:30:00Z",
                        "actor": "customer token",
                        "action": "consent changed",
                        "before": {"train": True},
                        "after": {"train": True, "personalize_web": False},
                    }
                ],
                "learned": {"model_version": "20261121T200000Z-1f0c9a52d7be", "events": []},
                "computed": COMPUTED,
            }
        )
    )
    customer_id: CustomerId
    consent: Consent
    preferences: dict[str, Any] | None = Field(
        description="What the customer said they like, avoid and need, and when; null where they "
        "never did."
    )
    products_not_used: list[str] = Field(
        description="Products that the customer removed from their profile."
    )
    sessions: list[str] = Field(description="Visits in which the customer logged in.")
    events: list[dict[str, Any]] = Field(description="Events in the store, oldest first.")
    exposures: list[dict[str, Any]] = Field(
        description="Slates that were delivered to the customer, oldest first, where the service "
        "records them."
    )
    mails: list[dict[str, Any]] = Field(description="What mails showed the customer.")
    offers: list[dict[str, Any]] = Field(
        description="Single-use codes of offers that the customer was given, oldest first."
    )
    audited: list[dict[str, Any]] = Field(
        description="Who changed their consent or preferences and when, from the audit log."
    )
    learned: dict[str, Any] = Field(
        description="What the served model holds of the customer: market, consent, preferences and "
        "events."
    )
    computed: dict[str, Any] | None = Field(
        description="What the insights hold of the customer: segment, orders, revenue and what is "
        "expected; null where they hold nothing."
    )


class Receipt(AnswerModel):
    """A receipt of what the erasure of a customer deleted, and what will be deleted when."""

    model_config = ConfigDict(
        json_schema_extra=examples(
            {
                "customer_id": "2034",
                "known": True,
                "deleted": {
                    "events": 41,
                    "exposures": 12,
                    "sessions": 3,
                    "consents": 1,
                    "struck_out": 0,
                    "used_again": 0,
                    "preferences": 1,
                    "mails": 2,
                    "offers": 1,
                    "audited": 1,
                },
                "forgotten": "2026-11-22T09:30:00Z",
                "versions_with_history": [
                    {
                        "version": "20261121T200000Z-1f0c9a52d7be",
                        "pruned_by": "2026-12-21T20:00:00Z",
                    }
                ],
                "last_pruned_by": "2026-12-21T20:00:00Z",
                "reports": [{"report": "20261121T200000Z-1f0c9a52d7be.html", "erased": True}],
                "insights": True,
                "text": "No answer uses anything of this customer from now on.",
            }
        )
    )
    customer_id: str = Field(description="The id, as the address was understood.")
    known: bool = Field(
        description="Whether anything was known under this id: rows deleted now, or history in a "
        "model version on disk."
    )
    deleted: dict[str, int] = Field(description="Number of rows deleted now, by kind.")
    forgotten: datetime = Field(description="When the customer was erased first.")
    versions_with_history: list[dict[str, Any]] = Field(
        description="Model versions on disk that hold the history, and when each is removed."
    )
    last_pruned_by: datetime | None = Field(
        description="When the last of these versions is removed, or null if there is none."
    )
    reports: list[dict[str, Any]] = Field(
        description="Reports in the registry that showed the customer. `erased` is false where the "
        "service may not write: remove that page yourself."
    )
    insights: bool | None = Field(
        description="Whether the customer was taken out of the insights. False where the service "
        "may not write: the next `regulars insights` does it. Null where they held nothing."
    )
    text: str = Field(description="The receipt in plain words.")
