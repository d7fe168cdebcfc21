"""`python -m service` starts, refuses what is unsafe, and leaves nothing behind."""

import http.client
import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.service.conftest import Shop, process, status, wait_until


def start(*, expect: int, **variables: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "service"], env=os.environ | variables, capture_output=True, text=True, timeout=30
    )
    assert done.returncode == expect
    return done.stderr


def test_it_does_not_listen_to_strangers_without_a_key() -> None:
    said = start(expect=2, REGULARS_HOST="0.0.0.0")
    assert "Set REGULARS_API_KEY to a long random text, or REGULARS_HOST to 127.0.0.1" in said


def test_a_misspelt_setting_stops_it() -> None:
    assert "did you mean REGULARS_REGISTRY?" in start(expect=2, REGULARS_REGISTRI="x")


def test_a_store_of_another_version_stops_it_and_one_command_helps(tmp_path: Path) -> None:
    here = {"REGULARS_REGISTRY": str(tmp_path), "REGULARS_RUNTIME_DIR": str(tmp_path / "run")}
    with sqlite3.connect(tmp_path / "store.db") as connection:
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
        connection.execute("INSERT INTO alembic_version VALUES ('0000')")
    connection.close()
    said = start(expect=2, **here)
    assert said.startswith("service: the database has schema 0000")
    assert said.count("\n") == 1
    assert "python -m service migrate" in said


# Python runs a file of this name before anything else.
SITECUSTOMIZE = """
import os, sys

def watch(event, arguments):
    if event == "import" and arguments[0] == "numpy":
        print("NumPy loads with", os.environ.get("OPENBLAS_NUM_THREADS"), "threads", file=sys.stderr)

sys.addaudithook(watch)
"""


@pytest.mark.parametrize(("chosen", "threads"), [("", "1"), ("3", "3")])
def test_numpy_loads_when_its_threads_are_set(tmp_path: Path, chosen: str, threads: str) -> None:
    (tmp_path / "sitecustomize.py").write_text(SITECUSTOMIZE)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OPENBLAS", "COV"))}
    environment |= {"PYTHONPATH": str(tmp_path), "REGULARS_REGISTRI": "x"}
    if chosen:
        environment["OPENBLAS_NUM_THREADS"] = chosen
    done = subprocess.run([sys.executable, "-m", "service"], env=environment, capture_output=True, text=True)
    assert f"NumPy loads with {threads} threads" in done.stderr
    assert "NumPy loads with None" not in done.stderr


def metrics_of(port: int) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    return text


def test_two_workers_answer_and_count_together(shop: Shop, tmp_path: Path) -> None:
    with process(shop.root, tmp_path / "run", workers=2) as port:
        for _ in range(20):
            assert status(port, "/v1/popular") == 200
        loaded = f'regulars_model_loaded{{version="{shop.model.version}"}} 2.0'
        wait_until(lambda: loaded in metrics_of(port))
        asked = 'regulars_request_seconds_count{route="/v1/popular",status="200"} 20.0'
        assert asked in metrics_of(port)


def test_logs_hold_no_paths(shop: Shop, tmp_path: Path) -> None:
    with process(shop.root, tmp_path / "run") as port:
        assert status(port, "/v1/customers/anna/recommendations?n=1000") == 422
        assert status(port, "/v1/customers/anna/recommendations") == 200
    log = (tmp_path / "service.log").read_text()
    assert shop.model.version in log
    assert "anna" not in log
    assert "recommendations" not in log


def test_ids_arrive_as_they_were_written(shop: Shop, tmp_path: Path) -> None:
    with process(shop.root, tmp_path / "run") as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        for name in ("%2F", ".", "..", "../..", "a%41", "a/b", "a+b", "%", "\x01", "007"):
            connection.request("GET", f"/v1/customers/{quote(name, safe='')}/recommendations?n=1&fields=ids")
            answered = connection.getresponse()
            assert (answered.status, json.load(answered)["customer_id"]) == (200, name)
        connection.close()
        assert status(port, "/v1/customers/%00/recommendations") == 422
