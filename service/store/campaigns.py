"""Campaigns, and what their mails showed: one record for each customer and query.

The first writer makes a record; later ones find it made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson
from sqlalchemy import Connection, bindparam, delete, insert, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from models.data.events import HOUR
from service.store.audit import record_change
from service.store.change_counters import counter_of
from service.store.events import is_erased
from service.store.lineage import mark_of
from service.store.tables import campaigns, position, slates
from service.store.writer import POSITION_COLUMNS, Change

MAX_MAILS: Final = 100  # records of a customer that are read; older ones count as forgotten


@dataclass(frozen=True)
class Campaign:
    """A mailing, and what it is pinned to."""

    campaign_id: str
    kind: str  # a value of models.mail.mailings.MailKind
    model_version: str
    as_of: int  # seconds since 1970, like `opened`
    opened: int
    window_hours: int  # 0: it was deleted
    not_twice: int  # number of earlier campaigns whose products it does not show again
    events_until: int | None = None  # what customers did later does not count; None: `as_of`

    @property
    def closes(self) -> int:
        return self.opened + self.window_hours * HOUR

    def is_open(self, clock: int) -> bool:
        """Tell whether it is open; one that opened ahead of the clock must be brought back."""
        return self.opened <= clock < self.closes

    def close(self, clock: int) -> Campaign:
        """Return the campaign closed by now."""
        return replace(self, opened=min(self.opened, clock - self.window_hours * HOUR))


@dataclass(frozen=True)
class MailRecord:
    """A record of what a mail showed a customer."""

    ref: bytes
    campaign_id: str
    customer_id: str
    time: int  # seconds since 1970
    document: str


CAMPAIGN_COLUMNS: Final = tuple(campaigns.c[name] for name in Campaign.__dataclass_fields__)
NOT_DELETED: Final = campaigns.c.window_hours > 0
MAILS_OF_CUSTOMER: Final = (
    select(*POSITION_COLUMNS, mark_of("seen"), *slates.columns)
    .select_from(position.outerjoin(slates, slates.c.customer_id == bindparam("customer_id")))
    .where(position.c.id == 1)
    .order_by(slates.c.time.desc(), slates.c.ref)
    .limit(MAX_MAILS)
)


def find(connection: Connection, campaign_id: str) -> Campaign | None:
    """Return a campaign, open or closed; None if there is none of that name, or no more."""
    is_there = (campaigns.c.campaign_id == campaign_id) & NOT_DELETED
    query = select(*CAMPAIGN_COLUMNS).where(is_there)
    row = connection.execute(query).first()
    return Campaign(*row) if row else None


def list_newest(
    connection: Connection, limit: int, below: Sequence[Any] | None = None
) -> list[Campaign]:
    """Return campaigns, the newest first.

    `below`: the time of opening and the id of the campaign behind which they begin.
    """
    order = tuple_(campaigns.c.opened, campaigns.c.campaign_id)
    newest = (
        select(*CAMPAIGN_COLUMNS)
        .where(NOT_DELETED)
        .order_by(campaigns.c.opened.desc(), campaigns.c.campaign_id.desc())
    )
    if below is not None:
        newest = newest.where(order < tuple(below))
    return [Campaign(*row) for row in connection.execute(newest.limit(limit))]


def put(change: Change, campaign: Campaign) -> Campaign:
    """Create a campaign, or replace the one of its name."""
    (number,) = change.take_numbers(1)
    values = {**vars(campaign), "number": number}
    renewed = update(campaigns).where(campaigns.c.campaign_id == campaign.campaign_id)
    if not change.connection.execute(renewed.values(**values)).rowcount:
        change.connection.execute(insert(campaigns).values(**values))
    change.touch(counter_of("campaign", campaign.campaign_id))
    return campaign


def remove(change: Change, campaign: Campaign, *, time: int, actor: str) -> None:
    """Delete a campaign. Its row stays, so that its end is numbered; what its mails showed too."""
    put(change, replace(campaign, window_hours=0))
    pins = {name: getattr(campaign, name) for name in ("kind", "model_version", "window_hours")}
    record_change(
        change,
        time=time,
        actor=actor,
        action="campaign deleted",
        subject=campaign.campaign_id,
        before={**pins, "not_twice": campaign.not_twice},
    )


def bring_back(change: Change, campaign: Campaign, clock: int) -> Campaign:
    """Return a campaign that was opened by a clock ahead as if it were opened now.

    What it has shown since counts as shown now: it stays the same until the campaign closes.
    """
    ahead = (slates.c.time > clock) & (slates.c.campaign_id == campaign.campaign_id)
    change.connection.execute(update(slates).where(ahead).values(time=clock))
    return replace(campaign, opened=clock)


def pinned_versions(connection: Connection, now: int) -> frozenset[str]:
    """Return the models that open campaigns need. `now`: seconds since 1970."""
    closes = campaigns.c.opened + campaigns.c.window_hours * HOUR
    # One that a clock far ahead has opened needs its model again when it is brought back.
    is_open = (closes > now) & (campaigns.c.opened <= now + HOUR)
    query = select(campaigns.c.model_version).where(is_open)
    return frozenset(connection.execute(query).scalars())


def read_mails(connection: Connection, customer_id: str) -> list[MailRecord]:
    """Return what mails showed a customer, newest first."""
    rows = connection.execute(MAILS_OF_CUSTOMER, {"customer_id": customer_id, "seen": 0}).all()
    return parse_mails(rows)


def list_mails(
    connection: Connection, campaign: Campaign, limit: int, below: tuple[int, bytes] | None = None
) -> list[MailRecord]:
    """Return what mails of a campaign showed since it was last opened, the newest first.

    `below`: the time and the reference of the record behind which they begin.
    """
    order = tuple_(slates.c.time, slates.c.ref)
    newest = (
        select(*slates.columns)
        .where(slates.c.campaign_id == campaign.campaign_id, slates.c.time >= campaign.opened)
        .order_by(slates.c.time.desc(), slates.c.ref.desc())
    )
    if below is not None:
        newest = newest.where(order < below)
    return [
        MailRecord(bytes(ref), *values) for ref, *values in connection.execute(newest.limit(limit))
    ]


def parse_mails(rows: Sequence[Sequence[Any]]) -> list[MailRecord]:
    """Return the records in the rows of MAILS_OF_CUSTOMER, which begin as those of READ_LINEAGE."""
    width = len(POSITION_COLUMNS) + 1
    mails = []
    for row in rows:
        ref, *values = row[width:]
        if ref is not None:
            mails.append(MailRecord(bytes(ref), *values))
    return mails


def record_mail(change: Change, record: MailRecord, *, valid_after: int, erased: int) -> bool:
    """Keep a record; return False where there is one younger than `valid_after` or no customer.

    `erased`: number of the newest erasure that was known when the record was made. A customer who
    was erased since gets no record.
    """
    if change.erased > erased and is_erased(change.connection, record.customer_id):
        return False
    upsert = UPSERTS[change.connection.dialect.name]
    values = {**vars(record), "valid_after": valid_after}
    return change.connection.execute(upsert, values).first() is not None


def record_replacements(change: Change, ref: bytes, products: Sequence[str]) -> bool:
    """Add products that a mail showed in the place of others; return False without a record."""
    is_record = slates.c.ref == ref
    document = change.connection.execute(select(slates.c.document).where(is_record)).scalar()
    if document is None:
        return False
    content = orjson.loads(document)
    content["also"] = list(dict.fromkeys([*content["also"], *products]))
    extended = orjson.dumps(content).decode()
    change.connection.execute(update(slates).where(is_record).values(document=extended))
    return True


def find_customer(connection: Connection, ref: bytes) -> str | None:
    """Return the customer of a record, None where there is no record."""
    return connection.execute(select(slates.c.customer_id).where(slates.c.ref == ref)).scalar()


def forget_mails(change: Change, before: int) -> None:
    """Delete what mails showed before a time, seconds since 1970."""
    change.connection.execute(delete(slates).where(slates.c.time < before))


def _upsert(statement: Any) -> Any:
    """Return a statement that keeps a record unless there is one younger than `valid_after`."""
    upsert = statement.on_conflict_do_update(
        index_elements=[slates.c.ref],
        set_={name: statement.excluded[name] for name in MailRecord.__dataclass_fields__},
        where=slates.c.time <= bindparam("valid_after"),
    )
    return upsert.returning(slates.c.ref)


UPSERTS: Final = {
    "sqlite": _upsert(sqlite.insert(slates)),
    "postgresql": _upsert(postgresql.insert(slates)),
}
