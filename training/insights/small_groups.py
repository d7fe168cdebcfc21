"""Figures of parts of all customers, of whom so many are counted that nobody is recognised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from models.artifact.insights import MIN_GROUP

Rows = Sequence[Mapping[str, Any]]


def keep_told(customers: int, parts: Mapping[str, int]) -> set[str]:
    """Return the parts that may be told beside the whole.

    `customers`: of the whole. `parts`: how many of them are in each. Those of fewer than MIN_GROUP
    are left out, and then the smallest until the customers in no told part are none, or MIN_GROUP:
    else the rest of what is told would tell of them.
    """
    told = sorted(parts, key=lambda name: (-parts[name], name))
    while told:
        rest = customers - sum(parts[name] for name in told)
        if parts[told[-1]] >= MIN_GROUP and (rest == 0 or rest >= MIN_GROUP):
            break
        told.pop()
    return set(told)


def find_told(
    whole: Rows, parts: Mapping[str, Rows], key: Sequence[str], counted: str
) -> set[tuple[Any, ...]]:
    """Return (name of the part, *key) of the rows of parts that may be told beside the whole's.

    `key`: columns by which rows are of the same thing. `counted`: the column of the customers in a
    row.
    """
    everyone = {tuple(row[name] for name in key): row[counted] for row in whole}
    sizes: dict[tuple[Any, ...], dict[str, int]] = {}
    for part, rows in parts.items():
        for row in rows:
            sizes.setdefault(tuple(row[name] for name in key), {})[part] = row[counted]
    told = set()
    for values, size_of in sizes.items():
        total = everyone.get(values, sum(size_of.values()))  # the whole tells no such row
        told |= {(part, *values) for part in keep_told(total, size_of)}
    return told
