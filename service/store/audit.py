"""Who changed what. The subject of a change is a rule, a key or a product, never a customer."""

from __future__ import annotations

from typing import Any

import orjson
from sqlalchemy import Connection, insert, select

from service.store.tables import audit
from service.store.writer import Change


def record_change(
    change: Change,
    *,
    time: int,
    actor: str,
    action: str,
    subject: str,
    before: Any = None,
    after: Any = None,
) -> None:
    """`before` and `after` as JSON can hold them; no secret."""
    (number,) = change.numbers(1)
    change.connection.execute(
        insert(audit).values(
            number=number,
            time=time,
            actor=actor,
            action=action,
            subject=subject,
            before=None if before is None else orjson.dumps(before).decode(),
            after=None if after is None else orjson.dumps(after).decode(),
        )
    )


def list_newest(connection: Connection, most: int, below: int | None) -> list[dict[str, Any]]:
    """The changes numbered below one, newest first."""
    rows = select(*audit.columns).order_by(audit.c.number.desc()).limit(most)
    if below is not None:
        rows = rows.where(audit.c.number < below)
    return [
        {"number": number, "time": time, "actor": actor, "action": action, "subject": subject}
        | {"before": _read(before), "after": _read(after)}
        for number, time, actor, action, subject, before, after in connection.execute(rows)
    ]


def _read(text: str | None) -> Any:
    return None if text is None else orjson.loads(text)
