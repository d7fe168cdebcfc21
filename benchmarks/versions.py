"""How fast slates are over HTTP in several versions of the code, measured in turns.

    python -m benchmarks.versions [--rounds 5] NAME=TREE:REGISTRY NAME=TREE:REGISTRY …

Each tree is a checkout, served from a copy of its registry; the first is what the others are
compared with. All are asked for the same customers of the first registry: one call after another,
then over 64 connections, of slates that must be computed and of slates that are cached. Prints
medians over the rounds, and the lowest and the highest. Needs a quiet machine.
"""

from __future__ import annotations

import argparse
import http.client
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self
from urllib.parse import quote

import psutil

from benchmarks.service import with_one_blas_thread
from models.artifact.registry import Registry
from models.recommender import Recommender
from tests.support.load_client import fetched, request
from tests.support.service_process import UNHURRIED_MS, free_port, wait_until_ready

CUSTOMERS: Final = 600
COMPUTED: Final = ("?n=9", "?n=11"), ("?n=12", "?n=13")  # in turn, over many connections
CACHED: Final = ("?n=10",)


@dataclass(frozen=True)
class Version:
    """Hold a checkout of the code, and the registry that it serves."""

    name: str
    tree: Path
    registry: Path

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read NAME=TREE:REGISTRY. Raises ArgumentTypeError for anything else."""
        name, _, places = text.partition("=")
        tree, _, registry = places.partition(":")
        if not (name and tree and registry):
            raise argparse.ArgumentTypeError(f"{text!r} is not NAME=TREE:REGISTRY")
        return cls(name, Path(tree).resolve(), Path(registry).resolve())


def draw_paths(registry: Path) -> list[str]:
    """Draw customers by lot; return where their slates are."""
    versions = Registry(registry)
    active = versions.active()
    if active is None:
        raise SystemExit(f"{registry} holds no active version; train one first")
    customers = list(Recommender.load(versions.path(active)).model.customers.ids)
    chosen = random.Random(7).sample(customers, min(CUSTOMERS, len(customers)))
    return [f"/v1/customers/{quote(one, safe='')}/recommendations" for one in chosen]


def measure(version: Version, paths: Sequence[str]) -> dict[str, float]:
    """Start a version, ask it, and return its figures by name."""
    with tempfile.TemporaryDirectory(prefix="regulars-versions-") as directory:
        registry = Path(directory) / "registry"
        shutil.copytree(version.registry, registry, ignore=shutil.ignore_patterns("store.db*"))
        port = free_port()
        environment = os.environ | {
            "PYTHONPATH": str(version.tree),
            "REGULARS_REGISTRY": str(registry),
            "REGULARS_PORT": str(port),
            "REGULARS_RUNTIME_DIR": str(Path(directory) / "runtime"),
            "REGULARS_DEADLINE_MS": str(UNHURRIED_MS),
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "service"],
            cwd=version.tree,
            env=environment,
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_until_ready(port, process)
            return _ask(port, psutil.Process(process.pid), paths)
        finally:
            process.terminate()
            process.wait()


def _ask(port: int, service: psutil.Process, paths: Sequence[str]) -> dict[str, float]:
    figures = {}
    _fetch_in_turn(port, paths)  # so that nothing is asked for first
    alone, together = COMPUTED
    for name, options, again in (("computed", alone, together), ("cached", CACHED, CACHED)):
        turns = [path + option for option in options for path in paths]
        if options == again:
            _fetch_in_turn(port, turns)
        before = _cpu_ms(service)
        taken = _fetch_in_turn(port, turns)
        figures[f"{name}: p50, ms"] = statistics.median(taken)
        figures[f"{name}: CPU a call, ms"] = (_cpu_ms(service) - before) / len(turns)
        calls = [request("GET", path + option) for option in again for path in paths]
        calls *= 10 if options == again else 1
        started = time.perf_counter()
        answers = fetched(port, calls)
        figures[f"{name}: calls a second"] = len(answers) / (time.perf_counter() - started)
        if any(answer.status != 200 for answer in answers):
            raise SystemExit("a call was not answered with 200")
    return figures


def _fetch_in_turn(port: int, paths: Sequence[str]) -> list[float]:
    """Ask for one path after another; return how long each took, in ms."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    taken = []
    for path in paths:
        started = time.perf_counter()
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        taken.append((time.perf_counter() - started) * 1000)
        if answer.status != 200:
            raise SystemExit(f"{path} was answered with {answer.status}")
    connection.close()
    return taken


def _cpu_ms(service: psutil.Process) -> float:
    return float(sum(service.cpu_times()[:2])) * 1000


def main() -> int:
    with_one_blas_thread("benchmarks.versions")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("versions", nargs="+", type=Version.parse, metavar="NAME=TREE:REGISTRY")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    versions: list[Version] = options.versions
    paths = draw_paths(versions[0].registry)
    found = defaultdict[str, dict[str, list[float]]](dict)
    for turn in range(options.rounds):
        first = turn % len(versions)
        for version in (*versions[first:], *versions[:first]):
            for figure, value in measure(version, paths).items():
                found[figure].setdefault(version.name, []).append(value)
    for figure, of_version in found.items():
        base = statistics.median(of_version[versions[0].name])
        for version in versions:
            values = of_version[version.name]
            median = statistics.median(values)
            print(
                f"{figure:24} {version.name:10} {median:9.3f} {median / base - 1:+7.1%}  "
                f"({min(values):.3f} to {max(values):.3f})"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
