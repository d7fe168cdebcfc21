"""What happened in sessions around the start of an experiment: a row each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import ibis
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import select

from models.data.catalogue import Catalogue
from models.data.events import DISMISS, PURCHASE, Standing
from training.insights.purpose_consents import PurposeConsents
from training.insights.statistics.metrics import BEFORE, EARLIER, MONEY, find_cap
from training.reading.duckdb import Workspace
from training.reading.service_store import StoreReader, copy_rows, events, sessions

EVENT_TYPES: Final = {
    "number": "int64",
    "event_id": "string",
    "kind": "int16",
    "standing": "int16",
    "time": "int64",
    "session_id": "string",
    "product_id": "string",
    "order_id": "string",
    "quantity": "float64",
    "unit_price": "float64",
}
SESSION_TYPES: Final = {"session_id": "string", "customer_id": "string"}
FIGURES: Final = ("orders", "revenue", "margin", "refused")


@dataclass(frozen=True, eq=False)
class SessionEvents:
    """Hold events of sessions, and whose sessions they are."""

    workspace: Workspace
    events: Any  # EVENT_TYPES, in the workspace
    owners: Mapping[str, str]  # customers who have logged in, by session id
    refused: frozenset[str]  # sessions of customers who do not allow to be measured
    costs: Any  # product_id, cost: of a piece, where it is known

    @classmethod
    def read(
        cls,
        workspace: Workspace,
        store: StoreReader,
        measured: PurposeConsents,
        since: int,
        catalogue: Catalogue,
    ) -> SessionEvents:
        """Copy the events of sessions since a moment, in seconds since 1970.

        `catalogue`: it tells the costs of products.
        """
        columns = [events.c[name] for name in EVENT_TYPES]
        statement = select(*columns).where(events.c.session_id.is_not(None), events.c.time >= since)
        copied = copy_rows(workspace, store, "session_events", statement, EVENT_TYPES)
        statement = select(*[sessions.c[name] for name in SESSION_TYPES])
        statement = statement.where(sessions.c.customer_id.is_not(None))
        owners: dict[str, str] = {}
        for batch in store.fetch(statement, SESSION_TYPES):
            pairs = zip(*(batch[name].to_pylist() for name in SESSION_TYPES), strict=True)
            owners.update(pairs)
        refusing = set(measured.refused(set(owners.values())))
        refused = {session_id for session_id, owner in owners.items() if owner in refusing}
        cost = pa.array(catalogue.known_costs, pa.float64(), from_pandas=True)  # NaN is unknown
        costs = pa.table({"product_id": pa.array(list(catalogue.ids), pa.string()), "cost": cost})
        return cls(workspace, copied, owners, frozenset(refused), ibis.memtable(costs))

    def count_between(self, start: int, until: int) -> pa.Table:
        """Return (session_id, orders, revenue, margin, refused) of sessions that began in a span.

        Sessions that reported any event count; what happened in them from `until` on does not.
        The margin of a product without a cost or a price counts as nothing.
        """
        known = self.events.filter(self.events.time < until)
        began = known.group_by("session_id").agg(
            began=known.time.min(), refused=(known.kind == DISMISS).any().cast("int64")
        )
        began = began.filter(began.began >= start)
        sold = known.filter((known.kind == PURCHASE) & (known.standing == Standing.SHOP))
        sold = sold.mutate(order_key=ibis.coalesce(sold.order_id, sold.event_id))
        # An order that is told again counts as it was told last
        lines = (
            sold.group_by("session_id", "order_key", "product_id")
            .agg(
                pieces=sold.quantity.fill_null(1.0).argmax(sold.number),
                price=sold.unit_price.argmax(sold.number),
            )
            .left_join(self.costs, "product_id")
        )
        bought = lines.group_by("session_id").agg(
            orders=lines.order_key.nunique(),
            revenue=(lines.pieces * lines.price).sum(),
            margin=(lines.pieces * (lines.price - lines.cost)).sum(),
        )
        both = began.left_join(bought, "session_id")
        found = both.select(
            "session_id",
            "refused",
            orders=both.orders.fill_null(0),
            revenue=both.revenue.fill_null(0.0),
            margin=both.margin.fill_null(0.0),
        )
        table: pa.Table = self.workspace.connection.to_pyarrow(found)
        is_refused = pc.is_in(table["session_id"], pa.array(sorted(self.refused), pa.string()))
        return table.filter(pc.invert(is_refused))


def prepare_sessions(table: pa.Table, past: pa.Table) -> pa.Table:
    """Return sessions with the columns of customers: they did nothing before they began.

    `past`: sessions before the start, which tell the caps of money.
    """
    for name in MONEY:
        capped = pc.min_element_wise(table[name], find_cap(past[name]))
        table = table.set_column(table.column_names.index(name), name, capped)
    for suffix in (BEFORE, EARLIER):
        for name in FIGURES:
            nothing = pa.nulls(len(table), table[name].type).fill_null(0)
            table = table.append_column(f"{name}{suffix}", nothing)
    return table
