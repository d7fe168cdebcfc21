"""Slates for many recipients in one call."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import ConfigDict, Field, SkipValidation

from service.errors import PROBLEM_EXAMPLE, ProblemBody
from service.schemas.answers import SLATE_EXAMPLE, SlateAnswer
from service.schemas.base import AnswerModel, ParameterModel, examples
from service.schemas.parameters import (
    CustomerOptions,
    ExcludedFromBody,
    ExcludedIds,
    Id,
    Locale,
    Name,
)

MAX_RECIPIENTS: Final = 1000
RECIPIENT_EXAMPLE: Final[dict[str, Any]] = {"customer_id": "811", "exclude": ["1082185"]}
RECIPIENT_PROBLEM_EXAMPLE: Final[dict[str, Any]] = {
    "index": 1,
    "customer_id": "811",
    "problem": PROBLEM_EXAMPLE,
}


class Recipient(ParameterModel):
    """A customer of a batch, with options that hold for them alone."""

    model_config = ConfigDict(strict=True, json_schema_extra=examples(RECIPIENT_EXAMPLE))
    customer_id: Annotated[Id, Field(description="Customer the slate is for.", examples=["2034"])]
    order_id: Annotated[
        Id | None, Field(description="Order that this mail is about.", examples=["1001"])
    ] = None
    exclude: Annotated[
        ExcludedIds,
        Field(
            description="Products that must not be shown, besides those excluded for everyone.",
            examples=[["1082185"]],
        ),
    ] = ()
    market: Annotated[
        Name | None,
        Field(description="Market of this recipient, instead of the batch's.", examples=["north"]),
    ] = None
    locale: Annotated[
        Locale | None,
        Field(description="Locale of this recipient, instead of the batch's.", examples=["en_US"]),
    ] = None

    def options(self, common: CustomerOptions) -> CustomerOptions:
        """Return the options of the batch with this recipient's own in their place."""
        own: dict[str, Any] = {
            "exclude": tuple(sorted({*common.exclude, *self.exclude})),
            "order_id": self.order_id or common.order_id,
            "market": self.market or common.market,
            "locale": self.locale or common.locale,
        }
        return common.model_copy(update=own)


class BatchOptions(CustomerOptions):
    """1 to 1,000 recipients, and the options of all their slates."""

    model_config = ConfigDict(
        strict=True,
        json_schema_extra=examples(
            {
                "recipients": [{"customer_id": "2034"}, RECIPIENT_EXAMPLE],
                "n": 4,
                "placement": "email",
                "campaign": "spring",
            }
        ),
    )
    exclude: ExcludedFromBody = ()
    # Documented as recipients, or anything: each is validated on its own, later.
    recipients: Annotated[
        list[SkipValidation[Recipient | Any]],
        Field(
            min_length=1,
            max_length=MAX_RECIPIENTS,
            description="The recipients. One that is invalid gets a problem in place of a slate.",
            examples=[[{"customer_id": "2034"}]],
        ),
    ]

    def common(self) -> CustomerOptions:
        """Return the options without the recipients."""
        options = {name: getattr(self, name) for name in CustomerOptions.model_fields}
        return CustomerOptions.model_construct(**options)


class RecipientProblem(AnswerModel):
    """A problem of one recipient, in the place of a slate."""

    model_config = ConfigDict(json_schema_extra=examples(RECIPIENT_PROBLEM_EXAMPLE))
    index: int = Field(description="Position of the recipient in the request, from 0.")
    customer_id: str | None = Field(description="Customer id of the recipient, if it has one.")
    problem: ProblemBody = Field(description="What is wrong.")


class BatchAnswer(AnswerModel):
    """One answer for each recipient, in their order.

    A slate is the same as the customer's own address gives.
    """

    model_config = ConfigDict(
        json_schema_extra=examples(
            {"answers": [SLATE_EXAMPLE, RECIPIENT_PROBLEM_EXAMPLE], "count": 1, "failed": 1}
        )
    )
    answers: list[SlateAnswer | RecipientProblem] = Field(
        description="A slate or a problem for each recipient, in their order."
    )
    count: int = Field(description="Number of slates.")
    failed: int = Field(description="Number of problems.")
