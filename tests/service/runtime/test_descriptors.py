"""Systems give a process few descriptors: connections leave enough of them to the service."""

import resource
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.raw_connection import connected
from tests.support.service_shop import Shop, process, status

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("soft", "hard"), [(256, 4096), (1024, 1024)])
def test_silent_connections_do_not_take_all_descriptors(
    shop: Shop, tmp_path: Path, soft: int, hard: int
) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    with process(shop.root, tmp_path / "run", preexec_fn=limit) as port, ExitStack() as stack:
        for number in range(1100):
            stack.enter_context(connected(port))
            if number % 50 == 49:
                assert status(port, "/readyz") == 200
                assert status(port, "/v1/popular") == 200
    told = "of 1000 connections, descriptors (ulimit -n) allow 768"
    assert ((tmp_path / "service.log").read_text().count(told) == 1) == (hard == 1024)
