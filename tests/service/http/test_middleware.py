"""Nobody without the key, nothing too large, and no word about what broke."""

import json
import logging
from collections.abc import Iterator
from dataclasses import replace

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from models.recommender import Recommender
from models.slate import Slate, SlateRequest
from tests.support.service_shop import Browse

pytestmark = pytest.mark.slow

KEY = "ein langer Schlüssel"


@pytest.fixture
def locked(browse: Browse) -> TestClient:
    return browse(api_key=KEY)


@pytest.mark.parametrize(
    "address", ["/v1/popular", "/v1/models", "/metrics", "/v1/customers/a/recommendations", "/no"]
)
def test_without_the_key_nothing_is_answered(locked: TestClient, address: str) -> None:
    response = locked.get(address)
    assert (response.status_code, response.headers["content-type"]) == (
        401,
        "application/problem+json",
    )
    assert response.headers["www-authenticate"].startswith("Bearer")
    assert KEY not in response.text


@pytest.mark.parametrize(
    "address", ["/healthz", "/readyz", "/docs", "/openapi.json", "/docs/assets/swagger-ui.css"]
)
def test_health_and_documentation_need_no_key(locked: TestClient, address: str) -> None:
    assert locked.get(address).status_code == 200


@pytest.mark.parametrize("name", ["Authorization", "X-API-Key"])
@pytest.mark.parametrize("key", ["", "x", KEY[:-1], KEY + "x", "Bearer", "null"])
def test_a_wrong_key_opens_nothing(locked: TestClient, name: str, key: str) -> None:
    value = f"Bearer {key}" if name == "Authorization" else key
    assert locked.get("/v1/popular", headers={name: value.encode()}).status_code == 401


@pytest.mark.parametrize(
    "header",
    [("Authorization", f"Bearer {KEY}"), ("authorization", f"bearer {KEY}"), ("X-API-Key", KEY)],
)
def test_the_key_opens_by_either_header(locked: TestClient, header: tuple[str, str]) -> None:
    assert locked.get("/v1/popular", headers={header[0]: header[1].encode()}).status_code == 200


def test_the_key_is_asked_for_before_the_body_is_read(locked: TestClient) -> None:
    assert locked.post("/v1/recommendations", content=b"{" * 2_000_000).status_code == 401


def test_a_body_that_says_it_is_too_large_is_not_read(client: TestClient) -> None:
    response = client.post("/v1/recommendations", content=b" " * 1_000_001)
    assert (response.status_code, response.json()["title"]) == (413, "The body is too large")


def test_a_body_that_does_not_say_how_large_it_is_is_counted(client: TestClient) -> None:
    def parts() -> Iterator[bytes]:
        for _ in range(11):
            yield b" " * 100_000

    response = client.post(
        "/v1/recommendations", content=parts(), headers={"content-type": "application/json"}
    )
    assert response.status_code == 413


UNENDING = [b'{"a":' * 100_000 + b"1" + b"}" * 100_000, b"[" * 900_000]
BODIES = [
    "POST /v1/recommendations",
    "POST /v1/recommendations/batch",
    "POST /v1/events",
    "PUT /v1/products",
    "PUT /v1/rules/deep",
]


def send(client: TestClient, method_path: str, body: bytes) -> Response:
    method, path = method_path.split()
    headers = {"content-type": "application/json", "accept": "application/x-ndjson"}
    return client.request(method, path, content=body, headers=headers)


@pytest.mark.parametrize("method_path", BODIES)
@pytest.mark.parametrize("body", UNENDING, ids=["objects", "lists without an end"])
def test_a_body_that_is_nested_deeper_than_the_parser_goes_is_refused(
    client: TestClient, method_path: str, body: bytes
) -> None:
    response = send(client, method_path, body)
    assert (response.status_code, response.headers["content-type"]) == (
        422,
        "application/problem+json",
    )
    assert response.json()["detail"] == "body: is nested too deeply"
    assert response.json()["errors"] == [{"field": "body", "problem": "is nested too deeply"}]


# Around the limit of the parser, where what is said about a value goes deeper than the value.
DEPTHS = [21, 254, 255, *range(900, 1001), 1490, 9990]


@pytest.mark.parametrize(
    ("method_path", "before", "after"),
    [
        ("POST /v1/recommendations", b'{"fields":', b"}"),
        ("POST /v1/recommendations/batch", b'{"recipients":[{"customer_id":"a"}],"repeat":', b"}"),
        ("PATCH /v1/products/bread", b'{"attributes":{"a":', b"}}"),
        ("PUT /v1/rules/deep", b'{"kind":"boost","strength":2,"which":', b"}"),
        ("PUT /v1/rules/deep", b'{"kind":', b"}"),
    ],
)
@pytest.mark.parametrize("brackets", [(b"[", b"]"), (b'{"a":', b"}")], ids=["lists", "objects"])
def test_a_value_of_any_depth_is_refused_and_breaks_nothing(
    client: TestClient,
    method_path: str,
    before: bytes,
    after: bytes,
    brackets: tuple[bytes, bytes],
) -> None:
    opening, closing = brackets
    for depth in DEPTHS:
        body = before + opening * depth + b"1" + closing * depth + after
        assert send(client, method_path, body).status_code == 422, depth


@pytest.mark.parametrize("depth", [21, 900])
def test_a_recipient_an_event_or_a_product_that_is_nested_deeply_costs_no_other(
    client: TestClient, depth: int
) -> None:
    deep = b"[" * depth + b"]" * depth
    batch = b'{"recipients":[{"customer_id":"c00"},' + deep + b"]}"
    slate, problem = send(client, "POST /v1/recommendations/batch", batch).text.splitlines()
    assert json.loads(slate)["customer_id"] == "c00"
    assert json.loads(problem)["problem"]["status"] == 422
    told = send(client, "POST /v1/events", b'{"events":[' + deep + b"]}")
    assert (told.status_code, told.json()["rejected"][0]["index"]) == (202, 0)
    products = b'{"products":[{"product_id":"crepe"},{"product_id":"a","attributes":{"a":'
    told = send(client, "PUT /v1/products", products + deep + b"}}]}")
    assert (told.json()["written"], told.json()["rejected"][0]["index"]) == (1, 1)


class BrokenRecommender(Recommender):
    def recommend(self, customer_id: str | None, request: SlateRequest, *more: object) -> Slate:
        raise KeyError(customer_id)


def test_what_breaks_is_logged_without_ids_and_told_without_details(
    browse: Browse, caplog: pytest.LogCaptureFixture
) -> None:
    client = browse()
    active = client.app.state.responder.active  # type: ignore[attr-defined]
    fine = active.current.recommender
    broken = BrokenRecommender(fine.manifest, fine.model, fine.settings)
    active.current = replace(active.current, recommender=broken)
    with caplog.at_level(logging.INFO, logger="regulars"):
        response = client.get("/v1/customers/anna/recommendations")
    assert (response.status_code, response.headers["content-type"]) == (
        500,
        "application/problem+json",
    )
    assert "KeyError" not in response.text
    said = [record.getMessage() for record in caplog.records if record.name.startswith("regulars")]
    assert ["KeyError" in line for line in said] == [True]
    assert "anna" not in said[0]
    assert client.get("/v1/popular").status_code == 200
