"""The service keeps the conventions of HTTP APIs, at every address alike."""

import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from service.http.authorization import Scope
from service.patterns import PATTERN_SENTENCES
from service.routes.operations import get_health
from service.routes.registration import Deprecation, Operation, Tag, add_operations
from tests.support.keyed_service import make_key, open_keyed_service
from tests.support.service_shop import Browse, Shop

pytestmark = pytest.mark.slow

GETS = [
    "/",
    "/healthz",
    "/readyz",
    "/metrics",
    "/docs",
    "/docs/assets/swagger-ui.css",
    "/openapi.json",
    "/v1/popular",
    "/v1/customers/c00/recommendations",
    "/v1/customers/c00/profile",
    "/v1/feeds/popular.json",
    "/v1/rules",
    "/v1/models",
    "/v1/rules/none",
    "/v1/nowhere",
]


@pytest.mark.parametrize("path", GETS)
def test_every_address_that_answers_get_answers_head_without_a_body(
    client: TestClient, path: str
) -> None:
    got, headed = (
        client.request(method, path, follow_redirects=False) for method in ("GET", "HEAD")
    )
    assert (headed.status_code, headed.content) == (got.status_code, b"")
    assert headed.headers["content-type"] == got.headers["content-type"] if got.content else True
    for name in ("etag", "cache-control", "location"):
        assert headed.headers.get(name) == got.headers.get(name)


