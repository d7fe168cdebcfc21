"""Open files of one format and the same columns as one Ibis table of texts."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import ibis
import pyarrow as pa
import pyarrow.parquet as pq

from models.data.numbers import Decimal
from models.data.timestamps import DateOrder
from training.errors import InputError
from training.reading.cells import number_cells, time_cells
from training.reading.columns import KNOWN_COLUMNS, map_columns
from training.reading.duckdb import Workspace, json_keys, reading_errors
from training.reading.files import (
    Header,
    InputFile,
    check_letter_case,
    find_files,
    read_csv_header,
)
from training.reading.options import AS_FILES_TELL, ReadingOptions
from training.reading.positions import find_line, shorten

ID_COLUMNS: Final = ("customer_id", "product_id", "order_id")
EXACT_BELOW: Final = 2.0**53  # whole numbers from there on are not exact as floats
# 10,000 columns of 20 rows took 100 seconds and, as JSON lines, more than 4 GB.
MAX_COLUMNS: Final = 2_000
LONGEST_JSON_LINE: Final = 1 << 16  # bytes at the beginning, of which one line is looked at
DEFAULT_JSON_OBJECT: Final = 1 << 24  # bytes, of DuckDB
LARGEST_JSON_OBJECT: Final = 1 << 28  # bytes
KEPT_CHARACTERS: Final = 10_000  # of a refused line that DuckDB keeps


@dataclass(frozen=True, eq=False)
class FileTable:
    """A table of files with the same columns, which are text; empty cells are NULL.

    Whole numbers keep their decimal text. A float that is a whole number loses its ".0" (pandas
    makes 12345.0 of an integer column with gaps), and a NaN among ids is an empty cell. The type of
    a Parquet column decides: "12345.0" in a CSV file is text and stays as it is.
    """

    files: tuple[InputFile, ...]
    table: Any
    names: dict[str, str]  # our name -> column
    rejects: str | None  # suffix of DuckDB's tables of lines it could not take apart
    delimiter: str | None = None  # of CSV
    from_store: bool = False  # with the number of each row, and the event that it is a line of
    # The table as the file has it, where this one was made of a vendor's export
    origin: FileTable | None = None
    options: ReadingOptions = AS_FILES_TELL
    # Of our columns, where it is known; see styles.py
    decimals: Mapping[str, Decimal] = field(default_factory=dict)
    date_orders: Mapping[str, DateOrder] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """Name the first file, and how many more there are."""
        more = len(self.files) - 1
        return self.files[0].name + (f" (and {more} more like it)" if more else "")

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the names of all columns."""
        return tuple(self.table.columns)

    def text(self, name: str) -> Any:
        """Return the cells under one of our names; NULL where the file has no such column."""
        if name not in self.names:
            return ibis.null("string").name(name)
        return self.table[self.names[name]].name(name)

    def numbers(self, name: str) -> Any:
        """Return the cells under one of our names as float64; NULL where they are no numbers."""
        return number_cells(self.text(name), self.decimals.get(name, self.options.decimal))

    def times(self, name: str) -> Any:
        """Return the cells under one of our names in seconds since 1970; NULL for no time."""
        return time_cells(self.text(name), self.date_orders.get(name, self.options.date_order))

    def find(self, name: str, text: str) -> str | None:
        """Return where a text first stands under one of our names, and the text; None for none."""
        table = self.origin or self
        column = table.names.get(name, "")
        for file in self.files:
            line = find_line(file, text, table.columns, column, self.delimiter) if column else None
            if line is not None:
                return f"{file.name}, line {line}, column {column!r}: {shorten(text)}"
        return None

    def locate(self, name: str, text: str) -> str:
        """Return where a text stands as `find` does, or the first file where no line is known."""
        found = self.find(name, text)
        if found is not None:
            return found
        column = (self.origin or self).names.get(name)
        place = f"{self.label}, column {column!r}" if column else self.label
        return f"{place}: {shorten(text)}"


