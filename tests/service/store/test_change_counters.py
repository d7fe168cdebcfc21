"""A page of numbers that says which cached answers are still good."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from models.artifact.locks import lock
from service.store.change_counters import (
    CATALOGUE,
    FIRST_HASHED,
    HASHED_COUNTERS,
    ChangeCounters,
    counter_of,
)


@pytest.fixture
def page(tmp_path: Path) -> Iterator[ChangeCounters]:
    opened = ChangeCounters(tmp_path / "run" / "page")
    yield opened
    opened.close()


def test_a_change_makes_old_what_it_concerns_and_nothing_else(page: ChangeCounters) -> None:
    ann, bob = counter_of("customer", "ann"), counter_of("customer", "bob")
    page.raise_to([(ann, 7)])
    assert (page[ann], page[bob], page[CATALOGUE]) == (7, 0, 0)
    assert page.newest([ann, bob, CATALOGUE]) == 7


def test_a_number_that_comes_late_does_not_bring_an_old_answer_back(page: ChangeCounters) -> None:
    ann = counter_of("customer", "ann")
    page.raise_to([(ann, 9)])
    page.raise_to([(ann, 8)])
    assert page[ann] == 9


def test_a_customer_and_a_session_of_the_same_name_are_two() -> None:
    assert counter_of("customer", "1") != counter_of("session", "1")
    assert all(
        FIRST_HASHED <= counter_of("customer", str(number)) < FIRST_HASHED + HASHED_COUNTERS
        for number in range(1000)
    )


def test_where_it_is_not_known_what_changed_everything_before_is_old(page: ChangeCounters) -> None:
    page.raise_to([(CATALOGUE, 3)])
    page.begin_at(50, b"new mark")
    assert {
        page[slot] for slot in (0, CATALOGUE, FIRST_HASHED, FIRST_HASHED + HASHED_COUNTERS - 1)
    } == {50}


RAISES = """
import sys
from pathlib import Path
from service.store.change_counters import ChangeCounters
page = ChangeCounters(Path(sys.argv[1]))
for number in range(int(sys.argv[2]), 4000, 2):
    page.raise_to([(9, number)])
"""


def test_workers_that_write_at_once_leave_the_newest_number(
    page: ChangeCounters, tmp_path: Path
) -> None:
    workers = [
        subprocess.Popen([sys.executable, "-c", RAISES, str(tmp_path / "run" / "page"), str(first)])
        for first in (0, 1)
    ]
    assert [worker.wait(30) for worker in workers] == [0, 0]
    assert page[9] == 3999


@pytest.mark.parametrize("change", ["raise_to", "begin_at", "another worker starts"])
def test_a_change_waits_for_the_worker_that_is_making_one(
    page: ChangeCounters, tmp_path: Path, change: str
) -> None:
    path = tmp_path / "run" / "page"
    changes: dict[str, Callable[[], object]] = {
        "raise_to": lambda: page.raise_to([(9, 7)]),
        "begin_at": lambda: page.begin_at(7, b"new mark"),
        "another worker starts": lambda: ChangeCounters(path).close(),
    }
    with ThreadPoolExecutor(1) as threads:
        with path.open("r+b") as file, lock(file):
            changing = threads.submit(changes[change])
            with pytest.raises(TimeoutError):
                changing.result(0.2)
            assert page[9] == 0
        changing.result(10)


def test_a_change_waits_for_the_thread_of_its_worker_that_is_making_one(
    page: ChangeCounters,
) -> None:
    has_begun, may_go_on = Event(), Event()

    def changes() -> Iterator[tuple[int, int]]:
        has_begun.set()
        assert may_go_on.wait(10)
        yield 9, 7

    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(page.raise_to, changes())
        assert has_begun.wait(10)
        second = threads.submit(page.raise_to, [(9, 8)])
        with pytest.raises(TimeoutError):
            second.result(0.2)
        may_go_on.set()
        first.result(10)
        second.result(10)
    assert page[9] == 8
