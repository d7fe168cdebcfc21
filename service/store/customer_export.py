"""Export of everything that the store holds under a customer's id."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson
from sqlalchemy import Connection, select

from models.data.customers import NO, PURPOSES, YES
from models.data.events import KINDS, Standing
from models.data.timestamps import format_timestamp
from models.rules.preferences import Preferences
from service.store import consents, exposures, offers, preferences
from service.store.audit import list_of_customer
from service.store.events import read_unused
from service.store.preferences import Said
from service.store.tables import events, sessions, slates

ANSWERS: Final = {YES: True, NO: False}
NOT_ASKED: Final = (0, 0)
AUDITED_FIELDS: Final = ("time", "actor", "action", "before", "after")
INTERNAL_COLUMNS: Final = ("number", "line", "standing")  # of events


def export_records(connection: Connection, customer_id: str) -> dict[str, Any]:
    """Return what customers allowed, did and were shown in mails, oldest first."""
    own_sessions = select(sessions.c.session_id).where(sessions.c.customer_id == customer_id)
    session_ids = connection.execute(own_sessions).scalars().all()
    in_session = events.c.customer_id.is_(None) & events.c.session_id.in_(session_ids)
    own_events = select(*events.columns).where((events.c.customer_id == customer_id) | in_session)
    rows = connection.execute(own_events.order_by(events.c.number)).mappings()
    exported_events = [_describe_event(dict(row)) for row in rows]
    own_mails = select(slates.c.campaign_id, slates.c.time, slates.c.document).where(
        slates.c.customer_id == customer_id
    )
    mails = []
    for campaign_id, time, document in connection.execute(own_mails.order_by(slates.c.time)):
        record = orjson.loads(document)
        mail = {
            "campaign": campaign_id,
            "time": format_timestamp(time),
            "showed": record["products"],
            "showed_also": record["also"],
        }
        mails.append(mail)
    return {
        "consent": describe_consents(consents.read(connection, customer_id)),
        "preferences": describe_preferences(preferences.read(connection, customer_id)),
        "products_not_used": read_unused(connection, customer_id),
        "sessions": list(session_ids),
        "events": exported_events,
        "exposures": exposures.export(connection, customer_id),
        "mails": mails,
        "offers": offers.export_codes(connection, customer_id),
        "audited": [
            {name: entry[name] for name in AUDITED_FIELDS}
            for entry in list_of_customer(connection, customer_id)
        ],
    }


def describe_consents(given: Mapping[int, tuple[int, int]]) -> dict[str, Any]:
    """Return for each purpose the answer, null where the store holds none, and when it was given.

    `given`: purpose -> (YES or NO, seconds since 1970).
    """
    described = {}
    for purpose, name in enumerate(PURPOSES):
        answer, time = given.get(purpose, NOT_ASKED)
        described[name] = {
            "given": ANSWERS.get(answer),
            "time": format_timestamp(time) if answer else None,
        }
    return described


def describe_preferences(said: Said | None) -> dict[str, Any] | None:
    """Return what a customer has said and when; None where they never said anything."""
    if said is None:
        return None
    document = Preferences.read(said.document).document()
    return {**document, "time": format_timestamp(said.time)}


def _describe_event(row: Mapping[str, Any]) -> dict[str, Any]:
    described = {}
    for name, value in row.items():
        if value is not None and name not in INTERNAL_COLUMNS:
            described[str(name)] = value
    return {
        **described,
        "kind": KINDS[row["kind"]],
        "time": format_timestamp(row["time"]),
        "reported_by": Standing(row["standing"]).name.lower(),
    }
