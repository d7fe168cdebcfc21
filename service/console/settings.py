"""Settings: how the service is set up. They are read when it starts."""

from __future__ import annotations

from service.console.visit import ScreenContent, ScreenVisit


async def show(visit: ScreenVisit) -> ScreenContent:
    return ScreenContent("settings.html", {"settings": await visit.get("/v1/settings")})
