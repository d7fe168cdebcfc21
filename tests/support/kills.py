"""A service whose processes are killed at random under a write load, and what its callers saw."""

from __future__ import annotations

import http.client
import itertools
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import psutil

from tests.support.service_process import free_port
from tests.support.store_clients import Caller, audit, event

WORKERS: Final = 2
SOLD: Final = 1_700_000_000  # before the model learned, so that no slate moves
TOGETHER: Final = 10  # events in a call
GOOD: Final = frozenset({200, 202})
BACK_SECONDS: Final = 240.0  # within which it must answer again, on a machine however busy
STARTED_WORKER: Final = "spawn_main"  # in the command of a worker


class Victim(StrEnum):
    """What is killed."""

    WORKER = "a worker"
    WORKERS = "all workers"
    MASTER = "the master"
    ALL = "master and workers"


class KilledService:
    """A service of two workers at one port, started again after its master was killed."""

    def __init__(self, registry: Path, runtime: Path, database_url: str) -> None:
        self.port = free_port()
        settings = {
            "REGISTRY": registry,
            "PORT": self.port,
            "RUNTIME_DIR": runtime,
            "DATABASE_URL": database_url,
            "WORKERS": WORKERS,
            "DEADLINE_MS": 10_000,
        }
        self._environment = os.environ | {
            f"REGULARS_{name}": str(value) for name, value in settings.items()
        }
        self._master: subprocess.Popen[bytes] | None = None

    def keep_running(self) -> None:
        """Start it where it does not run, as systemd or Docker would, until every worker answers.

        What a dead master left may hold the port for a moment: then it is started again.
        """
        until = time.monotonic() + BACK_SECONDS
        while not self._all_answer():
            assert time.monotonic() < until, "it does not answer again"
            if self._master is None or self._master.poll() is not None:
                command = [sys.executable, "-m", "service"]
                self._master = subprocess.Popen(
                    command, env=self._environment, stderr=subprocess.DEVNULL
                )
            time.sleep(0.02)

    def kill(self, victim: Victim, dice: random.Random) -> list[psutil.Process]:
        """Kill (SIGKILL) and return the workers of before."""
        assert self._master is not None
        master, workers = psutil.Process(self._master.pid), self._workers()
        if victim is Victim.MASTER:
            killed = [master]
        elif victim is Victim.WORKER:
            killed = [dice.choice(workers)]
        else:
            killed = [*workers, master] if victim is Victim.ALL else workers
        for process in killed:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)
        psutil.wait_procs(killed, timeout=10)
        return workers

    def close(self) -> None:
        if self._master is not None:
            self._master.terminate()
            self._master.wait(30)

    def _workers(self) -> list[psutil.Process]:
        """Return its workers that run, the oldest first."""
        if self._master is None or self._master.poll() is not None:
            return []
        workers = []
        for child in psutil.Process(self._master.pid).children():
            with suppress(psutil.NoSuchProcess):
                if any(STARTED_WORKER in word for word in child.cmdline()):
                    workers.append(child)
        return workers

    def _all_answer(self) -> bool:
        """Tell whether as many processes as there should be listen, and no others."""
        workers = {worker.pid for worker in self._workers()}
        listening = {
            connection.pid
            for connection in psutil.net_connections("tcp")
            if connection.status == psutil.CONN_LISTEN and connection.laddr[-1:] == (self.port,)
        }
        return len(workers) == WORKERS and listening == workers


@dataclass
class WriteLoad:
    """Callers who report purchases and ask for slates without a pause.

    A call that was not acknowledged is sent again, with the same ids. Answers are judged while the
    service is `steady`: from when it is back until the next kill.
    """

    port: int
    name: str
    customers: Sequence[str]
    acknowledged: list[str] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    _phase: int = 0  # even while it is steady
    _over: bool = False

    @contextmanager
    def running(self, callers: int) -> Iterator[None]:
        threads = [threading.Thread(target=self._call, args=(at,)) for at in range(callers)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._over = True
            for thread in threads:
                thread.join()

    @contextmanager
    def disturbed(self) -> Iterator[None]:
        """Judge no answer meanwhile."""
        self._phase += 1
        yield
        self._phase += 1

    def _call(self, caller_number: int) -> None:
        caller = Caller(self.port)
        dice = random.Random(caller_number)
        for number in itertools.count():
            name = f"{self.name}-{caller_number}-{number}"
            ids = [f"{name}-{index}" for index in range(TOGETHER)]
            told = [event(id_, "purchase", SOLD, dice.choice(self.customers), "p1") for id_ in ids]
            while not self._over:
                if self._judged(caller, "POST", "/v1/events", {"events": told}) == 202:
                    self.acknowledged += ids
                    break
                caller.close()
                time.sleep(0.02)
            customer = quote(dice.choice(self.customers), safe="")
            self._judged(caller, "GET", f"/v1/customers/{customer}/recommendations?fields=ids")
            if self._over:
                break
        caller.close()

    def _judged(self, caller: Caller, method: str, path: str, body: Any = None) -> int:
        """Return the status of a call, 0 where the connection broke."""
        phase, status, problem = self._phase, 0, ""
        try:
            status, _ = caller(method, path, body)
        except (OSError, http.client.HTTPException) as error:
            problem = repr(error)
            caller.close()
        if phase == self._phase and phase % 2 == 0:
            self.statuses[status] += 1
            if status not in GOOD:
                self.wrong.append(f"{method} {path.partition('?')[0]}: {status} {problem}")
        return status


@dataclass
class KillReport:
    """What came of some kills."""

    kills: Counter[str] = field(default_factory=Counter)
    acknowledged: int = 0
    missing: int = 0
    doubled: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    back_seconds: dict[str, list[float]] = field(default_factory=dict)


def kill_at_random(
    registry: Path,
    folder: Path,
    url: str,
    victims: Sequence[Victim],
    *,
    customers: Sequence[str],
    seed: int,
    callers: int = 4,
) -> KillReport:
    """Kill the processes of a service one after the other, under load, at random moments."""
    report, dice = KillReport(), random.Random(seed)
    service = KilledService(registry, folder / "run", url)
    try:
        service.keep_running()
        load = WriteLoad(service.port, f"k{seed}", customers)
        with load.running(callers):
            for victim in victims:
                time.sleep(dice.uniform(0.05, 0.5))
                with load.disturbed():
                    service.kill(victim, dice)
                    began = time.monotonic()
                    service.keep_running()
                    taken = time.monotonic() - began
                report.kills[victim] += 1
                report.back_seconds.setdefault(victim, []).append(taken)
            time.sleep(0.5)
    finally:
        service.close()
    report.acknowledged = len(load.acknowledged)
    report.missing, report.doubled = audit(url, load.acknowledged)
    report.statuses, report.wrong = load.statuses, load.wrong
    return report
