"""Count what was wrong with rows and cells, with an example of each and what helps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from models.data.customers import PURPOSES
from training.errors import InputError
from training.reading.duckdb import Workspace
from training.reading.file_tables import FileTable
from training.reading.options import ReadingOptions

# What helps where a shop did not mean it so. Rows of these are left out, or their cells unknown.
ADVICE: Final[Mapping[str, str]] = {
    "unreadable_row": "write the file anew, with a quote before and after cells that hold one",
    "missing_product_id": "--column product_id=NAME, if another column holds it",
    "missing_timestamp": "--column timestamp=NAME, if another column holds it",
    "missing_customer_id": "--column customer_id=NAME, if another column holds it",
    "id_too_long": "--column, if another column holds the ids",
    "bad_id": "write the ids without the character NUL",
    "bad_timestamp": "--dates day-first or month-first; or write 2025-12-31T23:59:00Z",
    "timestamp_out_of_range": "write dates of 1970 to 2099",
    "timestamp_in_future": "look at the clock and the time zone of the export",
    "unknown_kind": "--kind-words WORD=KIND",
    "unknown_status": "--status-words WORD=yes or WORD=no",
    "bad_rating": "write 1 to 5 stars",
    "bad_quantity": "--decimal point or comma",
    "zero_quantity": "leave out what was not sold",
    "quantity_out_of_range": "--decimal point or comma",
    "bad_price": "--decimal point or comma",
    "bad_cost": "--decimal point or comma",
    "price_out_of_range": "--decimal point or comma",
    "bad_currency": "write three letters, such as EUR",
    "bad_url": "write whole addresses, such as https://shop.example/p/1",
    "bad_in_stock": "--stock-words WORD=yes or WORD=no",
    "bad_time": "--dates day-first or month-first; or write 2025-12-31",
    "bad_consent": "write yes or no",
    "bad_consent_time": "--dates day-first or month-first; or write 2025-12-31",
    "bad_preferences": 'write JSON, such as {"avoids": [{"attribute": "brand", "values": ["A"]}]}',
    "consent_time_ahead": "look at the clock and the time zone of the export",
}
# Columns that stand for others where those are empty.
SHARED: Final[Mapping[str, tuple[str, ...]]] = {
    f"{purpose}_time": ("consent_time",) for purpose in PURPOSES
}
SHOWN: Final = 3  # problems in a sentence


@dataclass(eq=False)
class Problems:
    """Collect counts by name, and where an example of each stands."""

    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, count: int, example: str | None = None) -> None:
        """Add to a count; the first example stays."""
        if count:
            self.counts[name] += count
            if example:
                self.examples.setdefault(name, example)

    def update(self, other: Problems) -> None:
        """Add the counts of others."""
        for name, count in other.counts.items():
            self.add(name, count, other.examples.get(name))

    @property
    def refused(self) -> list[str]:
        """Return the names of those that the shop may not have meant, most first."""
        return [name for name, _ in self.counts.most_common() if name in ADVICE]

    def explain(self, name: str) -> str:
        """Return where an example stands, and what helps."""
        parts = (self.examples.get(name, ""), ADVICE.get(name, ""))
        return "; ".join(part for part in parts if part)


def require_none(problems: Iterable[Problems], options: ReadingOptions) -> None:
    """Raise InputError where reading is strict and a row or a cell was refused."""
    if not options.strict:
        return
    refused: list[str] = []
    for of_file in problems:
        refused += [
            f"{of_file.counts[name]:,} {name} ({of_file.explain(name)})" for name in of_file.refused
        ]
    if refused:
        more = f" and {len(refused) - SHOWN} more problems" if len(refused) > SHOWN else ""
        raise InputError(f"--strict: {', '.join(refused[:SHOWN])}{more}.")


def find_example(sources: Sequence[FileTable], columns: Iterable[str], text: str) -> str | None:
    """Return where a text first stands under one of our names, in the first file that has it."""
    known = [(source, name) for source in sources for name in columns if name in source.names]
    for source, name in known:
        place = source.find(name, text)
        if place is not None:
            return place
    return known[0][0].locate(known[0][1], text) if known else None


def lost_column(problem: str, name: str) -> str:
    """Return the name of the column that holds the texts of such cells under one of our names."""
    return f"{problem}_of_{name}"


def count_problems(
    workspace: Workspace,
    rows: Any,
    kept: Any,
    cell_problems: Mapping[str, Sequence[str]],
    duplicate: str,
    sources: Sequence[FileTable] = (),
) -> Problems:
    """Count the rows left out and the cells not understood.

    `rows`: `problem` is the reason to leave a row out, NULL for none. `cell_problems`: name of a
    problem -> our columns; a `lost_column` is the text of a cell with it, in a row that stays, and
    NULL elsewhere. `kept`: the rows without a problem but for replaced ones, which count as
    `duplicate`.
    """
    lost = {
        lost_column(problem, name): (problem, name)
        for problem, names in cell_problems.items()
        for name in names
    }
    totals = {f"{column}_cells": rows[column].count() for column in lost}
    totals |= {f"{column}_text": rows[column].min() for column in lost}
    counts = rows.group_by("problem").agg(rows=rows.count(), **totals)
    problems = Problems()
    for row in workspace.connection.to_pyarrow(counts.order_by("problem")).to_pylist():
        if row["problem"] is not None:
            problems.add(row["problem"], row["rows"])
            continue
        for column, (problem, name) in lost.items():
            text = row[f"{column}_text"]
            names = (name, *SHARED.get(name, ()))
            example = None if text is None else find_example(sources, names, text)
            problems.add(problem, row[f"{column}_cells"], example)
        problems.add(duplicate, row["rows"] - workspace.count(kept))
    for name in ("missing_product_id", "missing_customer_id"):
        if problems.counts[name]:
            example = find_example(sources, [name.removeprefix("missing_")], "")
            problems.examples[name] = example or ""
    return problems
