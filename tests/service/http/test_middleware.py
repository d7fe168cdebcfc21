"""Nobody without the key, nothing too large, and no word about what broke."""

import logging
from collections.abc import Iterator
from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from models.recommender import Recommender
from models.slate import Slate, SlateRequest
from models.updates.customer import NO_UPDATE, CustomerUpdate
from tests.support.service_shop import Browse

KEY = "ein langer Schlüssel"


@pytest.fixture
def locked(browse: Browse) -> TestClient:
    return browse(api_key=KEY)


@pytest.mark.parametrize(
    "address", ["/v1/popular", "/v1/models", "/metrics", "/v1/customers/a/recommendations", "/no"]
)
def test_without_the_key_nothing_is_answered(locked: TestClient, address: str) -> None:
    answered = locked.get(address)
    assert (answered.status_code, answered.headers["content-type"]) == (
        401,
        "application/problem+json",
    )
    assert answered.headers["www-authenticate"].startswith("Bearer")
    assert KEY not in answered.text


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
    answered = client.post("/v1/recommendations", content=b" " * 1_000_001)
    assert (answered.status_code, answered.json()["title"]) == (413, "The body is too large")


def test_a_body_that_does_not_say_how_large_it_is_is_counted(client: TestClient) -> None:
    def parts() -> Iterator[bytes]:
        for _ in range(11):
            yield b" " * 100_000

    answered = client.post(
        "/v1/recommendations", content=parts(), headers={"content-type": "application/json"}
    )
    assert answered.status_code == 413


@pytest.mark.parametrize(
    "method_path", ["POST /v1/recommendations", "POST /v1/events", "PUT /v1/products"]
)
@pytest.mark.parametrize(
    "deep", [b"[" * 21 + b"]" * 21, b'{"a":' * 100_000 + b"1" + b"}" * 100_000, b"[" * 900_000]
)
def test_a_body_that_is_nested_too_deep_is_not_parsed(
    client: TestClient, method_path: str, deep: bytes
) -> None:
    method, path = method_path.split()
    answered = client.request(
        method, path, content=deep, headers={"content-type": "application/json"}
    )
    assert (answered.status_code, answered.json()["errors"][0]["field"]) == (422, "body")
    assert "nested deeper than 20" in answered.json()["detail"]


class BrokenRecommender(Recommender):
    def recommend(
        self, customer_id: str | None, request: SlateRequest, since: CustomerUpdate = NO_UPDATE
    ) -> Slate:
        raise KeyError(customer_id)


def test_what_breaks_is_logged_without_ids_and_told_without_details(
    browse: Browse, caplog: pytest.LogCaptureFixture
) -> None:
    client = browse()
    active = client.app.state.serving.active  # type: ignore[attr-defined]
    fine = active.current.recommender
    broken = BrokenRecommender(fine.manifest, fine.model, fine.settings)
    active.current = replace(active.current, recommender=broken)
    with caplog.at_level(logging.INFO, logger="regulars"):
        answered = client.get("/v1/customers/anna/recommendations")
    assert (answered.status_code, answered.headers["content-type"]) == (
        500,
        "application/problem+json",
    )
    assert "KeyError" not in answered.text
    said = [record.getMessage() for record in caplog.records if record.name.startswith("regulars")]
    assert ["KeyError" in line for line in said] == [True]
    assert "anna" not in said[0]
    assert client.get("/v1/popular").status_code == 200
