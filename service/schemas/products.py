"""What a shop may say about a product."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema

from models.rules.shop_rules import CapBy, RuleKind
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


# Rules are described here; models/rulebook.py checks them.
Described = dict[str, Any]
TEXT: Final[Described] = {"type": "string", "minLength": 1}
TEXTS: Final[Described] = {"type": "array", "items": TEXT}
AWARE: Final[Described] = {"type": "string", "format": "date-time"}
PRICE: Final[Described] = {"type": "number", "minimum": 0, "maximum": 1e12}
MARGIN: Final[Described] = {"type": "number", "minimum": 0, "exclusiveMaximum": 1}
STRENGTH: Final[Described] = {
    "type": "number",
    "minimum": 1,
    "maximum": 1e6,
    "description": "1 has no effect",
}
POSITION: Final[Described] = {
    "type": "integer",
    "minimum": 1,
    "maximum": 100,
    "description": "the next ones follow",
}
MOST: Final[Described] = {
    "type": "integer",
    "minimum": 1,
    "maximum": 10,
    "description": "of one, among ten products",
}
SELECTORS: Final = {
    "product_ids": TEXTS,
    "category": TEXT,
    "brand": TEXT,
    "min_price": PRICE,
    "max_price": PRICE,
}


def _or_null(described: Described) -> Described:
    return {"anyOf": [described, {"type": "null"}]}


def _having(name: str) -> Described:
    """Some products that are told by this."""
    told = {**SELECTORS[name], "minItems": 1} if name == "product_ids" else SELECTORS[name]
    return {"properties": {name: told}, "required": [name]}


ANY: Final[Described] = {
    "type": "object",
    "properties": {name: _or_null(told) for name, told in SELECTORS.items()},
    "additionalProperties": False,
    "description": "the products that meet all of it; without any, every product",
}


def _kind(kind: RuleKind, some_by: Sequence[str] = (), **numbers: Described) -> Described:
    """Rules of one kind: about products that are told by some of `some_by`, about any where that is empty."""
    which = {**ANY, "anyOf": [_having(name) for name in some_by]} if some_by else _or_null(ANY)
    where = {
        "placements": _or_null(TEXTS),
        "market": _or_null(TEXT),
        "starts": _or_null(AWARE),
        "ends": _or_null(AWARE),
    }
    return {
        "type": "object",
        "title": kind.value,
        "properties": {"kind": {"const": kind.value}, "which": which, **where, **numbers},
        "required": ["kind", *numbers, *(["which"] if some_by else [])],
        "additionalProperties": False,
    }


RULE: Final[Described] = {
    "title": "Rule",
    "description": "A rule of one kind, for some placements, one market and some time, or always and everywhere.",
    "oneOf": [
        _kind(RuleKind.FILTER, tuple(SELECTORS)),
        _kind(RuleKind.EXCLUDE, tuple(SELECTORS)),
        _kind(RuleKind.BOOST, strength=STRENGTH),
        _kind(RuleKind.BURY, strength=STRENGTH),
        _kind(RuleKind.PIN, ("product_ids",), position=POSITION),
        _kind(RuleKind.CAP, by={"enum": [by.value for by in CapBy]}, most=MOST),
        _kind(RuleKind.MINIMUM, of={"const": "price"}, minimum=PRICE),
        _kind(RuleKind.MINIMUM, of={"const": "margin"}, minimum=MARGIN),
    ],
    "examples": [
        {"kind": "filter", "which": {"category": "MILK"}, "placements": ["milk-page"]},
        {
            "kind": "exclude",
            "which": {"product_ids": ["1082185"]},
            "ends": "2026-12-24T18:00:00+01:00",
        },
        {"kind": "boost", "which": {"brand": "National"}, "strength": 3},
        {"kind": "bury", "which": {"max_price": 1}, "strength": 2, "market": "north"},
        {
            "kind": "pin",
            "which": {"product_ids": ["1082185"]},
            "position": 1,
            "placements": ["home"],
        },
        {"kind": "cap", "by": "brand", "most": 3},
        {"kind": "minimum", "of": "margin", "minimum": 0.2, "which": {"category": "MILK"}},
    ],
}
RuleBody = Annotated[dict[str, Any], WithJsonSchema(RULE)]


def _named(kind: Described) -> Described:
    return {
        **kind,
        "properties": {"id": TEXT, **kind["properties"]},
        "required": ["id", *kind["required"]],
    }


TRIED: Final[Described] = {
    **RULE,
    "oneOf": [_named(kind) for kind in RULE["oneOf"]],
    "examples": [
        {"id": f"rule-{place}", **example} for place, example in enumerate(RULE["examples"])
    ],
}
TriedRule = Annotated[dict[str, Any], WithJsonSchema(TRIED)]
