"""Personae of the demonstration shop, and which customer of the model each of them is."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import count, islice
from typing import Final

import numpy as np
from sqlalchemy import Connection

from models.data.customers import NO
from models.data.events import DAY, PURCHASE
from models.data.history import find_pair_starts
from models.recommender import NOBODY, Recommender
from service.store.events import is_erased

RECENT_DAYS: Final = 28  # in which a regular has bought
TIMES: Final = 3  # a product bought so often is bought again and again


class PersonaName(StrEnum):
    """A name of a persona in calls."""

    REGULAR = "regular"
    NEWCOMER = "newcomer"
    SAID_NO = "said-no"
    GIFT = "gift"


@dataclass(frozen=True)
class Persona:
    """A description of a persona, as the shop shows it."""

    name: PersonaName
    title: str
    greeting: str
    about: str


PERSONAS: Final = (
    Persona(
        PersonaName.REGULAR,
        "A regular",
        "Good to see you again",
        "Has shopped here for months. The shop knows what is bought again, and when.",
    ),
    Persona(
        PersonaName.NEWCOMER,
        "A newcomer",
        "Welcome",
        "Logged in for the first time. Nothing is known yet: look at a product and come back.",
    ),
    Persona(
        PersonaName.SAID_NO,
        "Said no",
        "Good to see you again",
        "A regular too, who said no to personal recommendations. The history is not used.",
    ),
    Persona(
        PersonaName.GIFT,
        "Gift buyer",
        "Looking for a gift?",
        "Shops for somebody else without logging in. Only this visit counts, under no name.",
    ),
)
NOT_PERSONAL: Final = {"personalize_web": False, "personalize_email": False}


@dataclass(frozen=True)
class Visitor:
    """A customer or a visit that stands for a persona."""

    customer_id: str | None
    session_id: str | None = None
    answers: Mapping[str, bool] = field(default_factory=dict)  # if they were never asked


def find_visitor(
    name: PersonaName, recommender: Recommender, connection: Connection
) -> Visitor | None:
    """Return who stands for a persona, None where no customer of the model can.

    It is the same customer each time, until that customer is erased. Regulars and those who said no
    take turns in the same order, so that neither becomes the other.
    """
    if name is PersonaName.GIFT:
        return Visitor(None, f"visit-{secrets.token_hex(16)}")
    if name is PersonaName.NEWCOMER:
        names = (f"newcomer-{number}" for number in count(1))
        candidates: Iterator[str] = (
            name for name in names if recommender.find_user(name) == NOBODY
        )
    else:
        start = 0 if name is PersonaName.REGULAR else 1
        candidates = islice(find_regulars(recommender), start, None, 2)
    customer_id = next((found for found in candidates if not is_erased(connection, found)), None)
    if customer_id is None:
        return None
    answers = NOT_PERSONAL if name is PersonaName.SAID_NO else {}
    return Visitor(customer_id, answers=answers)


def find_regulars(recommender: Recommender) -> Iterator[str]:
    """Yield customers who bought lately and did not refuse.

    Those come first who buy the most products again and again, then those of the lower index.
    """
    model, now = recommender.model, recommender.manifest.data_as_of
    events, customers = model.histories.events, len(model.customers)
    user = np.repeat(np.arange(customers), np.diff(model.histories.indptr))
    is_bought = events.kind == PURCHASE
    starts = find_pair_starts(events, user)
    times = np.add.reduceat(is_bought, starts, dtype=np.int64) if len(starts) else starts
    rhythms = np.bincount(user[starts][times >= TIMES], minlength=customers)
    is_recent = is_bought & (events.time > now - RECENT_DAYS * DAY)
    is_known = np.bincount(user[is_recent], minlength=customers) > 0
    is_known &= ~(model.customers.consent == NO).any(axis=1)
    for index in np.argsort(-rhythms, kind="stable"):
        if is_known[index]:
            yield model.customers.ids[int(index)]
