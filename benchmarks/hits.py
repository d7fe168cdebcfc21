"""What a cached answer costs, by `python -m benchmarks.hits --registry DIR`.

Holds the service, with a key and limits, against an ASGI application that returns the same bytes,
both in uvicorn on one core, asked by wrk on another, in turn. Needs `wrk` and two cores. Prints a
table; the numbers of record are in benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from random import Random
from statistics import median
from threading import Event, Thread
from typing import Any, Final

from models.artifact.registry import Registry
from models.recommender import Recommender
from tests.support.redis_server import RedisServer, find_redis
from tests.support.service_process import free_port, server
from tests.support.service_shop import status, wait_until

KEY: Final = "the key of the benchmark"
TURNS: Final = 5
PRICED: Final = 200  # products whose price changes
LOAD_SECONDS: Final = 15  # of the load while prices change
SERVER_CORE, CLIENT_CORE = "0", "1"
BARE: Final = """
    BODY, HEADERS = open("body", "rb").read(), eval(open("headers").read())
    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            while (await receive())["type"] != "lifespan.shutdown":
                await send({"type": "lifespan.startup.complete"})
            return await send({"type": "lifespan.shutdown.complete"})
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        await send({"type": "http.response.body", "body": BODY})
"""
# Asks for many customers in turn
MANY: Final = """
    local number, names = 0, {%s}
    request = function()
      number = number %% #names + 1
      return wrk.format("GET", "/v1/customers/" .. names[number] .. "/recommendations")
    end
"""


@contextmanager
def bare_server(folder: Path, headers: list[tuple[bytes, bytes]], body: bytes) -> Iterator[int]:
    """Run an application that returns these bytes whatever is asked; yield its port."""
    (folder / "bare.py").write_text(textwrap.dedent(BARE))
    (folder / "body").write_bytes(body)
    (folder / "headers").write_text(repr(headers))
    port = free_port()
    options = ["--http", "httptools", "--loop", "uvloop", "--no-access-log", "--log-level", "error"]
    command = [sys.executable, "-m", "uvicorn", "bare:app", "--port", str(port), *options]
    running = subprocess.Popen(["taskset", "-c", SERVER_CORE, *command], cwd=folder)
    try:
        wait_until(lambda: status(port, "/") == 200)
        yield port
    finally:
        running.terminate()
        running.wait(10)


def ask(port: int, customer: str) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Return headers and body of a slate."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request(
        "GET", f"/v1/customers/{customer}/recommendations", headers={"X-API-Key": KEY}
    )
    response = connection.getresponse()
    left_out = {"date", "transfer-encoding"}
    headers = [(name.encode(), value.encode()) for name, value in response.getheaders()]
    return [pair for pair in headers if pair[0].decode() not in left_out], response.read()


def answers_a_second(port: int, path: str, seconds: int, script: Path | None = None) -> float:
    """Return how many answers 16 connections get in a second, all of them 200."""
    command = ["taskset", "-c", CLIENT_CORE, "wrk", "-t1", "-c16", f"-d{seconds}s"]
    command += ["-H", f"X-API-Key: {KEY}", *(["-s", str(script)] if script else [])]
    told = subprocess.run(
        [*command, f"http://127.0.0.1:{port}{path}"], check=True, capture_output=True, text=True
    ).stdout
    refused = re.search(r"Non-2xx.*", told)
    if refused:
        raise SystemExit(refused[0])
    return float(re.search(r"Requests/sec:\s+([\d.]+)", told)[1])  # type: ignore[index]


def call(port: int, method: str, path: str, body: object = None) -> str:
    """Return the text of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    headers = {"X-API-Key": KEY, "Content-Type": "application/json"}
    connection.request(method, path, json.dumps(body) if body is not None else None, headers)
    return connection.getresponse().read().decode()


@contextmanager
def prices_changing(port: int, products: Sequence[str]) -> Iterator[None]:
    """Have a product cost something else every second."""
    ended, random = Event(), Random(1)

    def change() -> None:
        while not ended.wait(1.0):
            path = f"/v1/products/{random.choice(products)}"
            call(port, "PATCH", path, {"price": random.randrange(100, 900) / 100})

    thread = Thread(target=change)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def hits_and_misses(port: int) -> tuple[float, float]:
    """Return how many answers came from the cache, and how many did not."""
    told = call(port, "GET", "/metrics")
    pattern = r'regulars_cache_lookups_total{result="%s".*} (.*)'
    hits, misses = (re.search(pattern % result, told) for result in ("hit", "miss"))
    return float(hits[1]) if hits else 0.0, float(misses[1]) if misses else 0.0


