"""Models: versions side by side, which one is served, and what trainings have measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from service.console.api import address
from service.console.visit import Download, Move, ScreenContent, ScreenVisit

SIDE_BY_SIDE: Final = 5
# What a version is judged by: group of customers, figure
FIGURES: Final = (("all", "recall"), ("discovery", "recall"), ("visit", "recall"), ("all", "ndcg"))


async def show(visit: ScreenVisit) -> ScreenContent:
    models, trainings = await visit.get_each(
        ("/v1/models", {"limit": SIDE_BY_SIDE}), ("/v1/trainings", {"limit": 20})
    )
    versions, rows = models.json.get("models", []), []
    for group, figure in FIGURES:
        cells = [find_figure(one["metrics"], group, figure) for one in versions]
        best = max((cell["value"] for cell in cells if cell), default=None)
        rows.append({"group": group, "figure": figure, "cells": cells, "best": best})
    return ScreenContent("models.html", {"models": models, "trainings": trainings, "rows": rows})


def find_figure(metrics: Mapping[str, Any], group: str, figure: str) -> dict[str, float] | None:
    """Return a figure of what a version would have served, with its interval, None without one."""
    scores = metrics.get("scores", {}).get(group, {})
    found: dict[str, float] | None = scores.get("served", {}).get(figure)
    return found


async def act(visit: ScreenVisit) -> ScreenContent | Move:
    if visit.sent("act") == "rollback":
        done = await visit.send("POST", "/v1/models/rollback")
    else:
        done = await visit.send("POST", address("models", visit.sent("version"), "activate"))
    if not done.ok:
        return ScreenContent("failed.html", {"answer": done, "back": "models"})
    return Move("models?done=served")


async def show_report(visit: ScreenVisit) -> ScreenContent | Download:
    """Return the report of a training, as a file: no page of the console runs it."""
    name = visit.asked("name")
    report = await visit.get(address("trainings", name, "report"))
    if not report.ok:
        return ScreenContent("failed.html", {"answer": report, "back": "models"})
    plain = "".join(letter for letter in name if letter.isalnum() or letter == "-")
    return Download(f"training-{plain}.html", report.body, "text/html")
