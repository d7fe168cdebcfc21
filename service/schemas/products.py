"""What a shop may say about a product."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema

from service.schemas.parameters import DATE, Id, moment

MOST_PRODUCTS: Final = 1000  # in a call
MOST_ATTRIBUTES: Final = 100
# Absolute, or from the root of the shop. Every engine reads it alike, unlike \s.
ADDRESS: Final = r"^(https?:/)?/[^\x00-\x20\"<>\x7f-\xa0]+$"


def _moment(text: str) -> str:
    moment(text)
    return text


Text = Annotated[str, Field(max_length=2000)]
Address = Annotated[str, Field(max_length=2000, pattern=ADDRESS)]
Moment = Annotated[str, AfterValidator(_moment), WithJsonSchema(DATE)]


class ProductFields(BaseModel):
    """null: not known any more. What is left out of a PATCH stays as it was."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        json_schema_extra={"examples": [{"in_stock": False}, {"price": 1.19, "currency": "USD"}]},
    )
    title: Text | None = None
    category: Id | None = None
    brand: Id | None = None
    price: Annotated[float | None, Field(ge=0, le=1e9, allow_inf_nan=False)] = None
    currency: Annotated[str | None, Field(pattern="^[A-Z]{3}$")] = None
    url: Address | None = None
    image_url: Address | None = None
    in_stock: Annotated[bool, Field(description="false: not shown until it is true again")] = True
    hidden: Annotated[bool, Field(description="true: not shown at all")] = False
    markets: Annotated[
        Annotated[tuple[Id, ...], Field(strict=False, min_length=1, max_length=1000)] | None,
        Field(description="null: sold everywhere"),
    ] = None
    available_from: Annotated[Moment | None, Field(description="not shown before, ISO 8601")] = None
    available_until: Annotated[
        Moment | None, Field(description="not shown from then on, ISO 8601")
    ] = None
    attributes: Annotated[
        dict[Annotated[str, Field(max_length=100)], Text | float | bool | None],
        Field(
            max_length=MOST_ATTRIBUTES,
            description="anything else; `cost` is what rules of margin look at",
        ),
    ] = {}


class ProductBody(ProductFields):
    """A whole product: what is left out is not known."""

    product_id: Id

    def document(self) -> dict[str, Any]:
        return self.model_dump(mode="json", exclude={"product_id"})


class ProductsBody(BaseModel):
    """1 to 1,000 whole products; all of them are taken, or none. Of one that is there twice the last counts."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "products": [
                        {
                            "product_id": "p-1",
                            "title": "Oat milk",
                            "category": "MILK",
                            "price": 2.19,
                            "currency": "USD",
                        }
                    ]
                }
            ]
        },
    )
    products: Annotated[list[ProductBody], Field(min_length=1, max_length=MOST_PRODUCTS)]
