"""Find the files that a shop names by paths, folders and globs, and unpack them for DuckDB."""

from __future__ import annotations

import codecs
import csv
import glob
import io
import os
import re
import zlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from models.data.words import plain_name
from models.vendors.registry import find_shape
from training.errors import InputError
from training.reading.encodings import (
    UTF_16,
    check_encoding,
    find_encoding,
    open_bytes,
    write_as_utf8,
)
from training.reading.options import AS_FILES_TELL, ReadingOptions
from training.reading.xml_feeds import write_items

FORMATS: Final = {
    ".csv": "csv",
    ".tsv": "csv",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".xml": "xml",
}
DELIMITERS: Final = ",;\t|"
HEADER_BYTES: Final = 1 << 20
MOST_TITLES: Final = 30  # lines in which a header is looked for
# Of files that are no text, or none that is read
NOT_READ: Final = (".gz", ".xls", ".xlsx", ".xlsm", ".ods", ".zip", ".pdf", ".avro", ".orc")
XML_STARTS: Final = (b"<?xml", b"<rss", b"<feed")
SEPARATOR_LINE: Final = re.compile(r'"?sep=([,;|\t])"?\r?\n', re.IGNORECASE)  # of Excel
FIRST_RECORD: Final = re.compile(rb'(?:[^"\r\n]|"[^"]*")*')


@dataclass(frozen=True)
class InputFile:
    """A file under the name that the shop gives it."""

    name: str
    content: Path  # of its uncompressed bytes
    format: str  # one of FORMATS
    lines_above: int = 0  # of the file, that are not in its content
    delimiter: str | None = None  # of a CSV file that names it in a line of its own
    source: Path | None = None  # in which a cell is looked for, where its content is made of it

    @property
    def pattern(self) -> str:
        """Return the path with brackets, stars and question marks escaped, which are no glob."""
        return re.sub(r"([*?\[])", r"[\1]", str(self.content))


@dataclass(frozen=True)
class Header:
    """Names and delimiter in the first line of a CSV file."""

    delimiter: str
    names: tuple[str, ...]


def find_files(
    names: Sequence[str | Path],
    folder: Path,
    options: ReadingOptions = AS_FILES_TELL,
    known: Collection[str] = (),
) -> list[InputFile]:
    """Find the files that paths, folders and globs name, each once, in sorted order by name.

    A folder stands for all files below it whose ending is known; hidden files and marks such as
    _SUCCESS are left out. Files ending in .gz are unpacked into `folder`, which proves them whole.
    So is JSON that begins with a byte order mark, with which DuckDB takes its first line for none,
    and text in another encoding, or with lines above its header, which is found by `known` names.
    Raises InputError for a name without files, and a file that cannot be read.
    """
    paths: list[Path] = []
    for name in names:
        paths += _expand(str(name))
    return [
        _open(path, folder / f"{number}.unpacked", options, known)
        for number, path in enumerate(dict.fromkeys(paths))
    ]


def _expand(name: str) -> list[Path]:
    path = Path(name)
    if path.is_dir():
        paths = sorted(below for below in path.rglob("*") if _is_data(below, path))
        problem = "no file with a known ending"
    elif path.exists():
        return [path]
    else:
        matches = map(Path, glob.glob(name, recursive=True))
        paths = sorted(match for match in matches if match.is_file())
        problem = "no such file, and no file matches it"
    if not paths:
        endings = ", ".join(FORMATS)
        raise InputError(
            f"{name}: {problem} (0 files; endings known: {endings}, .gz after those of text)."
        )
    return paths


def _is_data(path: Path, folder: Path) -> bool:
    if not path.is_file() or _format(path) is None:
        return False
    parts = path.relative_to(folder).parts
    return not any(part.startswith((".", "_")) for part in parts)


def _format(path: Path) -> str | None:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes[-1:] == [".gz"]:
        format_ = FORMATS.get(suffixes[-2]) if len(suffixes) > 1 else None
        return None if format_ == "parquet" else format_
    return FORMATS.get(suffixes[-1]) if suffixes else None


def _open(path: Path, unpacked: Path, options: ReadingOptions, known: Collection[str]) -> InputFile:
    name = os.fsencode(path).decode(errors="backslashreplace")
    try:
        format_ = _format(path) or _format_of_content(path)
        if format_ is None:
            endings = ", ".join(FORMATS)
            raise InputError(
                f"{name}: not a kind of file that can be read (endings known: {endings}, .gz); "
                "save it as CSV."
            )
        if format_ == "parquet":
            file = InputFile(name, _utf8_name(path, unpacked), format_)
        else:
            file = _open_text(path, name, format_, unpacked, options, known)
        is_empty = file.content.stat().st_size == 0
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{name} cannot be read: {str(error) or type(error).__name__}.") from error
    except UnicodeError as error:
        raise InputError(
            f"{name} is no text in {options.encoding or 'UTF-16'} ({error}); another encoding is "
            "given by --encoding."
        ) from error
    if is_empty:
        raise InputError(f"{name} is empty (0 rows).")
    return file


