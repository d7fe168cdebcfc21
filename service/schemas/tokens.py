"""Tokens that a browser may hold."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from service.schemas.base import AnswerModel, examples
from service.schemas.parameters import WHOLE_NUMBER, Id


def _require(name: str) -> JsonValue:
    return {"required": [name], "properties": {name: {"type": "string"}}}


class TokenBody(BaseModel):
    """A customer who is logged in, a visit, or both."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        json_schema_extra=examples({"customer_id": "2034"})
        | {"anyOf": [_require("customer_id"), _require("session_id")]},
    )
    customer_id: Annotated[
        Id | None,
        Field(description="Customer whose slates and events the token opens.", examples=["2034"]),
    ] = None
    session_id: Annotated[
        Id | None,
        Field(description="Visit whose slates and events the token opens.", examples=["s-1"]),
    ] = None
    minutes: Annotated[
        int | None,
        Field(
            ge=1,
            le=1440,
            description="How long the token is valid. By default `REGULARS_TOKEN_MINUTES`.",
            examples=[15],
        ),
        WHOLE_NUMBER,
    ] = None

    @model_validator(mode="after")
    def _names_someone(self) -> Self:
        if self.customer_id is None and self.session_id is None:
            raise ValueError("should name a customer_id, a session_id or both")
        return self


class TokenAnswer(AnswerModel):
    """A token for the browser."""

    model_config = ConfigDict(
        json_schema_extra=examples(
            {"token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIi…", "expires": "2026-11-22T09:45:00Z"}
        )
    )
    token: str = Field(description="The token, to be sent as `Authorization: Bearer TOKEN`.")
    expires: datetime = Field(description="When it ends.")
