"""Audit: who changed what, and who looked at whom."""

from __future__ import annotations

from typing import Final

from service.console.visit import ScreenContent, ScreenVisit

SHOWN: Final = 50


async def show(visit: ScreenVisit) -> ScreenContent:
    changes = await visit.get("/v1/audit", limit=SHOWN, after=visit.asked("after"))
    return ScreenContent("audit.html", {"changes": changes})
