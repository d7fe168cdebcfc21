"""Find the files that a shop names by paths, folders and globs, and unpack them for DuckDB."""

from __future__ import annotations

import csv
import glob
import gzip
import re
import shutil
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from training.errors import InputError

FORMATS: Final = {
    ".csv": "csv",
    ".tsv": "csv",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    ".parquet": "parquet",
    ".pq": "parquet",
}
DELIMITERS: Final = ",;\t|"
HEADER_BYTES: Final = 1 << 20
COPY_BYTES: Final = 1 << 20
BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"  # of UTF-8, which some programs write first


@dataclass(frozen=True)
class InputFile:
    """A file under the name that the shop gives it."""

    name: str
    content: Path  # of its uncompressed bytes
    format: str  # one of FORMATS
    lines_above: int = 0  # of the file, that are not in its content

    @property
    def pattern(self) -> str:
        """Return the path with brackets, stars and question marks escaped, which are no glob."""
        return re.sub(r"([*?\[])", r"[\1]", str(self.content))


@dataclass(frozen=True)
class Header:
    """Names and delimiter in the first line of a CSV file."""

    delimiter: str
    names: tuple[str, ...]


def find_files(names: Sequence[str | Path], folder: Path) -> list[InputFile]:
    """Find the files that paths, folders and globs name, each once, in sorted order by name.

    A folder stands for all files below it whose ending is known; hidden files and marks such as
    _SUCCESS are left out. Files ending in .gz are unpacked into `folder`, which proves them whole.
    So is JSON that begins with a byte order mark, with which DuckDB takes its first line for none.
    Raises InputError for a name without files, and a file that cannot be read.
    """
    paths: list[Path] = []
    for name in names:
        paths += _expand(str(name))
    return [
        _open(path, folder / f"{number}.unpacked")
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


def _open(path: Path, unpacked: Path) -> InputFile:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise InputError(
            f"{str(path)!a}: its name is not UTF-8, and DuckDB opens no such file; rename it."
        ) from None
    format_ = _format(path)
    if format_ is None:
        endings = ", ".join(FORMATS)
        raise InputError(
            f"{path}: not a kind of file that can be read (endings known: {endings}, .gz)."
        )
    try:
        content = path
        if path.suffix.lower() == ".gz":
            content = _unpack(path, unpacked, packed=True)
        elif format_ == "json" and _has_byte_order_mark(path):
            content = _unpack(path, unpacked, packed=False)
        is_empty = content.stat().st_size == 0
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path} cannot be read: {str(error) or type(error).__name__}.") from error
    if is_empty:
        raise InputError(f"{path} is empty (0 rows).")
    return InputFile(str(path), content, format_)


def _has_byte_order_mark(path: Path) -> bool:
    with path.open("rb") as content:
        return content.read(len(BYTE_ORDER_MARK)) == BYTE_ORDER_MARK


def _unpack(path: Path, unpacked: Path, *, packed: bool) -> Path:
    """Copy without compression and byte order mark.

    DuckDB could read .gz itself, but takes a file damaged in its middle for a shorter one
    (measured, 2.0).
    """
    with gzip.open(path) if packed else path.open("rb") as source, unpacked.open("wb") as content:
        content.write(source.read(len(BYTE_ORDER_MARK)).removeprefix(BYTE_ORDER_MARK))
        shutil.copyfileobj(source, content, COPY_BYTES)
    return unpacked


def read_csv_header(file: InputFile) -> Header:
    """Read the names and the delimiter of a CSV file from its first line.

    The delimiter is the one of comma, semicolon, tab and bar that the line holds most of, quoted
    text aside. A column without a name, such as the row numbers that pandas writes, is called by
    its position. Raises InputError for a line without names, and for text that is not UTF-8.
    """
    with file.content.open("rb") as content:
        line = content.readline(HEADER_BYTES)
    try:
        text = line.decode("utf-8-sig").rstrip("\r\n")
        unquoted = re.sub(r'"[^"]*"', "", text)
        delimiter = max(DELIMITERS, key=unquoted.count)
        names = next(csv.reader([text], delimiter=delimiter), [])
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"{file.name} cannot be read: its first line is not UTF-8 text ({error})."
        ) from error
    if not any(names):
        raise InputError(
            f"{file.name} begins with an empty line where the column names should be (0 columns)."
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
