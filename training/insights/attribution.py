"""Attribution: which purchases followed a click, or the sight, of what was recommended.

It is an upper bound of what recommendations earned: many of these customers would have bought
anyway.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import ibis
import pyarrow as pa

from models.data.events import DAY
from training.insights.records import Records, list_mailed, list_shown
from training.reading.duckdb import Workspace

DIMENSIONS: Final = (
    *("placement", "campaign", "strategy", "source", "reason", "product"),
    *("experiment", "variant"),
)
# By which deliveries and clicks are counted
REACHED: Final = ("placement", "campaign", "strategy", "experiment", "variant")
MAX_VALUES: Final = 1_000  # of a dimension that are told, those with the most orders
LINE: Final = ("viewer", "order_key", "product_id")  # names a line of an order
TOLD: Final = ("placement", "campaign", "strategy", "source", "reason", "experiment", "variant")
TOUCH_COLUMNS: Final = (*LINE, "touched", "clicked", "same_id", *TOLD)


@dataclass(frozen=True)
class Windows:
    """Days within which a purchase follows from something."""

    click_days: int = 7
    view_days: int = 1

    @property
    def longest_days(self) -> int:
        return max(self.click_days, self.view_days)


@dataclass(frozen=True, eq=False)
class Attribution:
    """Hold lines of orders, all and those that were attributed, in the workspace."""

    lines: Any  # LINE, time, currency, recommendation_id, units, revenue, margin
    attributed: Any  # the same, with clicked and TOLD


def attribute(
    workspace: Workspace, records: Records, costs: Mapping[str, float], windows: Windows
) -> Attribution:
    """Join the lines of orders to what led to them.

    What bears the same recommendation id goes before what is of the same customer and product
    alone, a click before a view, and the later before the earlier. `costs`: of a piece, by product.
    """
    lines = workspace.keep("order_lines", _build_lines(records, _cost_table(costs)))
    buyers = lines.filter(lines.viewer.notnull())
    touches = [
        _touch_by_event(buyers, records.clicks, windows, records.shown, clicked=True),
        _touch_by_event(buyers, records.seen, windows, records.shown, clicked=False),
        _touch_by_delivery(workspace, buyers, records, windows),
        _touch_by_mail(workspace, buyers, records, windows),
    ]
    every = workspace.keep("touches", ibis.union(*touches))
    rank = ibis.row_number().over(
        ibis.window(
            group_by=LINE,
            order_by=[
                every.same_id.desc(),
                every.clicked.desc(),
                every.touched.desc(),
                *[every[name].asc() for name in TOLD],
            ],
        )
    )
    ranked = every.mutate(rank=rank)
    last = ranked.filter(ranked["rank"] == 0).select(*LINE, "clicked", *TOLD)
    attributed = workspace.keep("attributed", lines.inner_join(last, list(LINE)))
    return Attribution(lines, attributed)


def _build_lines(records: Records, costs: Any) -> Any:
    """Return each line of an order once, without what came back of it."""
    told = records.purchases
    told = told.mutate(
        order_key=ibis.coalesce(told.order_id, told.event_id), pieces=told.quantity.fill_null(1.0)
    )
    newest = {
        name: told[name].argmax(told.number)
        for name in ("pieces", "unit_price", "currency", "recommendation_id")
    }
    lines = told.group_by(list(LINE)).agg(time=told.time.min(), **newest)
    back = _returned(records.returns, lines)
    net = lines.left_join(back, list(LINE[1:])).drop("order_key_right", "product_id_right")
    units = ibis.greatest(net.pieces - net.returned.fill_null(0.0), 0.0)
    net = net.mutate(units=units).left_join(costs, "product_id")
    return net.select(
        *LINE,
        "time",
        "currency",
        "recommendation_id",
        "units",
        revenue=net.units * net.unit_price,
        margin=net.units * (net.unit_price - net.cost),
    ).filter(ibis._.units > 0)


def _returned(returns: Any, lines: Any) -> Any:
    """Return (order_key, product_id, returned).

    A return that names no order is of the customer's last one with the product.
    """
    last = lines.group_by("viewer", "product_id").agg(last_order=lines.order_key.argmax(lines.time))
    told = returns.left_join(last, ["viewer", "product_id"])
    return (
        told.mutate(order_key=ibis.coalesce(told.order_id, told.last_order))
        .filter(ibis._.order_key.notnull())
        .group_by("order_key", "product_id")
        .agg(returned=ibis._.quantity.fill_null(1.0).sum())
    )


def _cost_table(costs: Mapping[str, float]) -> Any:
    return ibis.memtable(
        pa.table(
            {
                "product_id": pa.array(list(costs), pa.string()),
                "cost": pa.array(list(costs.values()), pa.float64()),
            }
        )
    )


def _touch_by_event(buyers: Any, told: Any, windows: Windows, shown: Any, *, clicked: bool) -> Any:
    """Return the lines that follow reported events of the same viewer and product."""
    happened = told.filter(told.viewer.notnull()).select(
        "viewer",
        "product_id",
        touched="time",
        touch_id="recommendation_id",
        told_placement=ibis.coalesce(told.id_placement, told.placement),
        told_campaign="id_campaign",
        told_experiment="id_experiment",
        told_variant="id_variant",
    )
    pairs = buyers.inner_join(happened, ["viewer", "product_id"])
    pairs = _within(pairs, windows.click_days if clicked else windows.view_days, windows)
    slates = shown.select("slate", "strategy", shown_id="recommendation_id")
    about = pairs.left_join(slates, pairs.touch_id == slates.shown_id)
    contents = list_shown(shown.semi_join(pairs, shown.recommendation_id == pairs.touch_id))
    about = about.left_join(contents, ["slate", "product_id"])
    return about.select(
        *LINE,
        "touched",
        "same_id",
        "strategy",
        "source",
        "reason",
        clicked=ibis.literal(clicked),
        placement="told_placement",
        campaign="told_campaign",
        experiment="told_experiment",
        variant="told_variant",
    ).select(*TOUCH_COLUMNS)


def _touch_by_delivery(
    workspace: Workspace, buyers: Any, records: Records, windows: Windows
) -> Any:
    """Return the lines that follow deliveries of slates with the product to the same viewer."""
    delivered = records.deliveries
    happened = delivered.filter(delivered.viewer.notnull()).select(
        "viewer", "slate", touched="time"
    )
    shown = records.shown
    told = ("placement", "campaign", "strategy", "experiment", "variant")
    about = shown.select("slate", *told, touch_id="recommendation_id")
    pairs = buyers.inner_join(happened, "viewer")
    near = pairs.filter(_is_near(pairs, _longest(pairs, windows)))
    pairs = workspace.keep("near_deliveries", near.inner_join(about, "slate"))
    contents = list_shown(shown.semi_join(pairs, "slate"))
    touches = pairs.inner_join(contents, ["slate", "product_id"])
    touches = _within(touches, windows.view_days, windows)
    return touches.mutate(clicked=ibis.literal(False)).select(*TOUCH_COLUMNS)


def _touch_by_mail(workspace: Workspace, buyers: Any, records: Records, windows: Windows) -> Any:
    """Return the lines that follow what mails of campaigns showed to the same customer."""
    near = records.mails.filter(records.mails.viewer.notnull()).semi_join(buyers, "viewer")
    mailed = workspace.keep("near_mails", list_mailed(near))
    mailed = mailed.select("viewer", "product_id", *TOLD[1:], touched="time")
    pairs = buyers.inner_join(mailed, ["viewer", "product_id"])
    pairs = pairs.mutate(touch_id=ibis.null("string"), placement=ibis.null("string"))
    touches = _within(pairs, windows.view_days, windows)
    return touches.mutate(clicked=ibis.literal(False)).select(*TOUCH_COLUMNS)


def _longest(pairs: Any, windows: Windows) -> Any:
    """Return the days that count for a line: more where it names the slate that led to it."""
    return ibis.ifelse(pairs.recommendation_id.notnull(), windows.longest_days, windows.view_days)


def _is_near(pairs: Any, days: Any) -> Any:
    passed = pairs.time - pairs.touched
    return (passed >= 0) & (passed <= days * DAY)


def _within(pairs: Any, days: int, windows: Windows) -> Any:
    """Return the pairs in time, with `same_id`: those get the longest of all windows."""
    same_id = (pairs.recommendation_id == pairs.touch_id).fill_null(False)
    allowed = ibis.ifelse(same_id, windows.longest_days, days)
    return pairs.filter(_is_near(pairs, allowed)).mutate(same_id=same_id)
