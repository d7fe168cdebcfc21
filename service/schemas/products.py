"""Products as a shop reports them and as they are shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SkipValidation,
    ValidationError,
    WithJsonSchema,
)

from service.errors import FieldProblem, field_problems
from service.patterns import ADDRESS, CURRENCY
from service.schemas.answers import FACTS_EXAMPLE, ProductFacts
from service.schemas.base import AnswerModel, examples
from service.schemas.parameters import DATE_OR_TIME, Id, parse_moment

MAX_PRODUCTS: Final = 1000  # in a call
MAX_ATTRIBUTES: Final = 100
# Absolute, or from the root of the shop. Every engine reads it alike, unlike \s.
PRODUCT_EXAMPLE: Final[dict[str, Any]] = {
    "product_id": "p-1",
    "title": "Oat milk",
    "category": "MILK",
    "price": 2.19,
    "currency": "USD",
}
REJECTED_EXAMPLE: Final[dict[str, Any]] = {
    "index": 1,
    "product_id": "p-2",
    "errors": [{"field": "price", "problem": "should be greater than or equal to 0"}],
}


def _check_moment(text: str) -> str:
    parse_moment(text)
    return text


Text = Annotated[str, Field(max_length=2000)]
Address = Annotated[str, Field(max_length=2000, pattern=ADDRESS)]
MomentText = Annotated[str, AfterValidator(_check_moment), WithJsonSchema(DATE_OR_TIME)]
Markets = Annotated[tuple[Id, ...], Field(strict=False, min_length=1, max_length=1000)]
AttributeName = Annotated[str, Field(max_length=100)]


class ProductFields(BaseModel):
    """Fields of a product. A null means that the value is no longer known.

    Fields that are left out keep their value.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        json_schema_extra=examples({"in_stock": False}, {"price": 1.19, "currency": "USD"}),
    )
    title: Annotated[Text | None, Field(description="Title.", examples=["Oat milk"])] = None
    category: Annotated[Id | None, Field(description="Category.", examples=["MILK"])] = None
    brand: Annotated[Id | None, Field(description="Brand.", examples=["National"])] = None
    price: Annotated[
        float | None,
        Field(ge=0, le=1e9, allow_inf_nan=False, description="Price.", examples=[2.19]),
    ] = None
    currency: Annotated[
        str | None,
        Field(pattern=CURRENCY, description="Currency of the price, ISO 4217.", examples=["USD"]),
    ] = None
    url: Annotated[
        Address | None,
        Field(
            description="Address of the product's page: absolute, or from the root of the shop.",
            examples=["https://shop.example/p/p-1"],
        ),
    ] = None
    image_url: Annotated[
        Address | None,
        Field(
            description="Address of the product's picture, likewise.",
            examples=["https://shop.example/i/p-1.jpg"],
        ),
    ] = None
    in_stock: Annotated[
        bool,
        Field(
            description="Whether it can be bought now. If not, it is not shown.", examples=[True]
        ),
    ] = True
    cost: Annotated[
        float | None,
        Field(
            ge=0,
            le=1e9,
            allow_inf_nan=False,
            description="What it costs the shop, in the currency of the price. No slate shows it.",
            examples=[1.4],
        ),
    ] = None
    hidden: Annotated[
        bool, Field(description="Whether it must not be shown at all.", examples=[False])
    ] = False
    markets: Annotated[
        Markets | None,
        Field(description="Markets where it is sold. Null means everywhere.", examples=[["north"]]),
    ] = None
    available_from: Annotated[
        MomentText | None,
        Field(
            description="Moment before which it is not shown, ISO 8601.", examples=["2026-12-01"]
        ),
    ] = None
    available_until: Annotated[
        MomentText | None,
        Field(
            description="Moment from which on it is not shown, ISO 8601.", examples=["2027-01-01"]
        ),
    ] = None
    attributes: Annotated[
        dict[AttributeName, Text | float | bool | None],
        Field(
            max_length=MAX_ATTRIBUTES,
            description="Further facts by name. Cards show them, but for a `cost`.",
            examples=[{"organic": True}],
        ),
    ] = {}


class ProductBody(ProductFields):
    """A whole product. Fields that are left out are not known."""

    model_config = ConfigDict(json_schema_extra=examples(PRODUCT_EXAMPLE))
    product_id: Annotated[Id, Field(description="Id of the product.", examples=["p-1"])]

    def document(self) -> dict[str, Any]:
        """Return the fields without the id, as the store keeps them."""
        return self.model_dump(mode="json", exclude={"product_id"})


class ProductsBody(BaseModel):
    """1 to 1,000 whole products. If a product is there twice, the last one counts."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra=examples({"products": [PRODUCT_EXAMPLE]})
    )
    products: Annotated[
        list[SkipValidation[ProductBody | Any]],
        Field(
            min_length=1,
            max_length=MAX_PRODUCTS,
            description="The products. One that is invalid is listed under `rejected`.",
            examples=[[PRODUCT_EXAMPLE]],
        ),
    ]


class RejectedProduct(AnswerModel):
    """A product that was not taken."""

    model_config = ConfigDict(json_schema_extra=examples(REJECTED_EXAMPLE))
    index: int = Field(description="Position of the product in the request, from 0.")
    product_id: str | None = Field(description="Id of the product, if it has one.")
    errors: list[FieldProblem] = Field(description="What is wrong with it.")


class ProductsAnswer(AnswerModel):
    """An account of the products. Each is written or rejected."""

    model_config = ConfigDict(
        json_schema_extra=examples({"written": 1, "rejected": [REJECTED_EXAMPLE]})
    )
    written: int = Field(description="Number of products that are stored now.")
    rejected: list[RejectedProduct] = Field(description="Products that were not taken.")


class ProductDocument(AnswerModel):
    """A product as the shop reported it."""

    model_config = ConfigDict(
        json_schema_extra=examples(
            {"product_id": "p-1", "document": {"title": "Oat milk", "price": 1.99}}
        )
    )
    product_id: str = Field(description="Id of the product.")
    document: dict[str, Any] = Field(
        description="The fields that were reported here. Those of the products file are not in it."
    )


class KnownProduct(ProductDocument):
    """A product as it is shown, and as the shop reported it."""

    model_config = ConfigDict(
        json_schema_extra=examples(
            {
                "product_id": "1082185",
                "card": FACTS_EXAMPLE,
                "document": {"price": 1.29},
            }
        )
    )
    card: ProductFacts | None = Field(
        description="What slates show of it: what was reported here over what the model learned "
        "from the products file. Null while no model is served."
    )


@dataclass(frozen=True)
class ValidatedProducts:
    """Hold the documents of the valid products of a call, and the problems of the others."""

    documents: dict[str, dict[str, Any]]  # by product id
    rejected: dict[int, list[dict[str, str]]]  # index in the call -> problems


def validate_products(bodies: Sequence[Any]) -> ValidatedProducts:
    """Validate each product on its own."""
    validated = ValidatedProducts({}, {})
    for index, body in enumerate(bodies):
        try:
            product = ProductBody.model_validate(body)
        except ValidationError as error:
            validated.rejected[index] = field_problems(error, "product")
        else:
            validated.documents[product.product_id] = product.document()
    return validated
