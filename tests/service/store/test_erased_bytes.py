"""What was erased is in no file of SQLite, while the service runs and after a worker was killed."""

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from models.data.events import KINDS, RATING
from service.store import erasure
from service.store.events import Event, EventLine, write
from service.store.store import Store

pytestmark = pytest.mark.slow

CUSTOMERS = [f"customer {number:03} of the shop" for number in range(200)]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(address(tmp_path), tmp_path / "run")
    yield opened
    opened.close()


def address(folder: Path) -> str:
    return f"sqlite:///{folder}/store.db"


def told(customer_id: str, number: int) -> Event:
    words = f"What {customer_id} thinks of it"
    lines = (EventLine(f"p{number % 9}"),)
    return Event(f"e{number}", RATING, 1000, lines, customer_id, rating=3.0, words=words)


def tell_of_everybody(store: Store) -> None:
    numbers = list(range(4 * len(CUSTOMERS)))
    random.Random(3).shuffle(numbers)
    for start in range(0, len(numbers), 50):
        batch = [told(CUSTOMERS[n % len(CUSTOMERS)], n) for n in numbers[start : start + 50]]
        store.write(lambda change, batch=batch: write(change, batch)).result(10)


def erase(store: Store, customer_id: str) -> None:
    store.write(partial(erasure.erase, customer_id=customer_id, time=2000)).result(10)


def customers_in_files(folder: Path) -> set[str]:
    content = b"".join(path.read_bytes() for path in sorted(folder.glob("store.db*")))
    return {customer_id for customer_id in CUSTOMERS if customer_id.encode() in content}


def test_an_erased_customer_is_in_no_file_as_soon_as_the_erasure_is_answered(
    store: Store, tmp_path: Path
) -> None:
    assert KINDS[RATING] == "rating"
    tell_of_everybody(store)
    assert customers_in_files(tmp_path) == set(CUSTOMERS)
    erased = random.Random(4).sample(CUSTOMERS, 20)
    for count, customer_id in enumerate(erased, 1):
        erase(store, customer_id)
        assert customers_in_files(tmp_path) == set(CUSTOMERS) - set(erased[:count])


def test_an_erasure_beside_a_long_read_leaves_the_files_when_the_read_is_over(
    store: Store, tmp_path: Path
) -> None:
    tell_of_everybody(store)
    with closing(sqlite3.connect(tmp_path / "store.db", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM events").fetchone()
        erase(store, CUSTOMERS[0])
        store.follow()
        assert CUSTOMERS[0] in customers_in_files(tmp_path)
        reader.execute("COMMIT")
        store.follow()
        assert CUSTOMERS[0] not in customers_in_files(tmp_path)


def test_what_another_worker_had_erased_before_it_died_leaves_the_files(
    store: Store, tmp_path: Path
) -> None:
    tell_of_everybody(store)
    store.follow()
    dead = Store(address(tmp_path), tmp_path / "run")
    with closing(sqlite3.connect(tmp_path / "store.db", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM events").fetchone()
        erase(dead, CUSTOMERS[0])  # and does nothing any more
    assert CUSTOMERS[0] in customers_in_files(tmp_path)
    successor = Store(address(tmp_path), tmp_path / "run")
    successor.follow()
    assert customers_in_files(tmp_path) == set(CUSTOMERS[1:])
    successor.close()
    dead.close()
