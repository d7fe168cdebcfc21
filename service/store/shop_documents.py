"""Documents that the shop writes: its rules, bundles, experiments, offers and blocks of mails.

A deleted one keeps its row without a document, so its end is numbered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson
from sqlalchemy import Connection, Table, insert, select, update

from service.store.audit import record_change
from service.store.change_counters import RULES as RULES_COUNTER
from service.store.tables import blocks, bundles, rules
from service.store.writer import Change

Document = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class ShopDocuments:
    """Documents of one kind, each under an id that the shop chooses.

    A change of any kind raises the counter of the rules: all of them change what is shown where.
    """

    table: Table  # its columns: the id, `document`, `number`
    kind: str  # as the audit log calls it

    def read_texts(self, connection: Connection) -> dict[str, str]:
        """Return every document that is not deleted as JSON, ordered by id."""
        key, text = self._id, self.table.c.document
        rows = connection.execute(select(key, text).where(text.isnot(None)).order_by(key))
        return {row[0]: row[1] for row in rows}

    def read_all(self, connection: Connection) -> dict[str, Document]:
        """Return every document that is not deleted, ordered by id."""
        texts = self.read_texts(connection)
        return {name: orjson.loads(text) for name, text in texts.items()}

    def put(
        self,
        change: Change,
        name: str,
        document: Document | None,
        *,
        time: int,
        actor: str,
        action: str | None = None,
    ) -> Document | None:
        """Replace a document, or delete it where it is None; return the document before.

        `action`: what the audit log says, by default that it was made, changed or deleted.
        """
        has_name = self._id == name
        row = change.connection.execute(select(self.table.c.document).where(has_name)).first()
        before: Document | None = orjson.loads(row.document) if row and row.document else None
        if before == document:
            return before
        text = None
        if document is not None:
            text = orjson.dumps(document, option=orjson.OPT_SORT_KEYS).decode()
        (number,) = change.take_numbers(1)
        values = {"document": text, "number": number}
        if row:
            change.connection.execute(update(self.table).where(has_name).values(**values))
        else:
            new_row = insert(self.table).values({self._id.name: name, **values})
            change.connection.execute(new_row)
        done = "deleted" if document is None else "changed" if before else "made"
        record_change(
            change,
            time=time,
            actor=actor,
            action=action or f"{self.kind} {done}",
            subject=name,
            before=before,
            after=document,
        )
        change.touch(RULES_COUNTER)
        return before

    @property
    def _id(self) -> Any:
        return self.table.columns[0]


RULES: Final = ShopDocuments(rules, "rule")
BUNDLES: Final = ShopDocuments(bundles, "bundle")
BLOCKS: Final = ShopDocuments(blocks, "block")
