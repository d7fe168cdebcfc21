"""Experiments: whose slates differ by chance, what that does, and what stops it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from models.data.segments import SEGMENTS
from service.console.api import ApiAnswer, address
from service.console.customer_columns import read_columns
from service.console.customers import PLACEMENTS
from service.console.forms import put_form
from service.console.render import link
from service.console.visit import Move, ScreenContent, ScreenVisit

SHOWN: Final = 30  # experiments of a page, each read with its state
GUARDED: Final = ("revenue", "conversion", "refusals")  # that the form offers
CHANGES: Final = ("nothing", "exclude", "include", "off", "category", "model")
PLANNED_DAYS: Final = 28
INTERVALS: Final = ("fixed", "always_valid")
LISTS: Final = ("placements", "segments")
DIGITS: Final = 9  # of shares; the API says which are too many
LEAST_REACH: Final = 0.05  # of the axis to both sides of 0
MOST_REACH: Final = 1.0


async def show(visit: ScreenVisit) -> ScreenContent:
    if visit.asked("id"):
        return await _show_one(visit, visit.asked("id"))
    return await _show_all(visit, {}, "")


async def _show_all(visit: ScreenVisit, form: Mapping[str, str], problem: str) -> ScreenContent:
    listed, models = await visit.get_each(
        ("/v1/experiments", {"limit": SHOWN, "after": visit.asked("after")}),
        ("/v1/models", {"limit": SHOWN}),
    )
    found = listed.json.get("experiments", [])
    read = await visit.get_each(*((address("experiments", one["id"]), {}) for one in found))
    ends = datetime.now(UTC) + timedelta(days=PLANNED_DAYS)
    values = {
        "listed": listed,
        "experiments": [one.json for one in read if one.ok],
        "versions": [one["version"] for one in models.json.get("models", [])],
        "changes": CHANGES,
        "guarded": GUARDED,
        "placements": PLACEMENTS,
        "form": form or {"control": "as now", "ends": ends.strftime("%Y-%m-%dT%H:00")},
        "problem": problem,
    }
    return ScreenContent("experiments.html", values)


async def _show_one(visit: ScreenVisit, experiment_id: str) -> ScreenContent:
    segment = visit.asked("segment")
    read, results = await visit.get_each(
        (address("experiments", experiment_id), {}),
        (address("insights", "experiments", experiment_id), {"segment": segment}),
    )
    if not read.ok:
        return ScreenContent("failed.html", {"answer": read, "back": "experiments"})
    parts = [("assigned", results.json), ("exposed", results.json.get("exposed") or {})]
    values = {
        "experiment": read.json["experiment"],
        "state": read.json["state"],
        "results": results,
        "segment": segment,
        "segments": SEGMENTS,
        "parts_compared": [
            (among, part, plot_intervals(part.get("comparisons", ()))) for among, part in parts
        ],
        "verdicts": find_verdicts(results.json.get("comparisons", ())),
    }
    return ScreenContent("experiment.html", values)


async def act(visit: ScreenVisit) -> ScreenContent | Move:
    action, experiment_id = visit.sent("act"), visit.sent("id")
    path = address("experiments", experiment_id)
    if action == "stop":
        return _after(await visit.send("POST", f"{path}/stop"), "ended", experiment_id)
    if action == "delete":
        return _after(await visit.send("DELETE", path), "deleted")
    if action == "start":
        return await _start(visit, path)
    return await put_form(visit, path, read_form, _show_all, link("experiments", done="made"))


async def _start(visit: ScreenVisit, path: str) -> ScreenContent | Move:
    """Have a planned experiment begin now."""
    read = await visit.get(path)
    if not read.ok:
        return ScreenContent("failed.html", {"answer": read, "back": "experiments"})
    body = {name: value for name, value in read.json["experiment"].items() if name != "id"}
    body["starts"] = datetime.now(UTC).isoformat(timespec="seconds")
    return _after(await visit.send("PUT", path, body), "made")


def _after(answer: ApiAnswer, done: str, experiment_id: str = "") -> ScreenContent | Move:
    if not answer.ok:
        return ScreenContent("failed.html", {"answer": answer, "back": "experiments"})
    return Move(link("experiments", id=experiment_id, done=done))


def read_form(form: Mapping[str, str]) -> dict[str, Any]:
    """Return the experiment that a form describes. Raises ValueError with the field."""
    sent = {name: text.strip() for name, text in form.items() if text.strip()}
    for name in ("id", "ends"):
        if name not in sent:
            raise ValueError(f"{name}: is empty")
    share = read_percent("share", sent.get("share", "50"))
    control = {"name": sent.get("control", "as now"), "share": round(1 - share, DIGITS)}
    variant = {"name": sent.get("variant", "variant"), "share": share}
    body: dict[str, Any] = {
        "variants": [control, variant | _read_change(sent)],
        "by": sent.get("by", "customer"),
    }
    if "layer" in sent:
        body["layer"] = sent["layer"]
    for name in LISTS:
        if name in sent:
            body[name] = [part.strip() for part in sent[name].split(",") if part.strip()]
    if "columns" in sent:
        body["customers"] = read_columns(sent["columns"])
    for name in ("starts", "ends"):
        if name in sent:
            body[name] = f"{sent[name][:16]}:00Z"
    body["guardrails"] = [
        {"metric": metric, "harm": read_percent(metric, sent[f"harm_{metric}"])}
        for metric in GUARDED
        if f"harm_{metric}" in sent
    ]
    return body


def _read_change(sent: Mapping[str, str]) -> dict[str, Any]:
    """Return what the variant does otherwise. Raises ValueError."""
    change = sent.get("change", CHANGES[0])
    if change == "model":
        return {"model_version": sent.get("model_version", "")}
    if change == "category":
        most = sent.get("most", "")
        if not most.isdecimal():
            raise ValueError(f"most: {most[:40]!r} is no number")
        return {"variety": {"category": int(most)}}
    settings: dict[str, dict[str, Any]] = {
        "exclude": {"repeat": "exclude"},
        "include": {"repeat": "include"},
        "off": {"shown": False},
    }
    return settings.get(change, {})


def read_percent(name: str, text: str) -> float:
    try:
        return round(float(text.replace(",", ".").rstrip("% ")) / 100, DIGITS)
    except ValueError:
        raise ValueError(f"{name}: {text[:40]!r} is no number") from None


def plot_intervals(comparisons: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return comparisons with their intervals as places on one axis, 0 to 100, with 0 at 50."""
    rows = list(comparisons)
    ends = [
        abs(row[interval][f"relative_{end}"])
        for row in rows
        for interval in INTERVALS
        for end in ("low", "high")
        if row[interval] and row[interval][f"relative_{end}"] is not None
    ]
    reach = min(max([LEAST_REACH, *ends]), MOST_REACH)
    return [
        {**row, "bars": {name: _place(row[name], reach) for name in INTERVALS}, "reach": reach}
        for row in rows
    ]


def _place(interval: Mapping[str, Any] | None, reach: float) -> tuple[float, float] | None:
    """Return where an interval begins on the axis, and how wide it is; None where it is unknown."""
    if not interval or interval["relative_low"] is None or interval["relative_high"] is None:
        return None
    low, high = (
        50 + 50 * max(-1.0, min(interval[f"relative_{end}"] / reach, 1.0))
        for end in ("low", "high")
    )
    return round(low, 2), round(max(high - low, 0.5), 2)


def find_verdicts(comparisons: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the differences that are there whenever one looks."""
    verdicts = []
    for row in comparisons:
        interval = row["always_valid"]
        if interval and (interval["low"] > 0 or interval["high"] < 0):
            told = {"variant": row["variant"], "metric": row["metric"]}
            verdicts.append({**told, "is_more": interval["low"] > 0})
    return verdicts
