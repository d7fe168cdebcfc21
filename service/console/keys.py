"""Keys: who may call, and new keys."""

from __future__ import annotations

from typing import Final

from service.console.api import address
from service.console.visit import Move, ScreenContent, ScreenVisit
from service.http.authorization import Scope

OFFERED: Final = (Scope.READ, Scope.WRITE, Scope.ADMIN)


async def show(visit: ScreenVisit) -> ScreenContent:
    keys = await visit.get("/v1/keys", limit=1000)
    return ScreenContent("keys.html", {"keys": keys, "scopes": OFFERED, "made": None})


async def act(visit: ScreenVisit) -> ScreenContent | Move:
    if visit.sent("act") == "revoke":
        revoked = await visit.send("DELETE", address("keys", visit.sent("key_id")))
        if not revoked.ok:
            return ScreenContent("failed.html", {"answer": revoked, "back": "keys"})
        return Move("keys?done=revoked")
    body = {"name": visit.sent("name"), "scopes": [visit.sent("scope")]}
    made = await visit.send("POST", "/v1/keys", body)
    if not made.ok:
        return ScreenContent("failed.html", {"answer": made, "back": "keys"})
    keys = await visit.get("/v1/keys", limit=1000)
    return ScreenContent("keys.html", {"keys": keys, "scopes": OFFERED, "made": made})
