"""Find where a cell stands in a file, to tell a shop which one is meant."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from mmap import ACCESS_READ, mmap
from typing import Final

from training.reading.files import InputFile

CHUNK: Final = 1 << 24  # bytes
LONGEST_SHOWN: Final = 80  # characters of a cell


def find_line(
    file: InputFile, text: str, columns: Sequence[str], column: str, delimiter: str | None
) -> int | None:
    """Return the number of the first line that has this text in a column; None where none has.

    `delimiter`: of a CSV file. A line of another format only has to hold the text. A record of
    several lines counts as the first of them that holds it.
    """
    if file.format == "parquet" or (delimiter is None and not text):
        return None
    # DuckDB has undone doubled quotes, and a record may go on in the next line.
    needle = max(re.split(r'["\r\n]', text), key=len).encode(errors="replace")
    first_with_text = None
    with (
        (file.source or file.content).open("rb") as opened,
        mmap(opened.fileno(), 0, access=ACCESS_READ) as content,
    ):
        for number, line in _lines_with(content, needle):
            if delimiter and number == 1:
                continue
            if delimiter is None or _cell(line, columns.index(column), delimiter) == text.strip():
                return number + file.lines_above
            first_with_text = first_with_text or number + file.lines_above
    return first_with_text if text else None


def _lines_with(content: mmap, needle: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that hold these bytes, each with its number."""
    number, counted, position = 1, 0, 0
    while position < len(content):
        found = content.find(needle, position)
        if found < 0:
            return
        start = content.rfind(b"\n", 0, found) + 1
        end = content.find(b"\n", found)
        end = len(content) if end < 0 else end
        while counted < start:
            upto = min(start, counted + CHUNK)
            number += content[counted:upto].count(b"\n")
            counted = upto
        yield number, content[start:end]
        position = end + 1


def _cell(line: bytes, index: int, delimiter: str) -> str | None:
    try:
        cells = next(
            csv.reader([line.decode(errors="replace").rstrip("\r\n")], delimiter=delimiter)
        )
    except (csv.Error, StopIteration):
        return None
    return cells[index].strip() if index < len(cells) else None


def shorten(text: str) -> str:
    """Return a text in quotes, cut off where it is long."""
    return repr(text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 1] + "…")
