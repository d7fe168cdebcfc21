"""Campaigns and what their mails showed: one record a customer and question, which the first writer makes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
from sqlalchemy import Connection, bindparam, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from models.data.events import HOUR
from service.store.change_counters import counter_of
from service.store.events import is_erased
from service.store.tables import campaigns, position, slates
from service.store.writer import POSITION_COLUMNS, Change, Position

MAX_MAILS: Final = 100  # records of a customer: of more the oldest are not known


@dataclass(frozen=True)
class Campaign:
    campaign_id: str
    kind: str  # models.mail.mailings.MailKind
    model_version: str
    as_of: int  # seconds since 1970, like `opened`
    opened: int
    window_hours: int
    not_twice: int  # how many campaigns before it, whose products it does not show again

    @property
    def closes(self) -> int:
        return self.opened + self.window_hours * HOUR


@dataclass(frozen=True)
class MailRecord:
    """What a mail showed a customer."""

    ref: bytes
    campaign_id: str
    customer_id: str
    time: int  # seconds since 1970
    document: str


def find(connection: Connection, campaign_id: str) -> Campaign | None:
    row = connection.execute(
        select(*CAMPAIGN_COLUMNS).where(campaigns.c.campaign_id == campaign_id)
    ).first()
    return Campaign(*row) if row else None


def list_all(connection: Connection) -> list[Campaign]:
    """Every campaign, the newest first."""
    rows = connection.execute(
        select(*CAMPAIGN_COLUMNS).order_by(campaigns.c.opened.desc(), campaigns.c.campaign_id)
    )
    return [Campaign(*row) for row in rows]


def put(change: Change, campaign: Campaign) -> Campaign:
    """From now on the campaign is as given."""
    (number,) = change.numbers(1)
    values = {**vars(campaign), "number": number}
    same = campaigns.c.campaign_id == campaign.campaign_id
    if not change.connection.execute(update(campaigns).where(same).values(**values)).rowcount:
        change.connection.execute(insert(campaigns).values(**values))
    change.touch(counter_of("campaign", campaign.campaign_id))
    return campaign


def pinned_versions(connection: Connection, now: int) -> frozenset[str]:
    """The models that open campaigns need."""
    closes = campaigns.c.opened + campaigns.c.window_hours * HOUR
    return frozenset(
        connection.execute(select(campaigns.c.model_version).where(closes > now)).scalars()
    )


def read_mails(connection: Connection, customer_id: str) -> list[MailRecord]:
    """What mails showed a customer, newest first."""
    _, mails = parse_mails(
        connection.execute(MAILS_OF_CUSTOMER, {"customer_id": customer_id}).all()
    )
    return mails


def parse_mails(rows: Sequence[Sequence[Any]]) -> tuple[Position, list[MailRecord]]:
    """How far the store is, and what mails showed a customer, newest first: from the rows of RECENT."""
    mails = (row[len(POSITION_COLUMNS) :] for row in rows)
    return Position(*rows[0][: len(POSITION_COLUMNS)]), [
        MailRecord(bytes(ref), *more) for ref, *more in mails if ref is not None
    ]


def record_mail(change: Change, made: MailRecord, *, valid_after: int, erased: int) -> bool:
    """Whether it became the record: it does not where there is one younger than that, or the customer was forgotten.

    `erased`: up to this number it was known, when it was made, who was.
    """
    if change.erased > erased and is_erased(change.connection, made.customer_id):
        return False
    upsert = UPSERTS[change.connection.dialect.name]
    return (
        change.connection.execute(upsert, {**vars(made), "valid_after": valid_after}).first()
        is not None
    )


def record_replacements(change: Change, ref: bytes, products: Sequence[str]) -> bool:
    """The mail of that record has shown these in the place of others; False where there is no record any more."""
    mine = slates.c.ref == ref
    document = change.connection.execute(select(slates.c.document).where(mine)).scalar()
    if document is None:
        return False
    facts = orjson.loads(document)
    facts["also"] = list(dict.fromkeys([*facts["also"], *products]))
    change.connection.execute(
        update(slates).where(mine).values(document=orjson.dumps(facts).decode())
    )
    return True


def find_customer(connection: Connection, ref: bytes) -> str | None:
    """Whom a record concerns."""
    return connection.execute(select(slates.c.customer_id).where(slates.c.ref == ref)).scalar()


def forget_mails(change: Change, before: int) -> None:
    """Forget what mails showed before that time, seconds since 1970."""
    change.connection.execute(delete(slates).where(slates.c.time < before))


def _upsert(statement: Any) -> Any:
    """Keeps a record where there is none, or none younger than `valid_after`."""
    values = {name: statement.excluded[name] for name in MailRecord.__dataclass_fields__}
    upsert = statement.on_conflict_do_update(
        index_elements=[slates.c.ref], set_=values, where=slates.c.time <= bindparam("valid_after")
    )
    return upsert.returning(slates.c.ref)


CAMPAIGN_COLUMNS: Final = tuple(campaigns.c[name] for name in Campaign.__dataclass_fields__)
MAILS_OF_CUSTOMER: Final = (
    select(*POSITION_COLUMNS, *slates.columns)
    .select_from(position.outerjoin(slates, slates.c.customer_id == bindparam("customer_id")))
    .where(position.c.id == 1)
    .order_by(slates.c.time.desc(), slates.c.ref)
    .limit(MAX_MAILS)
)
UPSERTS: Final = {
    "sqlite": _upsert(sqlite.insert(slates)),
    "postgresql": _upsert(postgresql.insert(slates)),
}
