"""Figures of an attribution, as the document that the registry holds and the service tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, Self

import ibis

from models.artifact.insights import MIN_GROUP
from training.insights.attribution import DIMENSIONS, MAX_VALUES, REACHED, Attribution
from training.insights.records import Records
from training.insights.segments import CustomerSegments
from training.insights.small_groups import find_told, keep_told
from training.reading.duckdb import Workspace

CENTS: Final = 2  # digits of money
# 0 where nothing is attributed
COUNTS: Final = ("customers", "orders", "clicked_orders", "units")
# What records of mails tell too, by the name of their column
MAILED: Final = {"campaign": "campaign_id", "experiment": "experiment", "variant": "variant"}
NOTE: Final = (
    "Attribution is an upper bound of what recommendations earned: it counts purchases that "
    "followed a click or the sight of a product, and many of these customers would have bought it "
    "anyway."
)


@dataclass(frozen=True, eq=False)
class Reached:
    """Hold what reached whom and what was bought, in the workspace, each with a `segment`."""

    deliveries: Any  # slate, count
    mails: Any
    seen: Any
    clicks: Any
    lines: Any
    attributed: Any

    @classmethod
    def of(
        cls,
        workspace: Workspace,
        records: Records,
        attribution: Attribution,
        segments: CustomerSegments,
    ) -> Self:
        """Join the tables to the segments of the viewers."""
        tables = {
            "deliveries": records.deliveries,
            "mails": records.mails,
            "seen": records.seen,
            "clicks": records.clicks,
            "lines": attribution.lines,
            "attributed": attribution.attributed,
        }
        known = _tell_segments(workspace, [*tables.values()], segments)
        told = {name: table.left_join(known, "viewer") for name, table in tables.items()}
        delivered = told["deliveries"]
        counted = delivered.group_by("slate", "segment").agg(count=delivered["count"].sum())
        told["deliveries"] = workspace.keep("counted_deliveries", counted)
        return cls(**told)

    def list_segments(self, workspace: Workspace) -> list[str]:
        """Return the segments that somebody is in who bought, got or saw something."""
        tables = [getattr(self, field.name).select("segment") for field in fields(self)]
        found = workspace.connection.to_pyarrow(ibis.union(*tables, distinct=True))
        return sorted(name for name in found["segment"].to_pylist() if name is not None)

    def within(self, segment: str) -> Self:
        """Return what is of the customers of a segment."""
        tables = {field.name: getattr(self, field.name) for field in fields(self)}
        return type(self)(
            **{name: table.filter(table.segment == segment) for name, table in tables.items()}
        )


def _tell_segments(workspace: Workspace, tables: list[Any], segments: CustomerSegments) -> Any:
    """Return (viewer, segment) of the customers in some tables."""
    viewers = ibis.union(*[table.select("viewer") for table in tables], distinct=True)
    customers = viewers.filter(viewers.viewer.startswith("c"))
    customers = customers.select(customer_id=customers.viewer.substr(1))
    found = segments.tell(workspace, "segments_of_viewers", customers)
    sizes = _rows(workspace, found.group_by("segment").agg(customers=found.count()))
    counts = {row["segment"]: row["customers"] for row in sizes}
    kept = keep_told(workspace.count(viewers.drop_null()), counts)
    told = found.filter(found.segment.isin(sorted(kept)))
    return told.select("segment", viewer=ibis.literal("c") + told.customer_id)


def summarize(
    workspace: Workspace, records: Records, attribution: Attribution, segments: CustomerSegments
) -> dict[str, Any]:
    """Return the figures: of the whole shop, of what reached whom, and by each dimension.

    Under `segments` the same of the customers of each segment.
    """
    reached = Reached.of(workspace, records, attribution, segments)
    whole = _summarize_all(workspace, records.shown, reached)
    parts = {
        name: _summarize_all(workspace, records.shown, reached.within(name))
        for name in reached.list_segments(workspace)
    }
    _leave_out_few(whole, parts)
    for told in (whole, *parts.values()):
        _remove_counts(told)
    return {"upper_bound": True, "note": NOTE, **whole, "segments": parts}


def _summarize_all(workspace: Workspace, shown: Any, reached: Reached) -> dict[str, Any]:
    return {
        "reach": _count_reach(workspace, reached),
        "overview": _summarize_shop(workspace, reached),
        "attribution": {
            name: _summarize_by(workspace, shown, reached, name) for name in DIMENSIONS
        },
    }


def _leave_out_few(whole: Mapping[str, Any], parts: Mapping[str, dict[str, Any]]) -> None:
    """Take out of the figures of segments what is of too few customers to be told.

    What is attributed goes by those who bought it; where nobody did, by what reached the segment.
    """
    for name in DIMENSIONS:
        rows = {segment: part["attribution"][name] for segment, part in parts.items()}
        told = find_told(whole["attribution"][name], rows, ("value", "currency"), "customers")
        for segment, part in parts.items():
            part["attribution"][name] = [
                row
                for row in rows[segment]
                if (segment, row["value"], row["currency"]) in told
                or (row["orders"] == 0 and row["deliveries"] + row["clicks"] >= MIN_GROUP)
            ]
    rows = {segment: part["overview"] for segment, part in parts.items()}
    told = find_told(whole["overview"], rows, ("currency",), "customers")
    attributed = find_told(whole["overview"], rows, ("currency",), "attributed_customers")
    for segment, part in parts.items():
        part["overview"] = [row for row in rows[segment] if (segment, row["currency"]) in told]
        for row in part["overview"]:
            if row["attributed_customers"] and (segment, row["currency"]) not in attributed:
                row |= {field: None for field in row if field.startswith("attributed_")}


def _remove_counts(told: Mapping[str, Any]) -> None:
    """Take out the customers by whom it was known what may be told."""
    for row in told["overview"]:
        del row["attributed_customers"]
    for rows in told["attribution"].values():
        for row in rows:
            del row["customers"]


def _count_reach(workspace: Workspace, reached: Reached) -> dict[str, int]:
    seen = reached.seen.select("event_id").distinct()
    return {
        "deliveries": workspace.total(reached.deliveries["count"].sum()),
        "mails": workspace.count(reached.mails),
        "seen": workspace.count(seen),
        "clicks": workspace.count(reached.clicks),
    }


def _summarize_shop(workspace: Workspace, reached: Reached) -> list[dict[str, Any]]:
    """Return the sales of the shop by currency, and how much of them was attributed."""
    lines, attributed = reached.lines, reached.attributed
    shop = lines.group_by("currency").agg(
        customers=lines.viewer.nunique(),
        units_without_price=lines.units.sum(where=lines.revenue.isnull()),
        units_without_margin=lines.units.sum(where=lines.margin.isnull()),
        **_sums(lines),
    )
    part = attributed.group_by("currency").agg(**_attributed_sums(attributed))
    part = part.rename("attributed_{name}")
    is_same = shop.currency.identical_to(part.attributed_currency)
    both = shop.left_join(part, is_same).drop("attributed_currency")
    both = _with_zeros(both, *(f"attributed_{name}" for name in COUNTS))
    return _rows(workspace, both.order_by(ibis.desc("orders"), "currency"))


def _summarize_by(
    workspace: Workspace, shown: Any, everything: Reached, dimension: str
) -> list[dict[str, Any]]:
    """Return what was attributed by the values of a dimension and currency, most orders first."""
    column = "product_id" if dimension == "product" else dimension
    lines = everything.attributed.mutate(value=everything.attributed[column])
    figures = lines.group_by("value", "currency").agg(**_attributed_sums(lines))
    if dimension in REACHED:
        reach = _reach_by(shown, everything, dimension)
        joined = figures.outer_join(reach, figures.value.identical_to(reach.reached))
        figures = joined.mutate(value=ibis.coalesce(joined.value, joined.reached)).drop("reached")
        figures = _with_zeros(figures, *COUNTS, "deliveries", "clicks")
    ordered = figures.order_by(ibis.desc("orders", nulls_first=False), "value", "currency")
    return _rows(workspace, ordered.limit(MAX_VALUES))


def _reach_by(shown: Any, everything: Reached, dimension: str) -> Any:
    """Return (reached, deliveries, clicks) by the values of a dimension."""
    slates = shown.select("slate", "recommendation_id", reached=shown[dimension])
    delivered = everything.deliveries.inner_join(slates, "slate")
    parts = [delivered.select("reached", deliveries="count", clicks=ibis.literal(0, "int64"))]
    if dimension in MAILED:
        one, none = ibis.literal(1, "int64"), ibis.literal(0, "int64")
        mails = everything.mails.select(reached=MAILED[dimension], deliveries=one, clicks=none)
        parts.append(mails)
    clicks = everything.clicks
    if dimension == "strategy":
        slates = slates.select("recommendation_id", "reached")
        clicks = clicks.left_join(slates, "recommendation_id")
    elif dimension in MAILED:
        clicks = clicks.mutate(reached=f"id_{dimension}")
    else:
        clicks = clicks.mutate(reached=ibis.coalesce(clicks.id_placement, clicks.placement))
    one, none = ibis.literal(1, "int64"), ibis.literal(0, "int64")
    parts.append(clicks.select("reached", deliveries=none, clicks=one))
    every = ibis.union(*parts)
    return every.group_by("reached").agg(
        deliveries=every.deliveries.sum(), clicks=every.clicks.sum()
    )


def _sums(lines: Any) -> dict[str, Any]:
    return {
        "orders": _orders(lines).nunique(),
        "units": lines.units.sum(),
        "revenue": lines.revenue.sum(),
        "margin": lines.margin.sum(),
    }


def _attributed_sums(lines: Any) -> dict[str, Any]:
    """Return the sums, and how much of them followed a click."""
    return {
        **_sums(lines),
        "customers": lines.viewer.nunique(),
        "clicked_orders": _orders(lines).nunique(where=lines.clicked),
        "clicked_revenue": lines.revenue.sum(where=lines.clicked),
    }


def _with_zeros(table: Any, *names: str) -> Any:
    return table.mutate(**{name: table[name].fill_null(0) for name in names})


def _orders(lines: Any) -> Any:
    """Return the name of each line's order: two viewers may have one of the same id."""
    return lines.order_key + ibis.literal("\n") + lines.viewer.fill_null("")


def _rows(workspace: Workspace, table: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = workspace.connection.to_pyarrow(table).to_pylist()
    return [{name: _rounded(value) for name, value in row.items()} for row in rows]


def _rounded(value: Any) -> Any:
    return round(value, CENTS) if isinstance(value, float) else value
