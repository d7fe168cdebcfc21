"""Which products stand in for others, as arrays."""

import numpy as np

from models.sources.substitutes import Substitutes

BLUE, BREAD, GREEN, RED = range(4)
# Blue and red stand in for each other, and red and green.
MILKS = Substitutes(
    indptr=np.array([0, 1, 1, 2, 4]), item=np.array([RED, RED, BLUE, GREEN], np.int32)
)


def test_each_milk_stands_in_for_the_other() -> None:
    assert MILKS.of([BLUE]).tolist() == [RED]
    assert MILKS.of([RED]).tolist() == [BLUE, GREEN]


def test_nothing_stands_in_for_bread_or_for_no_product_at_all() -> None:
    assert MILKS.of([BREAD]).tolist() == []
    assert MILKS.of([]).tolist() == []


def test_a_basket_has_the_substitutes_of_all_its_products() -> None:
    assert set(MILKS.of([BLUE, BREAD, GREEN]).tolist()) == {RED}
    allowed = np.ones(4, np.bool_)
    allowed[MILKS.of([])] = False  # an index even when it is empty
    assert allowed.all()
