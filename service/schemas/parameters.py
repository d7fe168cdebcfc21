"""Parameters of the calls that answer with products, as a query or as a body."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, WithJsonSchema

from models.assembly.cards import is_locale
from models.data.customers import MAX_COLUMNS, MAX_VALUES
from models.data.timestamps import parse_timestamp
from models.rules.filter_language import MAX_CHARACTERS, canonical_filter
from models.rules.filters import Repeat
from service.patterns import NO_NUL, PLACEMENT
from service.schemas.base import ParameterModel, examples

MAX_EXCLUDED_IDS: Final = 1000
# Of a visit or a basket, where every product costs time; and of a query, where all have to fit.
MAX_PRODUCT_IDS: Final = 100
# Language, script, region, variant.
LOCALE: Final = re.compile(
    "[A-Za-z]{2,3}([_-][A-Za-z]{4})?([_-]([A-Za-z]{2}|[0-9]{3}))?([_-][A-Za-z0-9]{5,8})?"
)
DATE_OR_TIME: Final = {
    "anyOf": [{"type": "string", "format": "date-time"}, {"type": "string", "format": "date"}]
}


def parse_moment(value: Any) -> int:
    """Return the seconds since 1970 of an ISO 8601 date or time; without a zone it is UTC."""
    if not isinstance(value, str):
        raise ValueError("should be an ISO 8601 date or time, as text")
    try:
        return parse_timestamp(value)
    except (ValueError, OverflowError):
        raise ValueError("should be an ISO 8601 date or time, like 2017-12-31T23:55:00Z") from None


def sort_column_values(wanted: dict[str, list[str]]) -> dict[str, list[str]]:
    return {name: sorted(set(values)) for name, values in sorted(wanted.items())}


def convert_whole_number(value: Any) -> Any:
    """Return 10 for 10.0: JSON knows one kind of number."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def parse_locale(value: Any) -> str | None:
    """Return the locale where prices can be written for it, else its language, else None.

    An unknown locale is no error, so that a mail goes out all the same.
    """
    if not isinstance(value, str) or not LOCALE.fullmatch(value):
        raise ValueError("is not a locale; write it like en_US")
    name = value.replace("-", "_")
    language = name.partition("_")[0]
    return next((candidate for candidate in (name, language) if is_locale(candidate)), None)


def sort_ids(ids: tuple[str, ...]) -> tuple[str, ...]:
    """Return the ids sorted, each once, without empty ones.

    The same products in another order are then the same query.
    """
    return tuple(sorted(set(ids) - {""}))


WHOLE_NUMBER: Final = BeforeValidator(convert_whole_number)
Id = Annotated[str, Field(min_length=1, max_length=500, pattern=NO_NUL)]
CampaignName = Annotated[str, Field(min_length=1, max_length=100, pattern=NO_NUL)]
ListedId = Annotated[str, Field(max_length=500, pattern=NO_NUL)]  # an empty one is dropped
ExcludedIds = Annotated[
    tuple[ListedId, ...],
    Field(strict=False, max_length=MAX_EXCLUDED_IDS),
    AfterValidator(sort_ids),
]
ProductIds = Annotated[
    tuple[ListedId, ...],
    Field(strict=False, max_length=MAX_PRODUCT_IDS),
    AfterValidator(sort_ids),
]
Name = Annotated[str, Field(min_length=1, max_length=500)]
ShortName = Annotated[str, Field(min_length=1, max_length=100, pattern=NO_NUL)]
ColumnValues = Annotated[
    dict[ShortName, Annotated[list[ShortName], Field(min_length=1, max_length=MAX_VALUES)]],
    Field(
        max_length=MAX_COLUMNS,
        description="Columns of the customers file, each with values: customers who have one of "
        "them in each column. By default everyone. It takes the same consents as `segments`.",
        examples=[{"tier": ["gold"]}],
    ),
    AfterValidator(sort_column_values),
]
Price = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Moment = Annotated[int, BeforeValidator(parse_moment), WithJsonSchema(DATE_OR_TIME)]
Locale = Annotated[
    str | None,
    BeforeValidator(parse_locale),
    WithJsonSchema({"type": "string", "pattern": f"^{LOCALE.pattern}$", "examples": ["en_US"]}),
]

# Fields of more than one call.
Market = Annotated[
    Name | None, Field(description="Only products sold in this market.", examples=["north"])
]
Filter = Annotated[
    str | None,
    AfterValidator(lambda text: text and canonical_filter(text)),
    Field(
        max_length=MAX_CHARACTERS,
        description="Only products that meet this condition on any of their fields and attributes, "
        "written in a subset of CEL: see the page on filters. What is not known of a product meets "
        "no condition.",
        examples=['product.price < 20 && product.attributes["color"] in ["red", "blue"]'],
    ),
]
PriceLocale = Annotated[
    Locale | None,
    Field(
        description="Locale in which `price_text` is written. For an unknown one its language "
        "is used, else the default of the service.",
        examples=["en_US"],
    ),
]
AsOf = Annotated[
    Moment | None,
    Field(
        description="Moment to answer for, ISO 8601, UTC if it names no zone. By default the "
        "newest moment that sales confirm (`data_as_of`).",
        examples=["2026-11-21"],
    ),
]
ExcludedFromBody = Annotated[
    ExcludedIds,
    Field(description="Products that must not be shown, at most 1,000.", examples=[["1029743"]]),
]
DeadlineMs = Annotated[
    int | None,
    Field(
        ge=1,
        le=10_000,
        description="Milliseconds after which the popular slate is sent instead, flagged.",
        examples=[200],
    ),
    WHOLE_NUMBER,
]
Basket = Annotated[
    ProductIds,
    Field(description="Products in the basket.", examples=[["1082185", "995242"]]),
]

