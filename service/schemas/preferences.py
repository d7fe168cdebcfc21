"""Preferences of customers: what they like, avoid and need."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from models.data.product_columns import tell_value
from models.rules.preferences import KINDS, MAX_VALUES, Preference, Preferences
from service.patterns import NO_NUL
from service.schemas.base import AnswerModel, Warnings, examples
from service.schemas.customers import CustomerId

MAX_CHARACTERS: Final = 200
SAID_EXAMPLE: Final[dict[str, Any]] = {
    "likes": [{"attribute": "brand", "values": ["Ashby", "Hartley"]}],
    "avoids": [{"attribute": "contains", "values": ["nuts"]}],
    "needs": [
        {"attribute": "size", "values": ["M", "L"]},
        {"attribute": "diet", "values": ["vegan"]},
    ],
}


def _read_value(value: Any) -> Any:
    """Return a number or a flag as the text that products with it are found by."""
    return tell_value(value) if isinstance(value, int | float | bool) else value


def _check_seen(text: str) -> str:
    if not text.strip():
        raise ValueError("should hold more than spaces")
    return text


Said = Annotated[
    str,
    Field(min_length=1, max_length=MAX_CHARACTERS, pattern=NO_NUL),
    AfterValidator(_check_seen),
]
SaidValue = Annotated[
    Said,
    BeforeValidator(_read_value, json_schema_input_type=Said | float | bool),
]


class PreferenceBody(BaseModel):
    """Values of an attribute, the category or the brand that a customer names."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        json_schema_extra=examples({"attribute": "brand", "values": ["Ashby", "Hartley"]}),
    )
    attribute: Annotated[
        Said,
        Field(
            description="`category`, `brand`, or the name of an attribute of products.",
            examples=["brand"],
        ),
    ]
    values: Annotated[
        tuple[SaidValue, ...],
        Field(
            strict=False,
            min_length=1,
            max_length=MAX_VALUES,
            description="Values that a product bears, whatever the case of their letters. Of an "
            "attribute that holds several, one of them is enough.",
            examples=[["Ashby", "Hartley"]],
        ),
    ]


Preferred = Annotated[tuple[PreferenceBody, ...], Field(strict=False, max_length=MAX_VALUES)]


class PreferencesBody(BaseModel):
    """All that a customer says, 50 values at most. What is left out is not said any more."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        json_schema_extra=examples(SAID_EXAMPLE, {}),
    )
    likes: Annotated[
        Preferred,
        Field(
            description="What they like: such products rank higher and say so.",
            examples=[SAID_EXAMPLE["likes"]],
        ),
    ] = ()
    avoids: Annotated[
        Preferred,
        Field(
            description="What they avoid: no such product is shown to them.",
            examples=[SAID_EXAMPLE["avoids"]],
        ),
    ] = ()
    needs: Annotated[
        Preferred,
        Field(
            description="Sizes, diets and the like: of products in a category that tells the "
            "attribute, only those that bear one of the values are shown to them.",
            examples=[SAID_EXAMPLE["needs"]],
        ),
    ] = ()

    @model_validator(mode="after")
    def _bound(self) -> Self:
        values = sum(len(one.values) for kind in KINDS for one in getattr(self, kind))
        if values > MAX_VALUES:
            raise ValueError(f"hold {values} values in all; {MAX_VALUES} are kept at most")
        return self

    def build(self) -> Preferences:
        """Return what is said."""
        said = {}
        for kind in KINDS:
            parts = getattr(self, kind)
            said[kind] = tuple(Preference(one.attribute, one.values) for one in parts)
        return Preferences(**said)


class SaidPreference(AnswerModel):
    """Values of an attribute, the category or the brand that a customer has named."""

    model_config = ConfigDict(
        json_schema_extra=examples({"attribute": "brand", "values": ["Ashby", "Hartley"]})
    )
    attribute: str = Field(description="`category`, `brand`, or the name of an attribute.")
    values: list[str] = Field(description="The values, as they were named.")


class PreferencesAnswer(AnswerModel):
    """All that holds of what a customer has said."""

    model_config = ConfigDict(
        json_schema_extra=examples(
            {
                "customer_id": "2034",
                **SAID_EXAMPLE,
                "time": "2026-11-22T09:30:00Z",
                "warnings": [
                    {
                        "field": "needs[1].attribute",
                        "problem": "no product has the attribute 'diet'; did you mean 'diets'?",
                    }
                ],
            }
        )
    )
    customer_id: CustomerId
    likes: list[SaidPreference] = Field(description="What they like.")
    avoids: list[SaidPreference] = Field(description="What they avoid.")
    needs: list[SaidPreference] = Field(description="What they need.")
    time: datetime | None = Field(
        description="When they said it to the service; null where they never did."
    )
    warnings: Warnings
