"""Who an export is for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from models.strings import Ids
from training.columns import require
from training.errors import InputError
from training.moments import moment_of
from training.sources import open_sources
from training.workspace import open_workspace, reading


@dataclass(frozen=True)
class Recipient:
    customer_id: str
    as_of: int | None = None  # when the mail goes out, seconds since 1970; None: the newest event


def everyone(customer_ids: Ids) -> list[Recipient]:
    return [Recipient(customer_id) for customer_id in customer_ids]


def read_recipients(path: Path) -> list[Recipient]:
    """`customer_id` and optionally `as_of`, in the order of the file, each customer once. Raises InputError."""
    with open_workspace() as workspace:
        workspace.in_file_order(True)
        rows: list[tuple[str | None, str | None]] = []
        for source in open_sources(workspace, [path], {}):
            require(source.label, ["customer_id"], dict.fromkeys(source.columns, ""), source.columns)
            moment = source.table["as_of"] if "as_of" in source.columns else source.text("as_of")
            wanted = source.table.select(customer_id=source.table["customer_id"], as_of=moment)
            with reading(source.label):
                table = workspace.connection.to_pyarrow(wanted)
            rows += zip(table["customer_id"].to_pylist(), table["as_of"].to_pylist(), strict=True)
    recipients = {customer_id: _recipient(path, customer_id, at) for customer_id, at in rows if customer_id}
    if not recipients:
        raise InputError(f"{path}: names no customer_id in {len(rows)} rows")
    return list(recipients.values())


def _recipient(path: Path, customer_id: str, at: str | None) -> Recipient:
    try:
        return Recipient(customer_id, moment_of(at))
    except ValueError:
        raise InputError(f"{path}: as_of {at!r} is no date") from None
