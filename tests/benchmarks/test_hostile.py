"""A small run of what is measured: a storefront beside a client that means harm."""

from pathlib import Path

import pytest

from benchmarks.hostile import KEY, ask, slate_call
from tests.support.hostile_client import DEEDS
from tests.support.service_process import server
from tests.support.service_shop import Shop

pytestmark = pytest.mark.slow

CALLS = 300


@pytest.mark.parametrize("seed", [1, 2])
def test_a_storefront_loses_no_answer_to_a_client_that_means_harm(
    shop: Shop, tmp_path: Path, seed: int
) -> None:
    settings = {"api_key": KEY, "runtime_dir": tmp_path / "run", "max_connections": 300}
    calls = [slate_call(f"c{number % 40:02}") for number in range(CALLS)]
    with server(shop.root, **settings) as (port, _, _):
        tally = ask(port, calls, rate=100, kinds=tuple(DEEDS), seed=seed)
    assert tally.unusable == []
    assert sum(tally.answers.values()) == CALLS
    assert tally.at(1.0) < 2000  # without limits, endless headers hold everyone up for 7 s
