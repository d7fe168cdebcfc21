"""Fixtures that more than one test file uses."""

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from sqlalchemy import Engine, TextClause, event

from tests.support.redis_server import MISSING, RedisServer, find_redis

# Tests look at what is left in the folder for temporary files: where they run side by side, each
# side has its own. It has a core of its own too, and the threads of its numbers would wait on those
# of the other side.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ |= {"OMP_WAIT_POLICY": "passive", "OPENBLAS_NUM_THREADS": "1"}
    own = (
        Path(tempfile.gettempdir())
        / os.environ["PYTEST_XDIST_TESTRUNUID"][:8]
        / os.environ["PYTEST_XDIST_WORKER"]
    )
    own.mkdir(parents=True)
    os.environ["TMPDIR"] = tempfile.tempdir = str(own)

# Where tests run in the background, what they start would never hear of Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes says something about the machine and nothing about the shop.
settings.register_profile("regulars", deadline=None)
settings.load_profile("regulars")


@event.listens_for(Engine, "before_execute", retval=True)
def know_assignment(
    _connection: Any, statement: Any, several: Any, parameters: Any, _options: Any
) -> tuple[Any, Any, Any]:
    """Draw the same secret in each new store: who is in which part of an experiment hangs on it,
    and no test may pass or fail by that.
    """
    if isinstance(statement, TextClause) and statement.text.startswith("INSERT INTO secrets"):
        name = statement.compile().params["name"]
        if name == "experiments":
            statement = statement.bindparams(value=b"the same parts in every run")
    return statement, several, parameters


def pytest_collection_finish(session: pytest.Session) -> None:
    """One sentence instead of an error a test, where tests that need a Redis were collected and
    there is none.
    """
    if (
        any("redis_server" in getattr(item, "fixturenames", ()) for item in session.items)
        and find_redis() is None
    ):
        pytest.exit(MISSING, returncode=pytest.ExitCode.USAGE_ERROR)


@pytest.fixture
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis that runs and is empty."""
    binary = find_redis()
    assert binary is not None, MISSING
    server = RedisServer(binary, tmp_path_factory.mktemp("redis"))
    try:
        server.start()
        yield server
    finally:
        server.kill()
