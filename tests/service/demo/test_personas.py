from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from models.data.customers import NEVER_ASKED, NO
from models.recommender import Recommender
from service.demo.personas import PersonaName, Visitor, find_regulars, find_visitor
from service.store import erasure
from service.store.store import Store
from tests.support.fitted_shop import fit_shop
from tests.support.shop import Customer, Line, ShopRecords
from tests.support.store_server import new_store

BOUGHT_AGAIN = {"anna": 5, "bert": 4, "cleo": 3, "dora": 2}  # products, four times each


@pytest.fixture(scope="module")
def corner() -> Recommender:
    """Four regulars; one who was better and left, one who refuses, one who tries everything."""
    lines = [
        Line(name, f"bread {number}", 60 + 7 * week)
        for name, products in BOUGHT_AGAIN.items()
        for number in range(products)
        for week in range(4)
    ]
    lines += [Line("left", f"bread {number}", 2 + week) for number in range(9) for week in range(4)]
    lines += [Line("no", f"bread {number}", 60 + week) for number in range(9) for week in range(4)]
    lines += [Line("curious", f"bread {number}", 70) for number in range(9)]
    refuses = Customer("no", consent=(NEVER_ASKED, NO, NEVER_ASKED))
    return fit_shop(ShopRecords(lines, customers=[refuses, Customer("newcomer-1")]))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(new_store("sqlite", tmp_path), tmp_path / "run")
    yield opened
    opened.close()


def find(store: Store, name: PersonaName, recommender: Recommender) -> Visitor:
    visitor = store.read(partial(find_visitor, name, recommender))
    assert visitor is not None
    return visitor


def erase(store: Store, customer_id: str) -> None:
    store.write(partial(erasure.erase, customer_id=customer_id, time=1)).result(10)


def test_regulars_bought_lately_and_those_who_buy_most_again_and_again_come_first(
    corner: Recommender,
) -> None:
    assert list(find_regulars(corner)) == [*BOUGHT_AGAIN, "curious"]


def test_each_persona_is_somebody_else_and_stays_who_it_is(
    corner: Recommender, store: Store
) -> None:
    for _ in range(2):
        assert find(store, PersonaName.REGULAR, corner) == Visitor("anna")
        refusing = find(store, PersonaName.SAID_NO, corner)
        assert refusing.customer_id == "bert"
        assert dict(refusing.answers) == {"personalize_web": False, "personalize_email": False}
        # The model knows a customer of the first name.
        assert find(store, PersonaName.NEWCOMER, corner) == Visitor("newcomer-2")


def test_every_gift_buyer_is_a_visit_of_its_own_that_nobody_can_guess(
    corner: Recommender, store: Store
) -> None:
    visits = [find(store, PersonaName.GIFT, corner) for _ in range(2)]
    assert [visit.customer_id for visit in visits] == [None, None]
    assert visits[0].session_id != visits[1].session_id


def test_after_an_erasure_the_next_of_the_same_kind_takes_the_place(
    corner: Recommender, store: Store
) -> None:
    erase(store, "anna")
    assert find(store, PersonaName.REGULAR, corner).customer_id == "cleo"
    assert find(store, PersonaName.SAID_NO, corner).customer_id == "bert"
    erase(store, "bert")
    assert find(store, PersonaName.SAID_NO, corner).customer_id == "dora"
    erase(store, "newcomer-2")
    assert find(store, PersonaName.NEWCOMER, corner).customer_id == "newcomer-3"


def test_a_shop_whose_regulars_are_all_gone_has_none(corner: Recommender, store: Store) -> None:
    for name in ("anna", "cleo", "curious"):
        erase(store, name)
    assert store.read(partial(find_visitor, PersonaName.REGULAR, corner)) is None
