"""What a caller may ask for: query parameters and bodies, checked once at the door."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    WithJsonSchema,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from models.assembly.cards import is_locale
from models.data.timestamps import parse_timestamp
from models.rules.filters import Repeat

MOST_EXCLUDED: Final = 1000
MOST_TOGETHER: Final = (
    100  # products of a visit or a basket: every one costs time; and in a query: it has to fit
)
# Language, script, region, variant.
LOCALE: Final = re.compile(
    "[A-Za-z]{2,3}([_-][A-Za-z]{4})?([_-]([A-Za-z]{2}|[0-9]{3}))?([_-][A-Za-z0-9]{5,8})?"
)


def moment(value: Any) -> Any:
    """Seconds since 1970 of an ISO 8601 date or time; without a zone it is UTC."""
    if not isinstance(value, str):
        raise ValueError("should be an ISO 8601 date or time, as text")
    try:
        return parse_timestamp(value)
    except (ValueError, OverflowError):
        raise ValueError("should be an ISO 8601 date or time, like 2017-12-31T23:55:00Z") from None


def whole(value: Any) -> Any:
    """JSON knows one kind of number: 10.0 is 10."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def locale(value: Any) -> Any:
    """As it is where prices can be written for it, else its language, else none: a mail goes out all the same."""
    if not isinstance(value, str) or not LOCALE.fullmatch(value):
        raise ValueError("is not a locale; write it like en_US")
    whole = value.replace("-", "_")
    return next((name for name in (whole, whole.partition("_")[0]) if is_locale(name)), None)


def as_a_set(ids: tuple[str, ...]) -> tuple[str, ...]:
    """Sorted, each once: the same products in another order are the same question. An empty id is none."""
    return tuple(sorted(set(ids) - {""}))


NO_NUL: Final = r"^[^\x00]*$"  # no database takes it in a text
Id = Annotated[str, Field(min_length=1, max_length=500, pattern=NO_NUL)]
Listed = Annotated[str, Field(max_length=500, pattern=NO_NUL)]
Excluded = Annotated[
    tuple[Listed, ...], Field(strict=False, max_length=MOST_EXCLUDED), AfterValidator(as_a_set)
]
Together = Annotated[
    tuple[Listed, ...], Field(strict=False, max_length=MOST_TOGETHER), AfterValidator(as_a_set)
]
Name = Annotated[str, Field(min_length=1, max_length=500)]
WHOLE: Final = BeforeValidator(whole)
Price = Annotated[float, Field(ge=0, allow_inf_nan=False)]
DATE: Final = {
    "anyOf": [{"type": "string", "format": "date-time"}, {"type": "string", "format": "date"}]
}
Moment = Annotated[int, BeforeValidator(moment), WithJsonSchema(DATE)]
Locale = Annotated[
    str | None,
    BeforeValidator(locale),
    WithJsonSchema({"type": "string", "pattern": f"^{LOCALE.pattern}$", "examples": ["en_US"]}),
]


class Fields(StrEnum):
    IDS = "ids"  # id, score, source and reason
    CARD = "card"  # also what a page or a mail shows


class ParameterModel(BaseModel):
    """What a caller asks for. An empty text or null means: not given, as templates send it for what is not known."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _empty_is_not_given(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        known = cls.model_fields
        return {
            name: value
            for name, value in values.items()
            if name not in known or value not in (None, "")
        }

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Of a body. In a query the page of the documentation says of every parameter that it may be empty."""
        reference = handler(core)
        schema = handler.resolve_ref_schema(reference)
        needed = schema.get("required", ())
        for name, described in schema.get("properties", {}).items():
            if name not in needed:
                schema["properties"][name] = _or_empty(described)
        return reference


def _or_empty(described: JsonSchemaValue) -> JsonSchemaValue:
    told = {
        name: value
        for name, value in described.items()
        if name in ("title", "description", "default")
    }
    held = {name: value for name, value in described.items() if name not in told}
    return {**told, "anyOf": [held, {"enum": ["", None]}]}


class Options(ParameterModel):
    """Options of every slate."""

    n: Annotated[int, Field(ge=1, le=100, description="how many products"), WHOLE] = 10
    placement: Annotated[
        str | None,
        Field(
            pattern="^[a-z0-9_-]{1,50}$",
            description="the spot it is for: home, product, basket, email",
        ),
    ] = None
    exclude: Annotated[
        Together, Field(description="products that must not be shown; may be repeated")
    ] = ()
    category: Annotated[Name | None, Field(description="only this category")] = None
    brand: Annotated[Name | None, Field(description="only this brand")] = None
    min_price: Annotated[
        Price | None, Field(description="only products at this price or above")
    ] = None
    max_price: Annotated[
        Price | None, Field(description="only products at this price or below")
    ] = None
    market: Annotated[Name | None, Field(description="only what is sold there")] = None
    locale: Annotated[Locale | None, Field(description="how prices are written")] = None
    strict: Annotated[
        bool, Field(description="fewer and better: no filling up with popular products")
    ] = False
    campaign: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=100,
            pattern=NO_NUL,
            description="a mailing: its slates stay what they are",
        ),
    ] = None
    as_of: Annotated[
        Moment | None,
        Field(
            description="the moment to answer for, ISO 8601, UTC without a zone; default data_as_of"
        ),
    ] = None
    deadline_ms: Annotated[
        int | None,
        Field(ge=1, le=10_000, description="after this the popular slate goes out, flagged"),
        WHOLE,
    ] = None
    fields: Annotated[
        Fields,
        Field(
            strict=False, description="ids: id, score, source, reason; card: all there is to show"
        ),
    ] = Fields.CARD


class CustomerOptions(Options):
    order_id: Annotated[
        Id | None,
        Field(
            description="an order that was reported: nothing of it is shown, and what goes with it may be"
        ),
    ] = None
    repeat: Annotated[
        Repeat,
        Field(
            strict=False, description="what was bought before: shown when it is time, always, never"
        ),
    ] = Repeat.AUTO


class SessionOptions(CustomerOptions):
    """Who is there and what they do. Products the catalogue does not know are named in `missing_ids`."""

    model_config = ConfigDict(
        strict=True,
        json_schema_extra={
            "examples": [{"recent": ["1082185", "995242"], "basket": ["1029743"], "n": 5}]
        },
    )
    customer_id: Annotated[Id | None, Field(description="whose purchases count too")] = None
    session_id: Annotated[Id | None, Field(description="the visit, whose events count too")] = None
    exclude: Annotated[Excluded, Field(description="products that must not be shown")] = ()
    recent: Annotated[Together, Field(description="products looked at in this visit")] = ()
    basket: Annotated[Together, Field(description="products in the basket; never recommended")] = ()


class PopularOptions(Options):
    window_days: Annotated[
        int | None,
        Field(
            ge=1,
            le=3650,
            description="sales of how many days count; by default the model's own window",
        ),
    ] = None


class BundleOptions(Options):
    size: Annotated[
        int, Field(ge=2, le=4, description="most products in a bundle, the one asked for included")
    ] = 2


class BasketOptions(Options):
    model_config = ConfigDict(
        strict=True, json_schema_extra={"examples": [{"basket": ["1082185", "995242"], "n": 5}]}
    )
    exclude: Annotated[Excluded, Field(description="products that must not be shown")] = ()
    basket: Annotated[Together, Field(description="what is in the basket")]