@dataclass(frozen=True)
class RefusedLine:
    """A record that DuckDB could not take apart."""

    file: str
    line: int
    reason: str
    rows: int  # that it swallowed


@dataclass(frozen=True)
class _FileGroup:
    """A group of files of one format with the same columns."""

    files: tuple[InputFile, ...]
    columns: Any  # Header of CSV, names of JSON, names and types of Parquet
    key: str  # in the names of DuckDB's tables
    options: ReadingOptions

    @property
    def patterns(self) -> list[str]:
        return [file.pattern for file in self.files]


def open_file_tables(
    workspace: Workspace,
    paths: Sequence[str | Path],
    columns: Mapping[str, str],
    *,
    options: ReadingOptions = AS_FILES_TELL,
    whole: bool = False,
) -> list[FileTable]:
    """Open files, folders and globs, as one table for each format and set of columns.

    `columns`: our name -> theirs. `whole`: for `read_whole` and `require_whole`.
    """
    folder = workspace.folder / f"unpacked{len(list(workspace.folder.iterdir()))}"
    folder.mkdir()
    groups: dict[tuple[str, Hashable], list[InputFile]] = {}
    known = {*KNOWN_COLUMNS, *columns.values()}
    for file in find_files(paths, folder, options, known):
        file_columns = _columns_of(workspace, file)
        _check_width(file, file_columns)
        groups.setdefault((file.format, file_columns), []).append(file)
    tables = []
    for number, ((format_, file_columns), files) in enumerate(groups.items()):
        key = f"{folder.name}_{number}"
        group = _FileGroup(tuple(files), file_columns, key, options)
        if format_ == "csv":
            table = _open_csv(workspace, group, columns)
        elif format_ == "json":
            table = _open_json(workspace, group, columns, whole=whole)
        else:
            table = _open_parquet(workspace, group, columns)
        tables.append(table)
    return tables


def _check_width(file: InputFile, columns: Any) -> None:
    width = len(columns.names if isinstance(columns, Header) else columns)
    if width > MAX_COLUMNS:
        raise InputError(
            f"{file.name} has {width:,} columns, and at most {MAX_COLUMNS:,} are read; leave out "
            "those that are not needed."
        )


def _columns_of(workspace: Workspace, file: InputFile) -> Hashable:
    """Return the columns, which files of one table share."""
    if file.format == "csv":
        return read_csv_header(file)
    if file.format == "parquet":
        return _parquet_columns(file)
    return check_letter_case(file.name, _json_columns(workspace, file))


def _open_csv(workspace: Workspace, group: _FileGroup, columns: Mapping[str, str]) -> FileTable:
    header: Header = group.columns
    # Nothing is guessed by DuckDB: its sniffer looks at the beginning and takes what comes later at
    # its word.
    table = workspace.connection.read_csv(
        group.patterns,
        table_name=f"csv_{group.key}",
        auto_detect=False,
        header=True,
        delim=header.delimiter,
        quote='"',
        escape='"',
        columns=dict.fromkeys(header.names, "VARCHAR"),
        ignore_errors=True,
        store_rejects=True,
        rejects_table=f"rejects_{group.key}",
        rejects_scan=f"scans_{group.key}",
        rejects_limit=0,
    )
    return FileTable(
        group.files,
        _empty_to_null(table),
        map_columns(header.names, columns),
        rejects=group.key,
        delimiter=header.delimiter,
        options=group.options,
    )


def _open_json(
    workspace: Workspace, group: _FileGroup, columns: Mapping[str, str], *, whole: bool
) -> FileTable:
    with reading_errors(group.files[0].name):
        table = workspace.connection.read_json(
            group.patterns,
            table_name=f"json_{group.key}",
            columns=dict.fromkeys(group.columns, "VARCHAR"),
            records="true",
            **_json_layout(group.files[0], whole=whole),
        )
    return FileTable(
        group.files,
        _empty_to_null(table),
        map_columns(group.columns, columns),
        rejects=None,
        options=group.options,
    )


