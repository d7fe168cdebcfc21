"""Journal of refusals: noes, erasures, revoked keys and ended shops, kept apart from the store.

A store that is restored from an older copy has lost what was refused since. Each refusal is
appended here, and is on the disk, before whoever refused gets an answer. A line names the change by
its point of the store's lineage, and the customer by the tombstone that an erasure would leave:
without the store nobody can tell who that is.

An entry is held by a store that holds its point, or the point of a later `replayed`.
"""

from __future__ import annotations

import hashlib
import logging
import os
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import orjson
from sqlalchemy import Connection, select

from models.artifact.atomic import atomic_write, sync_directory, sync_file
from models.artifact.locks import lock_directory
from models.data.customers import consent_slot
from service.store.lineage import Point
from service.store.tables import marks, secrets
from service.store.tombstones import make_tombstone, read_tombstone_key

IDENTITY: Final = "store"  # name in the table `secrets`
TAIL_BYTES: Final = 4096  # more than a line has
NOT_COVERED: Final = "what was refused between the two is lost"
log: Final = logging.getLogger("regulars.store")


class RefusalKind(StrEnum):
    """What a line of the journal tells."""

    NO = "no"
    ERASURE = "erasure"
    KEY = "key"  # it was revoked
    SHOP = "shop"  # it was ended; in the journal of the main shop
    BEGUN = "begun"  # the journal holds what was refused after this point
    REPLAYED = "replayed"  # a store that holds this point holds all that stands before


@dataclass(frozen=True)
class Refusal:
    """Something that must hold, also where the store has lost it."""

    kind: RefusalKind
    time: int  # seconds since 1970
    customer: str = ""  # tombstone in hexadecimal digits
    slot: int = 0  # of the customer's consents
    purposes: tuple[int, ...] = ()  # that were refused
    key_id: str = ""
    shop: str = ""  # its mark: shops of one name have different ones


@dataclass(frozen=True)
class Entry:
    """A refusal and the change with which it was made."""

    point: Point
    refusal: Refusal
    kept: int  # when it was written down, by the clock; seconds since 1970


def refusal_of(
    connection: Connection,
    kind: RefusalKind,
    customer_id: str,
    time: int,
    purposes: tuple[int, ...] = (),
) -> Refusal:
    """Return the refusal of a customer, as it may be kept."""
    customer = make_tombstone(read_tombstone_key(connection), customer_id).hex()
    return Refusal(kind, time, customer, consent_slot(customer_id), purposes)


def journal_name(identity: bytes) -> str:
    """Return the name of the file of a store."""
    return f"{hashlib.sha256(b'journal ' + identity).hexdigest()[:16]}.jsonl"


def read_identity(connection: Connection) -> bytes:
    """Return what tells a store, and its copies, from other stores."""
    query = select(secrets.c.value).where(secrets.c.name == IDENTITY)
    return bytes(connection.execute(query).scalar_one())


