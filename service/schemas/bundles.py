"""Bundles that the shop puts together, as they are sent, stored and shown."""

from __future__ import annotations

from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from models.rules.shop_bundles import ShopBundle
from models.rules.shop_rules import Moment, format_moment
from service.patterns import CURRENCY
from service.schemas.answers import BUNDLE_EXAMPLE, Unit
from service.schemas.base import AnswerModel, Warnings, examples
from service.schemas.pages import Next
from service.schemas.parameters import Id

MIN_PRODUCTS: Final = 2
MAX_PRODUCTS: Final = 10  # in a bundle
BUNDLE_BODY: Final[dict[str, Any]] = {
    "products": ["995242", "1082185"],
    "price": 2.29,
    "currency": "USD",
    "title": "Milk and bananas",
    "ends": "2026-12-24T18:00:00+01:00",
}
STORED_BUNDLE: Final = {"id": "milk-bananas", **BUNDLE_BODY, "ends": "2026-12-24T17:00:00+00:00"}


def _check_distinct(ids: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(ids)) < len(ids):
        raise ValueError("should name each product once")
    return ids


class BundleBody(BaseModel):
    """A bundle: which products the shop sells together, and what all of them cost."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, json_schema_extra=examples(BUNDLE_BODY)
    )
    products: Annotated[
        tuple[Id, ...],
        Field(
            strict=False,
            min_length=MIN_PRODUCTS,
            max_length=MAX_PRODUCTS,
            description="Ids of the products, each once, in the order in which they are shown.",
            examples=[["995242", "1082185"]],
            json_schema_extra={"uniqueItems": True},
        ),
        AfterValidator(_check_distinct),
    ]
    price: Annotated[
        float,
        Field(
            ge=0,
            le=1e9,
            allow_inf_nan=False,
            description="Price of all products together.",
            examples=[2.29],
        ),
    ]
    currency: Annotated[
        str,
        Field(pattern=CURRENCY, description="Currency of the price, ISO 4217.", examples=["USD"]),
    ]
    title: Annotated[
        str | None,
        Field(min_length=1, max_length=2000, description="Title.", examples=["Milk and bananas"]),
    ] = None
    starts: Annotated[
        Moment | None,
        Field(
            description="When the bundle begins, with its zone. By default at once.",
            examples=["2026-12-01T00:00:00+01:00"],
        ),
    ] = None
    ends: Annotated[
        Moment | None,
        Field(
            description="When the bundle ends, with its zone. By default never.",
            examples=["2026-12-24T18:00:00+01:00"],
        ),
    ] = None

    @model_validator(mode="after")
    def _check_times(self) -> Self:
        if self.starts is not None and self.ends is not None and self.ends <= self.starts:
            raise ValueError("`ends` should be a moment after `starts`")
        return self

    def build(self, bundle_id: str) -> ShopBundle:
        """Return the bundle under an id."""
        return ShopBundle(id=bundle_id, **dict(self))

    def document(self) -> dict[str, Any]:
        """Return the bundle as JSON values, without what is not set."""
        values = {
            **dict(self),
            "products": list(self.products),
            "starts": format_moment(self.starts),
            "ends": format_moment(self.ends),
        }
        return {name: value for name, value in values.items() if value is not None}


class BundleDocument(AnswerModel):
    """A bundle of the shop, and how it is shown now."""

    model_config = ConfigDict(
        json_schema_extra=examples(
            {"bundle": STORED_BUNDLE, "unit": BUNDLE_EXAMPLE, "problem": None, "warnings": []}
        )
    )
    bundle: dict[str, Any] = Field(
        description="The bundle with its id, without fields that are empty."
    )
    unit: Unit | None = Field(
        description="The bundle as it is shown with its first product: what it saves, how many "
        "orders held all of it, and the expected gain. Null where it is not shown."
    )
    problem: str | None = Field(description="Why it is not shown, or null.")
    warnings: Warnings


class StoredBundle(AnswerModel):
    """A bundle of the shop."""

    model_config = ConfigDict(json_schema_extra=examples({"bundle": STORED_BUNDLE}))
    bundle: dict[str, Any] = Field(
        description="The bundle with its id, without fields that are empty."
    )


class BundlesAnswer(AnswerModel):
    """Bundles of the shop."""

    model_config = ConfigDict(
        json_schema_extra=examples({"bundles": [STORED_BUNDLE], "next": None})
    )
    bundles: list[dict[str, Any]] = Field(description="The bundles, ordered by id.")
    next: Next
