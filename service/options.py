"""What a caller may ask for: query parameters and bodies, checked once at the door."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from models.cards import is_locale
from models.slate import Filters, Repeat

MOST_EXCLUDED: Final = 1000
MOST_TOGETHER: Final = 100  # products of a visit or a basket: every one of them costs time
# In a query the plus of "+01:00" means a space, and callers forget to escape it.
LOST_PLUS: Final = re.compile(r"(?<=:\d\d) (?=\d\d:?\d\d$)|(?<=\.\d{3}) (?=\d\d:?\d\d$)")


def moment(value: Any) -> Any:
    """Seconds since 1970 of an ISO 8601 date or time; without a zone it is UTC."""
    if not isinstance(value, str):
        raise ValueError("should be an ISO 8601 date or time, as text")
    try:
        parsed = datetime.fromisoformat(LOST_PLUS.sub("+", value))
        return int((parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        raise ValueError("should be an ISO 8601 date or time, like 2017-12-31T23:55:00Z") from None


def locale(value: Any) -> Any:
    if not isinstance(value, str) or len(value) > 50 or not is_locale(value):
        raise ValueError("is not a known locale; write it like en_US")
    return value.replace("-", "_")


def as_a_set(ids: tuple[str, ...]) -> tuple[str, ...]:
    """Sorted, each once: the same products in another order are the same question."""
    return tuple(sorted(set(ids)))


Id = Annotated[str, Field(min_length=1, max_length=500)]
Excluded = Annotated[tuple[Id, ...], Field(max_length=MOST_EXCLUDED), AfterValidator(as_a_set)]
Together = Annotated[tuple[Id, ...], Field(max_length=MOST_TOGETHER), AfterValidator(as_a_set)]
Name = Annotated[str, Field(min_length=1, max_length=500)]
Price = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Moment = Annotated[int, BeforeValidator(moment), WithJsonSchema({"type": "string", "format": "date-time"})]
Locale = Annotated[str, BeforeValidator(locale), WithJsonSchema({"type": "string", "examples": ["en_US"]})]


class Fields(StrEnum):
    IDS = "ids"  # id, score, source and reason
    CARD = "card"  # also what a page or a mail shows


class Options(BaseModel):
    """Options of every slate. An empty text means: not given, as templates send it for what they do not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    n: Annotated[int, Field(ge=1, le=100, description="how many products")] = 10
    placement: Annotated[
        str | None,
        Field(pattern="^[a-z0-9_-]{1,50}$", description="the spot it is for: home, product, basket, email"),
    ] = None
    exclude: Annotated[Excluded, Field(description="products that must not be shown; may be repeated")] = ()
    category: Annotated[Name | None, Field(description="only this category")] = None
    brand: Annotated[Name | None, Field(description="only this brand")] = None
    min_price: Annotated[Price | None, Field(description="only products at this price or above")] = None
    max_price: Annotated[Price | None, Field(description="only products at this price or below")] = None
    market: Annotated[Name | None, Field(description="only what is sold there")] = None
    locale: Annotated[Locale | None, Field(description="how prices are written")] = None
    strict: Annotated[bool, Field(description="fewer and better: no filling up with popular products")] = False
    campaign: Annotated[
        str | None, Field(min_length=1, max_length=100, description="name of the mailing; travels in recommendation_id")
    ] = None
    as_of: Annotated[
        Moment | None, Field(description="the moment to answer for, ISO 8601, UTC without a zone; default data_as_of")
    ] = None
    deadline_ms: Annotated[
        int | None, Field(ge=1, le=10_000, description="after this the popular slate goes out, flagged")
    ] = None
    fields: Annotated[Fields, Field(description="ids: id, score, source, reason; card: all there is to show")] = (
        Fields.CARD
    )

    @model_validator(mode="before")
    @classmethod
    def _empty_is_not_given(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        given = {name: value for name, value in values.items() if value is not None and value != ""}
        return {
            name: [part for part in value if part != ""] if isinstance(value, list) else value
            for name, value in given.items()
        }

    @field_validator("max_price")
    @classmethod
    def _prices_in_order(cls, max_price: float | None, info: ValidationInfo) -> float | None:
        min_price = info.data.get("min_price")
        if max_price is not None and min_price is not None and max_price < min_price:
            raise ValueError("is below min_price")
        return max_price

    def filters(self, exclude: tuple[int, ...]) -> Filters:
        return Filters(exclude, self.category, self.brand, self.min_price, self.max_price, self.market)


class CustomerOptions(Options):
    repeat: Annotated[Repeat, Field(description="what was bought before: shown when it is time, always, never")] = (
        Repeat.AUTO
    )


class SessionOptions(CustomerOptions):
    """Who is there and what they do. Products the catalogue does not know are named in `missing_ids`."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"recent": ["1082185", "995242"], "basket": ["1029743"], "n": 5}]}
    )
    customer_id: Annotated[Id | None, Field(description="whose purchases count too")] = None
    session_id: Annotated[Id | None, Field(description="names the visit; does not change the answer")] = None
    recent: Annotated[Together, Field(description="products looked at in this visit")] = ()
    basket: Annotated[Together, Field(description="products in the basket; never recommended")] = ()


class PopularOptions(Options):
    window_days: Annotated[
        int | None, Field(ge=1, le=3650, description="sales of how many days count; by default the model's own window")
    ] = None


class BundleOptions(Options):
    size: Annotated[int, Field(ge=2, le=4, description="most products in a bundle, the one asked for included")] = 2


class BasketOptions(Options):
    model_config = ConfigDict(json_schema_extra={"examples": [{"basket": ["1082185", "995242"], "n": 5}]})
    basket: Annotated[Together, Field(description="what is in the basket")]