class RefusalJournal:
    """A file to which the processes of a host append."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def of(cls, connection: Connection, directory: Path) -> RefusalJournal:
        """Return the journal of a store in a directory of journals."""
        return cls(directory / journal_name(read_identity(connection)))

    def begin(self, point: Point, clock: int) -> None:
        """Make the file where it is not there yet. Raises OSError."""
        if self.path.exists():
            return
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with lock_directory(self.path.parent):
            if not self.path.exists():
                self._write([Entry(point, Refusal(RefusalKind.BEGUN, clock), clock)])

    def append(self, point: Point, refusals: Iterable[Refusal], clock: int) -> None:
        """Add refusals, which are on the disk when it returns. Raises OSError."""
        lines = b"".join(_line(Entry(point, refusal, clock)) for refusal in refusals)
        with lock_directory(self.path.parent):
            is_new = not self.path.exists()
            with self.path.open("ab") as stream:
                os.fchmod(stream.fileno(), 0o600)
                # A line that a lost power line has cut off ends here.
                stream.write(lines if _ends_with_line(self.path) else b"\n" + lines)
                sync_file(stream)
            if is_new:
                sync_directory(self.path.parent)

    def read(self) -> list[Entry]:
        """Return all entries, oldest first; none where there is no file. Raises OSError."""
        try:
            lines = self.path.read_bytes().splitlines()
        except FileNotFoundError:
            return []
        entries = [entry for line in lines if (entry := _parse(line)) is not None]
        if unread := sum(1 for line in lines if line) - len(entries):
            log.error("%s: %d lines cannot be read and are left out", self.path, unread)
        return entries

    def read_last(self) -> Entry | None:
        """Return the last entry, without reading the others. Raises OSError."""
        try:
            with self.path.open("rb") as stream:
                stream.seek(max(stream.seek(0, os.SEEK_END) - TAIL_BYTES, 0))
                lines = stream.read().splitlines()
        except FileNotFoundError:
            return None
        return next((entry for line in reversed(lines) if (entry := _parse(line))), None)

    def prune(self, before: int) -> int:
        """Remove what was written down before a time; return how many entries that were.

        From then on the journal begins after the last of them. Raises OSError.
        """
        if not self.path.exists():
            return 0
        with lock_directory(self.path.parent):
            entries = self.read()
            newer = [entry for entry in entries if entry.kept >= before]
            old = [entry for entry in entries if entry.kept < before]
            if not [entry for entry in old if entry.refusal.kind is not RefusalKind.BEGUN]:
                return 0
            begun = Refusal(RefusalKind.BEGUN, old[-1].kept)
            self._write([Entry(old[-1].point, begun, old[-1].kept), *newer])
        return len(old)

    def _write(self, entries: Iterable[Entry]) -> None:
        with atomic_write(self.path, durable=True) as stream:
            os.fchmod(stream.fileno(), 0o600)
            stream.write(b"".join(map(_line, entries)))


@dataclass(frozen=True)
class Lineage:
    """All marks of a store, to tell of many points whether it holds them."""

    numbers: Sequence[int]
    marks: Sequence[bytes]
    newest: int

    @classmethod
    def read(cls, connection: Connection, newest: int) -> Lineage:
        """Read it. `newest`: number of the store's newest change."""
        rows = connection.execute(select(marks.c.number, marks.c.mark).order_by(marks.c.number))
        numbers, all_marks = zip(*rows, strict=True)  # a store has one from the beginning
        return cls(numbers, [bytes(mark) for mark in all_marks], newest)

    def holds(self, point: Point) -> bool:
        rank = bisect_right(self.numbers, point.number) - 1
        return point.number <= self.newest and rank >= 0 and self.marks[rank] == point.mark


def find_lost(entries: Sequence[Entry], lineage: Lineage) -> list[Refusal]:
    """Return the refusals that a store does not hold, oldest first."""
    lost = []
    for entry in reversed(entries):
        held = lineage.holds(entry.point)
        if held and entry.refusal.kind is RefusalKind.REPLAYED:
            break
        if not held and entry.refusal.kind not in (RefusalKind.REPLAYED, RefusalKind.BEGUN):
            lost.append(entry.refusal)
    return lost[::-1]


def begins_before(entries: Sequence[Entry], lineage: Lineage) -> bool:
    """Tell whether a journal holds all that was refused since a store was copied."""
    return bool(entries) and lineage.holds(entries[0].point)


def _ends_with_line(path: Path) -> bool:
    with path.open("rb") as stream:
        if stream.seek(0, os.SEEK_END) == 0:
            return True
        stream.seek(-1, os.SEEK_END)
        return stream.read() == b"\n"


def _line(entry: Entry) -> bytes:
    refusal = entry.refusal
    values: dict[str, Any] = {
        "number": entry.point.number,
        "mark": entry.point.mark.hex(),
        "kept": entry.kept,
        "kind": refusal.kind,
        "time": refusal.time,
    }
    if refusal.customer:
        values |= {"customer": refusal.customer, "slot": refusal.slot}
    if refusal.purposes:
        values["purposes"] = refusal.purposes
    if refusal.key_id:
        values["key_id"] = refusal.key_id
    if refusal.shop:
        values["shop"] = refusal.shop
    return orjson.dumps(values) + b"\n"


def _parse(line: bytes) -> Entry | None:
    """Return the entry of a line, None of one that was cut off or damaged."""
    try:
        values = orjson.loads(line)
        point = Point(int(values["number"]), bytes.fromhex(values["mark"]))
        kept = int(values["kept"])
        refusal = Refusal(
            RefusalKind(values["kind"]),
            int(values["time"]),
            str(values.get("customer", "")),
            int(values.get("slot", 0)),
            tuple(map(int, values.get("purposes", ()))),
            str(values.get("key_id", "")),
            str(values.get("shop", "")),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return Entry(point, refusal, kept)
