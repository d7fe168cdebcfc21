"""What a storefront feels of a client that means harm.

    python -m benchmarks.hostile --registry DIR [--seconds 20] [--rounds 3] [--rate 200]
        [--workers 2]

A storefront asks for slates at a fixed rate over 64 kept connections, each for another customer, so
that all are computed. It does so alone and beside a hostile client without a key, in turn. That
sends headers, addresses, chunks and trailers without an end, sends halves of bodies, reads nothing
of large answers, and opens 2,000 connections in silence. A call counts from the moment when it was
due. Exit status 1 where an answer was lost, or the p99 is more than twice the storefront's own.
Works on a copy of the registry. The tests hold a short version.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Final
from urllib.parse import quote

import psutil

from benchmarks.service import with_one_blas_thread
from models.artifact.registry import Registry
from models.recommender import Recommender
from tests.support.hostile_client import DEEDS, harmed
from tests.support.load_client import TITLES, Tally, fetch, run
from tests.support.raw_connection import head
from tests.support.service_process import server

KEY: Final = "the key of the storefront"
ALONE: Final = "alone"
PHASES: Final[dict[str, Sequence[str]]] = {
    ALONE: (),
    **{kind: (kind,) for kind in DEEDS},
    "all together": tuple(DEEDS),
}
MAX_RATIO: Final = 2.0


def slate_call(customer_id: str) -> bytes:
    """The call of a storefront for a customer."""
    path = f"/v1/customers/{quote(customer_id, safe='')}/recommendations"
    return head("GET", path, f"X-API-Key: {KEY}")


def ask(
    port: int, calls: Sequence[bytes], rate: float, kinds: Sequence[str], seed: int = 7
) -> Tally:
    """What came back to a storefront, alone or beside these kinds of harm."""
    tally = Tally()
    with harmed(port, *kinds, seed=seed) if kinds else nullcontext():
        run(fetch(port, calls, tally.add, rate=rate))
    return tally


def main() -> int:
    with_one_blas_thread("benchmarks.hostile")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--registry", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=20, help="of each phase")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rate", type=float, default=200, help="calls a second")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="of the service")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="regulars-hostile-") as directory:
        root = Path(directory) / "registry"
        shutil.copytree(arguments.registry, root)
        return measure(root, arguments)


def cpu_seconds(pid: int) -> float:
    """Return what a service and its workers have used of the processors, in seconds."""
    service = psutil.Process(pid)
    return sum(sum(one.cpu_times()[:2]) for one in (service, *service.children(recursive=True)))


def measure(root: Path, options: argparse.Namespace) -> int:
    """Print a row for each phase of each round, and how the phases compare."""
    registry = Registry(root)
    version = registry.active()
    if version is None:
        raise SystemExit(f"{root} holds no active version; train one first")
    customers = list(Recommender.load(registry.path(version)).model.customers.ids)
    choices = random.Random(7)
    tails = defaultdict[str, list[float]](list)
    lost = 0
    print(TITLES)
    count = int(options.seconds * options.rate)
    with server(root, api_key=KEY, cache_bytes=0, workers=options.workers) as (port, pid, _):
        for _ in range(options.rounds):
            for phase, kinds in PHASES.items():
                calls = [slate_call(choices.choice(customers)) for _ in range(count)]
                before = cpu_seconds(pid)
                tally = ask(port, calls, options.rate, kinds)
                used = cpu_seconds(pid) - before
                print(f"{tally.row(phase)}  workers {used:6.2f} s CPU", flush=True)
                tails[phase].append(tally.at(0.99))
                lost += len(tally.unusable)
    ratios = {}
    for phase, values in tails.items():
        ratios[phase] = statistics.median(values) / statistics.median(tails[ALONE])
        print(f"{phase:<24} p99 {statistics.median(values):7.1f} ms, {ratios[phase]:.2f} of alone")
    print(f"answers lost: {lost}")
    return 1 if lost or max(ratios.values()) > MAX_RATIO else 0


if __name__ == "__main__":
    sys.exit(main())
