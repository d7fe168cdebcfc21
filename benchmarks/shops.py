"""What many shops in one process take: `python -m benchmarks.shops --registry DIR [--shops 50]`.

The registry holds the model of a small shop, which is copied to every shop. Prints a table; the
numbers of record are in benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import http.client
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import Final

import orjson
import psutil

from models.artifact.registry import Registry
from models.recommender import Recommender
from tests.support.service_process import server

KEY: Final = "a key for a benchmark"
MEGABYTE: Final = 2**20


@dataclass(frozen=True)
class Caller:
    """A caller of one service."""

    port: int
    customers: list[str]

    def ask(self, key: str, customer: str) -> float:
        """Return how many milliseconds a slate takes."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        started = time.perf_counter()
        address = f"/v1/customers/{customer}/recommendations?deadline_ms=10000"
        connection.request("GET", address, headers={"X-API-Key": key})
        answer = connection.getresponse()
        answer.read()
        taken = (time.perf_counter() - started) * 1000
        connection.close()
        if answer.status != 200:
            raise RuntimeError(f"{answer.status} from a shop")
        return taken

    def make(self, name: str) -> str:
        """Make a shop; return its key."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        body = orjson.dumps({"settings": {}})
        headers = {"X-API-Key": KEY, "Content-Type": "application/json"}
        connection.request("PUT", f"/v1/shops/{name}", body, headers)
        made = orjson.loads(connection.getresponse().read())
        connection.close()
        return str(made["key"])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--registry", type=Path, required=True)
    parser.add_argument("--shops", type=int, default=50)
    options = parser.parse_args()
    version = Registry(options.registry).active()
    assert version is not None
    model = Recommender.load(Registry(options.registry).path(version))
    customers = list(model.model.customers.ids)
    with TemporaryDirectory() as folder:
        registry = Path(folder) / "registry"
        copy_model(options.registry, registry)
        with server(registry, api_key=KEY, open_shops=options.shops) as (port, pid, _):
            measure(registry, Caller(port, customers), pid, options.shops)


def copy_model(source: Path, target: Path) -> None:
    """Copy what a registry has published."""
    shutil.copytree(source / "versions", target / "versions", dirs_exist_ok=True)
    shutil.copy(source / "active", target / "active")


def measure(registry: Path, caller: Caller, pid: int, count: int) -> None:
    """Open shops one after another, and print what it takes."""
    random = Random(7)
    keys = {}
    for number in range(count):
        name = f"shop-{number}"
        keys[name] = caller.make(name)
        copy_model(registry, registry / "shops" / name)
    time.sleep(10)  # those that making has opened have found their model
    before = pss(pid)
    alone = [caller.ask(KEY, random.choice(caller.customers)) for _ in range(400)]
    with asking(lambda: caller.ask(KEY, random.choice(caller.customers))) as beside:
        first = [caller.ask(key, random.choice(caller.customers)) for key in keys.values()]
    grown = pss(pid)
    for _ in range(20):
        for key in keys.values():
            caller.ask(key, random.choice(caller.customers))
    print(f"first slate of a cold shop: median {median(first):.0f} ms, most {max(first):.0f} ms")
    print(f"main shop, p99: {p99(alone):.1f} ms alone, {p99(beside):.1f} ms while others open")
    print(
        f"memory (PSS): {before:.0f} MB with main, {grown:.0f} with {count} more, "
        f"{pss(pid):.0f} after 20 slates of each"
    )


@contextmanager
def asking(ask: Callable[[], float]) -> Iterator[list[float]]:
    """Ask again and again in a thread; yield what each question took."""
    taken: list[float] = []
    done = Event()

    def work() -> None:
        while not done.is_set():
            taken.append(ask())

    thread = Thread(target=work)
    thread.start()
    try:
        yield taken
    finally:
        done.set()
        thread.join()


def p99(taken: list[float]) -> float:
    return quantiles(taken, n=100)[98]


def pss(pid: int) -> float:
    """Return the memory of a process and its children in MB, shared pages counted once."""
    process = psutil.Process(pid)
    family = [process, *process.children(recursive=True)]
    return sum(one.memory_full_info().pss for one in family) / MEGABYTE


if __name__ == "__main__":
    main()
