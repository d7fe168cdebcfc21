"""Files of one format and the same columns become one Ibis table, every column text."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import ibis
import pyarrow as pa
import pyarrow.parquet as pq

from training.errors import InputError
from training.reading.columns import named
from training.reading.duckdb import Workspace, json_keys, reading
from training.reading.files import Header, InputFile, csv_header, find_files, one_case

IDS: Final = ("customer_id", "product_id", "order_id")
NUMBERS: Final = ("quantity", "unit_price", "amount", "price")
EXACT: Final = 2.0**53  # whole numbers above it are not exact as floats
CUT_LINE: Final = 10_000  # characters of a refused line that DuckDB keeps


@dataclass(frozen=True, eq=False)
class FileTable:
    """Files with the same columns. `table` holds their columns as text; empty cells are NULL.

    Whole numbers keep their decimal text. A float that is a whole number loses its ".0" (pandas makes 12345.0 of an
    integer column with gaps), and a NaN among ids is an empty cell. That is seen by the type of a Parquet column:
    "12345.0" in a CSV file is text and stays what it is. In a file separated by semicolons, "1,50" is one and a half.
    """

    files: tuple[InputFile, ...]
    table: Any
    names: dict[str, str]  # our name -> column
    decimal_comma: bool
    rejects: str | None  # what DuckDB's tables of lines it could not take apart are called after
    from_store: bool = False  # with the number of each row, and the event that it is a line of

    @property
    def label(self) -> str:
        more = len(self.files) - 1
        return self.files[0].name + (f" (and {more} more like it)" if more else "")

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self.table.columns)

    def text(self, name: str) -> Any:
        """The cells under one of our names; NULL where the file has no such column."""
        if name not in self.names:
            return ibis.null("string").name(name)
        cells = self.table[self.names[name]]
        if self.decimal_comma and name in NUMBERS:
            cells = cells.replace(",", ".")
        return cells.name(name)


def open_file_tables(
    workspace: Workspace,
    given: Sequence[str | Path],
    columns: Mapping[str, str],
    *,
    whole: bool = False,
) -> list[FileTable]:
    """Files, folders and globs as sources, one for each format and set of columns; `whole`: for `read_whole`."""
    folder = workspace.folder / f"unpacked{len(list(workspace.folder.iterdir()))}"
    folder.mkdir()
    groups: dict[tuple[str, Hashable], list[InputFile]] = {}
    for file in find_files(given, folder):
        groups.setdefault((file.format, _signature(workspace, file)), []).append(file)
    readers: dict[str, Callable[..., FileTable]] = {
        "csv": _read_csv,
        "json": partial(_read_json, whole=whole),
        "parquet": _read_parquet,
    }
    return [
        readers[format_](workspace, tuple(files), signature, columns, f"{folder.name}_{number}")
        for number, ((format_, signature), files) in enumerate(groups.items())
    ]


def _signature(workspace: Workspace, file: InputFile) -> Hashable:
    if file.format == "csv":
        return csv_header(file)
    if file.format == "parquet":
        return _parquet_columns(file)
    return one_case(file.name, _json_columns(workspace, file))


def _read_csv(
    workspace: Workspace,
    files: tuple[InputFile, ...],
    header: Any,
    columns: Mapping[str, str],
    key: str,
) -> FileTable:
    assert isinstance(header, Header)  # noqa: S101
    # Nothing is guessed by DuckDB: its sniffer looks at the beginning and takes what comes later at its word.
    table = workspace.connection.read_csv(
        [file.pattern for file in files],
        table_name=f"csv_{key}",
        auto_detect=False,
        header=True,
        delim=header.delimiter,
        quote='"',
        escape='"',
        columns=dict.fromkeys(header.names, "VARCHAR"),
        ignore_errors=True,
        store_rejects=True,
        rejects_table=f"rejects_{key}",
        rejects_scan=f"scans_{key}",
        rejects_limit=0,
    )
    cells = table.select(**{name: table[name].nullif("") for name in table.columns})
    return FileTable(files, cells, named(header.names, columns), header.delimiter == ";", key)


def _read_json(
    workspace: Workspace,
    files: tuple[InputFile, ...],
    names: Any,
    columns: Mapping[str, str],
    key: str,
    *,
    whole: bool,
) -> FileTable:
    with reading(files[0].name):
        table = workspace.connection.read_json(
            [file.pattern for file in files],
            table_name=f"json_{key}",
            columns=dict.fromkeys(names, "VARCHAR"),
            records="true",
            **_json_shape(files[0], whole=whole),
        )
    cells = table.select(**{name: table[name].nullif("") for name in table.columns})
    return FileTable(files, cells, named(names, columns), False, None)


def _json_columns(workspace: Workspace, file: InputFile) -> list[str]:
    """Every name in any object of the file, sorted."""
    with reading(file.name):
        rows = workspace.connection.read_json(
            file.pattern, columns={"row": "JSON"}, records="false", **_json_shape(file)
        )
        names = rows.select(name=json_keys(rows["row"]).unnest()).distinct()
        found = [
            name for name in workspace.connection.to_pyarrow(names)["name"].to_pylist() if name
        ]
    if not found:
        raise InputError(f"{file.name} holds no JSON object (0 rows, 0 columns).")
    return sorted(found)


def _json_shape(file: InputFile, *, whole: bool = False) -> dict[str, Any]:
    with file.content.open("rb") as content:
        array = re.match(rb"\s*\[\s*(\{|\])", content.read(4096)) is not None
    return (
        {"format": "array"}
        if array
        else {"format": "newline_delimited", "ignore_errors": not whole}
    )


def _parquet_columns(file: InputFile) -> tuple[tuple[str, str], ...]:
    try:
        schema = pq.read_schema(file.content)
    except (pa.ArrowException, OSError) as error:
        raise InputError(
            f"{file.name} cannot be read as Parquet: {str(error).splitlines()[0]}"
        ) from error
    names = one_case(file.name, schema.names)
    return tuple((name, str(field.type)) for name, field in zip(names, schema, strict=True))


def _read_parquet(
    workspace: Workspace, files: tuple[InputFile, ...], _: Any, columns: Mapping[str, str], key: str
) -> FileTable:
    with reading(files[0].name):
        table = workspace.connection.read_parquet(
            [file.pattern for file in files],
            table_name=f"parquet_{key}",
            binary_as_string=True,
            hive_partitioning=False,
        )
    names = named(table.columns, columns)
    ids = {names[name] for name in IDS if name in names}
    cells = table.select(**{name: _as_text(table[name], name in ids) for name in table.columns})
    return FileTable(files, cells, names, False, None)


def _as_text(cell: Any, is_id: bool) -> Any:
    kind = cell.type()
    if kind.is_floating():
        integer = cell.try_cast("int64")  # rounded; NULL for NaN and infinite
        whole = (integer.cast("float64") == cell) & (cell.abs() < EXACT)
        known = (
            ibis.ifelse(cell.isnan(), ibis.null("string"), cell.cast("string"))
            if is_id
            else cell.cast("string")
        )
        return ibis.ifelse(whole, integer.cast("string"), known)
    if kind.is_array():
        return cell.map(lambda one: one.cast("string")).join("|")
    return cell.cast("string").nullif("")


def unreadable_rows(workspace: Workspace, sources: Sequence[FileTable]) -> int:
    """Lines that DuckDB could not take apart, once they have been read. InputError for a quote that never closes."""
    return sum(lost["rows"] for source in sources for lost in _unreadable(workspace, source))


def read_whole(workspace: Workspace, source: FileTable, cells: Any) -> pa.Table:
    """These cells of a source that was opened `whole`. InputError where lines of a file cannot be read: how many."""
    with reading(source.label):
        table = workspace.connection.to_pyarrow(cells)
    require_whole(workspace, source)
    return table


def require_whole(workspace: Workspace, source: FileTable) -> None:
    """Of a source that was opened `whole` and has been read. InputError where lines of a file could not be."""
    lost = _unreadable(workspace, source)
    if lost:
        file, line, why = (lost[0][name] for name in ("file", "line", "why"))
        count = sum(one["rows"] for one in lost if one["file"] == file)
        raise InputError(
            f"{file}, line {line}: {why.rstrip('.')}; {count} of its lines cannot be read."
        )


def _unreadable(workspace: Workspace, source: FileTable) -> list[dict[str, Any]]:
    """What was refused, in the order of the lines; each once, however often it was read."""
    if source.rejects is None:
        return []
    rejects, scans = (
        workspace.connection.table(f"{name}_{source.rejects}") for name in ("rejects", "scans")
    )
    line = rejects.csv_line
    # A refused record over several lines has swallowed as many rows as it has line ends.
    ends = line.strip().length() - line.strip().replace("\n", "").length()
    lines = rejects.select(
        "scan_id", "file_id", "line", why="error_message", length=line.length(), ends=ends
    )
    lines = lines.join(scans.select("scan_id", "file_id", "file_path"), ["scan_id", "file_id"])
    lines = lines.group_by("file_path", "line").agg(
        why=lines.why.min(), length=lines.length.max(), rows=(lines.ends.max() + 1).coalesce(1)
    )
    found: list[dict[str, Any]] = workspace.connection.to_pyarrow(
        lines.order_by("file_path", "line")
    ).to_pylist()
    names = {file.content.resolve(): file.name for file in source.files}
    files = {path: names[Path(path).resolve()] for path in {row["file_path"] for row in found}}
    for row in found:
        row["file"] = files[row["file_path"]]
        if (row["length"] or 0) >= CUT_LINE:
            raise InputError(
                f"{row['file']}, line {row['line']}: a quote opens and swallows more than {CUT_LINE} characters, "
                "so that the rows after it cannot be told apart."
            )
    return found
