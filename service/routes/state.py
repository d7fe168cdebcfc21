"""State that the application holds for its routes."""

from __future__ import annotations

import asyncio

from fastapi import FastAPI, Request

from service.answering.responder import Responder
from service.settings import Settings


def get_responder(request: Request) -> Responder:
    """Return what answers queries, as the lifespan of the application has built it."""
    responder: Responder = request.app.state.responder
    return responder


def set_batch_slots(app: FastAPI, settings: Settings) -> None:
    """Limit the slates that all batches of a process compute at once.

    A single slate then waits for one of a batch at most, or has a thread of its own.
    """
    app.state.batch_slots = asyncio.Semaphore(max(1, settings.thread_count() - 1))


def get_batch_slots(request: Request) -> asyncio.Semaphore:
    """Return the limit that all batches of a process share."""
    slots: asyncio.Semaphore = request.app.state.batch_slots
    return slots
