"""Before an experiment: how small a difference it can find, and how long it must run for one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from models.data.events import DAY
from training.insights.customers import CustomerRefusals, SoldLines, count_around
from training.insights.statistics.metrics import BEFORE, METRICS, aggregate, prepare_customers
from training.reading.purchases import Purchases

POWER: Final = 0.8


def plan_experiment(
    purchases: Purchases, days: Sequence[int], share: float, split: float, power: float = POWER
) -> list[dict[str, Any]]:
    """Return the least relative difference that each duration finds, for each figure.

    `share`: of the customers who are in the experiment. `split`: of these, who are in the variant;
    the others are in the control. As if it began at the end of what is known. Durations of which
    two do not fit into it are left out.
    """
    lines, start = SoldLines.of(purchases), int(purchases.time.max()) + 1
    refusals, users = CustomerRefusals.of(purchases), len(purchases.customer_ids)
    rows = []
    for length in days:
        if start - 2 * length * DAY < int(purchases.time.min()):
            continue  # nothing is known of a span before it
        table = count_around(lines, refusals, users, start, length, start)
        past = aggregate(prepare_customers(table), by=None)[""]
        customers = table.num_rows * share
        for metric in METRICS:
            if customers >= 1 and metric.varies([past], BEFORE):
                found = metric.find_detectable(past, customers, split / (1 - split), power)
                rows.append(
                    {
                        "metric": metric.name,
                        "days": length,
                        "customers": round(customers),
                        "detectable": float(found.rel_effect_size),
                    }
                )
    return rows


def find_duration(rows: Sequence[dict[str, Any]], metric: str, effect: float) -> int | None:
    """Return the shortest of the durations that finds an effect, None where none does."""
    enough = [
        row["days"] for row in rows if row["metric"] == metric and row["detectable"] <= effect
    ]
    return min(enough, default=None)
