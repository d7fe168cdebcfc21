"""Figures of an attribution, as the document that the registry holds and the service tells."""

from __future__ import annotations

from typing import Any, Final

import ibis

from training.insights.attribution import DIMENSIONS, MAX_VALUES, REACHED, Attribution
from training.insights.records import Records
from training.reading.duckdb import Workspace

CENTS: Final = 2  # digits of money
COUNTS: Final = ("orders", "clicked_orders", "units")  # 0 where nothing is attributed
NOTE: Final = (
    "Attribution is an upper bound of what recommendations earned: it counts purchases that "
    "followed a click or the sight of a product, and many of these customers would have bought it "
    "anyway."
)


def summarize(workspace: Workspace, records: Records, attribution: Attribution) -> dict[str, Any]:
    """Return the figures: of the whole shop, of what reached whom, and by each dimension."""
    return {
        "upper_bound": True,
        "note": NOTE,
        "reach": _count_reach(workspace, records),
        "overview": _summarize_shop(workspace, attribution),
        "attribution": {
            name: _summarize_by(workspace, records, attribution, name) for name in DIMENSIONS
        },
    }


def _count_reach(workspace: Workspace, records: Records) -> dict[str, int]:
    seen = records.seen.select("event_id").distinct()
    return {
        "deliveries": workspace.total(records.deliveries["count"].sum()),
        "mails": workspace.count(records.mails),
        "seen": workspace.count(seen),
        "clicks": workspace.count(records.clicks),
    }


def _summarize_shop(workspace: Workspace, attribution: Attribution) -> list[dict[str, Any]]:
    """Return the sales of the shop by currency, and how much of them was attributed."""
    lines, attributed = attribution.lines, attribution.attributed
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
    workspace: Workspace, records: Records, attribution: Attribution, dimension: str
) -> list[dict[str, Any]]:
    """Return what was attributed by the values of a dimension and currency, most orders first."""
    column = "product_id" if dimension == "product" else dimension
    lines = attribution.attributed.mutate(value=attribution.attributed[column])
    figures = lines.group_by("value", "currency").agg(**_attributed_sums(lines))
    if dimension in REACHED:
        reach = _reach_by(records, dimension)
        joined = figures.outer_join(reach, figures.value.identical_to(reach.reached))
        figures = joined.mutate(value=ibis.coalesce(joined.value, joined.reached)).drop("reached")
        figures = _with_zeros(figures, *COUNTS, "deliveries", "clicks")
    ordered = figures.order_by(ibis.desc("orders", nulls_first=False), "value", "currency")
    return _rows(workspace, ordered.limit(MAX_VALUES))


def _reach_by(records: Records, dimension: str) -> Any:
    """Return (reached, deliveries, clicks) by the values of a dimension."""
    slates = records.shown.select("slate", "recommendation_id", reached=records.shown[dimension])
    delivered = records.deliveries.inner_join(slates, "slate")
    parts = [delivered.select("reached", deliveries="count", clicks=ibis.literal(0, "int64"))]
    if dimension == "campaign":
        one, none = ibis.literal(1, "int64"), ibis.literal(0, "int64")
        parts.append(records.mails.select(reached="campaign_id", deliveries=one, clicks=none))
    clicks = records.clicks
    if dimension == "strategy":
        slates = slates.select("recommendation_id", "reached")
        clicks = clicks.left_join(slates, "recommendation_id")
    elif dimension == "campaign":
        clicks = clicks.mutate(reached="id_campaign")
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
