"""Write parts of a file of slates in its format, and join them.

Parts are written by many processes and joined by one, so the work is in the parts: those of a text
are its lines.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

ROW_GROUP_PARTS: Final = 32  # of Parquet
COPY_BYTES: Final = 1 << 20
FORMULA_BEGINS: Final = r"[=+\-@\t\r]"  # with these a spreadsheet takes a cell for a formula


@dataclass(frozen=True)
class Format:
    """A pair of functions: one writes a part, the other joins parts to a file."""

    write: Callable[[pa.Table, BinaryIO], None]
    join: Callable[[Sequence[Path], pa.Schema, BinaryIO], None]


def make_spreadsheet_safe(table: pa.Table) -> pa.Table:
    """Return a table in which no text is a formula to a spreadsheet: ' stands before it.

    Numbers stay as they are.
    """
    return _replace_in_texts(table, rf"\A({FORMULA_BEGINS})", r"'\1")


def undo_spreadsheet_safe(table: pa.Table) -> pa.Table:
    """Return a table as it was before it was made safe."""
    return _replace_in_texts(table, rf"\A'({FORMULA_BEGINS})", r"\1")


def _replace_in_texts(table: pa.Table, pattern: str, replacement: str) -> pa.Table:
    for index, column in enumerate(table.schema):
        if pa.types.is_string(column.type):
            texts = pc.replace_substring_regex(table[index], pattern, replacement)
            table = table.set_column(index, column, texts)
    return table


def _write_csv(table: pa.Table, stream: BinaryIO) -> None:
    pa_csv.write_csv(table, stream, pa_csv.WriteOptions(include_header=False))


def _join_csv(parts: Sequence[Path], schema: pa.Schema, stream: BinaryIO) -> None:
    pa_csv.write_csv(schema.empty_table(), stream)
    _join_lines(parts, schema, stream)


def _write_ndjson(table: pa.Table, stream: BinaryIO) -> None:
    for row in table.to_pylist():
        stream.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))


def _join_lines(parts: Sequence[Path], _schema: pa.Schema, stream: BinaryIO) -> None:
    for part in parts:
        with part.open("rb") as source:
            shutil.copyfileobj(source, stream, COPY_BYTES)


def _write_arrow(table: pa.Table, stream: BinaryIO) -> None:
    with pa.ipc.new_file(stream, table.schema) as writer:
        writer.write_table(table)


def _join_parquet(parts: Sequence[Path], schema: pa.Schema, stream: BinaryIO) -> None:
    with pq.ParquetWriter(stream, schema) as writer:
        for start in range(0, len(parts), ROW_GROUP_PARTS):
            tables = [
                pa.ipc.open_file(part.read_bytes()).read_all()
                for part in parts[start : start + ROW_GROUP_PARTS]
            ]
            writer.write_table(pa.concat_tables(tables))


CSV: Final = ".csv"
FORMATS: Final = {
    ".parquet": Format(_write_arrow, _join_parquet),
    CSV: Format(_write_csv, _join_csv),
    ".ndjson": Format(_write_ndjson, _join_lines),
}
