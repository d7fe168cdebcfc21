"""Audit log: its options and its answer."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import ConfigDict, Field

from service.schemas.base import AnswerModel, ParameterModel, examples


class AuditOptions(ParameterModel):
    """A page of the audit log."""

    n: Annotated[int, Field(ge=1, le=1000, description="Number of changes.", examples=[100])] = 100
    below: Annotated[
        int | None,
        Field(
            ge=1,
            le=2**62,
            description="Only changes with a smaller `number`. For the next page, send the number "
            "of the last change of this one.",
            examples=[1208],
        ),
    ] = None


class AuditAnswer(AnswerModel):
    """Changes of rules and keys."""

    model_config = ConfigDict(
        json_schema_extra=examples(
            {
                "changes": [
                    {
                        "number": 1208,
                        "time": 1795340000,
                        "actor": "k-1a2b3c",
                        "action": "rule made",
                        "subject": "no-milk",
                        "before": None,
                        "after": {
                            "id": "no-milk",
                            "kind": "exclude",
                            "which": {"category": "MILK"},
                        },
                    }
                ]
            }
        )
    )
    changes: list[dict[str, Any]] = Field(
        description="The changes, newest first: number, time (seconds since 1970), the key that "
        "made it, what was done to which rule or key, and the state before and after."
    )
