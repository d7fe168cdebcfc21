"""Exposures and what is made of them: `python -m benchmarks.exposures --registry DIR PART …`.

    serving      slates with exposures on against off, by turns in one run: p50, p99, capacity
    kill         a service is killed under load: which deliveries and which events are lost
    attribution  so many exposures and orders attributed: seconds and memory (no registry needed)

Talks to 127.0.0.1 alone, and ends by itself.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.parse import quote

import psutil

from models.artifact.registry import Registry
from models.data.customers import YES
from models.data.events import DAY, HOUR, KINDS
from models.recommender import Recommender
from service.answering.exposures import WRITE_SECONDS
from service.store.store import Store
from service.store.tables import exposures
from tests.support.load_client import Answer, fetched, request
from tests.support.service_process import free_port, kill, server, wait_until_ready

ROUNDS: Final = 5
KINDS_OF_CALLS: Final = (("computed", 1), ("cached", 1), ("capacity", 64))  # and connections
MEASURED: Final = "--measure-in-this-process"
PARTS: Final = ("serving", "kill", "attribution")
PRODUCTS: Final = 20_000
SHOWN: Final = 10
PLACEMENTS: Final = ("home", "product", "basket")
REASONS: Final = ("buy_again", "similar_customers", "popular")
NOW: Final = 1_800_000_000


def customers_of(registry: Path) -> list[str]:
    version = Registry(registry).active()
    if version is None:
        raise SystemExit(f"{registry} holds no active version; train one first")
    ids = list(Recommender.load(Registry(registry).path(version)).model.customers.ids)
    random.Random(7).shuffle(ids)
    return ids


def slate_call(customer_id: str, placement: str) -> bytes:
    name = quote(customer_id, safe="")
    return request("GET", f"/v1/customers/{name}/recommendations?placement={placement}")


def serving(registry: Path, folder: Path, calls: int) -> None:
    """By turns, so that both meet the same machine: computed answers, then cached, ten times."""
    customers = customers_of(registry)[:calls]
    answers: dict[tuple[str, str], list[Answer]] = {}
    seconds: dict[tuple[str, str], float] = {}
    worked: dict[tuple[str, str], float] = {}
    for number in range(ROUNDS):
        for share in ("0", "1") if number % 2 else ("1", "0"):
            url = f"sqlite:///{folder / f'serving-{number}-{share}.db'}"
            with server(registry, exposures=share, database_url=url) as (port, pid, _):
                for kind, connections in KINDS_OF_CALLS:
                    asked = [slate_call(customer, "home") for customer in customers]
                    asked *= 1 if kind == "computed" else 10
                    started, before = time.perf_counter(), cpu_seconds(pid)
                    answers.setdefault((kind, share), []).extend(fetched(port, asked, connections))
                    taken = time.perf_counter() - started
                    seconds[kind, share] = seconds.get((kind, share), 0.0) + taken
                    time.sleep(2 * WRITE_SECONDS)  # what was delivered is written meanwhile
                    done = cpu_seconds(pid) - before
                    worked[kind, share] = worked.get((kind, share), 0.0) + done
    print(f"{'':<12}{'exposures':<12}{'p50':>9}{'p99':>9} ms{'a second':>12}{'CPU ms':>9}")
    for (kind, share), told in sorted(answers.items()):
        times = [answer.taken_ms for answer in told]
        p50, p99 = statistics.median(times), statistics.quantiles(times, n=100)[98]
        failed = sum(answer.status != 200 for answer in told)
        rate = len(told) / seconds[kind, share]
        state = "on" if share == "1" else "off"
        cpu = worked[kind, share] * 1000 / len(told)
        figures = f"{p50:>9.2f}{p99:>9.2f}   {rate:>12.0f}{cpu:>9.3f}"
        print(f"{kind:<12}{state:<12}{figures}   failed: {failed}")


def cpu_seconds(pid: int) -> float:
    """What a process has worked so far, in all its threads: others on the machine do not count."""
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


def killed(registry: Path, folder: Path, calls: int) -> None:
    """Slates and events under load until the service is killed, and what the store holds then."""
    url, port = f"sqlite:///{folder / 'killed.db'}", free_port()
    environment = os.environ | {
        "REGULARS_REGISTRY": str(registry),
        "REGULARS_PORT": str(port),
        "REGULARS_DATABASE_URL": url,
        "REGULARS_EXPOSURES": "1",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "service"], env=environment, stderr=subprocess.DEVNULL
    )
    wait_until_ready(port, process)
    delivered: list[float] = []
    events = 0
    for customer in customers_of(registry)[:calls]:
        view = {
            "event_id": f"v-{customer}",
            "kind": "view",
            "time": "2026-01-01T00:00:00Z",
            "customer_id": customer,
            "product_id": "1",
        }
        told = fetched(
            port,
            [slate_call(customer, "home"), request("POST", "/v1/events", {"events": [view]})],
            1,
        )
        delivered.append(time.time())
        events += told[1].status == 202 and json.loads(told[1].body)["accepted"] == 1
    kill(process.pid)
    died = time.time()
    process.wait(10)
    store = Store(url, folder / "run")
    kept = store.read(lambda connection: connection.execute(exposures.select()).all())
    held = store.read(
        lambda connection: connection.exec_driver_sql("SELECT COUNT(*) FROM events").scalar_one()
    )
    store.close()
    lost = len(delivered) - len(kept)
    oldest = died - delivered[-lost] if lost else 0.0
    print(f"delivered {len(delivered)}, lost {lost}, the oldest {oldest:.2f} s before the end")
    print(f"events acknowledged {events}, lost {events - held}")


def fill(path: Path, count: int, orders: int) -> None:
    """A month in which each of many customers is shown five slates; half of the orders follow one.

    Who sees what is a matter of arithmetic, so that nothing has to be remembered.
    """
    Store(f"sqlite:///{path}", path.parent / "run").close()
    start, slates, people = NOW - 28 * DAY, max(count // 20, 1), max(count // 5, 1)

    def shown(number: int) -> tuple[int, str, int]:
        """Slate, customer and time of an exposure."""
        slate, customer = number * 7919 % slates, f"c{number * 104_729 % people}"
        return slate, customer, start + number * (28 * DAY - HOUR) // count

    def exposure(number: int) -> tuple[int, bytes, str, int]:
        slate, customer, moment = shown(number)
        return number, name_of(slate), customer, moment

    def order(number: int) -> tuple[int, str, int, int, str, str, str]:
        slate, customer, moment = shown(number * count // orders)
        rank = number % (2 * SHOWN)  # one of the slate, or one that is not in it
        product = product_of(slate, rank)
        purchase = KINDS.index("purchase")
        return number, f"e{number}", purchase, moment + HOUR, customer, product, f"o{number}"

    connection = sqlite3.connect(path)
    connection.execute("PRAGMA synchronous = OFF")
    connection.executemany(
        "INSERT INTO shown_slates VALUES (?, ?, ?, NULL, 'personal', ?, ?)",
        (
            (name_of(slate), f"id-{slate}", PLACEMENTS[slate % 3], listed(slate), NOW)
            for slate in range(slates)
        ),
    )
    connection.executemany(
        "INSERT INTO exposures VALUES (?, ?, ?, NULL, ?, 1)", map(exposure, range(1, count + 1))
    )
    connection.executemany(
        "INSERT INTO events (number, event_id, line, kind, time, customer_id, product_id, order_id,"
        " quantity, unit_price, currency) VALUES (?, ?, 0, ?, ?, ?, ?, ?, 1, 10, 'EUR')",
        map(order, range(1, orders + 1)),
    )
    connection.execute("UPDATE position SET number = ?, newest = ?", (orders, NOW))
    connection.commit()
    connection.close()


def name_of(slate: int) -> bytes:
    return slate.to_bytes(12, "big")


def product_of(slate: int, rank: int) -> str:
    return f"p{(slate * 31 + rank * 17) % PRODUCTS}"


def listed(slate: int) -> str:
    products = [(product_of(slate, rank), "factors", REASONS[rank % 3]) for rank in range(SHOWN)]
    return json.dumps(products)


def attribution(folder: Path, count: int, orders: int) -> None:
    path = folder / "attributed.db"
    fill(path, count, orders)
    print(f"{count} exposures, {orders} orders: the store has {path.stat().st_size / 1e9:.1f} GB")
    command = [sys.executable, "-m", "benchmarks.exposures", MEASURED, str(path)]
    subprocess.run(command, check=True)


def measure(path: str) -> None:
    from training.cli.insights import compute_attribution
    from training.insights.attribution import Windows
    from training.insights.source import InsightSource

    started, before = time.perf_counter(), time.process_time()
    source = InsightSource(Path(path).parent, f"sqlite:///{path}", None, YES, NOW)
    facts = compute_attribution(source, Windows(), days=28)
    taken, worked = time.perf_counter() - started, time.process_time() - before
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    attributed = facts["overview"][0]["attributed_orders"]
    print(f"{taken:.1f} s, {worked:.1f} s of CPU, {peak:.2f} GB at most, {attributed} orders")


def main(given: Sequence[str]) -> None:
    if given[:1] == [MEASURED]:
        measure(given[1])
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--registry", type=Path)
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--exposures", type=int, default=10_000_000)
    parser.add_argument("--orders", type=int, default=1_000_000)
    parser.add_argument("parts", nargs="+", choices=PARTS)
    options = parser.parse_args(given)
    if options.registry is None and set(options.parts) != {"attribution"}:
        parser.error("--registry is needed")
    with tempfile.TemporaryDirectory() as folder:
        for part in options.parts:
            if part == "serving":
                serving(options.registry, Path(folder), options.calls)
            elif part == "kill":
                killed(options.registry, Path(folder), options.calls)
            else:
                attribution(Path(folder), options.exposures, options.orders)


if __name__ == "__main__":
    main(sys.argv[1:])
