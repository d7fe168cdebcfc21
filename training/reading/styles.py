"""Find out how a file writes its numbers and dates: the style of each column.

A cell such as "1.234" or "01/02/2024" has two meanings. The other cells of its column tell which.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import ibis

from models.data.numbers import decimals
from models.data.timestamps import date_orders
from training.errors import InputError
from training.reading.cells import read_cells
from training.reading.duckdb import Workspace, reading_errors
from training.reading.file_tables import FileTable

SHARE_OF_STYLE: Final = 0.99  # of the cells that tell a style; the others are refused by row


@dataclass(frozen=True)
class _Question:
    """A choice between two ways to read a cell."""

    option: str
    choices: tuple[str, str]
    words: tuple[str, str]

    def answer(self, text: str) -> int | None:
        """Return 1 or 2 for the first or second choice alone, 3 for a comma that may be either.

        None for a cell that tells nothing.
        """
        ways: Sequence[str] = decimals(text) if self is DECIMAL else date_orders(text)
        if len(ways) == 1:
            return self.choices.index(ways[0]) + 1
        return 3 if ways and "," in text else None


DECIMAL: Final = _Question("--decimal", ("point", "comma"), ("a decimal point", "a decimal comma"))
ORDER: Final = _Question(
    "--dates", ("day-first", "month-first"), ("the day first", "the month first")
)


@dataclass(frozen=True)
class _Evidence:
    """Count the cells of a column that can be read in one way alone, with an example of each."""

    counts: tuple[int, int]
    examples: tuple[str | None, str | None]
    has_commas: bool  # in cells that can be read in both ways

    def __add__(self, other: _Evidence) -> _Evidence:
        return _Evidence(
            (self.counts[0] + other.counts[0], self.counts[1] + other.counts[1]),
            (self.examples[0] or other.examples[0], self.examples[1] or other.examples[1]),
            self.has_commas or other.has_commas,
        )


NO_EVIDENCE: Final = _Evidence((0, 0), (None, None), False)


def with_styles(
    workspace: Workspace, source: FileTable, numbers: Sequence[str], times: Sequence[str]
) -> FileTable:
    """Return a source with the styles of these columns, as far as their cells tell them.

    A column that tells nothing is read like the others of its file, and numbers then by the
    delimiter: a comma cannot be both. Raises InputError where a column has no style.
    """
    options = source.options
    numbers = [] if options.decimal else [name for name in numbers if name in source.names]
    times = [] if options.date_order else [name for name in times if name in source.names]
    evidence = _collect(workspace, source, {DECIMAL: numbers, ORDER: times})
    decimals_of = _decide(source, DECIMAL, {name: evidence[name] for name in numbers})
    orders_of = _decide(source, ORDER, {name: evidence[name] for name in times})
    return replace(source, decimals=decimals_of, date_orders=orders_of)  # type: ignore[arg-type]


def tell_styles(workspace: Workspace, cells: Any) -> bool:
    """Return whether any of these cells, which nobody could read, tells the style of its column."""
    answers = [read_cells(cells, question.answer, "int8") for question in (DECIMAL, ORDER)]
    return workspace.total(ibis.or_(*(answer.notnull() for answer in answers)).sum()) > 0


def _collect(
    workspace: Workspace, source: FileTable, columns: Mapping[_Question, Sequence[str]]
) -> dict[str, _Evidence]:
    """Return the evidence of each column, from one reading of the source."""
    totals: dict[str, Any] = {}
    for question, names in columns.items():
        for name in names:
            text = source.text(name)
            answer = read_cells(text, question.answer, "int8")
            for way in (1, 2, 3):
                totals[f"{name}_{way}"] = (answer == way).sum()
                totals[f"{name}_text_{way}"] = text.min(where=answer == way)
    if not totals:
        return {}
    with reading_errors(source.label):
        found = workspace.connection.to_pyarrow(source.table.aggregate(**totals)).to_pylist()[0]
    return {
        name: _Evidence(
            (found[f"{name}_1"] or 0, found[f"{name}_2"] or 0),
            (found[f"{name}_text_1"], found[f"{name}_text_2"]),
            bool(found[f"{name}_3"]),
        )
        for names in columns.values()
        for name in names
    }


def _decide(
    source: FileTable, question: _Question, evidence: Mapping[str, _Evidence]
) -> dict[str, str]:
    of_file = sum(evidence.values(), NO_EVIDENCE)
    styles: dict[str, str] = {}
    for name, column in evidence.items():
        style = _style(source, question, name, column)
        if style is None:
            style = _prevailing(question, of_file)
        if style is None and source.delimiter == ";" and of_file.has_commas:
            style = "comma"
        if style is not None:
            styles[name] = style
    return styles


def _prevailing(question: _Question, evidence: _Evidence) -> str | None:
    total = sum(evidence.counts)
    for count, choice in zip(evidence.counts, question.choices, strict=True):
        if count and count >= SHARE_OF_STYLE * total:
            return choice
    return None


def _style(source: FileTable, question: _Question, name: str, evidence: _Evidence) -> str | None:
    """Return the style of a column; None where its cells tell none."""
    style = _prevailing(question, evidence)
    if style is not None or sum(evidence.counts) == 0:
        return style
    (first, second), (one, other) = evidence.counts, evidence.examples
    raise InputError(
        f"{source.locate(name, one or '')} has {question.words[0]}, like {first} cells, and "
        f"{source.locate(name, other or '')} {question.words[1]}, like {second}. Say by "
        f"{question.option} {question.choices[0]} or {question.choices[1]} which is meant; the "
        "others are then left out."
    )
