"""A shop that answers: what knows its keys, and what answers for it."""

from __future__ import annotations

from dataclasses import dataclass

from service.answering.responder import Responder
from service.http.authentication import Authentication


@dataclass(frozen=True)
class Shop:
    """Hold what a shop is answered with while it is open in a process."""

    name: str
    responder: Responder
    authentication: Authentication
