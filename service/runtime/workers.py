"""uvicorn with as many workers as are set, each with its own connections and its own processors."""

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
    """Until it is told to stop. Several workers share a directory for their metrics."""
    if settings.workers == 1:
        uvicorn.run(APP, **_options(settings))
        return
    with shared_directory(settings.runtime_directory()) as directory:
        os.environ[DIRECTORY_VARIABLE] = directory
        if sys.platform == "linux":
            chosen = uvicorn.Config(APP, workers=settings.workers, **_options(settings))
            with OwnSocket.at(chosen) as address:
                PinningSupervisor(chosen, sockets=[address]).run()
        else:
            uvicorn.run(APP, workers=settings.workers, **_options(settings))


class OwnSocket(socket.socket):
    """An address that workers share: whichever process this is sent to gets a socket of its own there.

    Linux deals connections out among them. Of one socket for all workers the first to wake takes what has come: up to
    64 of 64 connections, which it keeps while the others have nothing to do.
    """

    @classmethod
    def at(cls, chosen: uvicorn.Config) -> OwnSocket:
        """Holds the address and listens to nothing. Exits where somebody else listens there."""
        with chosen.bind_socket() as first:
            return cls.bound(first.family, first.getsockname())

    @classmethod
    def bound(cls, family: int, address: Any) -> OwnSocket:
        own = cls(family)
        own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        own.bind(address)
        return own

    def __reduce__(self) -> tuple[Any, ...]:
        return OwnSocket.bound, (self.family, self.getsockname())


class PinningSupervisor(Multiprocess):
    """Deals the processors out among the workers, and gives a worker's to the one that takes its place.

    The threads of a worker take turns. Spread over all processors they wait behind those of another worker on one of
    them while another one rests.
    """

    def keep_subprocess_alive(self) -> None:
        super().keep_subprocess_alive()
        shares = share_processors(sorted(os.sched_getaffinity(0)), len(self.processes))
        for worker, share in zip(self.processes, shares, strict=True):
            if worker.pid is not None:
                pin_process(worker.pid, share)


def share_processors(processors: Sequence[int], workers: int) -> list[set[int]]:
    """For each worker processors of its own; where there are too few, all for all."""
    if len(processors) < workers:
        return [set(processors)] * workers
    return [set(processors[first::workers]) for first in range(workers)]


def pin_process(pid: int, share: set[int]) -> None:
    """Have every thread of a process stay on these processors, as will those that they start."""
    with contextlib.suppress(
        OSError
    ):  # one has just ended: looked at again soon; or a sandbox forbids it
        for thread in Path(f"/proc/{pid}/task").iterdir():
            os.sched_setaffinity(int(thread.name), share)


def _options(settings: Settings) -> dict[str, Any]:
    """No access log: paths hold customers' ids."""
    return {
        "factory": True,
        "host": settings.host,
        "port": settings.port,
        "loop": "uvloop",
        "http": "httptools",
        "ws": "none",
        "log_config": log_config(settings.log_level),
        "log_level": settings.log_level,
        "access_log": False,
        "server_header": False,
        "proxy_headers": False,
        "timeout_keep_alive": 75,
    }
