"""Check that every answer is right, whatever happens.

    python -m benchmarks.faults --registry DIR [--seconds 60]

Several callers ask a service of two workers on 127.0.0.1 without a pause, while its Redis is
flushed, killed, stopped and brought back and new versions of the model are activated (on a copy of
the registry). Each answer is compared byte by byte with what the model itself gives: the slate, or
past the default deadline the popular one, flagged, which is counted as late. The tests hold a short
version.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

from benchmarks.service import with_one_blas_thread
from models.artifact.registry import Registry
from models.recommender import Recommender
from service.model.loaded_model import LoadedModel
from tests.support.expected_answers import STRANGER, Load, another_version, popular_truth, truth
from tests.support.redis_server import MISSING, RedisServer, find_redis
from tests.support.service_process import server


def faults(
    redis: RedisServer, registry: Registry, versions: Iterable[str]
) -> Iterator[tuple[str, Callable[[], object]]]:
    """What is done to the service, one thing after another, again and again."""
    while True:
        yield "all is well", lambda: None
        yield "Redis flushed", redis.flush
        yield "Redis killed", redis.kill
        yield "Redis started again", redis.start
        yield "Redis stopped (SIGSTOP)", redis.stop
        yield "Redis resumed", redis.resume
        for version in versions:
            yield "another model", partial(registry.activate, version)


def report(name: str, load: Load) -> None:
    counts = ", ".join(f"{status}: {count}" for status, count in sorted(load.statuses.items()))
    times = statistics.quantiles(load.taken_ms, n=100) if len(load.taken_ms) > 1 else [0.0] * 99
    found = f"wrong {len(load.wrong):<4} late {len(load.late):<4}"
    print(f"{name:<26} {counts:<16} {found} p50 {times[49]:7.2f}  p99 {times[98]:7.2f} ms")


def run(root: Path, redis: RedisServer, seconds: float, callers: int, people: int) -> int:
    registry = Registry(root)
    first, second = str(registry.active()), another_version(root)
    recommenders = [Recommender.load(registry.path(version)) for version in (first, second)]
    customers = [*list(recommenders[0].model.customers.ids)[:people], STRANGER]
    models = [LoadedModel.of(recommender) for recommender in recommenders]
    truths = [truth(model, customers) for model in models]
    popular = [popular_truth(model, customers) for model in models]
    total = Load(0, customers, truths)
    with server(root, redis_url=redis.url, workers=2, poll_seconds=0.2) as (port, _, _):
        until = time.monotonic() + seconds
        for name, do in faults(redis, registry, (second, first)):
            load = Load(port, customers, truths, popular)
            with load.running(callers):
                do()
                time.sleep(2)
            report(name, load)
            total.statuses += load.statuses
            total.wrong += load.wrong
            total.late += load.late
            total.taken_ms += load.taken_ms
            if time.monotonic() > until:
                break
    report("all together", total)
    for wrong in total.wrong[:5]:
        print(wrong)
    return 1 if total.wrong else 0


def main() -> int:
    with_one_blas_thread("benchmarks.faults")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--registry", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--callers", type=int, default=4)
    parser.add_argument("--customers", type=int, default=300)
    arguments = parser.parse_args()
    binary = find_redis()
    if binary is None:
        parser.error(MISSING)
    with tempfile.TemporaryDirectory(prefix="regulars-faults-") as directory:
        root = Path(directory) / "registry"
        shutil.copytree(arguments.registry, root)
        redis = RedisServer(binary, Path(directory))
        redis.start()
        try:
            return run(root, redis, arguments.seconds, arguments.callers, arguments.customers)
        finally:
            redis.kill()


if __name__ == "__main__":
    sys.exit(main())
