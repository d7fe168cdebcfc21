"""`python -m service` starts, refuses what is unsafe, and leaves nothing behind."""

import http.client
import json
import os
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


def test_numpy_is_not_loaded_before_its_threads_are_set() -> None:
    seen = "import service.__main__, sys; sys.exit('numpy' in sys.modules)"
    subprocess.run([sys.executable, "-c", seen], check=True)


def metrics_of(port: int) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    return text


def test_two_workers_answer_count_together_and_leave_nothing_behind(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    with process(shop.root, tmp_path / "run", workers=2) as port:
        for _ in range(20):
            assert status(port, "/v1/popular") == 200
        loaded = f'regulars_model_loaded{{version="{shop.model.version}"}} 2.0'
        wait_until(lambda: loaded in metrics_of(port))
        asked = 'regulars_request_seconds_count{route="/v1/popular",status="200"} 20.0'
        assert asked in metrics_of(port)
    assert list((tmp_path / "tmp").iterdir()) == []


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
        for name in ("%2F", ".", "..", "../..", "a%41", "a/b", "a+b", "%", "\x00", "007"):
            connection.request("GET", f"/v1/customers/{quote(name, safe='')}/recommendations?n=1&fields=ids")
            answered = connection.getresponse()
            assert (answered.status, json.load(answered)["customer_id"]) == (200, name)
        connection.close()
