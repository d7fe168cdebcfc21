"""Who is in which segment, by their own rhythm."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.data.segments import SEGMENTS, Segment
from training.insights.customers import SoldLines
from training.insights.worth.customer_orders import CustomerOrders, CustomerStanding

ON_TIME: Final = 1.5  # usual intervals since the last order
LATE: Final = 3.0  # beyond it a customer has lapsed
KNOWN_DAYS: Final = 4  # days with an order, from which on a rhythm is their own
IN_TURN: Final = (
    Segment.LAPSED,
    Segment.AT_RISK,
    Segment.CONNECTED,
    Segment.PROMISING,
)  # of the conditions below


def find_segments(standing: CustomerStanding) -> NDArray[np.uint8]:
    """Return each customer's segment, as an index of SEGMENTS: (k,)."""
    waited = standing.recency / standing.find_intervals()
    found = np.select(
        [waited > LATE, waited > ON_TIME, standing.days >= KNOWN_DAYS, standing.days > 1],
        [SEGMENTS.index(name) for name in IN_TURN],
        SEGMENTS.index(Segment.NEW),
    )
    return found.astype(np.uint8)


def find_segments_at(lines: SoldLines, users: int, moment: int) -> NDArray[np.int64]:
    """Return the segment of each customer at a moment, -1 for whoever had not ordered: (users,).

    `moment` in seconds since 1970.
    """
    found = np.full(users, -1, np.int64)
    standing = CustomerStanding.of(CustomerOrders.of(lines, np.ones(users, np.bool_), moment))
    found[standing.user] = find_segments(standing)
    return found


def summarize_segments(
    standing: CustomerStanding, segments: NDArray[np.uint8], figures: dict[str, NDArray[Any]]
) -> list[dict[str, Any]]:
    """Return what each segment is, empty ones too. `figures`: more of each customer, (k,)."""
    rows = []
    everything = max(float(standing.revenue.sum()), 1e-9)
    for code, name in enumerate(SEGMENTS):
        inside = segments == code
        customers, orders = int(inside.sum()), int(standing.orders[inside].sum())
        revenue = float(standing.revenue[inside].sum())
        row: dict[str, Any] = {
            "segment": name.value,
            "customers": customers,
            "share": round(customers / max(len(standing), 1), 4),
            "orders": orders,
            "revenue": round(revenue, 2),
            "revenue_share": round(revenue / everything, 4),
            "order_value": round(revenue / orders, 2) if orders else None,
            "recency_days": float(np.median(standing.recency[inside])) if customers else None,
        }
        for figure, values in figures.items():
            mean = float(values[inside].mean()) if customers else np.nan
            row[figure] = None if np.isnan(mean) else round(mean, 4)
        rows.append(row)
    return rows
