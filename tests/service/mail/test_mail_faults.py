"""The store stops, Redis freezes or scoring is slow: every recipient of a mail is answered in time.

`python -m benchmarks.mails --registry DIR late` measures how much later than its deadline an
answer is, on a quiet machine.
"""

import itertools
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.support.load_client import Tally, fetched, mail_call, run
from tests.support.mailing import watched
from tests.support.postgres_server import PostgresServer
from tests.support.redis_server import RedisServer
from tests.support.service_process import UNHURRIED_MS
from tests.support.service_shop import Shop, process, wait_until

pytestmark = pytest.mark.slow

DEADLINE_MS, GRACE_MS = 60, 20
BUSY_MS = 150  # what other tests at the same time may cost
CUSTOMERS = [f"c{number:02}" for number in range(54)]


@pytest.fixture
def store() -> Iterator[PostgresServer]:
    server = PostgresServer(Path(tempfile.mkdtemp(prefix="regulars-pg-")))
    try:
        yield server
    finally:
        server.close()


def mail_calls(
    campaign: str, count: int = 40, deadline_ms: int = DEADLINE_MS, n: int = 4
) -> list[bytes]:
    return [
        mail_call(name, campaign, deadline_ms, n)
        for name in itertools.islice(itertools.cycle(CUSTOMERS), count)
    ]


def in_time(
    port: int, campaign: str, beside: list[bytes] | None = None, deadline_ms: int = DEADLINE_MS
) -> Counter[str]:
    """Return the fallback reasons of the answers, once all were whole and came by the deadline."""
    tally: Tally = run(watched(port, mail_calls(campaign, deadline_ms=deadline_ms), beside or []))
    assert tally.unusable == []
    assert tally.at(0.9) < deadline_ms + GRACE_MS + BUSY_MS
    assert tally.at(1.0) < deadline_ms + 1000
    assert {status for status, _ in tally.answers} == {200}
    return Counter({reason: count for (_, reason), count in tally.answers.items()})


def slates(port: int, campaign: str) -> list[dict[str, Any]]:
    return [
        orjson.loads(answer.body)
        for answer in fetched(port, mail_calls(campaign, 54, UNHURRIED_MS), 8)
    ]


def test_without_its_store_the_service_answers_every_mail_in_time_and_says_so(
    own_shop: Shop, store: PostgresServer, tmp_path: Path
) -> None:
    settings = {"database_url": store.url, "breaker_seconds": 0.2}
    with process(own_shop.root, tmp_path / "run", **settings) as port:
        before = slates(port, "before")
        assert {slate["fallback_reason"] for slate in before} == {None}
        store.stop()
        reasons = in_time(port, "stopped")
        assert reasons.keys() <= {"deadline", "store_unavailable"}
        store.resume()
        wait_until(
            lambda: {slate["fallback_reason"] for slate in slates(port, "resumed")} == {None}
        )
        assert slates(port, "before") == before
        store.kill()
        assert in_time(port, "killed").keys() <= {"deadline", "store_unavailable"}


def test_a_frozen_redis_costs_no_recipient_their_slate(
    own_shop: Shop, redis_server: RedisServer, tmp_path: Path
) -> None:
    with process(own_shop.root, tmp_path / "run", redis_url=redis_server.url) as port:
        redis_server.stop()
        assert in_time(port, "frozen", deadline_ms=1000).keys() == {"none"}


def test_while_scoring_is_slow_mails_are_answered_by_their_deadline(
    own_shop: Shop, tmp_path: Path
) -> None:
    calls = [call for n in range(8, 41) for call in mail_calls("crowd", 54, UNHURRIED_MS, n)]
    with process(own_shop.root, tmp_path / "run", scoring_threads=1) as port:
        reasons = in_time(port, "slow", calls)
        assert reasons["deadline"] > 0
        assert reasons.keys() <= {"none", "deadline"}
