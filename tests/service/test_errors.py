"""An error is told as what it is."""

from fastapi import FastAPI
from starlette.testclient import TestClient

from service.errors import PROBLEMS, TOO_LARGE, Problem, add_handlers, field_problems


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
    names = ["n" * 60, "n" * 61]
    errors = [{"type": "missing", "loc": (name,), "msg": "Field required"} for name in names]
    told = [problem["field"] for problem in field_problems(errors)]
    assert told == ["n" * 60, "n" * 59 + "…"]


def test_a_body_that_is_no_json_is_told_with_the_place() -> None:
    error = {"type": "json_invalid", "loc": ("body", 17), "msg": "JSON decode error"}
    assert field_problems([error])[0]["problem"] == "is not JSON (at character 17)"