def print_hits_while_prices_change(
    port: int, recommender: Recommender, slate: str, script: Path, customers: int
) -> None:
    """Print the share of hits in a steady load, before and while prices change."""
    products = Random(1).sample(list(recommender.catalogue.ids), PRICED)
    for product in products:  # the first report of a product may change any answer
        call(port, "PATCH", f"/v1/products/{product}", {"price": 1.0})
    loads: dict[str, AbstractContextManager[None]] = {
        "no price changes": nullcontext(),
        "a price changes every second": prices_changing(port, products),
    }
    for name, meanwhile in loads.items():
        answers_a_second(port, slate, 1 + customers // 50, script)  # all computed again
        before = hits_and_misses(port)
        with meanwhile:
            answers_a_second(port, slate, LOAD_SECONDS, script)
        hits, misses = (now - then for now, then in zip(hits_and_misses(port), before, strict=True))
        print(f"{name}: {hits / (hits + misses):.3%} of {hits + misses:,.0f} slates are hits")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--registry", type=Path, required=True, metavar="DIR")
    parser.add_argument("--seconds", type=int, default=3, metavar="NUMBER", help="of a turn")
    parser.add_argument("--customers", type=int, default=2000, metavar="NUMBER", help="in turn")
    options = parser.parse_args()
    if shutil.which("wrk") is None:
        raise SystemExit("Needs wrk. On Debian and Ubuntu: apt-get install wrk")
    registry = Registry(options.registry)
    recommender = Recommender.load(registry.path(registry.active() or ""))
    ids = recommender.model.customers.ids
    customers = [ids[user] for user in range(0, len(ids), max(len(ids) // options.customers, 1))]
    slate = f"/v1/customers/{customers[0]}/recommendations"
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        script = folder / "many.lua"
        script.write_text(textwrap.dedent(MANY) % ",".join(f'"{one}"' for one in customers))
        redis = RedisServer(find_redis() or "redis-server", folder)
        redis.start()
        stack.callback(redis.kill)
        os.sched_setaffinity(0, {int(SERVER_CORE)})  # of the services that are started now
        settings: dict[str, Any] = {
            "api_key": KEY,
            "calls_a_minute": 1_000_000,
            "deadline_ms": 5000,
        }
        ports = {}
        for name, more in {"memory": {}, "Redis": {"redis_url": redis.url}}.items():
            url = f"sqlite:///{folder / name}.db"
            started = server(
                options.registry, **settings, **more, database_url=url, runtime_dir=folder / name
            )
            ports[name] = stack.enter_context(started)[0]
        headers, body = ask(ports["memory"], customers[0])
        bare = stack.enter_context(bare_server(folder, headers, body))
        rows = {
            "an application that returns the same bytes": (bare, slate, None),
            "a hit in memory, one customer": (ports["memory"], slate, None),
            f"a hit in memory, {len(customers)} customers in turn": (
                ports["memory"],
                slate,
                script,
            ),
            "a hit in Redis, one customer": (ports["Redis"], slate, None),
            f"a hit in Redis, {len(customers)} customers in turn": (ports["Redis"], slate, script),
        }
        for row in rows.values():  # everything is computed once
            answers_a_second(row[0], row[1], 1 + (len(customers) // 50 if row[2] else 0), row[2])
        measured: dict[str, list[float]] = {name: [] for name in rows}
        for _ in range(TURNS):
            for name, (port, path, many) in rows.items():
                measured[name].append(answers_a_second(port, path, options.seconds, many))
        first = measured[next(iter(rows))]
        print(f"{len(body):,} bytes, one worker on one core, median of {TURNS} turns")
        for name, rates in measured.items():
            share = median(rate / bare for rate, bare in zip(rates, first, strict=True))
            print(f"{name:<50} {median(rates):9,.0f} a second {share:6.2f}")
        print_hits_while_prices_change(ports["memory"], recommender, slate, script, len(customers))


if __name__ == "__main__":
    main()
