"""Answers for spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any, Final

from fastapi import Response

from service.errors import ResponseSchemas
from service.routes.responses import NO_STORE

CSV: Final = "text/csv"
RISKY: Final = ("=", "+", "-", "@", "\t", "\r")  # a text that begins so may be a formula
AS_CSV: Final[ResponseSchemas] = {200: {"content": {CSV: {"schema": {"type": "string"}}}}}


def write_csv(rows: Iterable[Mapping[str, Any]], columns: Iterable[str]) -> Response:
    """Return rows with a header. An apostrophe keeps a text from being read as a formula."""
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, list(columns))
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _cell(row[name]) for name in writer.fieldnames})
    return Response(stream.getvalue(), headers=NO_STORE, media_type=CSV)


def _cell(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(RISKY) else value