Size = Annotated[
    int, Field(ge=1, le=100, description="Number of products.", examples=[10]), WHOLE_NUMBER
]
Strict = Annotated[
    bool,
    Field(
        description="Whether to answer with fewer and better products: the slate is not "
        "filled up with popular ones.",
        examples=[False],
    ),
]
RepeatOption = Annotated[
    Repeat,
    Field(
        strict=False,
        description="Products bought before. `auto`: shown when it is time to buy them "
        "again. `include`: always. `exclude`: never.",
        examples=["auto"],
    ),
]


class Fields(StrEnum):
    """Amount of detail about each product in an answer."""

    IDS = "ids"  # id, score, source and reason
    CARD = "card"  # also what a page or a mail shows


class ChoiceOptions(ParameterModel):
    """Options of which products are shown, and where."""

    placement: Annotated[
        str | None,
        Field(
            pattern=PLACEMENT,
            description="Where the slate is shown: home, product, basket, email or a name of "
            "your own. Rules of the shop can apply to one placement.",
            examples=["home"],
        ),
    ] = None
    exclude: Annotated[
        ProductIds,
        Field(
            description="Products that must not be shown. May be repeated.",
            examples=[["1029743"]],
        ),
    ] = ()
    category: Annotated[
        Name | None, Field(description="Only products of this category.", examples=["MILK"])
    ] = None
    brand: Annotated[
        Name | None, Field(description="Only products of this brand.", examples=["National"])
    ] = None
    min_price: Annotated[
        Price | None, Field(description="Only products at this price or above.", examples=[1.0])
    ] = None
    max_price: Annotated[
        Price | None, Field(description="Only products at this price or below.", examples=[20.0])
    ] = None
    filter: Filter = None


class ListOptions(ChoiceOptions):
    """Options of everything that shows products."""

    market: Market = None
    locale: PriceLocale = None
    as_of: AsOf = None
    deadline_ms: DeadlineMs = None
    fields: Annotated[
        Fields,
        Field(
            strict=False,
            description="`ids`: id, score, source and reason of each product. `card`: also "
            "everything a page shows.",
            examples=["card"],
        ),
    ] = Fields.CARD


class Options(ListOptions):
    """Options of every slate."""

    n: Size = 10
    strict: Strict = False
    campaign: Annotated[
        CampaignName | None,
        Field(
            description="Name of the mailing. A customer's slate stays the same within it.",
            examples=["spring"],
        ),
    ] = None


class CustomerOptions(Options):
    """Options of a customer's slate."""

    order_id: Annotated[
        Id | None,
        Field(
            description="An order that was reported. None of its products is shown; products "
            "that go with it may be.",
            examples=["1001"],
        ),
    ] = None
    repeat: RepeatOption = Repeat.AUTO


class VisitOptions(ParameterModel):
    """A visit: who it is, and what they look at."""

    customer_id: Annotated[
        Id | None,
        Field(description="Customer whose purchases count too.", examples=["2034"]),
    ] = None
    session_id: Annotated[
        Id | None, Field(description="Visit whose events count too.", examples=["s-1"])
    ] = None
    recent: Annotated[
        ProductIds,
        Field(description="Products looked at in this visit.", examples=[["1082185", "995242"]]),
    ] = ()
    basket: Annotated[
        ProductIds,
        Field(
            description="Products in the basket. A slate does not recommend them.",
            examples=[["1029743"]],
        ),
    ] = ()


class SessionOptions(VisitOptions, CustomerOptions):
    """A visit, and options of its slate.

    Products that the catalogue does not know are named in `missing_ids`.
    """

    model_config = ConfigDict(
        strict=True,
        json_schema_extra=examples(
            {"recent": ["1082185", "995242"], "basket": ["1029743"], "n": 5}
        ),
    )
    exclude: ExcludedFromBody = ()


class PopularOptions(Options):
    """Options of the popular slate."""

    window_days: Annotated[
        int | None,
        Field(
            ge=1,
            le=3650,
            description="Number of days whose best sellers are shown: up to 7 of 24 hours each, "
            "more as calendar days in UTC. By default the shop window, as for unknown customers.",
            examples=[28],
        ),
    ] = None


class BundleOptions(Options):
    """Options of the bundles around a product."""

    size: Annotated[
        int,
        Field(
            ge=2,
            le=4,
            description="Most products in a bundle, including the one in the address.",
            examples=[2],
        ),
    ] = 2


class BasketOptions(Options):
    """A basket, and options of the products that complete it."""

    model_config = ConfigDict(
        strict=True, json_schema_extra=examples({"basket": ["1082185", "995242"], "n": 5})
    )
    exclude: ExcludedFromBody = ()
    basket: Basket
    customer_id: Annotated[
        Id | None,
        Field(
            description="Customer whose basket it is: nothing that they avoid is in a bundle.",
            examples=["2034"],
        ),
    ] = None


class FeedOptions(ParameterModel):
    """Options of a feed."""

    n: Annotated[
        int, Field(ge=1, le=1000, description="Number of products.", examples=[100]), WHOLE_NUMBER
    ] = 100
    category: Annotated[
        Name | None, Field(description="Only products of this category.", examples=["MILK"])
    ] = None
    market: Market = None
    filter: Filter = None
    locale: PriceLocale = None
