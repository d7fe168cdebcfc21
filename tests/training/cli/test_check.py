"""`check` reads everything and trains nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.corner_shop import HEADER, rows, run, write

pytestmark = pytest.mark.slow


def test_check_tells_what_is_wrong_and_what_helps(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    orders = write(tmp_path, [*rows()[:90], "anna,milk,soon,1,1,1"], header=HEADER)
    assert run("check", "--purchases", orders, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["problems"] == [
        {
            "file": "purchases",
            "problem": "bad_timestamp",
            "count": 1,
            "example": f"{orders}, line 92, column 'timestamp': 'soon'",
            "advice": "--dates day-first or month-first; or write 2025-12-31T23:59:00Z",
        }
    ]
    assert told["read"]["rows"] == 91
    assert run("check", "--purchases", orders) == 0
    assert "line 92, column 'timestamp': 'soon'" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == [orders.name]
    assert run("check", "--purchases", orders, "--strict") == 2
    assert "--strict: 1 bad_timestamp" in capsys.readouterr().err
