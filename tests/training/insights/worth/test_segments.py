"""Customers are called by how long they stay away, for their own rhythm."""

import numpy as np

from models.data.segments import SEGMENTS, Segment
from tests.training.insights.worth.test_customer_orders import orders_of
from training.insights.worth.customer_orders import CustomerStanding
from training.insights.worth.segments import find_segments, summarize_segments

# A shop in which most come every ten days
REGULAR = [(user, ago, 10) for user in (0, 1, 2) for ago in (43, 33, 23, 13, 3)]


def test_each_customer_is_in_one_segment_by_their_own_rhythm() -> None:
    standing = CustomerStanding.of(
        orders_of(
            *REGULAR,
            (3, 2, 10),  # once, just now
            (4, 12, 10),
            (4, 4, 10),  # came back
            *((5, ago, 10) for ago in (58, 48, 38, 28)),  # every ten days, for four weeks not
            *((6, ago, 10) for ago in (228, 218, 208, 198)),
            *((7, ago, 10) for ago in (328, 228, 128, 28)),  # as long, and comes every 100 days
            (8, 20, 10),  # once, 20 days ago
            (9, 90, 10),
        )
    )
    found = [SEGMENTS[code] for code in find_segments(standing)]
    assert found == [Segment.CONNECTED] * 3 + [
        Segment.NEW,
        Segment.PROMISING,
        Segment.AT_RISK,
        Segment.LAPSED,
        Segment.CONNECTED,
        Segment.AT_RISK,
        Segment.LAPSED,
    ]


def test_segments_hold_all_customers_and_empty_ones_are_told_too() -> None:
    standing = CustomerStanding.of(orders_of(*REGULAR, (3, 2, 40)))
    segments = find_segments(standing)
    rows = summarize_segments(standing, segments, {"returns": np.array([0.5, 0.7, 0.9, np.nan])})
    by_name = {row["segment"]: row for row in rows}
    assert list(by_name) == list(Segment)
    connected, new = by_name["connected"], by_name["new"]
    assert (connected["customers"], connected["orders"], connected["revenue"]) == (3, 15, 150)
    assert (connected["order_value"], connected["recency_days"]) == (10, 3)
    assert (connected["returns"], new["returns"]) == (0.7, None)
    assert (new["share"], new["revenue_share"]) == (0.25, round(40 / 190, 4))
    assert by_name["lapsed"]["order_value"] is None