def select_documents(workspace: Workspace, source: FileTable, *, whole: bool) -> Any:
    """Return (document) of JSON or Parquet files: every object as the text of its JSON.

    `whole`: an object that cannot be read is an error, and no NULL.
    """
    patterns = [file.pattern for file in source.files]
    if source.files[0].format == "parquet":
        rows = workspace.connection.read_parquet(
            patterns, binary_as_string=True, hive_partitioning=False
        )
        cells = ibis.struct({name: rows[name] for name in rows.columns})
        return rows.select(document=cells.cast("json").cast("string"))
    rows = workspace.connection.read_json(
        patterns,
        columns={"document": "JSON"},
        records="false",
        **_json_layout(source.files[0], whole=whole),
    )
    return rows.select(document=rows.document.cast("string"))


def _empty_to_null(table: Any) -> Any:
    return table.select(**{name: table[name].nullif("") for name in table.columns})


def _json_columns(workspace: Workspace, file: InputFile) -> list[str]:
    """Return every name in any object of the file, sorted."""
    with reading_errors(file.name):
        rows = workspace.connection.read_json(
            file.pattern, columns={"row": "JSON"}, records="false", **_json_layout(file)
        )
        keys = rows.select(name=json_keys(rows["row"]).unnest()).distinct()
        names = workspace.connection.to_pyarrow(keys)["name"].to_pylist()
    columns = sorted(name for name in names if name)
    if not columns:
        raise InputError(
            f"{file.name} holds no JSON object (0 rows, 0 columns): one object a line, an array of "
            "objects, or objects one after another can be read."
        )
    return columns


def _json_layout(file: InputFile, *, whole: bool = False) -> dict[str, Any]:
    """Return options of DuckDB: one array of objects, one object a line, or over many lines."""
    with file.content.open("rb") as content:
        beginning = content.read(LONGEST_JSON_LINE)
    if re.match(rb"\s*\[\s*(\{|\])", beginning):
        return {"format": "array"}
    # An object that goes on in the next line, after its brace, its first names or in a list
    # or another one in the same line
    if re.match(rb"\s*\{\s*(\n|\"[^\n]*([,\[{]\s*\n|\}[ \t]*\{))", beginning):
        return {"format": "unstructured"} | _object_size(file)
    size = _object_size(file) if b"\n" not in beginning else {}
    return {"format": "newline_delimited", "ignore_errors": not whole} | size


def _object_size(file: InputFile) -> dict[str, int]:
    """Return the option that lets an object be as large as its file, as the answer of an API is."""
    size = file.content.stat().st_size + 1024  # with room for an end of the line
    is_larger = DEFAULT_JSON_OBJECT < size <= LARGEST_JSON_OBJECT
    return {"maximum_object_size": size} if is_larger else {}


def _parquet_columns(file: InputFile) -> tuple[tuple[str, str], ...]:
    try:
        schema = pq.read_schema(file.content)
    except (pa.ArrowException, OSError) as error:
        cause = str(error).splitlines()[0]
        raise InputError(f"{file.name} cannot be read as Parquet: {cause}") from error
    names = check_letter_case(file.name, schema.names)
    types = map(str, schema.types)
    return tuple(zip(names, types, strict=True))


def _open_parquet(workspace: Workspace, group: _FileGroup, columns: Mapping[str, str]) -> FileTable:
    with reading_errors(group.files[0].name):
        table = workspace.connection.read_parquet(
            group.patterns,
            table_name=f"parquet_{group.key}",
            binary_as_string=True,
            hive_partitioning=False,
        )
    names = map_columns(table.columns, columns)
    ids = {names[name] for name in ID_COLUMNS if name in names}
    texts = {name: _as_text(table[name], name in ids) for name in table.columns}
    cells = table.select(**texts)
    return FileTable(group.files, cells, names, rejects=None, options=group.options)


