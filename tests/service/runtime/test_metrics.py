"""Numbers of this worker, or of all workers together."""

import os
import subprocess
import sys
from pathlib import Path

from service.runtime.circuit_breaker import BreakerState
from service.runtime.metrics import Metrics, shared_directory

WORKER = """
import sys
from service.runtime.metrics import Metrics, join_workers
join_workers()
metrics = Metrics()
metrics.answers.labels("personal", "none").inc()
metrics.pending.set(1)
print("joined", flush=True)
sys.stdin.read()
"""
READER = """
from service.runtime.metrics import Metrics, join_workers
join_workers()
print(Metrics().render().decode())
"""


def test_a_model_that_was_replaced_counts_no_more() -> None:
    metrics = Metrics()
    metrics.set_model("v1", 100, None)
    metrics.set_model("v2", 200, "v1")
    text = metrics.render().decode()
    assert 'regulars_model_loaded{shop="main",version="v1"} 0.0' in text
    assert 'regulars_model_loaded{shop="main",version="v2"} 1.0' in text
    assert 'regulars_model_created_timestamp_seconds{shop="main"} 200.0' in text


def test_every_number_bears_the_name_of_the_service() -> None:
    lines = Metrics().render().decode().splitlines()
    described = [line.split()[2] for line in lines if line.startswith("# HELP")]
    assert len(described) > 20
    assert all(name.startswith("regulars_") for name in described)


def test_an_open_breaker_is_seen() -> None:
    metrics = Metrics()
    metrics.set_breaker_state(BreakerState.OPEN)
    assert "regulars_breaker_open 1.0" in metrics.render().decode()
    metrics.set_breaker_state(BreakerState.CLOSED)
    assert "regulars_breaker_open 0.0" in metrics.render().decode()


def test_workers_are_added_up_and_one_that_follows_a_dead_one_goes_on_counting(
    tmp_path: Path,
) -> None:
    environment = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}

    def start() -> subprocess.Popen[bytes]:
        worker = subprocess.Popen(
            [sys.executable, "-c", WORKER],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"joined\n"
        return worker

    workers = [start(), start()]
    workers[0].kill()
    workers[0].wait()
    workers.append(start())
    text = subprocess.run(
        [sys.executable, "-c", READER], env=environment, check=True, capture_output=True, text=True
    ).stdout
    for worker in workers:
        worker.communicate()
    assert (
        'regulars_answers_total{fallback_reason="none",shop="main",strategy="personal"} 3.0' in text
    )
    assert 'regulars_scoring_pending{shop="main"} 2.0' in text
    assert {path.stem.rpartition("_")[2] for path in tmp_path.glob("*.db")} == {"0", "1", "2"}


KILLED = """
import os
from service.runtime.metrics import *
with shared_directory(Path({!r})):
    os.kill(os.getpid(), 9)
"""


def test_what_a_killed_service_left_is_removed_and_what_a_living_one_needs_is_not(
    tmp_path: Path,
) -> None:
    runtime = tmp_path / "run"
    subprocess.run([sys.executable, "-c", KILLED.format(str(runtime))], check=False)
    (left,) = runtime.iterdir()
    with shared_directory(runtime) as first, shared_directory(runtime) as second:
        assert not left.exists()
        assert {str(path) for path in runtime.iterdir()} == {first, second}
    assert list(runtime.iterdir()) == []
