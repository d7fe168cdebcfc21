"""Who has an answer already is told so."""

import pytest
from starlette.testclient import TestClient

from service.routes.responses import matches_etag

ADDRESS = "/v1/customers/c00/recommendations"


@pytest.mark.parametrize("header", ['"a"', 'W/"a"', '"b", "a"', '"b",W/"a"', "*"])
def test_a_named_tag_is_found(header: str) -> None:
    assert matches_etag(header, '"a"')


@pytest.mark.parametrize("header", [None, "", '"b"', "a", '"a', '"ab"'])
def test_another_tag_is_not(header: str | None) -> None:
    assert not matches_etag(header, '"a"')


def test_who_has_the_answer_gets_no_body(client: TestClient) -> None:
    first = client.get(ADDRESS)
    second = client.get(ADDRESS, headers={"If-None-Match": first.headers["etag"]})
    assert (second.status_code, second.content) == (304, b"")
    assert second.headers["etag"] == first.headers["etag"]
    assert client.get(ADDRESS, headers={"If-None-Match": '"old"'}).content == first.content


def test_only_the_caller_may_keep_an_answer(client: TestClient) -> None:
    assert client.get(ADDRESS).headers["cache-control"] == "private, max-age=60"


def test_a_post_is_answered_in_full(client: TestClient) -> None:
    first = client.post("/v1/recommendations", json={"recent": ["bread"]})
    second = client.post(
        "/v1/recommendations", json={"recent": ["bread"]}, headers={"If-None-Match": "*"}
    )
    assert (second.status_code, second.content) == (200, first.content)
