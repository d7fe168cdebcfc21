"""A SQLite store that no waiting mends is named, at the start and while the service runs."""

import json
import os
import subprocess
import sys
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from service.store.database import StoreBrokenError
from service.store.store import Store
from tests.support.permissions import obey_permissions
from tests.support.service_shop import Browse, Shop, process, status, wait_until
from tests.support.store_server import new_store

pytestmark = pytest.mark.slow

SLATE = "/v1/customers/c00/recommendations"
GARBAGE = b"this is no database, whatever its name says" * 100


def make_directory(store: Path) -> None:
    store.mkdir()


def write_garbage(store: Path) -> None:
    store.write_bytes(GARBAGE)


def seal_directory(store: Path) -> None:
    store.parent.chmod(0o555)


def seal_file(store: Path) -> None:
    new_store("sqlite", store.parent)
    (made,) = store.parent.glob("*.db")
    made.rename(store)
    store.chmod(0o444)


@pytest.mark.parametrize("command", [[], ["keys", "create", "--name", "n", "--scope", "read"]])
@pytest.mark.parametrize(
    ("damage", "cause"),
    [
        (make_directory, "it is a directory, not a file"),
        (write_garbage, "file is not a database"),
        (seal_directory, "unable to open database file"),
        (seal_file, "attempt to write a readonly database"),
    ],
)
def test_a_store_that_can_never_work_stops_it_with_path_and_cause(
    tmp_path: Path, command: list[str], damage: Any, cause: str
) -> None:
    store = tmp_path / "volume" / "store.db"
    store.parent.mkdir()
    damage(store)
    variables = {
        "REGULARS_REGISTRY": str(tmp_path),
        "REGULARS_RUNTIME_DIR": str(tmp_path / "run"),
        "REGULARS_DATABASE_URL": f"sqlite:///{store}",
    }
    done = subprocess.run(
        [sys.executable, "-m", "service", *command],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=30,
        preexec_fn=obey_permissions,
    )
    assert done.stderr == f"service: the store {store} cannot be used: {cause}\n"
    assert done.returncode == 2


def read_readiness(port: int) -> Any:
    with closing(HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
        connection.request("GET", "/readyz")
        response = connection.getresponse()
        return response.status, json.load(response)


def test_a_store_that_breaks_while_it_runs_makes_it_not_ready_and_the_log_names_the_file(
    shop: Shop, tmp_path: Path
) -> None:
    store = tmp_path / "store.db"
    with process(shop.root, tmp_path / "run", database_url=f"sqlite:///{store}") as port:
        assert status(port, SLATE) == 200
        for path in tmp_path.glob("store.db*"):
            size = path.stat().st_size
            with path.open("r+b") as file:
                file.write((GARBAGE * (size // len(GARBAGE) + 1))[:size])
        wait_until(lambda: status(port, "/readyz") == 503)
        code, ready = read_readiness(port)
        assert (code, ready["ready"]) == (503, False)
        assert ready["store"] == "sqlite, cannot be used: file is not a database"
        assert ready["model_version"] == shop.model.version
        assert status(port, SLATE) == 200
    messages = [
        json.loads(line)["message"] for line in (tmp_path / "service.log").read_text().splitlines()
    ]
    assert messages.count(f"the store {store} cannot be used: file is not a database") == 1


def test_a_worker_that_finds_it_broken_answers_and_is_ready_once_it_is_mended(
    browse: Browse, tmp_path: Path
) -> None:
    store = tmp_path / "store.db"
    store.mkdir()
    client = browse(database_url=f"sqlite:///{store}", follow_seconds=0.05)
    ready = client.get("/readyz")
    assert ready.status_code == 503
    assert ready.json()["store"] == "sqlite, cannot be used: it is a directory, not a file"
    store.rmdir()
    wait_until(lambda: client.get("/readyz").status_code == 200)
    assert client.get("/readyz").json()["store"].startswith("sqlite, breaker ")


def test_a_write_tells_what_reading_does_not_and_the_next_look_finds_it_mended(
    tmp_path: Path,
) -> None:
    store = Store(new_store("sqlite", tmp_path), tmp_path / "run")

    def refuse(_: object) -> None:
        raise StoreBrokenError("store.db", "attempt to write a readonly database")

    with pytest.raises(StoreBrokenError):
        store.write(refuse).result()
    assert store.fault == "attempt to write a readonly database"
    store.follow()
    wait_until(lambda: store.fault is None)
    store.close()
