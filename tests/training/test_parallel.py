"""Many customers shared among processes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError
from pathlib import Path
from threading import Barrier, Event

import pytest

from models.artifact.registry import Registry
from tests.support.training_shop import small_shop
from tests.support.worker_tasks import double, end_at_ten, find, waits_for_ctrl_c
from training.errors import InputError
from training.parallel import (
    PARTS_AHEAD,
    cores,
    map_in_processes,
    map_in_threads,
    map_with_recommender,
)
from training.progress import Advance, ignore


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    registry: Registry = small_shop(tmp_path_factory.mktemp("registry"))
    version = registry.active()
    assert version is not None
    return registry.path(version)


def test_parts_come_back_in_their_order_whoever_did_them(shop: Path) -> None:
    everyone = [f"c{number:02}" for number in range(50)]
    parts = list(map_with_recommender(shop, find, everyone, chunk=7, processes=2))
    assert [len(part) for part in parts] == [7] * 7 + [1]
    assert [customer for part in parts for customer, _, _ in part] == everyone
    assert [user for part in parts for _, user, _ in part] == list(range(50))
    assert os.getpid() not in {process for part in parts for _, _, process in part}


@pytest.mark.parametrize(("chunk", "processes"), [(2, 1), (5, 4)])
def test_one_part_or_one_process_is_done_here(shop: Path, chunk: int, processes: int) -> None:
    (first, *_) = map_with_recommender(shop, find, ["c00", "c01"], chunk=chunk, processes=processes)
    assert {process for _, _, process in first} == {os.getpid()}


def test_nobody_is_no_part(shop: Path) -> None:
    assert list(map_with_recommender(shop, find, [], chunk=2, processes=2)) == []


def test_workers_leave_ctrl_c_to_the_process_that_started_them(shop: Path) -> None:
    assert list(map_with_recommender(shop, waits_for_ctrl_c, ["a", "b"], chunk=1, processes=2)) == [
        True,
        True,
    ]
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_no_more_cores_are_used_than_this_process_may_use() -> None:
    assert 1 <= cores() <= (os.cpu_count() or 1)


def test_no_more_parts_are_made_than_are_done_and_soon_to_be() -> None:
    taken = []

    def parts() -> Iterator[int]:
        for part in range(50):
            taken.append(part)
            yield part

    ahead = [
        len(taken) - made // 2 for made in map_in_processes(os.getpid, double, parts(), processes=2)
    ]
    assert len(ahead) == 50
    assert max(ahead) <= 2 * PARTS_AHEAD + 1


def test_a_process_that_is_killed_ends_the_work_with_a_sentence() -> None:
    with pytest.raises(
        InputError, match=r"^One of the 2 processes that shared the work was killed, "
    ):
        list(map_in_processes(os.getpid, end_at_ten, range(20), processes=2))


def test_parts_in_threads_are_done_together_and_counted_together() -> None:
    together, told = Barrier(2, timeout=10), []

    def work(part: str, advance: Advance) -> str:
        together.wait()
        advance(1, 2)
        return part.upper()

    def tell(done: int, total: int) -> None:
        told.append((done, total))

    assert map_in_threads(work, ["a", "b"], tell, threads=2) == ["A", "B"]
    assert sorted(told)[-1] == (2, 4)


def test_where_one_part_fails_the_others_end_when_they_next_advance() -> None:
    failed, ends = Event(), []

    def work(part: int, advance: Advance) -> None:
        if part == 0:
            failed.set()
            raise InputError("no hits")
        failed.wait(10)
        try:
            for _ in range(1_000):
                advance(0, 1)
                time.sleep(0.01)
        except CancelledError:
            ends.append(part)
            raise

    with pytest.raises(InputError, match="no hits"):
        map_in_threads(work, [0, 1], ignore, threads=2)
    assert ends == [1]


KILLED = """
import os
from tests.support.worker_tasks import tell_and_sleep
from training.parallel import shared
list(shared(os.getpid, tell_and_sleep, range(1000), processes=2))
"""


def test_workers_end_with_a_process_that_is_killed() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", KILLED], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        parent.kill()
        # What they all write to is at its end when the last of them is gone.
        parent.communicate(timeout=20)
