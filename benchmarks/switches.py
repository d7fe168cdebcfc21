"""What it costs to switch something on, by `python -m benchmarks.switches --registry DIR`.

One process answers slates that no cache holds, in turn with nothing on, with a share of the
requests traced to a collector on loopback, with console and demonstration shop at which nobody
looks, and with exposures recorded. CPU of the process is compared, block by block, as other work
on the machine takes wall-clock time and hardly any of it. Then a service is started with console
and shop and without. Prints a table; the numbers of record are in benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack, ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from statistics import median, quantiles
from threading import Thread
from typing import Any, Final

import psutil
from fastapi import FastAPI
from threadpoolctl import threadpool_limits

from models.artifact.registry import Registry
from models.recommender import Recommender
from service.app import create
from service.settings import Settings
from tests.support.service_process import server

BLOCK: Final = 100  # slates
STARTS: Final = 3
SCREENS: Final[dict[str, object]] = {"console": True, "demo": True}
SECONDS: Final = 10_000  # a deadline that no machine misses


class Collector(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


async def ask(app: FastAPI, state: dict[str, Any], customer_id: str) -> None:
    """Ask for a slate as a server does, without one."""
    path = f"/v1/customers/{customer_id}/recommendations"
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", b"localhost")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8000),
        "state": dict(state),
    }
    statuses = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        statuses.append(message.get("status", 200))

    await app(scope, receive, send)
    assert statuses[0] == 200, statuses


async def measure(
    settings: Sequence[Settings], customers: Sequence[str], turns: int
) -> list[list[float]]:
    """Return milliseconds of CPU of each slate, for each of the settings."""
    apps = [create(one) for one in settings]
    taken: list[list[float]] = [[] for _ in apps]
    random = Random(0)
    async with AsyncExitStack() as stack:
        states: list[Any] = [
            await stack.enter_async_context(app.router.lifespan_context(app)) for app in apps
        ]
        for turn in range(turns + 1):
            block = [customers[(turn * BLOCK + k) % len(customers)] for k in range(BLOCK)]
            for index in random.sample(range(len(apps)), len(apps)):
                for customer_id in block:
                    began = time.process_time()
                    await ask(apps[index], states[index], customer_id)
                    if turn:  # the first warms up
                        taken[index].append((time.process_time() - began) * 1000)
    return taken


def ratio_of_blocks(taken: Sequence[float], plain: Sequence[float]) -> float:
    """Return the median, over blocks of the same customers, of how much more a slate takes."""
    blocks = range(0, len(taken), BLOCK)
    return median(sum(taken[b : b + BLOCK]) / sum(plain[b : b + BLOCK]) for b in blocks)


def start(registry: Path, **switched_on: object) -> tuple[float, float]:
    """Return seconds until a service is ready, and the megabytes it holds then (PSS)."""
    taken, held = [], []
    for _ in range(STARTS):
        with server(registry, **switched_on) as (_, pid, seconds):
            process = psutil.Process(pid)
            processes = (process, *process.children(recursive=True))
            held.append(sum(one.memory_full_info().pss for one in processes) / 2**20)
            taken.append(seconds)
    return median(taken), median(held)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--registry", type=Path, required=True)
    parser.add_argument("--share", type=float, default=0.01, help="of requests that are traced")
    parser.add_argument("--turns", type=int, default=20)
    options = parser.parse_args(arguments)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        shutil.copytree(
            options.registry, folder / "registry", ignore=shutil.ignore_patterns("store.db*")
        )
        collector = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
        Thread(target=collector.serve_forever, daemon=True).start()
        stack.callback(collector.shutdown)
        address = f"http://127.0.0.1:{collector.server_port}"
        switched: dict[str, dict[str, object]] = {
            "nothing": {},
            f"traces of {options.share:.0%}": {
                "otlp_endpoint": address,
                "trace_share": options.share,
            },
            "console and demonstration shop": SCREENS,
            "exposures of everyone": {"exposures": 1},
        }
        common = {"registry": folder / "registry", "deadline_ms": SECONDS, "cache_bytes": 0}
        settings = [
            Settings.model_validate(
                {**common, "exposures": 0, "runtime_dir": folder / str(number), **more}
            )
            for number, more in enumerate(switched.values())
        ]
        registry = Registry(folder / "registry")
        version = registry.active()
        assert version is not None
        customers = list(Recommender.load(registry.path(version)).model.customers.ids)
        with threadpool_limits(limits=1, user_api="blas"):  # as in a service
            taken = asyncio.run(measure(settings, customers, options.turns))
        print("| switched on | CPU of a slate, p50 / p99, ms | against nothing |\n|---|---|---|")
        for name, times in zip(switched, taken, strict=True):
            p99 = quantiles(times, n=100)[98]
            ratio = ratio_of_blocks(times, taken[0])
            print(f"| {name} | {median(times):.2f} / {p99:.2f} | {ratio:.3f} |")
        print("\n| a service of one worker | s until ready | MB |\n|---|---|---|")
        for name, more in (("without console and shop", {}), ("with them", SCREENS)):
            seconds, megabytes = start(folder / "registry", **more)
            print(f"| {name} | {seconds:.2f} | {megabytes:.0f} |")


if __name__ == "__main__":
    main()
