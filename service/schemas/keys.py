"""API keys as they are listed and made."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from service.http.authorization import Scope
from service.patterns import NO_NUL
from service.schemas.base import AnswerModel, examples
from service.schemas.pages import Next
from service.schemas.parameters import WHOLE_NUMBER
from service.settings import MAX_CALLS_A_MINUTE

KEY_EXAMPLE: Final[dict[str, Any]] = {
    "key_id": "1a2b3c4d5e6f",
    "name": "the storefront",
    "scopes": ["read"],
    "calls_a_minute": None,
    "created": "2026-11-22T09:30:00Z",
    "revoked": None,
}


class KeyBody(BaseModel):
    """A key to make."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        json_schema_extra=examples({"name": "the storefront", "scopes": ["read"]}),
    )
    name: Annotated[
        str,
        Field(
            min_length=1,
            max_length=100,
            pattern=NO_NUL,
            description="Name of the caller who gets the key.",
            examples=["the storefront"],
        ),
    ]
    scopes: Annotated[
        tuple[Annotated[Scope, Field(strict=False)], ...],
        Field(
            strict=False,
            min_length=1,
            max_length=len(Scope),
            description="What the key may do: read, write or admin.",
            examples=[["read"]],
        ),
    ]
    calls_a_minute: Annotated[
        int | None,
        Field(
            ge=1,
            le=MAX_CALLS_A_MINUTE,
            description="Calls a minute that it may make. By default as the settings say.",
            examples=[600],
        ),
        WHOLE_NUMBER,
    ] = None


class KeyFacts(AnswerModel):
    """A key, without its secret."""

    model_config = ConfigDict(json_schema_extra=examples(KEY_EXAMPLE))
    key_id: str = Field(description="Id of the key. The audit log names it.")
    name: str = Field(description="Name of the caller who got it.")
    scopes: list[Scope] = Field(description="What it may do.")
    calls_a_minute: int | None = Field(
        description="Calls a minute that it may make. Null: as the settings say."
    )
    created: datetime = Field(description="When it was made.")
    revoked: datetime | None = Field(description="When it was revoked. Null: it holds.")


class KeyAnswer(AnswerModel):
    """One key."""

    model_config = ConfigDict(json_schema_extra=examples({"key": KEY_EXAMPLE}))
    key: KeyFacts = Field(description="The key, without its secret.")


class NewKeyAnswer(KeyAnswer):
    """A key that was just made, with its secret."""

    model_config = ConfigDict(
        json_schema_extra=examples({"key": KEY_EXAMPLE, "secret": "regulars_1a2b3c4d5e6f_…"})
    )
    secret: str = Field(description="The key as callers send it. It is not shown again.")


class KeysAnswer(AnswerModel):
    """Keys of the shop."""

    model_config = ConfigDict(json_schema_extra=examples({"keys": [KEY_EXAMPLE], "next": None}))
    keys: list[KeyFacts] = Field(description="Every key there ever was, ordered by id.")
    next: Next
