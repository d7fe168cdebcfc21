"""Requests that the description allows or forbids are answered as it says, never with a 500."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.request import urlopen

import pytest
import schemathesis

from models.rules.filter_language import MAX_CHARACTERS, FilterError, check_filter
from models.rules.preferences import KINDS as PREFERENCE_KINDS
from models.rules.preferences import MAX_VALUES
from service.routes.imports import DOCUMENT_EXAMPLE
from service.schemas.pages import MAX_CURSOR_CHARACTERS
from tests.support.service_shop import Shop, process
from tests.support.store_server import KINDS, new_store

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
# Of an operation. FUZZ_EXAMPLES=200 for a long run, which tries the edges of values too
EXAMPLES: Final = int(os.environ.get("FUZZ_EXAMPLES", "6"))
LONG: Final = "FUZZ_EXAMPLES" in os.environ
PHASES: Final = ["examples", *(["coverage"] if LONG else []), "fuzzing", "stateful"]
TOO_LONG: Final = "x" * (max(MAX_CURSOR_CHARACTERS, MAX_CHARACTERS) + 1)  # for any value
TIMEOUT_SECONDS: Final = 240 + 60 * EXAMPLES


@schemathesis.hook
def before_call(context: Any, case: Any, **_: Any) -> None:
    """Change bodies and queries so that they meet what no schema can say.

    A rule ends after it starts, its highest price is not below its lowest, a filter is CEL, no
    consent is given next year, a customer names no more than is kept, shares sum to 1, and a list
    begins with its first page.
    """
    if case.meta is not None and case.meta.generation.mode.is_negative:
        _stay_wrong(case.operation, case.query)
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
    if change := CHANGES.get(case.operation.path):
        change(body)


def _stay_wrong(operation: Any, given: Any) -> None:
    """Send what is too long where a value of another type would be sent as a text, or as an empty
    one, which is no value.
    """
    for name, value in given.items() if isinstance(given, dict) else ():
        parameter = operation.get_parameter(name, "query")
        takes_text = parameter is None or '"string"' in json.dumps(parameter.definition)
        if value in ("", [], {}) or (takes_text and not isinstance(value, str)):
            given[name] = TOO_LONG


def _name_no_locale(shop: dict[str, Any]) -> None:
    """Leave the locale out: no schema says which there are."""
    if isinstance(shop.get("settings"), dict):
        shop["settings"].pop("default_locale", None)


def _round_share(holdout: dict[str, Any]) -> None:
    if "share" in holdout:
        holdout["share"] = round(holdout["share"], 4)


def _answer_now(consent: dict[str, Any]) -> None:
    if str(consent.get("time", ""))[:10] > datetime.now(UTC).date().isoformat():
        del consent["time"]


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
        given["after"] = TOO_LONG


def _name_few(said: dict[str, Any]) -> None:
    """Leave out the kinds with which more is said than is kept: the limit is over all of them.

    Nor does a schema say that a name of spaces alone is none.
    """
    left = MAX_VALUES
    for kind in PREFERENCE_KINDS:
        for one in said.get(kind, ()):
            one["attribute"] = _seen(one["attribute"])
            one["values"] = [_seen(value) for value in one["values"]]
        values = sum(len(one["values"]) for one in said.get(kind, ()))
        if values > left:
            del said[kind]
        else:
            left -= values


def _seen(value: Any) -> Any:
    return "x" if isinstance(value, str) and value.isspace() else value


def _divide(experiment: dict[str, Any]) -> None:
    """Give its variants names of their own and shares that sum to 1, for a time still to come."""
    for name in ("starts", "layer_from", "layer_to"):
        experiment.pop(name, None)
    if experiment.get("segments") or experiment.get("customers"):  # they are of customers
        experiment.pop("by", None)
    experiment["ends"] = "2999-01-01T00:00:00Z"
    unknown, variants = ("rules", "without_rules", "model_version", "offers"), []
    for number, variant in enumerate(experiment.get("variants", ())):  # one may stand there twice
        kept = {name: value for name, value in variant.items() if name not in unknown}
        variants.append(kept | {"name": f"{number}", "share": 0 if number else 1})
    experiment["variants"] = variants


def _give_one_kind(offer: dict[str, Any]) -> None:
    _keep_one(offer, "code", "codes")


def _keep_one(given: Any, first: str, second: str) -> None:
    if isinstance(given, dict) and given.get(first) is not None and given.get(second) is not None:
        del given[second]


CHANGES: Final[dict[str, Callable[[dict[str, Any]], None]]] = {
    "/v1/shops/{name}": _name_no_locale,
    "/v1/offers/{offer_id}": _give_one_kind,
    "/v1/customers/{customer_id}/preferences": _name_few,
    "/v1/customers/{customer_id}/consent": _answer_now,
    "/v1/experiments/{experiment_id}": _divide,
    "/v1/holdout": _round_share,
}


@pytest.mark.parametrize("store", KINDS)
def test_the_service_answers_as_it_is_described(own_shop: Shop, tmp_path: Path, store: str) -> None:
    settings: dict[str, Any] = {
        "api_key": "fuzzing",
        "signing_key": "signing",
        "database_url": new_store(store, tmp_path),
    }
    log = tmp_path / "schemathesis.log"
    with process(own_shop.root, tmp_path / "run", **settings) as port:
        description = f"http://127.0.0.1:{port}/openapi.json"
        urlopen(description, timeout=60).close()  # it is made once, and st waits 10 s for it
        failed = fuzz(description, log)
    lines = log.read_text().splitlines()
    sys.stdout.write("\n".join(lines[-40:]))  # what ran: operations, cases, failures
    assert not failed, "\n".join(line[:300] for line in lines[-200:])
    assert "unexpected" not in (tmp_path / "service.log").read_text()


def fuzz(description: str, log: Path) -> bool:
    """Send what a description allows and forbids; tell whether an answer was not as it says."""
    options = {
        "max-examples": EXAMPLES,
        "phases": ",".join(PHASES),
        "checks": "all",
        "workers": 2,
        "request-timeout": 60,  # on a machine however busy
    }
    command = [
        str(Path(sys.executable).with_name("st")),
        f"--config-file={HERE / 'schemathesis.toml'}",
        "run",
        description,
        "--generation-deterministic",
        "--continue-on-failure",
        *(f"--{name}={value}" for name, value in options.items()),
    ]
    # What is measured is the service, and measuring the one who asks would slow them down.
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")
    }
    environment["PYTHONPATH"] = str(HERE.parents[1])
    environment["SCHEMATHESIS_HOOKS"] = "tests.service.test_fuzzing"
    with log.open("w") as output:
        return bool(
            subprocess.run(
                command, cwd=log.parent, env=environment, stdout=output, timeout=TIMEOUT_SECONDS
            ).returncode
        )
