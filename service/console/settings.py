"""Settings: how the service is set up. They are read when it starts."""

from __future__ import annotations

from service.console.visit import Page, Visit


async def show(visit: Visit) -> Page:
    return Page("settings.html", {"settings": await visit.get("/v1/settings")})
