"""A change of a product makes old what depends on it, on this host and on others."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from service.store.change_counters import ASSORTMENT, CATALOGUE, counter_of
from service.store.products import Author, put
from service.store.store import Store

CHANGED = counter_of(*ASSORTMENT)
AUTHOR = Author("till", 1_700_000_000)
MILK = {"title": "Milk", "price": 1.2, "in_stock": True}


def report(store: Store, product_id: str = "milk", **fields: object) -> None:
    documents = {product_id: MILK | fields}
    learned = frozenset({"milk", "bread"})
    store.write(
        partial(put, documents=documents, author=AUTHOR, whole=True, learned=learned)
    ).result()


@pytest.mark.parametrize(
    ("fields", "concerns_all"),
    [
        ({"price": 1.5}, False),
        ({"price": None, "currency": "EUR"}, False),
        ({"price": 1.5, "in_stock": False}, True),
        ({"title": "Whole milk"}, True),
        ({"category": "dairy"}, True),
    ],
)
@pytest.mark.parametrize("follows", [False, True])
def test_another_price_concerns_those_who_see_it(
    store: Store, fields: dict[str, object], concerns_all: bool, follows: bool
) -> None:
    report(store)
    store.follow()
    before = store.counters[CHANGED]
    report(store, **fields)
    if follows:  # what this host has written itself it knows already
        store.follow()
    assert (store.counters[CHANGED] > before) is concerns_all
    assert store.counters[counter_of("product", "milk")] > before
    assert store.counters[CATALOGUE] > before


def test_the_first_price_of_a_product_and_that_of_a_new_one_concern_all(store: Store) -> None:
    for product_id, price in (("bread", 2.0), ("new", 1.0), ("new", 2.0)):
        before = store.counters[CHANGED]
        report(store, product_id, price=price)
        assert store.counters[CHANGED] > before, product_id


def test_another_host_takes_a_change_for_one_that_concerns_all(
    store_url: str, store: Store, tmp_path: Path
) -> None:
    report(store)
    other = Store(store_url, tmp_path / "another host")
    try:
        other.follow()
        before = other.counters[CHANGED]
        report(store, price=3.0)
        other.follow()
        assert other.counters[CHANGED] > before
        assert other.counters[counter_of("product", "milk")] > before
    finally:
        other.close()