def _open_text(
    path: Path,
    name: str,
    format_: str,
    unpacked: Path,
    options: ReadingOptions,
    known: Collection[str],
) -> InputFile:
    """Return a file of text as DuckDB reads it, from a copy where it is not so itself.

    DuckDB could read .gz itself, but takes a file damaged in its middle for a shorter one
    (measured, 2.0).
    """
    packed = path.suffix.lower() == ".gz"
    read = partial(open_bytes, path, packed=packed)
    if format_ == "xml":
        write_items(read, name, unpacked)
        return InputFile(name, unpacked, "json", source=None if packed else path)
    encoding = check_encoding(options.encoding) if options.encoding else find_encoding(read)
    with read() as content:
        beginning = content.read(HEADER_BYTES)
    skipped, delimiter = options.skip_rows, None
    if format_ == "csv":
        text = beginning.decode(encoding, errors="replace").removeprefix("\ufeff")
        if sep := SEPARATOR_LINE.match(text):
            skipped, delimiter, text = skipped + 1, sep[1], text[sep.end() :]
        if not options.skip_rows:
            skipped += count_titles(text, known)
    has_mark = format_ == "json" and beginning.startswith(codecs.BOM_UTF8)
    if not (packed or skipped or has_mark or encoding != "utf-8"):
        return InputFile(name, _utf8_name(path, unpacked), format_)
    write_as_utf8(read, encoding, unpacked, skipped)
    return InputFile(name, unpacked, format_, lines_above=skipped, delimiter=delimiter)


def _utf8_name(path: Path, link: Path) -> Path:
    """Return the path, or a link to it where its name is not UTF-8: DuckDB opens no such file."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        link.symlink_to(path.absolute())
        return link
    return path


def _format_of_content(path: Path) -> str | None:
    """Return the format of a file whose ending tells none; None for what is no text."""
    if path.suffix.lower() in NOT_READ:
        return None
    with path.open("rb") as content:
        beginning = content.read(4096)
    if beginning.startswith(b"PAR1"):
        return "parquet"
    if b"\0" in beginning and not beginning.startswith(UTF_16):
        return None
    start = beginning.removeprefix(codecs.BOM_UTF8).lstrip()
    if start.startswith(XML_STARTS):
        return "xml"
    return "json" if start[:1] in (b"{", b"[") else "csv"


def count_titles(text: str, known: Collection[str]) -> int:
    """Return how many lines stand above the header of a CSV file.

    The header is the first line that holds two known names of columns, or those of an export,
    unless the first line holds a known one already.
    """
    known = {plain_name(name) for name in known}
    for number, line in enumerate(text.split("\n", MOST_TITLES)[:MOST_TITLES]):
        names = {plain_name(cell.strip(' "\r\t')) for cell in re.split(f"[{DELIMITERS}]", line)}
        is_ours = len(names & known) >= (1 if number == 0 else 2)
        if is_ours or find_shape(names, is_table=True):
            return number
    return 0


def read_csv_header(file: InputFile) -> Header:
    """Read the names and the delimiter of a CSV file from its first record.

    The delimiter is the one of comma, semicolon, tab and bar that the record holds most of, quoted
    text aside. A column without a name, such as the row numbers that pandas writes, is called by
    its position. Raises InputError for a record without names, and for text that is not UTF-8.
    """
    with file.content.open("rb") as content:
        beginning = content.read(HEADER_BYTES)
    try:
        # A cell may hold the end of a line, in quotes.
        record = FIRST_RECORD.match(beginning)
        text = (record[0] if record else b"").decode("utf-8-sig")
        unquoted = re.sub(r'"[^"]*"', "", text)
        delimiter = file.delimiter or max(DELIMITERS, key=unquoted.count)
        names = next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), [])
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"{file.name} cannot be read: its first line is not UTF-8 text ({error}). Another "
            "encoding is given by --encoding."
        ) from error
    if not any(names):
        raise InputError(
            f"{file.name} begins with an empty line where the column names should be (0 columns). "
            "Lines above the header are left out by --skip-rows."
        )
    names = [name or f"column {position}" for position, name in enumerate(names, 1)]
    return Header(delimiter, check_letter_case(file.name, names))


def check_letter_case(file: str, names: Sequence[str]) -> tuple[str, ...]:
    """Return the names. Raises InputError where DuckDB could not tell two of them apart.

    They differ in nothing but letter case, or not at all.
    """
    by_lower: dict[str, str] = {}
    for name in names:
        if other := by_lower.get(name.lower()):
            raise InputError(
                f"{file} has 2 columns that DuckDB cannot tell apart: {other!r} and {name!r}."
            )
        by_lower[name.lower()] = name
    return tuple(names)
