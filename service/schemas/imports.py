"""Answers to webhooks of shop systems."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, Field

from service.schemas.base import AnswerModel, examples


class ImportAnswer(AnswerModel):
    """What was taken of the documents of a shop system, once it is durable."""

    model_config = ConfigDict(
        json_schema_extra=examples(
            {
                "repeated": False,
                "events": 1,
                "products": 0,
                "consents": 0,
                "erased": 0,
                "exports": [],
                "left_out": {"gift_card": 1},
                "rejected": [],
            }
        )
    )
    repeated: bool = Field(
        description="Whether this webhook was taken before; then nothing was done."
    )
    events: int = Field(description="Number of events that were written, returns among them.")
    products: int = Field(description="Number of products that were written or deleted.")
    consents: int = Field(description="Number of customers whose consent to mails was set.")
    erased: int = Field(description="Number of ids that were erased.")
    exports: list[str] = Field(
        description="Addresses at which what is stored about a customer who asks can be read."
    )
    left_out: dict[str, int] = Field(
        description="Number of lines that are no sale of a product, by reason."
    )
    rejected: list[dict[str, Any]] = Field(
        description="What cannot be stored, with each `field` and its `problem`."
    )
