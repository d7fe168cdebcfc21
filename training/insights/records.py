"""What a store holds of purchases and of what led to them, as tables of one shape.

A *viewer* is "c" and a customer's id, or "s" and the id of a visit in which nobody has logged in.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import ibis
import orjson
import pyarrow as pa
from sqlalchemy import Select, and_, func, or_, select

from models.data.events import EXPOSURE, KINDS, PURCHASE, RETURN, Standing
from training.insights.purpose_consents import PurposeConsents
from training.reading.duckdb import Workspace
from training.reading.service_store import (
    BATCH_ROWS,
    StoreReader,
    copy_rows,
    events,
    exposures,
    sessions,
    shown_slates,
    slates,
)

CLICK: Final = KINDS.index("click")
EVENT_TYPES: Final = {
    "number": "int64",
    "event_id": "string",
    "kind": "int16",
    "time": "int64",
    "customer_id": "string",
    "session_id": "string",
    "product_id": "string",
    "order_id": "string",
    "quantity": "float64",
    "unit_price": "float64",
    "currency": "string",
    "placement": "string",
    "recommendation_id": "string",
}
# Of deliveries to customers, in visits, and to nobody, whose number is `count`: every column costs
# a microsecond a row.
CUSTOMER_DELIVERY_TYPES: Final = {"slate": "binary", "customer_id": "string", "time": "int64"}
VISIT_DELIVERY_TYPES: Final = {"slate": "binary", "session_id": "string", "time": "int64"}
NOBODY_TYPES: Final = {"slate": "binary", "count": "int64"}
# What stands for the columns of deliveries that are not read.
NOT_READ: Final = {
    "slate": ibis.null("binary"),
    "customer_id": ibis.null("string"),
    "session_id": ibis.null("string"),
    "time": ibis.null("int64"),
    "count": ibis.literal(1, "int64"),
}
SLATE_TYPES: Final = {
    "slate": "binary",
    "recommendation_id": "string",
    "placement": "string",
    "campaign": "string",
    "strategy": "string",
    "products": "string",
}
MAIL_TYPES: Final = {
    "campaign_id": "string",
    "customer_id": "string",
    "time": "int64",
    "document": "string",
}
SESSION_TYPES: Final = {"session_id": "string", "customer_id": "string"}
ID_TYPES: Final = {
    "recommendation_id": pa.string(),
    "id_placement": pa.string(),
    "id_campaign": pa.string(),
    "id_experiment": pa.string(),
    "id_variant": pa.string(),
}
IN_EXPERIMENT: Final = {"experiment": "id_experiment", "variant": "id_variant"}
NO_EXPERIMENT: Final = {name: ibis.null("string") for name in IN_EXPERIMENT}
# Of a recommendation id, which the service has signed: its signature and a digest come first.
BYTES_BEFORE_FACTS: Final = 12 + 8
VARIANT_OF: Final = "/"  # between an experiment and its variant: others have variants of that name
LIST_OF_LISTS: Final = "array<array<string>>"


@dataclass(frozen=True, eq=False)
class Records:
    """Hold tables of a period, each with `viewer`, NULL for who is not to be measured."""

    purchases: Any  # lines as the shop reported them: EVENT_TYPES
    returns: Any  # the same
    clicks: Any  # EVENT_TYPES, ID_TYPES
    seen: Any  # lines of exposures that the shop reported: as clicks
    deliveries: Any  # slate, time, count; of nobody one row a slate, without a time
    mails: Any  # MAIL_TYPES, experiment, variant
    shown: Any  # SLATE_TYPES, experiment, variant: one row a slate


def read_records(
    workspace: Workspace, store: StoreReader, measured: PurposeConsents, start: int, earliest: int
) -> Records:
    """Copy into the workspace what figures since `start` are made of.

    `earliest`: the first moment of what may have led to a purchase. Both in seconds since 1970.
    """
    kinds = (PURCHASE, RETURN, CLICK, EXPOSURE)
    since = [
        and_(events.c.kind == kind, events.c.time >= (start if kind == PURCHASE else earliest))
        for kind in kinds
    ]
    by_shop = or_(events.c.kind.not_in((PURCHASE, RETURN)), events.c.standing == Standing.SHOP)
    reported = _columns(events, EVENT_TYPES).where(or_(*since), by_shop)
    mailed = _columns(slates, MAIL_TYPES).where(slates.c.time >= earliest)
    owners = copy_rows(
        workspace, store, "owners", _columns(sessions, SESSION_TYPES), SESSION_TYPES
    ).select(session_id="session_id", owner="customer_id")
    copied = {
        "reported": copy_rows(workspace, store, "reported", reported, EVENT_TYPES),
        "delivered": _read_deliveries(workspace, store, earliest),
        "mailed": copy_rows(workspace, store, "mailed", mailed, MAIL_TYPES).mutate(
            session_id=ibis.null("string")
        ),
    }
    refused = _refused(workspace, [*copied.values()], owners, measured)
    known = {
        name: workspace.keep(f"{name}_viewers", _with_viewer(table, owners, refused))
        for name, table in copied.items()
    }
    told = known["reported"]
    ids = _read_ids(workspace, told)
    shown = copy_rows(workspace, store, "shown", _columns(shown_slates, SLATE_TYPES), SLATE_TYPES)
    if store.experiments().documents:
        shown = _with_experiment(workspace, shown)
    else:  # ids of slates are many, and tell nothing more where no experiment was ever kept
        shown = shown.mutate(**NO_EXPERIMENT)
    about = told.left_join(ids, "recommendation_id").drop("recommendation_id_right")
    return Records(
        purchases=told.filter(told.kind == PURCHASE),
        returns=told.filter(told.kind == RETURN),
        clicks=about.filter(about.kind == CLICK),
        seen=about.filter(about.kind == EXPOSURE),
        deliveries=known["delivered"],
        mails=_with_mailed_experiment(known["mailed"]),
        shown=shown,
    )


def _with_experiment(workspace: Workspace, shown: Any) -> Any:
    """Return slates with what their ids say of an experiment."""
    ids = _read_ids(workspace, shown).select("recommendation_id", **IN_EXPERIMENT)
    found = shown.left_join(ids, "recommendation_id").drop("recommendation_id_right")
    return workspace.keep("shown_in_experiments", found)


def _with_mailed_experiment(mails: Any) -> Any:
    """Return records of mails with what they say of an experiment."""
    names = mails.document.cast("json")["variant"]
    experiment, variant = (names[place].unwrap_as("string") for place in (0, 1))
    return mails.mutate(experiment=experiment, variant=experiment + VARIANT_OF + variant)


def _read_deliveries(workspace: Workspace, store: StoreReader, earliest: int) -> Any:
    is_recent = exposures.c.time >= earliest
    of_customers = _columns(exposures, CUSTOMER_DELIVERY_TYPES).where(
        is_recent, exposures.c.customer_id.is_not(None)
    )
    in_visits = _columns(exposures, VISIT_DELIVERY_TYPES).where(
        is_recent, exposures.c.session_id.is_not(None)
    )
    of_nobody = (
        select(exposures.c.slate, func.sum(exposures.c["count"]))
        .where(is_recent, exposures.c.customer_id.is_(None), exposures.c.session_id.is_(None))
        .group_by(exposures.c.slate)
    )
    reads = {
        "to_customers": (of_customers, CUSTOMER_DELIVERY_TYPES),
        "in_visits": (in_visits, VISIT_DELIVERY_TYPES),
        "to_nobody": (of_nobody, NOBODY_TYPES),
    }
    parts = []
    for name, (statement, types) in reads.items():
        copied = copy_rows(workspace, store, name, statement, types)
        missing = {column: value for column, value in NOT_READ.items() if column not in types}
        parts.append(copied.mutate(**missing).select(*NOT_READ))
    return ibis.union(*parts)


def _columns(table: Any, types: dict[str, str]) -> Select[Any]:
    return select(*[table.c[name] for name in types])


def _refused(
    workspace: Workspace, tables: list[Any], owners: Any, measured: PurposeConsents
) -> Any:
    """Return who of all does not allow to be measured, as a table of `customer_id`."""
    named = [table.select("customer_id") for table in (*tables, owners.select(customer_id="owner"))]
    everyone = ibis.union(*named, distinct=True).drop_null()
    refused: list[str] = []
    for batch in workspace.batches(everyone, BATCH_ROWS):
        refused += measured.refused(batch["customer_id"].to_pylist())
    return ibis.memtable(pa.table({"refused_id": pa.array(refused, pa.string())}))


def _with_viewer(table: Any, owners: Any, refused: Any) -> Any:
    """Return a table with `viewer` in the place of the ids of customers and visits."""
    owned = table.left_join(owners, "session_id").drop("session_id_right")
    owned = owned.mutate(who=ibis.coalesce(owned.customer_id, owned.owner))
    known = owned.left_join(refused, owned.who == refused.refused_id)
    viewer = ibis.cases(
        (known.refused_id.notnull(), ibis.null("string")),
        (known.who.notnull(), ibis.literal("c") + known.who),
        else_=ibis.literal("s") + known.session_id,
    )
    return known.mutate(viewer=viewer).drop(
        "customer_id", "session_id", "owner", "who", "refused_id"
    )


def _read_ids(workspace: Workspace, told: Any) -> Any:
    """Return what the recommendation ids in a table say of their slates."""
    distinct = told.select("recommendation_id").drop_null().distinct()
    rows: list[tuple[str, *tuple[Any, ...]]] = []
    for batch in workspace.batches(distinct, BATCH_ROWS):
        rows += _decode(batch["recommendation_id"].to_pylist())
    columns = zip(*rows, strict=True) if rows else ((),) * len(ID_TYPES)
    typed = [pa.array(*pair) for pair in zip(columns, ID_TYPES.values(), strict=True)]
    return ibis.memtable(pa.table(typed, list(ID_TYPES)))


def _decode(recommendation_ids: list[str]) -> Iterator[tuple[str, *tuple[Any, ...]]]:
    """Yield ids with their placement, campaign, experiment and variant.

    One that is none of the service's is left out.

    The service has looked at the signature when it took the event.
    """
    for recommendation_id in recommendation_ids:
        padding = "=" * (-len(recommendation_id) % 4)
        try:
            signed = base64.urlsafe_b64decode(recommendation_id + padding)
            _, placement, campaign, *names = orjson.loads(signed[BYTES_BEFORE_FACTS:])
        except ValueError:
            continue  # from before the service looked at ids
        experiment = names[0] if names else None
        yield recommendation_id, placement, campaign, experiment, VARIANT_OF.join(names) or None


def list_shown(shown: Any) -> Any:
    """Return (slate, product_id, source, reason) of slates: a row for each product."""
    products = shown.products.cast("json").cast(LIST_OF_LISTS)
    rows = shown.select("slate", product=products.unnest())
    return rows.select(
        "slate", product_id=rows.product[0], source=rows.product[1], reason=rows.product[2]
    )


def list_mailed(mails: Any) -> Any:
    """Return a row for each product of records of mails, with what the record says of it.

    viewer, time, campaign, strategy, experiment, variant, product_id, source, reason
    """
    document = mails.document.cast("json")
    rows = mails.select(
        "viewer",
        "time",
        "experiment",
        "variant",
        campaign="campaign_id",
        strategy=document["strategy"].unwrap_as("string"),
        product=document["products"].cast("array<json>").unnest(),
    )
    return rows.select(
        "viewer",
        "time",
        "campaign",
        "strategy",
        "experiment",
        "variant",
        product_id=rows.product[0].unwrap_as("string"),
        source=rows.product[2].unwrap_as("string"),
        reason=rows.product[3].unwrap_as("string"),
    )
