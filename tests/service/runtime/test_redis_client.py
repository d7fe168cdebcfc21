"""Redis behind Sentinels, as a cluster and with TLS: answers and limits are shared all the same."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.support.redis_groups import cluster, encrypted, sentinels
from tests.support.redis_server import MISSING, find_redis
from tests.support.service_shop import Browse, wait_until

pytestmark = pytest.mark.slow
PLENTY: dict[str, Any] = {"redis_timeout_ms": 1000, "breaker_seconds": 0.1}
SLATE = "/v1/customers/c00/recommendations"
SIZES = cycle(range(1, 101))


@pytest.fixture
def binary() -> str:
    found = find_redis()
    assert found is not None, MISSING
    return found


def hits(client: TestClient) -> float:
    """Return how many answers came from the cache."""
    lines = client.get("/metrics").text.splitlines()
    (line,) = [
        line
        for line in lines
        if line.startswith("regulars_cache_lookups_total") and '"hit"' in line
    ] or ["0"]
    return float(line.rpartition(" ")[2])


def share_answers(here: TestClient, there: TestClient, sizes: Iterator[int] = SIZES) -> bool:
    """Tell whether one service finds what another one has just answered for the first time."""
    before, size = hits(there), next(sizes)
    answers = [client.get(SLATE, params={"n": size}) for client in (here, there)]
    assert {answer.status_code for answer in answers} == {200}
    return hits(there) > before


def test_a_primary_that_dies_costs_no_answer_and_its_successor_serves(
    browse: Browse, binary: str, tmp_path: Path
) -> None:
    with sentinels(binary, tmp_path / "redis") as redis:
        client, other = (browse(redis_url=redis.url, **PLENTY) for _ in range(2))
        wait_until(lambda: share_answers(client, other))
        statuses: Counter[int] = Counter()
        over = threading.Event()

        def load() -> None:
            while not over.is_set():
                statuses[
                    client.get(SLATE, params={"n": 1 + statuses.total() % 90}).status_code
                ] += 1

        caller = threading.Thread(target=load)
        caller.start()
        wait_until(lambda: statuses.total() > 50, 60)
        redis.primary.kill()
        redis.wait_for_failover()
        before = statuses.total()
        wait_until(lambda: statuses.total() > before + 50, 60)
        over.set()
        caller.join()
        wait_until(lambda: share_answers(client, other))
        assert set(statuses) == {200}


def test_a_sentinel_that_is_gone_is_passed_over(
    browse: Browse, binary: str, tmp_path: Path
) -> None:
    with sentinels(binary, tmp_path / "redis") as redis:
        url = redis.url.replace("redis+sentinel://", "redis+sentinel://127.0.0.1:1,")
        client, other = (browse(redis_url=url, **PLENTY) for _ in range(2))
        wait_until(lambda: share_answers(client, other))


def test_answers_of_all_customers_are_cached_in_a_cluster(
    browse: Browse, binary: str, tmp_path: Path
) -> None:
    with cluster(binary, tmp_path / "redis") as url:
        client, other = (browse(redis_url=url, **PLENTY) for _ in range(2))
        wait_until(lambda: share_answers(client, other))
        for number in range(8):  # customers of every node
            assert client.get(f"/v1/customers/c{number:02}/recommendations").status_code == 200
        assert "breaker closed" in client.get("/readyz").json()["cache"]


def test_a_redis_that_speaks_tls_is_used_where_its_certificate_is_trusted(
    browse: Browse, binary: str, tmp_path: Path
) -> None:
    with encrypted(binary, tmp_path / "redis") as (url, certificate):
        trusted = f"{url}?ssl_ca_certs={certificate}"
        client, other = (browse(redis_url=trusted, **PLENTY) for _ in range(2))
        wait_until(lambda: share_answers(client, other))
        stranger = browse(redis_url=url, **PLENTY)
        assert not share_answers(client, stranger)
