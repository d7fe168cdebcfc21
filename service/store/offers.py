"""Offers, and their single-use codes: which one was given to whom.

A code is given once, to one customer, and stays given whatever becomes of the customer, the offer
or the process that gave it. A customer has one code of an offer and gets the same one again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, delete, func, insert, select, update

from models.data.timestamps import format_timestamp
from service.store.change_counters import RULES as RULES_COUNTER
from service.store.events import is_erased
from service.store.shop_documents import ShopDocuments
from service.store.tables import IS_FREE, offer_codes, offers
from service.store.writer import Change

OFFERS: Final = ShopDocuments(offers, "offer")
KNOWN_TOGETHER: Final = 500  # codes that one statement asks for
CODE: Final = offer_codes.c.code


class GivenCodes(NamedTuple):
    """How many single-use codes of an offer were given, and how many are left."""

    given: int
    left: int


class OwnCode(NamedTuple):
    """The code of a customer, and whether one is left for those who have none."""

    code: str | None
    is_left: bool


def count_codes(connection: Connection) -> dict[str, GivenCodes]:
    """Return the number of codes of every offer that has some."""
    offer_id, given = offer_codes.c.offer_id, func.count(offer_codes.c.given)
    rows = connection.execute(select(offer_id, given, func.count()).group_by(offer_id))
    return {row[0]: GivenCodes(row[1], row[2] - row[1]) for row in rows}


def find_foreign(connection: Connection, offer_id: str, codes: Sequence[str]) -> list[str]:
    """Return those of some codes that another offer has, given or not."""
    foreign: list[str] = []
    for start in range(0, len(codes), KNOWN_TOGETHER):
        of_another = offer_codes.c.offer_id != offer_id
        chosen = CODE.in_(codes[start : start + KNOWN_TOGETHER])
        foreign += connection.execute(select(CODE).where(of_another, chosen)).scalars()
    return foreign


def add_codes(change: Change, offer_id: str, codes: Iterable[str]) -> int:
    """Add codes that the offer does not have yet, and return how many these are.

    A code that was given stays given.
    """
    of_offer = select(CODE).where(offer_codes.c.offer_id == offer_id)
    known = set(change.connection.execute(of_offer).scalars())
    unknown = [code for code in dict.fromkeys(codes) if code not in known]
    new = [{"code": code, "offer_id": offer_id} for code in unknown]
    if new:
        change.connection.execute(insert(offer_codes), new)
        change.take_numbers(1)
        change.touch(RULES_COUNTER)  # answers without an offer may have one now
    return len(new)


def remove_free_codes(change: Change, offer_id: str) -> None:
    """Delete the codes of an offer that nobody has got."""
    change.connection.execute(
        delete(offer_codes).where(offer_codes.c.offer_id == offer_id, IS_FREE)
    )


def find_code(connection: Connection, offer_id: str, customer_id: str) -> OwnCode:
    """Return the code of a customer, and whether there is one for them."""
    of_offer, own = offer_codes.c.offer_id == offer_id, offer_codes.c.customer_id == customer_id
    code = connection.execute(select(CODE).where(own, of_offer)).scalar()
    if code is not None:
        return OwnCode(code, is_left=True)
    free = select(CODE).where(of_offer, IS_FREE).limit(1)
    return OwnCode(None, connection.execute(free).scalar() is not None)


def give_code(
    change: Change, offer_id: str, customer_id: str, *, time: int, erased: int
) -> str | None:
    """Give a customer a code of an offer, the one they have already if so; None: none is left.

    `time`: seconds since 1970. `erased`: number of the newest erasure that was known; a customer
    who was erased since gets none.
    """
    if change.erased > erased and is_erased(change.connection, customer_id):
        return None
    connection, of_offer = change.connection, offer_codes.c.offer_id == offer_id
    free = select(CODE).where(of_offer, IS_FREE).order_by(CODE).limit(1)
    while True:
        own = find_code(connection, offer_id, customer_id)
        if own.code is not None or not own.is_left:
            return own.code
        # Whoever gives codes beside this process may take it first: then it is the next one
        chosen = connection.execute(free).scalar()
        give = update(offer_codes).where(offer_codes.c.code == chosen, IS_FREE)
        connection.execute(give.values(given=time, customer_id=customer_id))


def export_codes(connection: Connection, customer_id: str) -> list[dict[str, Any]]:
    """Return the codes that a customer was given, oldest first."""
    query = select(offer_codes).where(offer_codes.c.customer_id == customer_id)
    rows = connection.execute(query.order_by(offer_codes.c.given, CODE))
    return [
        {"offer": row.offer_id, "code": row.code, "given": format_timestamp(row.given)}
        for row in rows
    ]


def forget_customer(customer_id: str) -> Any:
    """Return the statement by which nobody knows any more who got a code; it stays given."""
    own = offer_codes.c.customer_id == customer_id
    return update(offer_codes).where(own).values(customer_id=None)
