"""A batch answers each recipient as a call of their own would; a bad one costs no other."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from starlette.testclient import TestClient

from service.http.authorization import Scope
from service.routes.batch import run_in_order
from service.schemas.answers import SlateAnswer
from service.schemas.batch import BatchAnswer, RecipientProblem
from service.shops.batch_pool import FEWEST_PENDING
from tests.support.keyed_service import make_key
from tests.support.service_shop import Browse, Shop
from tests.support.shop import NO_EMAIL, ONLY_RARE, REGULAR

BATCH = "/v1/recommendations/batch"
LINES = {"accept": "application/x-ndjson"}
EVERYBODY = ["c00", "c01", NO_EMAIL, REGULAR, ONLY_RARE, "stranger", 'quo"te', "a/b", "ü🍎"]
GOOD = [{"customer_id": name} for name in EVERYBODY]


def single(client: TestClient, name: str, **options: Any) -> bytes:
    response = client.post("/v1/recommendations", json={"customer_id": name, **options})
    assert response.status_code == 200
    return response.content


def lines(client: TestClient, recipients: list[Any], **options: Any) -> list[bytes]:
    response = client.post(BATCH, json={"recipients": recipients, **options}, headers=LINES)
    assert (response.status_code, response.headers["content-type"]) == (200, "application/x-ndjson")
    assert response.content.endswith(b"\n")
    return response.content[:-1].split(b"\n")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"n": 4, "placement": "email", "fields": "ids"},
        {
            "n": 40,
            "strict": True,
            "repeat": "include",
            "market": "north",
            "locale": "de_DE",
            "exclude": ["bread"],
        },
        {"category": "bakery", "max_price": 9.5, "as_of": "2025-06-01"},
    ],
)
def test_every_recipient_gets_the_bytes_of_a_call_of_their_own(
    client: TestClient, options: dict[str, Any]
) -> None:
    answers = lines(client, GOOD, **options)
    assert answers == [single(client, name, **options) for name in EVERYBODY]
    whole = client.post(BATCH, json={"recipients": GOOD, **options})
    assert whole.content == b'{"answers":[' + b",".join(answers) + b'],"count":9,"failed":0}'
    BatchAnswer.model_validate_json(whole.content)


def test_a_campaign_is_the_same_slate_by_address_and_in_a_batch(
    browse: Browse, own_shop: Shop
) -> None:
    client = browse(own_shop.root)
    options = {"n": 4, "placement": "email", "campaign": "spring", "deadline_ms": 5000}
    first, second = (lines(client, GOOD[:4], **options) for _ in range(2))
    by_address = [
        client.get(f"/v1/customers/{name}/recommendations", params=options)
        for name in EVERYBODY[:4]
    ]
    assert first == second == [response.content for response in by_address]
    assert {json.loads(line)["placement"] for line in first} == {"email"}


def test_a_recipient_has_a_market_a_language_and_exclusions_of_their_own(
    client: TestClient,
) -> None:
    both = {"n": 40, "locale": "en_US", "exclude": ["bread"]}
    answers = lines(
        client,
        [{"customer_id": "c00"}, {"customer_id": "c00", "exclude": ["butter"], "locale": "de_DE"}],
        **both,
    )
    assert answers[0] == single(client, "c00", **both)
    assert answers[1] == single(client, "c00", n=40, locale="de_DE", exclude=["bread", "butter"])
    assert lines(client, [{"customer_id": "c01", "market": "south"}], market="north", n=40) == [
        single(client, "c01", market="south", n=40)
    ]


BAD: list[Any] = [
    None,
    "c00",
    7,
    [],
    {},
    {"customer_id": ""},
    {"customer_id": 7},
    {"customer_id": "x" * 501},
    {"customer_id": "\0"},
    {"customer_id": "\ud800"},
    {"customer_id": "c00", "n": 3},
    {"customer_id": "c00", "exclude": "bread"},
    {"customer_id": "c00", "locale": "nonsense!"},
]


@pytest.mark.parametrize("bad", BAD, ids=range(len(BAD)))
def test_a_bad_recipient_gets_a_problem_in_its_place_and_costs_no_other(
    client: TestClient, bad: Any
) -> None:
    body = json.dumps(
        {"recipients": [GOOD[0], bad, GOOD[1]], "n": 3}
    )  # as callers send it: half a character too
    response = client.post(
        BATCH, content=body, headers={"content-type": "application/json", **LINES}
    )
    first, problem, last = response.content.splitlines()
    assert [first, last] == [single(client, "c00", n=3), single(client, "c01", n=3)]
    problem_answer = RecipientProblem.model_validate_json(problem)
    assert (problem_answer.index, problem_answer.problem.status) == (1, 422)
    assert problem_answer.problem.errors
    whole = client.post(BATCH, content=body, headers={"content-type": "application/json"}).json()
    assert (whole["count"], whole["failed"]) == (2, 1)
    assert whole["answers"][1] == orjson.loads(problem)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"recipients": []}, "recipients"),
        ({}, "recipients"),
        ({"recipients": GOOD[:1], "n": 1000}, "n"),
        ({"recipients": GOOD[:1], "customer_id": "c00"}, "customer_id"),
        ({"recipients": {"customer_id": "c00"}}, "recipients"),
        ({"recipients": GOOD[:1] * 1001}, "recipients"),
    ],
)
def test_what_is_wrong_for_all_is_refused_for_all(
    client: TestClient, body: Any, field: str
) -> None:
    response = client.post(BATCH, json=body)
    assert response.status_code == 422
    assert [error["field"] for error in response.json()["errors"]] == [field]


def test_a_thousand_recipients_with_the_longest_ids_fit_into_a_call(client: TestClient) -> None:
    answers = lines(client, [{"customer_id": "x" * 500}] * 1000, n=2, fields="ids")
    assert [SlateAnswer.model_validate_json(line).customer_id for line in answers] == [
        "x" * 500
    ] * 1000


def test_before_there_is_a_model_a_batch_says_so_as_everything_does(
    browse: Browse, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    client = browse(tmp_path / "empty")
    for recipients in ([{"customer_id": "c00"}], [None]):
        response = client.post(BATCH, json={"recipients": recipients})
        assert (response.status_code, response.headers["retry-after"]) == (503, "5")


def test_over_the_limit_of_calls_everybody_gets_what_is_popular(
    browse: Browse, own_shop: Shop
) -> None:
    client = browse(own_shop.root, api_key="first")
    key = make_key(client.app.state.responder.store, Scope.READ, calls_a_minute=1)
    batch = {"recipients": [{"customer_id": "c00"}, {}]}
    documents = [
        client.post(BATCH, json=batch, headers={"x-api-key": key}).json()["answers"]
        for _ in range(2)
    ]
    assert [[answer.get("fallback_reason") for answer in answers] for answers in documents] == [
        [None, None],
        ["rate_limited", None],
    ]


def test_answers_come_in_order_and_no_more_are_held_than_may_be() -> None:
    begun: list[int] = []

    async def answer(number: int) -> int:
        begun.append(number)
        await asyncio.sleep(0.01 if number % 3 == 0 else 0)  # the first of three is the slowest
        return number

    async def taken() -> list[int]:
        numbers = []
        async for number in run_in_order(
            ((lambda number=number: answer(number)) for number in range(20)), 4
        ):
            await asyncio.sleep(0.02)  # a caller who reads slowly
            numbers.append(number)
            assert len(begun) <= number + 4
        return numbers

    assert asyncio.run(taken()) == list(range(20))


Handler = Callable[[dict[str, Any]], Awaitable[None]]


async def call(
    app: Any, method: str, path: str, body: bytes, send: Handler, gone: asyncio.Event
) -> None:
    """The application as a server calls it; `gone`: the caller has hung up."""
    parts = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive() -> dict[str, Any]:
        part = next(parts, None)
        if part is not None:
            return part
        await gone.wait()
        return {"type": "http.disconnect"}

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"content-type", b"application/json")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    await app(scope, receive, send)


async def ask(app: Any, method: str, path: str, body: Any = None) -> Any:
    parts: list[bytes] = []

    async def send(message: dict[str, Any]) -> None:
        parts.append(message.get("body", b""))

    await call(app, method, path, orjson.dumps(body) if body else b"", send, asyncio.Event())
    return orjson.loads(b"".join(parts))


def slates_made(client: TestClient) -> float:
    lines = client.get("/metrics").text.splitlines()
    return sum(
        float(line.split()[-1]) for line in lines if line.startswith("regulars_answers_total")
    )


def test_who_goes_away_is_not_worked_for_any_longer(client: TestClient) -> None:
    """The caller reads three slates of a thousand and hangs up while the fourth is sent."""

    async def read_three() -> None:
        gone, sent = asyncio.Event(), 0

        async def send(message: dict[str, Any]) -> None:
            nonlocal sent
            sent += message["type"] == "http.response.body"
            if sent > 3:
                gone.set()
                await asyncio.Event().wait()  # the buffer is full and nobody empties it

        await asyncio.wait_for(call(client.app, "POST", BATCH, body, send, gone), 10)
        await asyncio.sleep(0.2)

    before = slates_made(client)
    body = orjson.dumps(
        {"recipients": [{"customer_id": f"gone {number}"} for number in range(1000)]}
    )
    assert client.portal is not None
    client.portal.call(read_three)
    assert 4 <= slates_made(client) - before <= FEWEST_PENDING + 4


def test_a_single_slate_does_not_wait_for_a_batch(client: TestClient) -> None:
    """While a batch is computed, single slates come within their deadline, unflagged."""

    async def beside() -> list[Any]:
        batch = asyncio.create_task(
            ask(client.app, "POST", BATCH, {"recipients": recipients, "fields": "ids"})
        )
        await asyncio.sleep(0.02)
        single = [
            await ask(client.app, "GET", f"/v1/customers/c{number:02}/recommendations")
            for number in range(10)
        ]
        assert not batch.done()
        return [*single, await batch]

    recipients = [
        {"customer_id": f"c{number % 54:02}", "exclude": [f"none {number}"]}
        for number in range(200)
    ]
    assert client.portal is not None
    *slates, whole = client.portal.call(beside)
    assert not any(slate["fallback"] for slate in slates)
    assert whole["count"] == 200
