"""Calls about what a customer likes, avoids and needs, as they have said it themselves."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import Annotated, Any, Final

from fastapi import Body, Request, Response

from models.rules.preferences import KINDS, NO_PREFERENCES, Preferences
from models.rules.unknown_names import find_unknown_in_preferences
from service.answering.customer_view import view_customer
from service.errors import PROBLEMS, TOO_LARGE, QuotaExceeded
from service.routes.customers import CUSTOMER, GONE, Informant, make_report, refuse_forgotten
from service.routes.looks import note_look
from service.routes.registration import Operation, Tag
from service.routes.request_context import get_responder, read_store, write_store
from service.routes.responses import uncached_json
from service.routes.route_classes import CustomerId
from service.schemas.preferences import PreferencesAnswer, PreferencesBody
from service.store import preferences
from service.store.audit import name_customer, record_change
from service.store.customer_export import describe_preferences
from service.store.preferences import Said
from service.store.quotas import spend
from service.store.writer import Change

NEVER_SAID: Final = {**NO_PREFERENCES.document(), "time": None}


async def get_preferences(request: Request, customer_id: CustomerId) -> Response:
    """Return what a customer has said they like, avoid and need.

    It is what they have said to the service, else what the last training has read in a file.
    """
    await note_look(request, customer_id)
    said = await read_store(request, partial(preferences.read, customer_id=customer_id))
    document = describe_preferences(said)
    if document is None and get_responder(request).active.current is not None:
        learned = await asyncio.to_thread(_find_learned, request, customer_id)
        document = {**learned.document(), "time": None}
    return await _describe(request, customer_id, document or NEVER_SAID)


async def put_preferences(
    request: Request, customer_id: CustomerId, options: Annotated[PreferencesBody, Body()]
) -> Response:
    """Keep what a customer says they like, avoid and need, in place of all they said before.

    It holds in the very next answer, where the customer allows that slates are made for them, and
    at the next training. Nothing is added to it. An empty body takes everything back. Attributes
    and values that no product bears stand under `warnings`.
    """
    said = await _say(request, customer_id, options.build())
    return await _describe(request, customer_id, describe_preferences(said) or NEVER_SAID)


async def delete_preferences(request: Request, customer_id: CustomerId) -> Response:
    """Take back everything that a customer has said they like, avoid and need.

    It counts no longer in the very next answer, whatever a model has learned.
    """
    said = await _say(request, customer_id, NO_PREFERENCES)
    return await _describe(request, customer_id, describe_preferences(said) or NEVER_SAID)


async def _say(request: Request, customer_id: str, said: Preferences) -> Said:
    """Have it stored, and return it. Raises QuotaExceeded for a token that has told too much."""
    report = make_report(request, int(time.time()))
    stored = await write_store(request, partial(_keep, customer_id, said, report))
    if stored is None:
        assert report.quota is not None  # noqa: S101  # it was used up
        quota = report.quota
        raise QuotaExceeded(quota.max_lines, quota.max_bytes, quota.wait_seconds)
    return stored


def _keep(
    customer_id: str, preferences_said: Preferences, report: Informant, change: Change
) -> Said | None:
    """Return what is stored then, or None where a quota does not allow it.

    Nobody is kept from taking back what they said.
    """
    refuse_forgotten(change.connection, customer_id)
    before = preferences.read(change.connection, customer_id)
    said = Said(preferences_said.pack(), report.time)
    if before is not None and before.document == said.document:
        return before
    text_bytes = len(f"{customer_id}{said.document}".encode())
    fits = report.quota is None or spend(change, report.quota, 1, text_bytes)
    if not fits and preferences_said:
        return None
    preferences.say(change, customer_id, said)
    if fits:
        record_change(
            change,
            time=report.time,
            actor=report.actor,
            action="preferences changed",
            subject=name_customer(change.connection, customer_id),
            before=None if before is None else _count(Preferences.read(before.document)),
            after=_count(preferences_said),
        )
    return said


def _count(said: Preferences) -> dict[str, int]:
    """Return how many values are named of each kind. Which ones is nobody's business."""
    return {kind: sum(len(one.values) for one in getattr(said, kind)) for kind in KINDS}


async def _describe(request: Request, customer_id: str, document: dict[str, Any]) -> Response:
    said = Preferences.of(document)
    warnings = await asyncio.to_thread(_find_warnings, request, said)
    return uncached_json({"customer_id": customer_id, **document, "warnings": warnings})


def _find_warnings(request: Request, said: Preferences) -> list[dict[str, str]]:
    responder = get_responder(request)
    live = responder.computer.find_live(responder.active.current) if said else None
    if live is None:
        return []
    problems = find_unknown_in_preferences(said, live.model.recommender.catalogue)
    return [{"field": each.field, "problem": each.sentence} for each in problems]


def _find_learned(request: Request, customer_id: str) -> Preferences:
    responder = get_responder(request)
    view = view_customer(responder.computer, responder.model(), customer_id, None)
    return view.recommender.find_preferences(view.user, view.update)


PREFERENCES: Final = f"{CUSTOMER}/preferences"
OPERATIONS: Final = (
    Operation(
        "GET",
        PREFERENCES,
        get_preferences,
        summary="Read what a customer likes, avoids and needs",
        tag=Tag.CUSTOMERS,
        answer=PreferencesAnswer,
    ),
    Operation(
        "PUT",
        PREFERENCES,
        put_preferences,
        summary="Set what a customer likes, avoids and needs",
        tag=Tag.CUSTOMERS,
        answer=PreferencesAnswer,
        responses=PROBLEMS | TOO_LARGE | GONE,
    ),
    Operation(
        "DELETE",
        PREFERENCES,
        delete_preferences,
        summary="Take back what a customer likes, avoids and needs",
        tag=Tag.CUSTOMERS,
        answer=PreferencesAnswer,
        responses=PROBLEMS | GONE,
    ),
)
