"""Rules of the shop. A deleted one keeps its row without a document, so its end is numbered."""

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
    """Return every rule that is not deleted, ordered by id."""
    query = (
        select(rules.c.rule_id, rules.c.document)
        .where(rules.c.document.isnot(None))
        .order_by(rules.c.rule_id)
    )
    return {row.rule_id: orjson.loads(row.document) for row in connection.execute(query)}


def put(
    change: Change, rule_id: str, document: Document | None, *, time: int, actor: str
) -> Document | None:
    """Replace a rule, or delete it where the document is None; return the document before."""
    is_rule = rules.c.rule_id == rule_id
    row = change.connection.execute(select(rules.c.document).where(is_rule)).first()
    before: Document | None = orjson.loads(row.document) if row and row.document else None
    if before == document:
        return before
    text = None
    if document is not None:
        text = orjson.dumps(document, option=orjson.OPT_SORT_KEYS).decode()
    (number,) = change.take_numbers(1)
    values = {"document": text, "number": number}
    if row:
        change.connection.execute(update(rules).where(is_rule).values(**values))
    else:
        change.connection.execute(insert(rules).values(rule_id=rule_id, **values))
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
