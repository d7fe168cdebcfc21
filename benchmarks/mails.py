"""A mailing at nine in the morning: `python -m benchmarks.mails --registry DIR [--recipients
100000] [load same late]`.

    load   every recipient fetched one by one over 64 connections, at a fixed rate: 60 % of what is
    possible, measured
           before; one in five unknown, one in ten said no to mails; Redis is killed and comes back,
           another model is
           published
    same   the same call again and again in a campaign: at once, apart, at both workers, after the
    service was ended,
           after it was killed (SIGKILL), after another model was published
    late   the store stopped (SIGSTOP) and killed, Redis stopped, more asked than can be computed:
    by how much the
           answers pass the deadline

Works on a copy of the registry and talks to 127.0.0.1 alone. Exit status 1 where an answer was not
as promised.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import random
import shutil
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import quote

import orjson
import psutil

from models.artifact.registry import Registry
from models.data.customers import NO, PERSONALIZE_EMAIL
from models.recommender import Recommender
from service.settings import SHARED_MEMORY
from tests.support.expected_answers import another_version
from tests.support.load_client import TITLES, Tally, fetch, fetched, mail_call, request, run
from tests.support.mailing import essence, watched
from tests.support.postgres_server import PostgresServer
from tests.support.redis_server import MISSING, RedisServer, find_redis
from tests.support.service_process import UNHURRIED_MS, kill, server
from tests.support.store_clients import Caller

SHARE_OF_CAPACITY: Final = 0.6
UNKNOWN, REFUSING = 0.2, 0.1  # of the recipients
DEADLINE_MS, GRACE_MS = 200, 20
# calls that tell how many are possible: the speed of a shared machine changes within seconds
PROBE: Final = 30_000
LATE_DEADLINE_MS: Final = 100
PEOPLE: Final = 200  # who are asked for again and again
PARTS: Final = ("load", "same", "late")


def names_of(registry: Path) -> list[str]:
    """The customers that the active model knows and who have not said no to mails, in an order of
    chance.
    """
    version = Registry(registry).active()
    assert version is not None, f"{registry} holds no active version"
    customers = Recommender.load(Registry(registry).path(version)).model.customers
    refused = customers.consent[:, PERSONALIZE_EMAIL] == NO
    names = [name for name, no in zip(customers.ids, refused.tolist(), strict=True) if not no]
    random.Random(7).shuffle(names)
    return names


def audience(names: Iterator[str], count: int, label: str) -> tuple[list[str], list[str]]:
    """That many recipients in an order of chance, and those among them who say no to mails."""
    strangers = [f"{label}-{number}" for number in range(round(count * UNKNOWN))]
    known = list(itertools.islice(names, count - len(strangers)))
    if len(known) + len(strangers) < count:
        raise SystemExit("error: the registry holds too few customers for that many recipients")
    everyone = strangers + known
    random.Random(7).shuffle(everyone)
    return everyone, known[: round(count * REFUSING)]


def refuse(port: int, names: Sequence[str]) -> None:
    calls = [
        request(
            "PUT", f"/v1/customers/{quote(name, safe='')}/consent", {"personalize_email": False}
        )
        for name in names
    ]
    assert {answer.status for answer in fetched(port, calls)} == {200}


def load(root: Path, run_dir: Path, redis: RedisServer, recipients: int) -> bool:
    parts: dict[str, Callable[[], object]] = {
        "all is well": lambda: None,
        "Redis killed": redis.kill,
        "Redis started again": redis.start,
        # Written before: whoever trains it does not do so between the calls of this process.
        "another model published": partial(Registry(root).activate, another_version(root)),
    }
    names = iter(names_of(root))
    warming, warming_refusing = audience(names, 400, "warming")
    probing, probing_refusing = audience(names, PROBE, "probing")
    groups = [audience(names, recipients // len(parts), label) for label in parts]
    tallies = {}
    with server(root, redis_url=redis.url, workers=2, runtime_dir=run_dir) as (port, _, _):
        refuse(
            port,
            [
                *warming_refusing,
                *probing_refusing,
                *(name for _, refusing in groups for name in refusing),
            ],
        )
        capacity(port, warming)
        most = capacity(port, probing)
        rate = SHARE_OF_CAPACITY * most
        print(f"load: {most:.0f} a second at most, asked for {rate:.0f}", flush=True)
        for (name, do), (everyone, _) in zip(parts.items(), groups, strict=True):
            calls = [mail_call(customer, "autumn", DEADLINE_MS) for customer in everyone]
            began, before = time.perf_counter(), stolen()
            tallies[name] = run(disturbed(port, calls, rate, do))
            away = (stolen() - before) / (time.perf_counter() - began)
            print(f"  {name}: the host kept back {away:.2f} processors", flush=True)
        with closing(Caller(port)) as caller:
            model = caller("GET", "/readyz")[1]["model_version"]
    print(TITLES)
    for name, tally in tallies.items():
        print(tally.row(name))
    total = sum(tallies.values(), Tally())
    print(total.row("all together"))
    for (status, reason), count in total.answers.most_common():
        print(f"  {status} {reason:<20} {count:>8} {100 * count / recipients:6.2f} %")
    print(f"  {model} is served at the end")
    print(*total.unusable[:5], sep="\n", end="")
    return not total.unusable and total.at(0.99) < 50


def stolen() -> float:
    """Seconds of processors that the host of this machine gave to others meanwhile; 0 where it does
    not say.
    """
    return float(getattr(psutil.cpu_times(), "steal", 0.0))


def capacity(port: int, customers: Sequence[str]) -> float:
    """Calls a second, as fast as they are answered."""
    began = time.perf_counter()
    fetched(port, [mail_call(name, "capacity", UNHURRIED_MS) for name in customers])
    return len(customers) / (time.perf_counter() - began)


async def disturbed(
    port: int, calls: Sequence[bytes], rate: float, do: Callable[[], object]
) -> Tally:
    """What came back while something happened."""
    tally = Tally()
    await asyncio.gather(fetch(port, calls, tally.add, rate=rate), asyncio.to_thread(do))
    return tally


def same(root: Path, run_dir: Path) -> bool:
    """Whether everybody was told the same whenever they were asked for."""
    names = [*names_of(root)[:PEOPLE], *(f"same-{number}" for number in range(PEOPLE // 5))]
    calls = [mail_call(name, "same", UNHURRIED_MS) for name in names]
    seen: dict[str, set[bytes]] = defaultdict(set)

    def ask(port: int, name: str, times: int = 1) -> None:
        wrong = 0
        for place, answer in enumerate(
            fetched(port, [call for call in calls for _ in range(times)])
        ):
            told = seen[names[place // times]]
            wrong += bool(told) and essence(answer) not in told
            told.add(essence(answer))
        print(f"  {name:<42} {wrong:>4} of {len(calls) * times} other than before")

    print("same")
    settings = {"workers": 2, "runtime_dir": run_dir, "poll_seconds": 0.2}
    with server(root, **settings) as (port, pid, _):
        ask(port, "five times at once", 5)
        kill(pid)
    with server(root, **settings) as (port, _, _):
        ask(port, "killed (SIGKILL) right after, started again")
        ask(port, "apart")
    with server(root, **settings) as (port, _, _):
        ask(port, "ended (SIGTERM), started again")
        Registry(root).activate(another_version(root))
        wait_for(port, str(Registry(root).active()))
        ask(port, "another model published", 2)
    with server(root, **settings) as (port, _, _):
        ask(port, "started again with the other model")
    print(
        f"  {sum(len(told) == 1 for told in seen.values())} of {len(calls)} "
        "told the same every time"
    )
    return all(len(told) == 1 for told in seen.values())


def wait_for(port: int, version: str) -> None:
    """Until every worker serves a version: two of them answer twenty new connections."""
    until, served = time.monotonic() + 60, {""}
    while served != {version} and time.monotonic() < until:
        answers = fetched(port, [request("GET", "/readyz")] * 20)
        served = {orjson.loads(answer.body)["model_version"] for answer in answers}
        time.sleep(0.2)


def late(root: Path, run_dir: Path, redis: RedisServer) -> bool:
    names = itertools.cycle(names_of(root))
    crowd = [
        mail_call(name, "crowd", UNHURRIED_MS, n=100) for name in itertools.islice(names, 2000)
    ]
    kept = []
    print(f"late: milliseconds past the deadline of {LATE_DEADLINE_MS} ms")
    print(f"{'':<28} {'p50':>8}{'p99':>8}{'max':>8}  answers")

    def watch(name: str, port: int, beside: Sequence[bytes] = ()) -> None:
        calls = [mail_call(one, "late", LATE_DEADLINE_MS) for one in itertools.islice(names, 200)]
        tally = run(watched(port, calls, beside))
        excess = [tally.at(share) - LATE_DEADLINE_MS for share in (0.5, 0.99, 1.0)]
        reasons = ", ".join(
            f"{status} {reason}: {count}" for (status, reason), count in tally.answers.most_common()
        )
        print(f"{name:<28} {''.join(f'{one:8.1f}' for one in excess)}  {reasons}")
        kept.append(not tally.unusable and excess[-1] <= GRACE_MS)

    with (
        own_store() as store,
        server(root, database_url=store.url, runtime_dir=run_dir) as (port, _, _),
    ):
        watch("all is well", port)
        store.stop()
        watch("store stopped (SIGSTOP)", port)
        store.resume()
        time.sleep(2)
        watch("store resumed", port)
        store.kill()
        watch("store killed", port)
    with server(root, redis_url=redis.url, runtime_dir=run_dir) as (port, _, _):
        redis.stop()
        watch("Redis stopped (SIGSTOP)", port)
        redis.resume()
    with server(root, scoring_threads=1, runtime_dir=run_dir) as (port, _, _):
        watch("scoring slow", port, crowd)
    return all(kept)


@contextmanager
def own_store() -> Iterator[PostgresServer]:
    store = PostgresServer(Path(tempfile.mkdtemp(prefix="regulars-mails-")))
    try:
        yield store
    finally:
        store.close()


def held(part: str, registry: Path, binary: str, recipients: int) -> bool:
    """Whether all was as promised in one part, tried on a copy of the registry."""
    memory = (
        SHARED_MEMORY if Path(SHARED_MEMORY).is_dir() else None
    )  # where the service has it by default
    with (
        tempfile.TemporaryDirectory(prefix="regulars-mails-") as directory,
        tempfile.TemporaryDirectory(prefix="regulars-mails-", dir=memory) as run,
    ):
        root, redis, run_dir = (
            Path(directory) / "registry",
            RedisServer(binary, Path(directory)),
            Path(run),
        )
        shutil.copytree(registry, root, ignore=shutil.ignore_patterns("store.db*"))
        redis.start()
        try:
            if part == "load":
                return load(root, run_dir, redis, recipients)
            return same(root, run_dir) if part == "same" else late(root, run_dir, redis)
        finally:
            redis.kill()


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--registry", type=Path, required=True)
    parser.add_argument("--recipients", type=int, default=100_000)
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; by default all")
    arguments = parser.parse_args()
    if not set(arguments.parts) <= set(PARTS):
        parser.error(f"the parts are {', '.join(PARTS)}")
    binary = find_redis()
    if binary is None:
        parser.error(MISSING)
    kept = [
        held(part, arguments.registry, binary, arguments.recipients)
        for part in arguments.parts or PARTS
    ]
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
