"""Run an embedded DuckDB with a folder of its own, and name functions of it that Ibis lacks."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import ibis
import ibis.expr.datatypes as dt
from ibis.backends.duckdb import Backend

from models.artifact.scratch import temporary_directory
from training.errors import InputError

DEFAULT_MEMORY_LIMIT = "4GB"
UNREADABLE = (duckdb.IOException, duckdb.InvalidInputException, duckdb.DataError)


@dataclass(frozen=True, eq=False)
class Workspace:
    """A connection, and a folder for what does not fit into memory.

    The folder is removed when the workspace is left.
    """

    connection: Backend
    folder: Path

    def keep(self, name: str, table: Any) -> Any:
        """Compute a table once, hold it under a name, and return it."""
        return self.connection.create_table(name, table, temp=True)

    def drop(self, *names: str) -> None:
        """Remove held tables, if they are there."""
        for name in names:
            self.connection.raw_sql(f'DROP TABLE IF EXISTS "{name}"')

    def in_file_order(self, wanted: bool) -> None:
        """Say whether row numbers must follow the lines of the files.

        Reading is faster and smaller without.
        """
        self.connection.raw_sql(f"SET preserve_insertion_order = {str(wanted).lower()}")

    def batches(self, table: Any, rows: int) -> Any:
        """Return a reader of Arrow record batches."""
        # Ibis 12 asks DuckDB for a method that version 2.0 no longer has.
        return self.connection.con.sql(self.connection.compile(table)).to_arrow_reader(rows)

    def count(self, table: Any) -> int:
        """Return the number of rows."""
        return self.total(table.count())

    def total(self, number: Any) -> int:
        """Return the value of an aggregate, or the sum of a column; 0 over no rows."""
        aggregate = number if number.op().shape.is_scalar() else number.sum()
        return int(self.connection.to_pyarrow(aggregate).as_py() or 0)


@contextmanager
def open_workspace(memory_limit: str | None = None) -> Iterator[Workspace]:
    """Open a workspace; no extension of DuckDB is ever downloaded.

    `memory_limit` is DuckDB's, for example "4GB"; what exceeds it goes to disk. Raises InputError
    where neither has room for what is read.
    """
    memory_limit = memory_limit or DEFAULT_MEMORY_LIMIT
    with temporary_directory() as folder:
        connection = ibis.duckdb.connect(
            ":memory:",
            memory_limit=memory_limit,
            temp_directory=str(folder / "spill"),
            preserve_insertion_order=False,
            autoinstall_known_extensions=False,
            autoload_known_extensions=False,
        )
        try:
            with warnings.catch_warnings():
                # Ibis 12 calls what DuckDB 2.0 deprecates; nobody who reads a file can change that.
                warnings.filterwarnings(
                    "ignore", r"fetch_arrow_table\(\) is deprecated", DeprecationWarning
                )
                yield Workspace(connection, folder)
        except (duckdb.OutOfMemoryException, duckdb.IOException) as error:
            room = f"memory_limit {memory_limit} and what is free in {folder.parent}"
            raise InputError(
                f"There is no room to read in, with {room}: {_first_line(error)}"
            ) from error
        finally:
            connection.disconnect()


@contextmanager
def reading_errors(files: str) -> Iterator[None]:
    """Turn errors of DuckDB about the content of these files into one sentence."""
    try:
        yield
    except UNREADABLE as error:
        raise InputError(f"{files} cannot be read: {_first_line(error)}") from error
    except duckdb.Error as error:
        if type(error) is not duckdb.Error:
            raise
        # So it says that bytes of a Parquet file are none that it has written.
        raise InputError(f"{files} cannot be read: {_first_line(error)}") from error


def _first_line(error: duckdb.Error) -> str:
    line = str(error).strip().splitlines()[0]
    if "CSV Parser state machine" in line:  # which names no line
        return (
            "some of its lines end in CR LF and some in LF, "
            f"or a CR stands in a cell without quotes ({line})"
        )
    if "maximum_object_size" in line:
        return f"an object of it is too large; write one record a line ({line})"
    return line


@ibis.udf.scalar.builtin(name="hash")  # type: ignore[untyped-decorator]
def hash_of(value) -> dt.uint64:  # type: ignore[no-untyped-def]
    """Return 64 bits of any value, structs too."""


@ibis.udf.scalar.builtin(name="chr")  # type: ignore[untyped-decorator]
def character(code: int) -> str:  # type: ignore[empty-body]
    """Return the character of a code point; a NUL cannot be written into a statement."""


@ibis.udf.scalar.builtin(name="epoch_us")  # type: ignore[untyped-decorator]
def microseconds(moment: dt.Timestamp("UTC")) -> dt.int64:  # type: ignore[valid-type]
    """Return microseconds since 1970; Ibis's `epoch_seconds` is an int32 that ends in 2038."""


@ibis.udf.scalar.builtin(name="epoch_us")  # type: ignore[untyped-decorator]
def plain_microseconds(moment: dt.Timestamp()) -> dt.int64:  # type: ignore[valid-type]
    """Return microseconds since 1970 of a moment without a zone, taken for UTC."""


@ibis.udf.scalar.builtin  # type: ignore[untyped-decorator]
def json_keys(value: dt.json) -> dt.Array(dt.string):  # type: ignore[valid-type]
    """Return the names in a JSON object."""


@ibis.udf.scalar.builtin  # type: ignore[untyped-decorator]
def json_merge_patch(target: dt.json, patch: dt.json) -> dt.json:
    """Merge by RFC 7396; a patch merged into an empty object leaves out what is null."""
