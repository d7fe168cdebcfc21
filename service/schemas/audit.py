"""Audit log, as it is read."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from pydantic import ConfigDict, Field

from service.schemas.base import AnswerModel, examples
from service.schemas.pages import Next

CHANGE_EXAMPLE: Final[dict[str, Any]] = {
    "number": 1208,
    "time": "2026-11-22T09:30:00Z",
    "actor": "k-1a2b3c",
    "action": "rule made",
    "subject": "no-milk",
    "before": None,
    "after": {"id": "no-milk", "kind": "exclude", "which": {"category": "MILK"}},
}


class AuditedChange(AnswerModel):
    """A change, with who made it."""

    model_config = ConfigDict(json_schema_extra=examples(CHANGE_EXAMPLE))
    number: int = Field(description="Number of the change in the store; later ones are larger.")
    time: datetime = Field(description="When it was made.")
    actor: str = Field(
        description="Id of the key that made it, `command line`, `guardrail` where an experiment's "
        "results did, or `no key` while there is none."
    )
    action: str = Field(description="What was done: the kind of the thing, and a verb.")
    subject: str = Field(description="Id of what was changed.")
    before: dict[str, Any] | None = Field(description="State before, null where there was none.")
    after: dict[str, Any] | None = Field(description="State after, null where it is gone.")


class AuditAnswer(AnswerModel):
    """Changes, with who made them."""

    model_config = ConfigDict(
        json_schema_extra=examples({"changes": [CHANGE_EXAMPLE], "next": None})
    )
    changes: list[AuditedChange] = Field(description="The changes, newest first.")
    next: Next
