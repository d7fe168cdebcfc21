"""The shop's rules. A deleted one keeps its row without a document, so that its end has a number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from sqlalchemy import Connection, insert, select, update

from service.store.audit import record_change
from service.store.change_counters import RULES
from service.store.tables import rules
from service.store.writer import Change

Document = Mapping[str, Any]


def read_all(connection: Connection) -> dict[str, Document]:
    """Every rule that is not deleted, by id."""
    found = (
        select(rules.c.rule_id, rules.c.document)
        .where(rules.c.document.isnot(None))
        .order_by(rules.c.rule_id)
    )
    return {rule_id: orjson.loads(document) for rule_id, document in connection.execute(found)}


def put(
    change: Change, rule_id: str, document: Document | None, *, time: int, actor: str
) -> Document | None:
    """A rule as it is from now on, None to delete it; what it was before."""
    row = change.connection.execute(
        select(rules.c.document).where(rules.c.rule_id == rule_id)
    ).first()
    before: Document | None = orjson.loads(row[0]) if row and row[0] else None
    if before == document:
        return before
    text = (
        None if document is None else orjson.dumps(document, option=orjson.OPT_SORT_KEYS).decode()
    )
    (number,) = change.numbers(1)
    if row:
        change.connection.execute(
            update(rules).where(rules.c.rule_id == rule_id).values(document=text, number=number)
        )
    else:
        change.connection.execute(
            insert(rules).values(rule_id=rule_id, document=text, number=number)
        )
    action = "deleted" if document is None else "changed" if before else "made"
    record_change(
        change,
        time=time,
        actor=actor,
        action=f"rule {action}",
        subject=rule_id,
        before=before,
        after=document,
    )
    change.touch(RULES)
    return before
