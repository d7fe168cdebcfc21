"""Many customers shared among processes."""

import os
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest

from models.recommender import Recommender
from models.registry import Registry
from tests.shop import small_shop
from training.workers import cores, spread


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    registry: Registry = small_shop(tmp_path_factory.mktemp("registry"))
    version = registry.active()
    assert version is not None
    return registry.path(version)


def find(recommender: Recommender, customers: Sequence[str]) -> list[tuple[str, int, int]]:
    return [(customer, recommender.model.customers.ids.find(customer), os.getpid()) for customer in customers]


def waits_for_ctrl_c(recommender: Recommender, customers: Sequence[str]) -> bool:
    return signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_parts_come_back_in_their_order_whoever_did_them(shop: Path) -> None:
    everyone = [f"c{number:02}" for number in range(50)]
    parts = list(spread(shop, find, everyone, chunk=7, processes=2))
    assert [len(part) for part in parts] == [7] * 7 + [1]
    assert [customer for part in parts for customer, _, _ in part] == everyone
    assert [user for part in parts for _, user, _ in part] == list(range(50))
    assert os.getpid() not in {process for part in parts for _, _, process in part}


@pytest.mark.parametrize(("chunk", "processes"), [(2, 1), (5, 4)])
def test_one_part_or_one_process_is_done_here(shop: Path, chunk: int, processes: int) -> None:
    (first, *_) = spread(shop, find, ["c00", "c01"], chunk=chunk, processes=processes)
    assert {process for _, _, process in first} == {os.getpid()}


def test_nobody_is_no_part(shop: Path) -> None:
    assert list(spread(shop, find, [], chunk=2, processes=2)) == []


def test_workers_leave_ctrl_c_to_the_process_that_started_them(shop: Path) -> None:
    assert list(spread(shop, waits_for_ctrl_c, ["a", "b"], chunk=1, processes=2)) == [True, True]
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_no_more_cores_are_used_than_this_process_may_use() -> None:
    assert 1 <= cores() <= (os.cpu_count() or 1)
