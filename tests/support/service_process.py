"""The service as a process of its own on loopback."""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import psutil

from service.runtime.metrics import DIRECTORY_VARIABLE

UNHURRIED_MS: Final = 10_000


def kill(pid: int) -> None:
    """SIGKILL to a service and its workers, which it would start again; it can not clean up after
    itself.
    """
    process = psutil.Process(pid)
    processes = [process, *process.children(recursive=True)]
    folders = {one.environ().get(DIRECTORY_VARIABLE) for one in processes} - {None}
    for one in processes:
        one.kill()
    psutil.wait_procs(processes, timeout=10)
    for folder in folders:
        shutil.rmtree(str(folder), ignore_errors=True)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@contextmanager
def server(registry: Path, **settings: object) -> Iterator[tuple[int, int, float]]:
    """A service of its own: port, process id, seconds until it was ready."""
    port = free_port()
    named = {f"REGULARS_{name.upper()}": str(value) for name, value in settings.items()}
    environment = (
        os.environ | {"REGULARS_REGISTRY": str(registry), "REGULARS_PORT": str(port)} | named
    )
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "service"], env=environment, stderr=subprocess.DEVNULL
    )
    try:
        wait_until_ready(port, process)
        yield port, process.pid, time.perf_counter() - started
    finally:
        process.terminate()
        process.wait(10)


def wait_until_ready(port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until and process.poll() is None:
        try:
            with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
                connection.request("GET", "/readyz")
                if connection.getresponse().status == 200:
                    return
        except OSError:
            time.sleep(0.01)
    raise RuntimeError("the service did not get ready")
