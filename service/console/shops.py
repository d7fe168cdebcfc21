"""Shops: the others of the deployment, and the way to the console of each."""

from __future__ import annotations

from typing import Final

from service.console.visit import ScreenContent, ScreenVisit

SHOWN: Final = 100


async def show(visit: ScreenVisit) -> ScreenContent:
    others = await visit.get("/v1/shops", limit=SHOWN, after=visit.asked("after"))
    return ScreenContent("shops.html", {"others": others})
