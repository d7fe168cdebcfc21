"""The holdout: customers who are never personalised, and what all of Regulars earns beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from models.data.segments import SEGMENTS
from service.console.experiments import find_verdicts, plot_intervals, read_percent
from service.console.render import link
from service.console.visit import Move, ScreenContent, ScreenVisit

RECOMMENDED: Final = "2"  # percent


async def show(visit: ScreenVisit) -> ScreenContent:
    return await _page(visit, "", "")


async def _page(visit: ScreenVisit, share: str, problem: str) -> ScreenContent:
    """Return the screen. `share`: as it was typed, where it is no share."""
    segment = visit.asked("segment")
    held, results = await visit.get_each(
        ("/v1/holdout", {}), ("/v1/insights/experiments/holdout", {"segment": segment})
    )
    comparisons = results.json.get("comparisons", ())
    now = held.json.get("holdout", {}).get("share")
    values = {
        "held": held,
        "results": results,
        "segment": segment,
        "segments": SEGMENTS,
        "rows": plot_intervals(comparisons),
        "verdicts": find_verdicts(comparisons),
        "earned": find_earned(comparisons, results.json.get("variants", ())),
        "share": share or (f"{now * 100:g}" if now else RECOMMENDED),
        "problem": problem,
    }
    return ScreenContent("holdout.html", values)


async def act(visit: ScreenVisit) -> ScreenContent | Move:
    ends = visit.sent("act") == "end"
    try:
        share = 0.0 if ends else read_percent("share", visit.sent("share"))
    except ValueError as error:
        return await _page(visit, visit.sent("share"), str(error))
    made = await visit.send("PUT", "/v1/holdout", {"share": share})
    if not made.ok:
        return await _page(visit, visit.sent("share"), made.problem)
    return Move(link("holdout", done="let_go" if ends else "held_out"))


def find_earned(
    comparisons: Sequence[Mapping[str, Any]], variants: Sequence[Mapping[str, Any]]
) -> dict[str, Any] | None:
    """Return what all who are personalised brought beside what they would have without it.

    It is the difference of a customer times their number, with the interval that holds at every
    look. None where the revenue is not compared.
    """
    for row in comparisons:
        if row["metric"] == "revenue" and row["difference"] is not None and row["always_valid"]:
            customers = next(one["customers"] for one in variants if one["name"] == row["variant"])
            low, high = (row["always_valid"][end] * customers for end in ("low", "high"))
            each = row["difference"] * customers
            return {"customers": customers, "revenue": each, "low": low, "high": high}
    return None
