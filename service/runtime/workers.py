"""Start uvicorn with its workers, each with its own connections and its own processors."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from multiprocessing import parent_process
from multiprocessing.connection import wait
from pathlib import Path
from threading import Thread
from typing import Any, Final

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.protocols.http.flow_control import CLOSE_HEADER
from uvicorn.supervisors import Multiprocess
from uvicorn.supervisors.multiprocess import Process

from service.runtime.logs import log_config
from service.runtime.metrics import DIRECTORY_VARIABLE, shared_directory
from service.settings import Settings

APP: Final = "service.app:create"
LOOK_SECONDS: Final = 0.5  # between looks for signals; a worker that ends is noticed at once
UNSENT_BYTES: Final = 131_072  # of an answer that the system takes for a reader that takes nothing
TCP_NOTSENT_LOWAT: Final = 25  # of Linux; Python names it from 3.12 on
log: Final = logging.getLogger("regulars.service")


def serve(settings: Settings, protocol: Callable[..., asyncio.Protocol]) -> None:
    """Run the service until it is told to stop. `protocol` makes its connections."""
    options = _uvicorn_options(settings, protocol)
    config = uvicorn.Config(APP, workers=settings.workers, **options)
    addresses = [config]
    if settings.console_port is not None:
        addresses.append(uvicorn.Config(APP, **{**options, "port": settings.console_port}))
    if settings.workers == 1:
        server = LastCallServer(config)
        # At one address it binds by itself, once it can answer
        server.run([one.bind_socket() for one in addresses] if len(addresses) > 1 else None)
        if not server.started:
            sys.exit(STARTUP_FAILURE)
        return
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(shared_directory(settings.runtime_directory()))
        os.environ[DIRECTORY_VARIABLE] = folder
        reserve = OwnSocket.reserve if sys.platform == "linux" else uvicorn.Config.bind_socket
        sockets = [stack.enter_context(reserve(address)) for address in addresses]
        Supervisor(config, sockets).run()


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


class LastCallServer(uvicorn.Server):
    """A server whose end resets no connection that the system has accepted for it.

    Their clients may have sent a request already. The socket is closed right after the last one.
    """

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and bound what the system holds for a client that does not read.

        Linux takes megabytes of answers for each otherwise, and the time to make them.
        """
        await super().startup(sockets)
        if sys.platform == "linux":
            for listening in self._listening():
                with socket.socket(fileno=os.dup(listening.fileno())) as own:
                    own.setsockopt(socket.IPPROTO_TCP, TCP_NOTSENT_LOWAT, UNSENT_BYTES)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer what was sent, then end."""
        self.server_state.default_headers = [*self.server_state.default_headers, CLOSE_HEADER]
        loop = asyncio.get_running_loop()
        waiting = [connection for one in self._listening() for connection in accept_waiting(one)]
        opened = [loop.connect_accepted_socket(self._protocol, one) for one in waiting]
        await asyncio.gather(super().shutdown(sockets), *opened)

    def _listening(self) -> list[socket.socket]:
        return [one for server in self.servers for one in server.sockets]

    def _protocol(self) -> asyncio.Protocol:
        return self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )


def accept_waiting(listening: socket.socket) -> list[socket.socket]:
    """Return the connections that wait at a socket."""
    connections = []
    with socket.socket(fileno=os.dup(listening.fileno())) as queue:
        queue.setblocking(False)
        with contextlib.suppress(OSError):  # there is none, or no descriptor for it
            while True:
                connections.append(queue.accept()[0])
    for connection in connections:
        connection.setblocking(False)
    return connections


class Worker(Process):
    """A process of its own with a server."""

    @property
    def server(self) -> uvicorn.Server:
        """Return the server, made in the process that runs it."""
        if self._server is None:
            self._server = LastCallServer(self.config)
        return self._server


class Supervisor(Multiprocess):
    """A supervisor that replaces a worker as soon as it ends, and one that does not answer.

    Uvicorn's own looks twice a second, and asks one worker after the other whether it still
    answers: while it waits for one that is only starting, it does not see that another has ended.
    """

    def __init__(self, config: uvicorn.Config, sockets: list[socket.socket]) -> None:
        super().__init__(config, sockets)
        self._answered: set[Process] = set()  # those that have, since they were started

    def run(self) -> None:
        """Run the workers until a signal ends the service."""
        self.init_processes()
        while not self.should_exit.is_set():
            running = [worker.process for worker in self.processes if worker.process.is_alive()]
            wait([process.sentinel for process in running], LOOK_SECONDS)
            self.handle_signals()
            self.keep_subprocess_alive()
        self.terminate_all()
        self.join_all()

    def init_processes(self) -> None:
        """Start the workers."""
        for _ in range(self.processes_num):
            worker = Worker(self.config, self.sockets)
            worker.start()
            self.processes.append(worker)

    def keep_subprocess_alive(self) -> None:
        """Replace workers that have ended or hang, then pin every worker."""
        for index, worker in enumerate(self.processes):
            if self.should_exit.is_set():
                return
            if not worker.process.is_alive() or self._hangs(worker):
                self._replace(index)
        if sys.platform == "linux":
            self._pin()

    def _hangs(self, worker: Process) -> bool:
        """Tell whether a worker that has answered before does not do so any more."""
        has_answered = worker in self._answered
        wait_seconds = self.config.timeout_worker_healthcheck if has_answered else 0
        with contextlib.suppress(OSError, EOFError):
            worker.parent_conn.send(b"ping")
            wait([worker.parent_conn, worker.process.sentinel], wait_seconds)
            if worker.parent_conn.poll():
                worker.parent_conn.recv()
                self._answered.add(worker)
                return False
        return has_answered

    def _replace(self, index: int) -> None:
        """Start a worker in the place of one, which is killed if it hangs."""
        worker = self.processes[index]
        worker.kill()
        worker.join()
        if worker.exitcode == STARTUP_FAILURE:
            # It would fail the same way again.
            log.error("a worker failed to start, so the service ends")
            self.should_exit.set()
            return
        log.error("worker %s ended with status %s and is replaced", worker.pid, worker.exitcode)
        self._answered.discard(worker)
        try:
            successor = Worker(self.config, self.sockets)
            successor.start()
        except OSError as error:
            log.error("a worker cannot be started and is tried again: %s", error.strerror)
            return
        self.processes[index] = successor

    def _pin(self) -> None:
        """Share the processors out among the workers and their successors.

        The threads of a worker take turns. Spread over all processors, they would wait behind those
        of another worker on one processor while another one rests.
        """
        shares = share_processors(sorted(os.sched_getaffinity(0)), len(self.processes))
        for worker, share in zip(self.processes, shares, strict=True):
            if worker.pid is not None:
                pin_process(worker.pid, share)


def end_with_supervisor() -> None:
    """Have this worker end like after SIGTERM when the process that started it is gone."""
    supervisor = parent_process()
    if supervisor is None:
        return

    def follow() -> None:
        supervisor.join()
        log.error("the process that supervises the workers is gone, so this one ends")
        os.kill(os.getpid(), signal.SIGTERM)

    Thread(target=follow, name="supervisor", daemon=True).start()


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


def _uvicorn_options(
    settings: Settings, protocol: Callable[..., asyncio.Protocol]
) -> dict[str, Any]:
    return {
        "factory": True,
        "host": settings.host,
        "port": settings.port,
        "loop": "uvloop",
        "http": protocol,
        "ws": "none",
        "log_config": log_config(settings.log_level),
        "log_level": settings.log_level,
        "access_log": False,  # paths hold customers' ids
        "server_header": False,
        "proxy_headers": False,
        "timeout_keep_alive": 75,
        "timeout_graceful_shutdown": settings.shutdown_seconds,
    }
