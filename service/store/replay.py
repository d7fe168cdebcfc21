"""Replay of refusals that a store has lost, after it was restored from an older copy."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, insert, select, union

from models.data.customers import NO
from service.store import consents, erasure, keys, shops
from service.store.change_counters import ERASED, FIRST_LOST, SHARED
from service.store.refusal_journal import (
    NOT_COVERED,
    Lineage,
    Refusal,
    RefusalJournal,
    RefusalKind,
    begins_before,
    find_lost,
)
from service.store.tables import erased, metadata
from service.store.tombstones import make_tombstone, read_tombstone_key
from service.store.writer import Change, read_position, write_lost_consents

ACTOR: Final = "refusal journal"
# How far a restored store counts on, to be above whatever it had counted before: answers that were
# cached then bear those numbers.
STRIDE: Final = 1 << 32
log: Final = logging.getLogger("regulars.store")


@dataclass
class Replayed:
    """What was put back into a store."""

    noes: int = 0
    erasures: int = 0
    keys: int = 0
    shops: int = 0
    erased_ids: list[str] = field(default_factory=list)  # those whose id is known

    def describe(self) -> dict[str, int]:
        """Return the counts."""
        return {
            "noes": self.noes,
            "erasures": self.erasures,
            "revoked_keys": self.keys,
            "ended_shops": self.shops,
        }


def is_behind(connection: Connection, directory: Path) -> bool:
    """Tell, of the last entry alone, whether a store has lost refusals. Raises OSError.

    Before a store is written to that has lost some, they are replayed: so it holds all or not the
    last.
    """
    last = RefusalJournal.of(connection, directory).read_last()
    if last is None:
        return False
    return not Lineage.read(connection, read_position(connection).number).holds(last.point)


def read_lost(connection: Connection, journals: Iterable[RefusalJournal]) -> list[Refusal]:
    """Return what a store has lost of the refusals in some journals. Raises OSError."""
    lineage = Lineage.read(connection, read_position(connection).number)
    lost: list[Refusal] = []
    for journal in journals:
        entries = journal.read()
        lost += find_lost(entries, lineage)
        if not begins_before(entries, lineage):
            log.error("%s begins after the copy was made: %s", journal.path, NOT_COVERED)
    return lost


def replay(change: Change, lost: Sequence[Refusal], known_ids: Iterable[str] = ()) -> Replayed:
    """Have refusals hold that the store has lost.

    A customer is found among those of the store and `known_ids`. Where they are not, the slot of
    their consents refuses until they answer again, and a tombstone keeps them erased.
    """
    replayed = Replayed()
    if not lost:
        return replayed
    change.take_numbers(STRIDE)
    people = _find_people(change.connection, lost, known_ids)
    for refusal in lost:
        customer_id = people.get(refusal.customer)
        match refusal.kind:
            case RefusalKind.KEY:
                replayed.keys += keys.revoke(change, refusal.key_id, ACTOR, refusal.time)
            case RefusalKind.SHOP:
                replayed.shops += _end_shop(change, refusal)
            case RefusalKind.NO:
                _say_no(change, refusal, customer_id)
                replayed.noes += 1
            case RefusalKind.ERASURE:
                _erase(change, refusal, customer_id)
                replayed.erasures += 1
                replayed.erased_ids += [] if customer_id is None else [customer_id]
    change.take_numbers(1)
    for counter in SHARED.values():  # whose consents were lost may be nobody's name: all is old
        change.touch(counter)
    change.refuse(Refusal(RefusalKind.REPLAYED, 0))
    log.warning("the store is an older copy; put back of what was refused since: %s", replayed)
    return replayed


def _end_shop(change: Change, refusal: Refusal) -> bool:
    """Have a shop answer no more that the store has, and return whether it does."""
    for record in shops.list_all(change.connection).values():
        if record.mark == refusal.shop:
            shops.begin_to_end(change, record.name, time=refusal.time, actor=ACTOR)
            return True
    return False


def _say_no(change: Change, refusal: Refusal, customer_id: str | None) -> None:
    if customer_id is not None:
        values = dict.fromkeys(refusal.purposes, NO)
        consents.give(change, customer_id, values, refusal.time)
        return
    (number,) = change.take_numbers(1)
    write_lost_consents(change.connection, {refusal.slot: number})
    change.touch(FIRST_LOST + refusal.slot)
    change.refuse(refusal)


def _erase(change: Change, refusal: Refusal, customer_id: str | None) -> None:
    if customer_id is not None:
        erasure.erase(change, customer_id, refusal.time)
        return
    tombstone = bytes.fromhex(refusal.customer)
    (number,) = change.take_numbers(1)
    known = select(erased.c.time).where(erased.c.customer == tombstone)
    if change.connection.execute(known).first() is None:
        row = {"time": refusal.time, "number": number, "slot": refusal.slot}
        change.connection.execute(insert(erased).values(customer=tombstone, **row))
    change.touch(ERASED)
    change.refuse(refusal)


def _find_people(
    connection: Connection, lost: Sequence[Refusal], known_ids: Iterable[str]
) -> Mapping[str, str]:
    """Return the ids of customers by their tombstones."""
    wanted = {refusal.customer for refusal in lost if refusal.customer}
    key = read_tombstone_key(connection)
    people: dict[str, str] = {}
    if wanted:
        for ids in (_read_ids(connection), known_ids):
            for customer_id in ids:
                tombstone = make_tombstone(key, customer_id).hex()
                if tombstone in wanted:
                    people[tombstone] = customer_id
    return people


def _read_ids(connection: Connection) -> Iterator[str]:
    """Yield every customer of whom the store holds anything."""
    columns = (
        table.c["customer_id"] for table in metadata.sorted_tables if "customer_id" in table.c
    )
    query = union(*(select(column).where(column.isnot(None)) for column in columns))
    yield from connection.execute(query).scalars()
