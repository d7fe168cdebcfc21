"""Find where a cell stands in a file, to tell a shop which one is meant."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from typing import Final

from training.reading.files import InputFile

LONGEST_SHOWN: Final = 80  # characters of a cell


def find_line(
    file: InputFile, text: str, columns: Sequence[str], column: str, delimiter: str | None
) -> int | None:
    """Return the number of the first line that has this text in a column; None where none has.

    `delimiter`: of a CSV file. A line of another format only has to hold the text. A record of
    several lines counts as the first of them that holds it.
    """
    if file.format == "parquet":
        return None
    # DuckDB has undone doubled quotes, and a record may go on in the next line.
    needle = max(re.split(r'["\r\n]', text), key=len).encode(errors="replace")
    first_with_text = None
    with file.content.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if needle not in line or (delimiter and number == 1):
                continue
            if delimiter is None or _cell(line, columns.index(column), delimiter) == text.strip():
                return number + file.lines_above
            first_with_text = first_with_text or number + file.lines_above
    return first_with_text


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
