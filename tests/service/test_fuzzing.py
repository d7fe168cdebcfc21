"""Requests that the description allows or forbids are answered as it says, never with a 500."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import schemathesis

from models.rules.filter_language import MAX_CHARACTERS, FilterError, check_filter
from service.routes.imports import DOCUMENT_EXAMPLE
from service.schemas.pages import MAX_CURSOR_CHARACTERS
from tests.support.service_shop import Shop, process

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
EXAMPLES = 6  # of an address; by hand, with the phase `coverage`, also the edges of every value


@schemathesis.hook
def before_call(context: Any, case: Any, **_: Any) -> None:
    """Change bodies and queries so that they meet what no schema can say.

    A rule ends after it starts, its highest price is not below its lowest, a filter is CEL, no
    consent is given next year, and a list begins with its first page.
    """
    if case.meta is not None and case.meta.generation.mode.is_negative:
        return  # it is to be refused, and would not be
    body = case.body if isinstance(case.body, dict) else {}
    tried = body.get("rules")
    for rule in [body, *(tried if isinstance(tried, list) else [])]:
        if isinstance(rule, dict):
            _keep_one(rule, "starts", "ends")
            _keep_one(rule.get("which"), "min_price", "max_price")
            _write_filter(rule.get("which"))
    parts = body.get("parts")
    for filtered in (body, case.query, *(parts if isinstance(parts, list) else [])):
        _write_filter(filtered)
    _begin(case.query)
    if case.operation.path == "/v1/import/{vendor}":
        # No schema says what a vendor's document is
        case.path_parameters["vendor"] = "shopify"
        case.body = DOCUMENT_EXAMPLE
    if case.operation.path.endswith("/consent") and str(body.get("time", ""))[:4] > str(
        datetime.now(UTC).year
    ):
        del body["time"]


def _write_filter(given: Any) -> None:
    """Put a filter in place of a text that is none: no schema says what CEL is."""
    text = given.get("filter") if isinstance(given, dict) else None
    if isinstance(text, str) and 0 < len(text) <= MAX_CHARACTERS:
        try:
            check_filter(text)
        except FilterError:
            given["filter"] = 'product.price < 20 && !(product.color == "red")'


def _begin(given: Any) -> None:
    """Ask for the first page in place of one that no answer has named.

    Values of other types are wrong, and might be sent as an empty text, which is right.
    """
    after = given.get("after") if isinstance(given, dict) else None
    if isinstance(after, str) and len(after) <= MAX_CURSOR_CHARACTERS:
        given["after"] = ""
    elif after is not None and not isinstance(after, str):
        given["after"] = "x" * (MAX_CURSOR_CHARACTERS + 1)


def _keep_one(given: Any, first: str, second: str) -> None:
    if isinstance(given, dict) and given.get(first) is not None and given.get(second) is not None:
        del given[second]


def test_the_service_answers_as_it_is_described(own_shop: Shop, tmp_path: Path) -> None:
    with process(own_shop.root, tmp_path / "run", api_key="fuzzing", signing_key="signing") as port:
        command = [
            Path(sys.executable).with_name("st"),
            "--config-file",
            HERE / "schemathesis.toml",
            "run",
        ]
        options = {"max-examples": EXAMPLES, "phases": "examples,fuzzing,stateful", "workers": 2}
        # What is measured is the service, and measuring the one who asks would slow them down.
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")
        }
        found = subprocess.run(
            [
                *map(str, command),
                f"http://127.0.0.1:{port}/openapi.json",
                "--generation-deterministic",
                *(f"--{name}={value}" for name, value in options.items()),
            ],
            cwd=tmp_path,
            env=environment
            | {
                "PYTHONPATH": str(HERE.parents[1]),
                "SCHEMATHESIS_HOOKS": "tests.service.test_fuzzing",
            },
            capture_output=True,
            text=True,
            timeout=300,
        )
    assert found.returncode == 0, "\n".join(line[:300] for line in found.stdout.splitlines()[-200:])
    assert "unexpected" not in (tmp_path / "service.log").read_text()
