"""What a store tells of a customer."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection, select

from models.data.events import DAY, Standing
from service.store.events import Event, EventLine, EventRow, read_customer, write
from service.store.store import Store
from service.store.tables import position
from tests.support.store_server import new_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(new_store("sqlite", tmp_path), tmp_path / "run")
    yield opened
    opened.close()


def read_number(connection: Connection) -> int:
    """The newest number that was given to a change."""
    number: int = connection.execute(select(position.c.number)).scalar_one()
    return number


def view(product_id: str, *, customer_id: str | None = None) -> Event:
    lines = (EventLine(product_id),)
    return Event(f"view of {product_id}", 2, 1, lines, customer_id=customer_id, session_id="visit")


PAGE, LOGIN = view("tea"), view("milk", customer_id="anna")


@pytest.mark.parametrize("newest", [view("bread"), view("bread", customer_id="anna"), None])
def test_what_a_model_has_learned_of_a_visit_is_not_told_again(
    store: Store, newest: Event | None
) -> None:
    def tell(connection: Connection, above: int) -> list[str]:
        return [row.product_id for row in read_customer(connection, "anna", above)]

    before, reported = 0, [PAGE, LOGIN, *([newest] if newest else [])]
    for event in reported:
        before = store.read(read_number)
        store.write(partial(write, reported=[event])).result(10)
    told = store.read(partial(tell, above=before))
    assert told == (["bread"] if newest else ["tea", "milk"])  # all of a visit at its login
    assert store.read(partial(tell, above=store.read(read_number))) == []


@pytest.mark.parametrize(("seconds", "expected"), [(0, True), (DAY, True), (DAY + 1, False)])
def test_the_shop_confirms_what_a_customer_tells_within_a_day(seconds: int, expected: bool) -> None:
    of_shop = EventRow("tea", 0, 10 * DAY, None, 1.0, None)
    for claimed in (10 * DAY - seconds, 10 * DAY + seconds):
        claim = EventRow("tea", 0, claimed, "told", 1.0, None, Standing.CUSTOMER)
        assert of_shop.confirms(claim) == expected
        assert of_shop._replace(order_id="told").confirms(claim)
        assert not of_shop._replace(product_id="milk").confirms(claim)
