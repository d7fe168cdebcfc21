"""What customers are worth: segments, cohorts and what they will bring, as last computed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

from models.data.segments import SEGMENTS
from service.console.visit import ScreenContent, ScreenVisit

PARTS: Final = ("segments", "cohorts", "value")
SHOWN_COHORTS: Final = 12
SHOWN_MONTHS: Final = 12


async def show(visit: ScreenVisit) -> ScreenContent:
    part, segment = visit.asked("of"), visit.asked("segment")
    by_segment = {} if part == "segments" else {"segment": segment}
    told = await visit.get(f"/v1/insights/{part}", **by_segment)
    rows = told.json.get("cohorts", [])
    values = {
        "part": part,
        "told": told,
        "segment": segment,
        "segments": SEGMENTS,
        "cohorts": _by_cohort(rows),
        "retention": _retention(rows),
    }
    return ScreenContent(f"insights_{part}.html", values)


def _by_cohort(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the last cohorts, the newest first, each with its first months that are over."""
    cohorts: dict[str, dict[str, Any]] = {}
    for row in rows:
        cohort = cohorts.setdefault(
            row["cohort"], {"name": row["cohort"], "customers": row["customers"], "months": []}
        )
        if row["months_since"] <= SHOWN_MONTHS:
            cohort["months"].append(row)
    return list(cohorts.values())[: -SHOWN_COHORTS - 1 : -1]


def _retention(rows: Sequence[dict[str, Any]]) -> list[tuple[int, float]]:
    """Return the share of all customers who ordered, by months since their first order.

    Of those for whom that month is over; the first month is everybody's.
    """
    active: dict[int, int] = defaultdict(int)
    customers: dict[int, int] = defaultdict(int)
    for row in rows:
        if row["complete"] and 0 < row["months_since"] <= SHOWN_MONTHS:
            active[row["months_since"]] += row["active"]
            customers[row["months_since"]] += row["customers"]
    return [(month, active[month] / customers[month]) for month in sorted(customers)]
