"""`POST /v1/tokens`: the shop's server asks for what a browser may hold."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Annotated, Any, Self

import orjson
from fastapi import Body, FastAPI, Request, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from models.data.timestamps import format_timestamp
from service.answering.responder import Responder
from service.errors import PROBLEMS, TOO_LARGE, Conflict, problem_schema
from service.schemas.answers import Schema
from service.schemas.parameters import WHOLE, Id
from service.signing.customer_tokens import CustomerToken, sign


def _with(name: str) -> dict[str, Any]:
    return {"required": [name], "properties": {name: {"type": "string"}}}


class TokenBody(BaseModel):
    """The customer who is logged in, the visit, or both."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        json_schema_extra={
            "examples": [{"customer_id": "2034"}],
            "anyOf": [_with("customer_id"), _with("session_id")],
        },
    )
    customer_id: Annotated[Id | None, Field(description="whose slate and events it opens")] = None
    session_id: Annotated[Id | None, Field(description="the visit that it may name")] = None
    minutes: Annotated[
        int | None,
        Field(ge=1, le=1440, description="its life; by default as the settings say"),
        WHOLE,
    ] = None

    @model_validator(mode="after")
    def _of_someone(self) -> Self:
        if self.customer_id is None and self.session_id is None:
            raise ValueError("should name a customer_id, a session_id or both")
        return self


class TokenAnswer(Schema):
    token: str = Field(description="for `Authorization: Bearer`, in the browser")
    expires: datetime


def add_token_routes(app: FastAPI) -> None:
    app.add_api_route(
        "/v1/tokens",
        make_token,
        methods=["POST"],
        response_model=TokenAnswer,
        responses=PROBLEMS | TOO_LARGE | {409: problem_schema("REGULARS_SIGNING_KEY is not set")},
        tags=["customers"],
    )


async def make_token(request: Request, options: Annotated[TokenBody, Body()]) -> Response:
    """A token that a browser may hold: it opens this customer's slate and events, and nothing else, for a while."""
    responder: Responder = request.app.state.responder
    secret = responder.settings.token_secret()
    if secret is None:
        raise Conflict(
            "Customer tokens need REGULARS_SIGNING_KEY to be set, so that nobody else can make them."
        )
    expires = int(time.time()) + 60 * (options.minutes or responder.settings.token_minutes)
    token = sign(secret, CustomerToken(options.customer_id, options.session_id, expires))
    body = orjson.dumps({"token": token, "expires": format_timestamp(expires)})
    return Response(body, headers={"Cache-Control": "no-store"}, media_type="application/json")
