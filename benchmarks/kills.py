"""Kill the service at random under a write load, and count what was lost.

    python -m benchmarks.kills --registry DIR [--kills 100] [--seed 16]

Callers report purchases and ask for slates at a service of two workers on 127.0.0.1, while a
worker, all workers, the master, or the master and its workers are killed (SIGKILL). First on
SQLite, then on a PostgreSQL that is started for it. What was acknowledged must be in the store,
each event once, and from when the service is back until the next kill every answer must be a 200
or 202. The tests hold a short version.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
from pathlib import Path

from models.artifact.registry import Registry
from models.recommender import Recommender
from tests.support.kills import KillReport, Victim, kill_at_random
from tests.support.store_server import KINDS, new_store

CUSTOMERS = 300


def print_report(kind: str, report: KillReport) -> None:
    kills = ", ".join(f"{victim} {count}" for victim, count in report.kills.items())
    print(f"{kind}: killed {report.kills.total()} times ({kills})")
    print(
        f"    {report.acknowledged} events acknowledged, {report.missing} missing, "
        f"{report.doubled} doubled"
    )
    answers = ", ".join(f"{status}: {count}" for status, count in sorted(report.statuses.items()))
    print(f"    answers after the restarts: {answers}; not 200 or 202: {len(report.wrong)}")
    for victim, seconds in report.back_seconds.items():
        middle, longest = statistics.median(seconds), max(seconds)
        print(f"    every worker answers after {victim}: p50 {middle:.1f}, longest {longest:.1f} s")
    for wrong in report.wrong[:5]:
        print(f"    {wrong}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--registry", type=Path, required=True)
    parser.add_argument("--kills", type=int, default=100, help="with each store")
    parser.add_argument("--seed", type=int, default=16)
    options = parser.parse_args()
    registry = Registry(options.registry)
    recommender = Recommender.load(registry.path(str(registry.active())))
    customers = list(recommender.model.customers.ids)[:CUSTOMERS]
    dice = random.Random(options.seed)
    failed = False
    for kind in KINDS:
        with tempfile.TemporaryDirectory(prefix="regulars-kills-") as directory:
            victims = dice.choices(list(Victim), k=options.kills)
            report = kill_at_random(
                options.registry,
                Path(directory),
                new_store(kind, Path(directory)),
                victims,
                customers=customers,
                seed=options.seed,
            )
        print_report(kind, report)
        failed |= bool(report.missing or report.doubled or report.wrong)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
