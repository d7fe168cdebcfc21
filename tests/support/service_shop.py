"""A small shop with a trained model, and the service in front of it as a process of its own."""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil
from starlette.testclient import TestClient

from models.artifact.registry import Registry
from models.recommender import Recommender
from service.model.live_catalogue import LiveCatalogue
from service.model.loaded_model import LoadedModel

Browse = Callable[..., TestClient]
START_SECONDS: Final = 60.0  # and whatever else is waited for, on a machine however busy


@dataclass(frozen=True)
class Shop:
    root: Path
    model: LoadedModel
    products: list[str]
    customer: str = "c00"
    product: str = "bread"

    @property
    def now(self) -> LiveCatalogue:
        """As its model has learned it."""
        return LiveCatalogue(self.model, self.model)


def open_shop(registry: Registry) -> Shop:
    version = registry.active()
    assert version is not None
    recommender = Recommender.load(registry.path(version))
    return Shop(registry.root, LoadedModel.of(recommender), list(recommender.catalogue.ids))


def copy_registry(root: Path, copy: Path) -> Path:
    """Copy the models of a registry, and nothing that a service in front of it has written."""
    written = shutil.ignore_patterns("store.db*", "refusals", "reports")
    return Path(shutil.copytree(root, copy, ignore=written))


def damage(root: Path, version: str) -> str:
    """Flip one byte in the largest file of a version and point at it; returns the file's name."""
    largest = max(Registry(root).path(version).glob("*.npy"), key=lambda path: path.stat().st_size)
    content = bytearray(largest.read_bytes())
    content[-1] ^= 1
    largest.write_bytes(content)
    (root / "active").write_text(version + "\n")
    return largest.name


@contextmanager
def process(
    root: Path,
    runtime: Path,
    *,
    preexec_fn: Callable[[], None] | None = None,
    **settings: object,
) -> Iterator[int]:
    """`python -m service` in a process of its own; gives the port once it is ready. It may leave
    nothing in `tmp`.
    """
    with started(root, runtime, preexec_fn=preexec_fn, **settings) as (port, _):
        yield port
    assert list((runtime.parent / "tmp").iterdir()) == []


@contextmanager
def started(
    root: Path,
    runtime: Path,
    *,
    preexec_fn: Callable[[], None] | None = None,
    **settings: object,
) -> Iterator[tuple[int, psutil.Process]]:
    """Run `python -m service`; yield the port and the process, which may be killed."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(str(settings.pop("port", free.getsockname()[1])))
    named = {"registry": root, "port": port, "runtime_dir": runtime, **settings}
    temporary = runtime.parent / "tmp"
    temporary.mkdir(exist_ok=True)
    environment = os.environ | {
        f"REGULARS_{name.upper()}": str(value) for name, value in named.items()
    }
    environment |= {"TMPDIR": str(temporary)}
    log = (runtime.parent / "service.log").open("w")
    running = subprocess.Popen(
        [sys.executable, "-m", "service"], env=environment, stderr=log, preexec_fn=preexec_fn
    )
    try:
        wait_until(lambda: status(port, "/readyz") == 200, START_SECONDS)
        yield port, psutil.Process(running.pid)
    finally:
        running.terminate()
        running.wait(15)
        log.close()


def status(port: int, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


def wait_until(happened: Callable[[], bool], seconds: float = START_SECONDS) -> None:
    until = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < until, "did not happen in time"
        time.sleep(0.02)
