"""Workers and master are killed under a write load: nothing acknowledged is lost or doubled.

The long run of the same is `python -m benchmarks.kills`.
"""

from pathlib import Path

import pytest

from tests.support.kills import Victim, kill_at_random
from tests.support.service_shop import Shop
from tests.support.store_server import KINDS, new_store

pytestmark = pytest.mark.slow

CUSTOMERS = [f"c{number:02}" for number in range(30)]
VICTIMS = (Victim.WORKER, Victim.WORKERS, Victim.MASTER, Victim.ALL)


@pytest.mark.parametrize("kind", KINDS)
def test_whoever_is_killed_what_was_acknowledged_is_there_once_and_every_answer_after_it_is_good(
    own_shop: Shop, kind: str, tmp_path: Path
) -> None:
    report = kill_at_random(
        own_shop.root, tmp_path, new_store(kind, tmp_path), VICTIMS, customers=CUSTOMERS, seed=16
    )
    assert report.acknowledged > 200
    assert (report.missing, report.doubled) == (0, 0)
    assert report.wrong == []