def test_a_head_sent_to_what_only_takes_posts_is_told_so(client: TestClient) -> None:
    response = client.head("/v1/recommendations")
    assert (response.status_code, response.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize(
    "method_path",
    [
        "POST /v1/recommendations",
        "POST /v1/recommendations/batch",
        "POST /v1/baskets/bundles",
        "POST /v1/events",
        "POST /v1/tokens",
        "POST /v1/rules/preview",
        "POST /v1/blocks/preview",
        "PUT /v1/blocks/a",
        "PUT /v1/products",
        "PATCH /v1/products/milk",
        "PUT /v1/rules/a",
        "PUT /v1/bundles/a",
        "PUT /v1/offers/a",
        "PUT /v1/campaigns/a",
        "PUT /v1/customers/a/consent",
        "PUT /v1/customers/a/unused",
    ],
)
@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", None])
def test_a_body_that_is_not_sent_as_json_is_told_what_to_send(
    client: TestClient, method_path: str, media_type: str | None
) -> None:
    method, path = method_path.split()
    headers = {} if media_type is None else {"content-type": media_type}
    response = client.request(method, path, content=b'{"a": 1}', headers=headers)
    assert (response.status_code, response.headers["accept"]) == (415, "application/json")
    assert "Content-Type: application/json" in response.json()["detail"]


@pytest.mark.parametrize(
    ("path", "address"),
    [
        ("/v1/popular/", "/v1/popular"),
        ("/v1/products/milk/", "/v1/products/milk"),
        ("/v1/customers/a%2Fb/", "/v1/customers/a%2Fb"),
        ("/docs//", "/docs"),
    ],
)
def test_a_slash_at_the_end_is_a_404_that_names_the_address_without_it(
    client: TestClient, path: str, address: str
) -> None:
    response = client.get(path, follow_redirects=False)
    assert response.status_code == 404
    assert f"call {address} (" in response.json()["detail"]


def test_a_slash_that_is_written_as_part_of_an_id_ends_no_address(client: TestClient) -> None:
    assert client.get("/v1/customers/a%2F/recommendations").json()["customer_id"] == "a/"
    assert client.get("/v1/customers/a%2F/export").json()["customer_id"] == "a/"
    assert client.delete("/v1/customers/a%2F").json()["customer_id"] == "a/"


@pytest.mark.parametrize(
    "path",
    [
        "/v1/popular?category=A&category=B",
        "/v1/customers/c00/recommendations?category=A&category=B",
        "/v1/feeds/popular.json?category=A&category=B",
        "/v1/products/milk/ratings?limit=1&limit=2",
        "/v1/customers/c00/profile?n=1&n=2",
        "/v1/audit?limit=1&limit=2",
    ],
)
def test_an_option_given_twice_that_takes_one_value_is_refused(
    client: TestClient, path: str
) -> None:
    response = client.get(path)
    assert response.status_code == 422
    assert response.json()["errors"][0]["problem"] == "is given 2 times, and takes one value"


def test_excluded_products_may_be_written_as_one_list(client: TestClient) -> None:
    shown = [one["id"] for one in client.get("/v1/popular?n=3").json()["recommendations"]]
    listed = client.get(
        "/v1/popular", params={"exclude": ",".join([*shown[:2], "no such"]), "n": 3}
    )
    repeated = client.get("/v1/popular", params={"exclude": shown[:2], "n": 3})
    assert listed.json()["recommendations"] == repeated.json()["recommendations"]
    assert listed.json()["missing_ids"] == ["no such"]


def find_patterns(described: Any) -> set[str]:
    if isinstance(described, list):
        return set().union(*map(find_patterns, described))
    if not isinstance(described, dict):
        return set()
    own = described.get("pattern")
    return set().union(
        {own} if isinstance(own, str) else set(), *map(find_patterns, described.values())
    )


def test_no_error_holds_a_regular_expression(client: TestClient) -> None:
    """Patterns that have no sentence of their own are of values that are parsed."""
    parsed = {"^(19[7-9][0-9]|[2-9][0-9]{3})-"}
    patterns = find_patterns(client.get("/openapi.json").json()) - parsed
    assert {pattern for pattern in patterns if "A-Za-z" not in pattern} <= PATTERN_SENTENCES.keys()
    for path in ("/v1/popular?placement=A", "/v1/customers/%00/recommendations"):
        problem = client.get(path).json()["errors"][0]["problem"]
        assert problem in PATTERN_SENTENCES.values()


@pytest.mark.parametrize("raw", [b"/shop/recs/v1/customers/x/consent"])
def test_under_a_path_prefix_documentation_and_addresses_are_right(
    browse: Browse, raw: bytes
) -> None:
    client = browse()
    under = TestClient(client.app, base_url="http://localhost", root_path="/shop/recs")
    page = under.get("/shop/recs/docs")
    assert not re.search(r"""(?:src|href|url)\s*[=:]\s*['"]/""", page.text)
    for address in re.findall(r"""(?:src|href)=['"](docs/[^'"]+)""", page.text):
        assert under.get(f"/shop/recs/{address}").status_code == 200
    description = under.get("/shop/recs/openapi.json").json()
    assert description["servers"][0]["url"] == "."
    assert under.get("/shop/recs/v1/popular").status_code == 200
    slash = under.get("/shop/recs/v1/popular/")
    assert "call /shop/recs/v1/popular (" in slash.json()["detail"]
    assert under.delete(raw.decode()).status_code == 405
    assert under.get("/shop/recs/", follow_redirects=False).headers["location"] == "docs"


def told(response: Response) -> tuple[str | None, str | None]:
    return response.headers.get("ratelimit-policy"), response.headers.get("ratelimit")


def test_every_answer_to_a_key_with_a_limit_tells_what_is_left_of_it(
    shop: Shop, tmp_path: Path
) -> None:
    with open_keyed_service(shop, tmp_path) as service:
        limited = make_key(service.store, Scope.ADMIN, calls_a_minute=3)
        policy = '"calls";q=3;w=60'

        def call(path: str, key: str = limited, method: str = "GET") -> Response:
            return service.client.request(method, path, headers={"X-API-Key": key})

        assert told(call("/v1/popular")) == (policy, '"calls";r=2;t=20')
        assert told(call("/v1/popular?n=0"))[0] == policy  # a 422
        assert told(call("/v1/popular", method="HEAD"))[1] == '"calls";r=0;t=60'
        for path in ("/v1/popular", "/v1/rules"):  # a popular slate, and a 429
            assert told(call(path)) == (policy, '"calls";r=0;t=60')
        assert told(call("/v1/popular", service.credentials["admin"])) == (None, None)
        assert told(call("/healthz")) == (None, None)


@pytest.mark.parametrize(
    ("headers", "sentence"),
    [
        ({"content-encoding": "gzip"}, "without Content-Encoding"),
        ({"content-encoding": "br, gzip"}, "without Content-Encoding"),
        ({"content-type": "application/json; charset=iso-8859-1"}, "names 'iso-8859-1'"),
        ({"content-type": 'application/json;charset="utf-16"'}, "names 'utf-16'"),
    ],
)
def test_a_body_that_is_compressed_or_not_in_utf_8_is_refused_with_what_to_send(
    client: TestClient, headers: dict[str, str], sentence: str
) -> None:
    headers = {"content-type": "application/json", **headers}
    for method, path in (("POST", "/v1/events"), ("PUT", "/v1/products"), ("PUT", "/v1/rules/a")):
        response = client.request(method, path, content=b"{}", headers=headers)
        assert response.status_code == 415
        assert sentence in response.json()["detail"]


@pytest.mark.parametrize("charset", ["utf-8", "UTF-8", '"utf-8"'])
def test_a_body_that_says_it_is_in_utf_8_is_read(client: TestClient, charset: str) -> None:
    headers = {
        "content-type": f"application/json; charset={charset}",
        "content-encoding": "identity",
    }
    response = client.post("/v1/recommendations", content=b"{}", headers=headers)
    assert response.status_code == 200


def test_a_call_that_will_end_says_so_and_what_takes_its_place(browse: Browse) -> None:
    client = browse()
    notice = Deprecation(date(2027, 1, 1), date(2028, 1, 1), "/v1/popular")
    old = Operation(
        *("GET", "/v1/bestsellers", get_health, "Read best sellers", Tag.PRODUCTS),
        deprecation=notice,
    )
    add_operations(client.app, [old])  # type: ignore[arg-type]
    answer = client.get("/v1/bestsellers")
    assert answer.headers["deprecation"] == "@1798761600"
    assert answer.headers["sunset"] == "Sat, 01 Jan 2028 00:00:00 GMT"
    assert answer.headers["link"] == '</v1/popular>; rel="successor-version"'
    described = client.get("/openapi.json").json()["paths"]
    assert described["/v1/bestsellers"]["get"]["deprecated"] is True
    assert "deprecation" not in client.get("/v1/popular").headers
    assert "deprecated" not in described["/v1/popular"]["get"]


def test_a_proxy_may_pass_the_path_of_its_prefix_on_as_it_came(browse: Browse) -> None:
    client = browse(root_path="/recs")
    for prefix in ("/recs", ""):
        assert client.get(f"{prefix}/v1/popular").status_code == 200
        assert client.get(f"{prefix}/docs").status_code == 200
        assert client.get(f"{prefix}/v1/customers/a%2Fb/export").json()["customer_id"] == "a/b"
    assert "call /recs/v1/popular (" in client.get("/recs/v1/popular/").json()["detail"]
    assert client.delete("/recs/v1/customers/x/consent").status_code == 405
    assert client.get("/recsv1/popular").status_code == 404
