"""A small file of each vendor, in the order of names that it documents."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.vendors.registry import VENDORS
from tests.support.vendor_reading import read, shown_in, sold_in

pytestmark = pytest.mark.slow

FILES = Path(__file__).parent / "files"
MORNING = 1_740_816_000  # 2025-03-01T08:00:00Z
NINE = MORNING + 3600
DAY = 86_400
SOLD = {
    "shopify_orders.csv": {
        ("anna@example.com", "LA-1", MORNING): 1,
        ("anna@example.com", "BU-2", MORNING): 2,
        ("guest", "BU-2", MORNING + 2 * DAY): 1,
    },
    "woocommerce_orders.json": {
        ("26", "93", NINE): 2,
        ("26", "22", NINE): 1,
        ("guest", "22", NINE + 2 * DAY): 1,
    },
    "magento_orders.json": {("26", "MS-XS-Red", NINE): 1, ("26", "24-MB01", NINE): 1},
    "ga4_events.jsonl": {("26", "LA-1", NINE + 60): 1, ("26", "BU-2", NINE + 60): 2},
    "segment_calls.jsonl": {
        ("26", "507f1f77bcf86cd799439011", NINE): 1,
        ("26", "505bd76785ebb509fc183733", NINE): 2,
    },
    "klaviyo_events.json": {("26", "1111", NINE): 1, ("26", "1112", NINE): 1},
}
LEFT_OUT = {
    "shopify_orders.csv": {"gift_card": 1, "not_sold": 1},
    "woocommerce_orders.json": {"shipping_or_fee": 1, "not_sold": 1},
    "magento_orders.json": {"part_of_line": 1, "not_sold": 1},
    "ga4_events.jsonl": {"other_event": 2, "not_sold": 1},
    "segment_calls.jsonl": {"other_event": 2, "not_sold": 1},
    "klaviyo_events.json": {"part_of_line": 1, "other_event": 1},
}


@pytest.mark.parametrize("name", list(SOLD))
def test_sales_alone_are_learned_from(name: str) -> None:
    learned = read(FILES / name)
    assert sold_in(learned) == SOLD[name]
    assert learned.report.dropped.counts == LEFT_OUT[name]


def test_a_feed_tells_what_can_be_shown(tmp_path: Path) -> None:
    orders = tmp_path / "orders.csv"
    orders.write_text("customer_id,product_id,timestamp\n1,LA-1,2025-03-01\n1,BU-2,2025-03-01\n")
    learned = read(orders, FILES / "google_feed.xml")
    catalogue = learned.catalogue
    assert shown_in(learned) == {"LA-1"}
    lamp, bulb = catalogue.ids.find("LA-1"), catalogue.ids.find("BU-2")
    assert catalogue.title[lamp] == 'Lamp "Luna", tall'
    assert catalogue.url[lamp] == "https://www.example.com/lamp?c=1&d=2"
    assert catalogue.category_names[catalogue.category[lamp]] == "Lamps"
    assert np.allclose(catalogue.price[[lamp, bulb]], [40, 4])


def test_there_is_a_file_of_every_vendor() -> None:
    assert {path.name.partition("_")[0] for path in FILES.iterdir()} == set(VENDORS)