def _as_text(cell: Any, is_id: bool) -> Any:
    """Return a typed cell as text; see FileTable."""
    kind = cell.type()
    if kind.is_floating():
        integer = cell.try_cast("int64")  # rounded; NULL for NaN and infinite
        is_whole = (integer.cast("float64") == cell) & (cell.abs() < EXACT_BELOW)
        text = cell.cast("string")
        if is_id:
            text = ibis.ifelse(cell.isnan(), ibis.null("string"), text)
        return ibis.ifelse(is_whole, integer.cast("string"), text)
    if kind.is_array():
        return cell.map(lambda element: element.cast("string")).join("|")
    return cell.cast("string").nullif("")


def find_unreadable_rows(
    workspace: Workspace, sources: Sequence[FileTable]
) -> tuple[int, str | None]:
    """Count the rows that DuckDB could not take apart, once the sources have been read.

    Returns where the first one stands, too. Raises InputError for a stray quote.
    """
    lines = [line for source in sources for line in _refused_lines(workspace, source)]
    for line in lines:
        if line.rows > 1 and "unterminated quote" in line.reason:
            raise InputError(
                f"{line.file}, line {line.line}: a quote opens and does not close where its cell "
                f"ends, so that {line.rows:,} rows cannot be told apart. Double it, or take it out."
            )
    first = f"{lines[0].file}, line {lines[0].line}: {lines[0].reason}" if lines else None
    return sum(line.rows for line in lines), first


def read_whole(workspace: Workspace, source: FileTable, cells: Any) -> pa.Table:
    """Read these cells of a source that was opened `whole`.

    Raises InputError where lines of a file cannot be read, with their count.
    """
    with reading_errors(source.label):
        table = workspace.connection.to_pyarrow(cells)
    require_whole(workspace, source)
    return table


def require_whole(workspace: Workspace, source: FileTable) -> None:
    """Raise InputError where lines of a file could not be read, once the source has been.

    The source must have been opened `whole`.
    """
    refused = _refused_lines(workspace, source)
    if refused:
        first = refused[0]
        count = sum(line.rows for line in refused if line.file == first.file)
        raise InputError(
            f"{first.file}, line {first.line}: {first.reason.rstrip('.')}; "
            f"{count} of its lines cannot be read."
        )


def _refused_lines(workspace: Workspace, source: FileTable) -> list[RefusedLine]:
    """Return the lines in their order; each once, however often it was read."""
    if source.rejects is None:
        return []
    rejects = workspace.connection.table(f"rejects_{source.rejects}")
    scans = workspace.connection.table(f"scans_{source.rejects}")
    text = rejects.csv_line
    # A refused record over several lines has swallowed as many rows as it has line ends.
    line_ends = text.strip().length() - text.strip().replace("\n", "").length()
    lines = rejects.select(
        "scan_id", "file_id", "line", reason="error_message", length=text.length(), ends=line_ends
    )
    lines = lines.join(scans.select("scan_id", "file_id", "file_path"), ["scan_id", "file_id"])
    lines = lines.group_by("file_path", "line").agg(
        reason=lines.reason.min(),
        length=lines.length.max(),
        rows=(lines.ends.max() + 1).coalesce(1),
    )
    rows = workspace.connection.to_pyarrow(lines.order_by("file_path", "line")).to_pylist()
    names = {file.content.resolve(): file.name for file in source.files}
    paths = {row["file_path"] for row in rows}
    files = {path: names[Path(path).resolve()] for path in paths}
    refused = []
    for row in rows:
        file = files[row["file_path"]]
        if (row["length"] or 0) >= KEPT_CHARACTERS:
            raise InputError(
                f"{file}, line {row['line']}: a quote opens and swallows more than "
                f"{KEPT_CHARACTERS} characters, so that the rows after it cannot be told apart."
            )
        refused.append(RefusedLine(file, row["line"], row["reason"], row["rows"]))
    return refused
