"""Offers of the shop, as they are sent, stored and shown."""

from __future__ import annotations

from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from models.data.segments import SEGMENTS, SegmentName
from models.mail.mailings import MailKind
from models.rules.shop_rules import LAST_ORDER, Moment, format_moment
from service.patterns import CODE, LOCALE, NO_NUL, PLACEMENT
from service.schemas.base import WARNING_EXAMPLE, AnswerModel, Warnings, examples
from service.schemas.pages import Next
from service.schemas.parameters import WHOLE_NUMBER, ColumnValues

MAX_LANGUAGES: Final = 50
MAX_CODES: Final = 10_000  # of one call
OFFER_BODY: Final[dict[str, Any]] = {
    "text": {"en": "Thank you: 10 % off your next order", "de": "Danke: 10 % auf Ihren Einkauf"},
    "codes": ["TX-81F2", "TX-93A0"],
    "segments": ["connected"],
    "ends": "2999-12-24T18:00:00+00:00",
}
STORED_OFFER: Final[dict[str, Any]] = {
    "id": "thanks",
    **{name: value for name, value in OFFER_BODY.items() if name != "codes"},
    "single_use": True,
}
COUNTS_EXAMPLE: Final[dict[str, Any]] = {"given": 0, "left": 2}

Code = Annotated[str, Field(pattern=CODE)]
Text = Annotated[str, Field(min_length=1, max_length=500, pattern=NO_NUL)]
Language = Annotated[str, Field(pattern=LOCALE)]


class OfferBody(BaseModel):
    """An offer: what the shop promises, to whom, where and until when."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        json_schema_extra=examples(OFFER_BODY, {"text": {"en": "Free delivery"}, "code": "FREE"}),
    )
    text: Annotated[
        dict[Language, Text],
        Field(
            min_length=1,
            max_length=MAX_LANGUAGES,
            description="What it says, by language. A customer reads the one of their locale, else "
            "`en`, else the first by name.",
            examples=[OFFER_BODY["text"]],
            json_schema_extra={"additionalProperties": False},
        ),
    ]
    code: Annotated[Code | None, Field(description="Code of everyone.", examples=["THANKS10"])] = (
        None
    )
    codes: Annotated[
        list[Code] | None,
        Field(
            max_length=MAX_CODES,
            description="Single-use codes, which are added to those that it has. Each customer is "
            "given one of their own, once. An empty list keeps the codes as they are.",
            examples=[OFFER_BODY["codes"]],
        ),
    ] = None
    segments: Annotated[
        list[SegmentName],
        Field(
            max_length=len(SEGMENTS),
            description="Segments of the customers who get it. By default everyone. It takes "
            "their consent to training, and that of the channel.",
            examples=[["connected"]],
        ),
    ] = []  # pydantic copies it
    customers: ColumnValues = {}  # pydantic copies it
    placements: Annotated[
        list[Annotated[str, Field(pattern=PLACEMENT)]],
        Field(max_length=100, description="Placements it stands at. By default all.",
              examples=[["email"]]),
    ] = []  # fmt: skip  # pydantic copies it
    occasions: Annotated[
        list[Annotated[MailKind, Field(strict=False)]],
        Field(
            max_length=len(MailKind),
            description="Mails it stands in, by their occasion. By default all, and pages too.",
            examples=[["win_back"]],
        ),
    ] = []  # pydantic copies it
    starts: Annotated[
        Moment | None,
        Field(
            description="When it begins, with its zone. By default at once.",
            examples=["2026-12-01T00:00:00+01:00"],
        ),
    ] = None
    ends: Annotated[
        Moment | None,
        Field(
            description="When it ends, with its zone. By default never.",
            examples=["2999-12-24T18:00:00+00:00"],
        ),
    ] = None
    order: Annotated[
        Annotated[int, Field(ge=0, le=LAST_ORDER), WHOLE_NUMBER] | None,
        Field(
            description="Place among the offers: the lower goes first. By default last, by id.",
            examples=[3],
        ),
    ] = None
    in_experiments_only: Annotated[
        bool,
        Field(
            description="Whether it stands in variants of experiments alone that name it.",
            examples=[False],
        ),
    ] = False

    @model_validator(mode="after")
    def _check_fields(self) -> Self:
        if self.code is not None and self.codes is not None:
            raise ValueError("has `code`, of everyone, and single-use `codes`; leave one out")
        if self.starts is not None and self.ends is not None and self.ends <= self.starts:
            raise ValueError("`ends` should be a moment after `starts`")
        return self

    def document(self) -> dict[str, Any]:
        """Return the offer as it is stored, without its codes and what is not set."""
        values: dict[str, Any] = {
            "text": self.text,
            "code": self.code,
            "single_use": self.codes is not None or None,
            "segments": sorted(set(self.segments)),
            "customers": self.customers,
            "placements": sorted(set(self.placements)),
            "occasions": sorted({occasion.value for occasion in self.occasions}),
            "starts": format_moment(self.starts),
            "ends": format_moment(self.ends),
            "order": self.order,
            "in_experiments_only": self.in_experiments_only or None,
        }
        return {name: value for name, value in values.items() if value not in (None, [], {})}


class CodeCounts(AnswerModel):
    """Numbers of single-use codes."""

    model_config = ConfigDict(json_schema_extra=examples(COUNTS_EXAMPLE))
    given: int = Field(description="Codes that customers were given.")
    left: int = Field(description="Codes that nobody was given yet.")


class ListedOffer(AnswerModel):
    """An offer of the shop."""

    model_config = ConfigDict(
        json_schema_extra=examples({"offer": STORED_OFFER, "codes": COUNTS_EXAMPLE})
    )
    offer: dict[str, Any] = Field(
        description="The offer with its id, without fields that are empty. `single_use` in place "
        "of its codes, which no answer lists."
    )
    codes: CodeCounts | None = Field(
        description="How many of its single-use codes were given; null where it has none."
    )


class OfferDocument(ListedOffer):
    """An offer of the shop, and what may be mistaken in it."""

    model_config = ConfigDict(
        json_schema_extra=examples(
            {"offer": STORED_OFFER, "codes": COUNTS_EXAMPLE, "warnings": [WARNING_EXAMPLE]}
        )
    )
    warnings: Warnings


class OffersAnswer(AnswerModel):
    """Offers of the shop."""

    model_config = ConfigDict(
        json_schema_extra=examples(
            {"offers": [{"offer": STORED_OFFER, "codes": COUNTS_EXAMPLE}], "next": None}
        )
    )
    offers: list[ListedOffer] = Field(description="The offers, ordered by id.")
    next: Next


class StoredOffer(AnswerModel):
    """An offer that was deleted."""

    model_config = ConfigDict(json_schema_extra=examples({"offer": STORED_OFFER}))
    offer: dict[str, Any] = Field(description="The offer with its id.")
