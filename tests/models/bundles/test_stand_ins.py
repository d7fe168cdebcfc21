"""What stands in for what: substitutes, sizes of one product, and two of a kind of milk."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.bundles.stand_ins import StandIns
from models.settings import HistorySettings
from models.sources.substitutes import Substitutes
from tests.support.fitted_shop import fit_shop
from tests.support.shop import SMALL, Line, Product, ShopRecords

COLA, LARGE_COLA, BLUE_MILK, RED_MILK, BREAD, ROLLS = range(6)
# Bread and rolls are substitutes; a large cola is a cola, and any milk is milk
SHOP = StandIns(
    Substitutes(np.array([0, 0, 0, 0, 0, 1, 2]), np.array([ROLLS, BREAD], np.int32)),
    (np.array([7, 7, 1, 2, -1, -1], np.int32), np.array([-1, -1, 3, 3, -1, -1], np.int32)),
)
TOGETHER = {frozenset(pair) for pair in ((COLA, LARGE_COLA), (BLUE_MILK, RED_MILK), (BREAD, ROLLS))}


def test_a_size_a_substitute_and_another_of_its_kind_stand_in_for_a_product() -> None:
    everything = np.arange(6)
    marks = SHOP.mark(everything, [COLA, BREAD])
    assert np.flatnonzero(marks).tolist() == [COLA, LARGE_COLA, ROLLS]
    assert np.flatnonzero(SHOP.mark(everything, [RED_MILK])).tolist() == [BLUE_MILK, RED_MILK]


def test_nothing_stands_in_for_an_empty_basket_and_nothing_is_no_stand_in() -> None:
    assert not SHOP.mark(np.arange(6), []).any()
    assert len(SHOP.mark(np.zeros(0, np.int64), [COLA])) == 0


@given(st.permutations(range(6)), st.permutations(range(6)))
def test_each_stands_in_for_the_other_in_whatever_order_they_come(
    items: list[int], others: list[int]
) -> None:
    marks = SHOP.between(np.array(items), np.array(others))
    for row, item in enumerate(items):
        for column, other in enumerate(others):
            if item != other:
                assert marks[row, column] == (frozenset((item, other)) in TOGETHER)


# Customers take blue milk or red milk, never both; plain yoghurt and cherry yoghurt at once. Both
# come in two sizes, and so does cola, of which too few were sold to tell.
SHELF = (
    *(Product(f"milk {size}", f"Milk {size} l", "milk") for size in (1, 2)),
    *(Product(f"yoghurt {size}", f"Yoghurt {size} g", "yoghurt") for size in (100, 500)),
    *(Product(f"cola {size}", f"Cola {size} l", "drinks") for size in (1, 2)),
)


def test_a_basket_may_hold_two_yoghurts_and_a_unit_holds_one_size_of_each() -> None:
    lines = []
    for customer in "abcdefgh":
        for day in range(10):
            order = [f"milk {1 + day % 2}", *(f"yoghurt {size}" for size in (100, 500))]
            lines += [Line(customer, thing, day) for thing in order]
    lines += [Line("a", "cola 1", 20), Line("a", "cola 2", 30)]
    settings = replace(SMALL, history=HistorySettings(min_lines=1))
    model = fit_shop(ShopRecords(lines, SHELF), settings).model
    ids = model.catalogue.ids
    everything = np.arange(len(ids))

    def stand_in(stand_ins: StandIns, name: str) -> set[str]:
        marks = stand_ins.mark(everything, [ids.find(name)])
        return {ids[item] for item in np.flatnonzero(marks).tolist()} - {name}

    in_baskets, in_units = StandIns.in_baskets(model), StandIns.in_units(model)
    assert stand_in(in_baskets, "milk 1") == stand_in(in_units, "milk 1") == {"milk 2"}
    assert stand_in(in_baskets, "yoghurt 100") == stand_in(in_baskets, "cola 1") == set()
    assert stand_in(in_units, "yoghurt 100") == {"yoghurt 500"}
    assert stand_in(in_units, "cola 1") == {"cola 2"}


def test_a_model_of_before_knows_of_no_category_or_family() -> None:
    model = fit_shop(ShopRecords([Line("a", "milk 1", 1), Line("a", "milk 2", 2)], SHELF)).model
    before = replace(
        model, substitutes=Substitutes(model.substitutes.indptr, model.substitutes.item)
    )
    assert all((codes == -1).all() for codes in StandIns.in_baskets(before).codes)
