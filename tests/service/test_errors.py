"""An error is told as what it is."""

import pytest
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.testclient import TestClient

from service.errors import PROBLEMS, TOO_LARGE, Problem, add_handlers, field_problems

IN_JSON = {"Content-Type": "application/json"}


class StrictBody(BaseModel):
    model_config = ConfigDict(extra="forbid")


def test_only_a_call_with_a_body_is_told_that_its_body_is_nested_too_deeply() -> None:
    app = FastAPI()
    add_handlers(app)

    @app.api_route("/endless", methods=["GET", "POST"])
    def endless() -> None:
        raise RecursionError

    client = TestClient(app, raise_server_exceptions=False)
    assert client.get("/endless").status_code == 500
    refused = client.post("/endless")
    assert (refused.status_code, refused.json()["detail"]) == (422, "body: is nested too deeply")


def test_every_status_that_is_described_is_one_that_is_answered() -> None:
    statuses = {problem.status for problem in Problem.__subclasses__()}
    assert {*PROBLEMS, *TOO_LARGE} <= statuses


def test_a_long_name_from_outside_is_told_by_its_beginning() -> None:
    with pytest.raises(ValidationError) as refused:
        StrictBody.model_validate(dict.fromkeys(["n" * 60, "n" * 61], 1))
    told = [problem["field"] for problem in field_problems(refused.value, "body")]
    assert told == ["n" * 60, "n" * 59 + "…"]


def test_a_body_that_is_no_json_is_told_with_the_place() -> None:
    app = FastAPI()
    add_handlers(app)

    @app.post("/anything")
    def take(options: StrictBody) -> None:
        del options

    client = TestClient(app, raise_server_exceptions=False)
    refused = client.post("/anything", content=b'{"list": [1, 2', headers=IN_JSON)
    assert refused.json()["errors"] == [
        {"field": "body", "problem": "is not JSON (at character 14)"}
    ]
