"""Consents of customers, and products they struck out of their profile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy import Connection, delete, insert, select, update

from models.data.customers import MEASURE, NO
from service.store.change_counters import counter_of
from service.store.exposures import take_ids_away
from service.store.refusal_journal import RefusalKind, refusal_of
from service.store.tables import consents, unused, used_again
from service.store.writer import Change


class Consent(NamedTuple):
    """A customer's answer about one purpose."""

    value: int  # YES or NO
    time: int  # when they gave it, seconds since 1970


def read(connection: Connection, customer_id: str) -> dict[int, Consent]:
    """Return a customer's answers by purpose."""
    query = select(consents.c.purpose, consents.c.value, consents.c.time).where(
        consents.c.customer_id == customer_id
    )
    return {row.purpose: Consent(row.value, row.time) for row in connection.execute(query)}


@dataclass(frozen=True)
class ConsentRecords:
    """Hold a customer's answers by purpose, and the numbers of their changes."""

    answers: dict[int, Consent] = field(default_factory=dict)
    numbers: dict[int, int] = field(default_factory=dict)
    lost: int = 0  # up to this number there may have been other answers that the store has lost


def read_numbered(connection: Connection, customer_id: str, lost: int) -> ConsentRecords:
    """Return a customer's answers with their numbers. `lost`: as in ConsentRecords."""
    columns = (consents.c[name] for name in ("purpose", "value", "time", "number"))
    query = select(*columns).where(consents.c.customer_id == customer_id)
    records = ConsentRecords(lost=lost)
    for purpose, value, time, number in connection.execute(query):
        records.answers[purpose] = Consent(value, time)
        records.numbers[purpose] = number
    return records


def give(
    change: Change, customer_id: str, values: Mapping[int, int], time: int
) -> dict[int, Consent]:
    """Keep each no, and each yes unless a later no is known; return the answers that hold then.

    Clocks of two hosts may lie apart, and one that was ahead may have been set right: a yes that
    seems to be later takes no no back. The no counts as given at the time of that yes.
    """
    answers = read(change.connection, customer_id)
    refused = []
    for purpose, value in values.items():
        earlier = answers.get(purpose)
        if earlier is not None and earlier.time > time and value != NO:
            continue
        (number,) = change.take_numbers(1)
        given = time if earlier is None else max(time, earlier.time)
        columns = {"value": value, "time": given, "number": number}
        row = {"customer_id": customer_id, "purpose": purpose}
        if earlier is None:
            change.connection.execute(insert(consents).values(**row, **columns))
        else:
            change.connection.execute(update(consents).filter_by(**row).values(**columns))
        answers[purpose] = Consent(value, given)
        if value == NO and (earlier is None or earlier.value != NO):
            refused.append(purpose)
        if (purpose, value) == (MEASURE, NO):
            take_ids_away(change, customer_id)
        change.touch(counter_of("customer", customer_id))
        change.touch(counter_of("consent", customer_id))
    if refused:
        kind, purposes = RefusalKind.NO, tuple(refused)
        change.refuse(refusal_of(change.connection, kind, customer_id, time, purposes))
    return answers


def strike_out(change: Change, customer_id: str, product_id: str, time: int) -> None:
    """Stop using a product: it says nothing about this customer any more."""
    row = {"customer_id": customer_id, "product_id": product_id}
    if change.connection.execute(select(unused.c.number).filter_by(**row)).first() is not None:
        return
    (number,) = change.take_numbers(1)
    change.connection.execute(insert(unused).values(**row, time=time, number=number))
    change.touch(counter_of("customer", customer_id))


def use_again(change: Change, customer_id: str, product_id: str) -> None:
    """Use a product again that a customer struck out."""
    row = {"customer_id": customer_id, "product_id": product_id}
    if change.connection.execute(delete(unused).filter_by(**row)).rowcount == 0:
        return
    (number,) = change.take_numbers(1)
    customer = {"customer_id": customer_id}
    renewed = update(used_again).filter_by(**customer).values(number=number)
    if change.connection.execute(renewed).rowcount == 0:
        change.connection.execute(insert(used_again).values(**customer, number=number))
    change.touch(counter_of("customer", customer_id))
