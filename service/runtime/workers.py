"""Start uvicorn with its workers, each with its own connections and its own processors."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import uvicorn
from uvicorn.supervisors import Multiprocess

from service.runtime.logs import log_config
from service.runtime.metrics import DIRECTORY_VARIABLE, shared_directory
from service.settings import Settings

APP: Final = "service.app:create"


def serve(settings: Settings) -> None:
    """Run the service until it is told to stop."""
    options = _uvicorn_options(settings)
    if settings.workers == 1:
        uvicorn.run(APP, **options)
        return
    with shared_directory(settings.runtime_directory()) as directory:
        os.environ[DIRECTORY_VARIABLE] = directory
        if sys.platform == "linux":
            config = uvicorn.Config(APP, workers=settings.workers, **options)
            with OwnSocket.reserve(config) as address:
                PinningSupervisor(config, sockets=[address]).run()
        else:
            uvicorn.run(APP, workers=settings.workers, **options)


class OwnSocket(socket.socket):
    """A socket that every process it is sent to opens anew, at the same address.

    Linux spreads connections over the sockets of an address. If all workers shared one socket, the
    first to wake would take what has come: up to 64 of 64 connections, which it keeps while the
    others have nothing to do.
    """

    @classmethod
    def reserve(cls, config: uvicorn.Config) -> OwnSocket:
        """Return a socket that holds the address and does not listen. Exits if it is in use."""
        with config.bind_socket() as first:
            return cls.bind_shared(first.family, first.getsockname())

    @classmethod
    def bind_shared(cls, family: int, address: Any) -> OwnSocket:
        """Return a socket of this process at an address that others share."""
        own = cls(family)
        own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        own.bind(address)
        return own

    def __reduce__(self) -> tuple[Any, ...]:
        return OwnSocket.bind_shared, (self.family, self.getsockname())


class PinningSupervisor(Multiprocess):
    """A supervisor that shares the processors out among the workers and their successors.

    The threads of a worker take turns. Spread over all processors, they would wait behind those of
    another worker on one processor while another one rests.
    """

    def keep_subprocess_alive(self) -> None:
        """Replace workers that have ended, then pin every worker."""
        super().keep_subprocess_alive()
        shares = share_processors(sorted(os.sched_getaffinity(0)), len(self.processes))
        for worker, share in zip(self.processes, shares, strict=True):
            if worker.pid is not None:
                pin_process(worker.pid, share)


def share_processors(processors: Sequence[int], workers: int) -> list[set[int]]:
    """Return processors for each worker: its own, or all of them if there are too few."""
    if len(processors) < workers:
        return [set(processors)] * workers
    return [set(processors[first::workers]) for first in range(workers)]


def pin_process(pid: int, processors: set[int]) -> None:
    """Keep all threads of a process, and those that they start, on these processors."""
    # A thread has just ended, which the next look mends, or a sandbox forbids it.
    with contextlib.suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            os.sched_setaffinity(int(thread.name), processors)


def _uvicorn_options(settings: Settings) -> dict[str, Any]:
    return {
        "factory": True,
        "host": settings.host,
        "port": settings.port,
        "loop": "uvloop",
        "http": "httptools",
        "ws": "none",
        "log_config": log_config(settings.log_level),
        "log_level": settings.log_level,
        "access_log": False,  # paths hold customers' ids
        "server_header": False,
        "proxy_headers": False,
        "timeout_keep_alive": 75,
    }
