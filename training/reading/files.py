"""From what the shop names (files, folders, globs) to the files that DuckDB reads."""

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
LONGEST_HEADER: Final = 1 << 20  # bytes
MARK: Final = b"\xef\xbb\xbf"  # of UTF-8, which some programs write first


@dataclass(frozen=True)
class InputFile:
    """`name` is what the shop calls it, `content` where its uncompressed bytes are."""

    name: str
    content: Path
    format: str

    @property
    def pattern(self) -> str:
        """The path as DuckDB wants it: brackets, stars and question marks in a file's name are no glob."""
        return re.sub(r"([*?\[])", r"[\1]", str(self.content))


@dataclass(frozen=True)
class Header:
    """The first line of a CSV file."""

    delimiter: str
    names: tuple[str, ...]


def find_files(given: Sequence[str | Path], folder: Path) -> list[InputFile]:
    """Every file named, in sorted order by name given; .gz files are unpacked into `folder`, proving them whole.

    So is JSON that begins with a byte order mark, with which DuckDB takes its first line for none.

    A folder stands for all files below it whose ending we know; hidden files and marks such as _SUCCESS are left out.
    """
    paths = [path for name in given for path in _expand(str(name))]
    return [
        _open(path, folder / f"{number}.unpacked")
        for number, path in enumerate(dict.fromkeys(paths))
    ]


def _expand(name: str) -> list[Path]:
    path = Path(name)
    if path.is_dir():
        found = sorted(
            below
            for below in path.rglob("*")
            if below.is_file() and _is_data(below.relative_to(path))
        )
    elif path.exists():
        return [path]
    else:
        found = sorted(
            Path(match) for match in glob.glob(name, recursive=True) if Path(match).is_file()
        )
    if not found:
        what = (
            "no file with a known ending"
            if path.is_dir()
            else "no such file, and no file matches it"
        )
        raise InputError(
            f"{name}: {what} (0 files; endings known: {', '.join(FORMATS)}, .gz after those of text)."
        )
    return found


def _is_data(path: Path) -> bool:
    return _format(path) is not None and not any(part.startswith((".", "_")) for part in path.parts)


def _format(path: Path) -> str | None:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes[-1:] == [".gz"]:
        format_ = FORMATS.get(suffixes[-2]) if len(suffixes) > 1 else None
        return None if format_ == "parquet" else format_
    return FORMATS.get(suffixes[-1]) if suffixes else None


def _open(path: Path, unpacked: Path) -> InputFile:
    format_ = _format(path)
    if format_ is None:
        raise InputError(
            f"{path}: not a kind of file that can be read (endings known: {', '.join(FORMATS)}, .gz)."
        )
    try:
        packed = path.suffix.lower() == ".gz"
        content = (
            _unpack(path, unpacked, packed)
            if packed or (format_ == "json" and _is_marked(path))
            else path
        )
        empty = content.stat().st_size == 0
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path} cannot be read: {str(error) or type(error).__name__}.") from error
    if empty:
        raise InputError(f"{path} is empty (0 rows).")
    return InputFile(str(path), content, format_)


def _is_marked(path: Path) -> bool:
    with path.open("rb") as content:
        return content.read(len(MARK)) == MARK


def _unpack(path: Path, unpacked: Path, packed: bool) -> Path:
    """Unpacked here and not by DuckDB, which takes a file damaged in its middle for a shorter one (measured, 2.0)."""
    with gzip.open(path) if packed else path.open("rb") as given, unpacked.open("wb") as content:
        content.write(given.read(len(MARK)).removeprefix(MARK))
        shutil.copyfileobj(given, content, 1 << 20)
    return unpacked


def csv_header(file: InputFile) -> Header:
    """The names, and the delimiter (comma, semicolon, tab, bar) the first line holds most of, quoted text aside.

    A column without a name, such as the row numbers that pandas writes, is called by its place.
    """
    with file.content.open("rb") as content:
        line = content.readline(LONGEST_HEADER)
    try:
        text = line.decode("utf-8-sig").rstrip("\r\n")
        delimiter = max(DELIMITERS, key=re.sub(r'"[^"]*"', "", text).count)
        names = next(csv.reader([text], delimiter=delimiter), [])
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"{file.name} cannot be read: its first line is not UTF-8 text ({error})."
        ) from error
    if not any(names):
        raise InputError(
            f"{file.name} begins with an empty line where the column names should be (0 columns)."
        )
    names = [name or f"column {place}" for place, name in enumerate(names, 1)]
    return Header(delimiter, one_case(file.name, names))


def one_case(file: str, names: Sequence[str]) -> tuple[str, ...]:
    """The names, unless two of them differ in nothing but letter case (DuckDB could not tell them apart)."""
    seen: dict[str, str] = {}
    for name in names:
        if other := seen.get(name.lower()):
            raise InputError(
                f"{file} has 2 columns that DuckDB cannot tell apart: {other!r} and {name!r}."
            )
        seen[name.lower()] = name
    return tuple(names)
