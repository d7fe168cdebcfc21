"""While there is no key, no page of another origin and no foreign name opens the service."""

import http.client
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from service.http.authorization import Scope
from service.settings import Settings, SettingsError
from tests.support.keyed_service import FIRST_KEY, SIGNING_KEY, make_key, store_of, token
from tests.support.service_shop import Browse, Shop, process

Answer = tuple[int, dict[str, object]]
Call = Callable[..., Answer]
EXPORT = "/v1/customers/c00/export"


@pytest.fixture(scope="module")
def call(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Call]:
    """A service that nobody needs a key for; each call sends these headers and no other."""
    folder = tmp_path_factory.mktemp("open")
    settings = {
        "database_url": f"sqlite:///{folder / 'store.db'}",
        "allowed_hosts": "shop.internal, 10.0.0.5,FD00::1",
        "cors_origins": "https://shop.example",
    }
    with process(shop.root, folder / "run", **settings) as port:

        def send(path: str, *headers: tuple[str, str], method: str = "GET") -> Answer:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            connection.putrequest(method, path, skip_host=True)
            for name, value in headers:
                connection.putheader(name, value.replace("PORT", str(port)))
            connection.endheaders()
            response = connection.getresponse()
            body = json.loads(response.read())
            connection.close()
            return response.status, body

        yield send


HERE = ("Host", "127.0.0.1:PORT")


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:PORT",
        "127.0.0.1",
        "127.8.8.8:1",
        "localhost:PORT",
        "LocalHost.",
        "[::1]:PORT",
        "[0:0:0:0:0:0:0:1]",
        "shop.internal:PORT",
        "SHOP.internal",
        "10.0.0.5:80",
        "[fd00:0::1]:PORT",
    ],
)
def test_this_machine_and_the_allowed_hosts_may_call(call: Call, host: str) -> None:
    assert call(EXPORT, ("Host", host))[0] == 200
    assert call(EXPORT, HERE, ("Origin", f"http://{host}".rstrip(".")))[0] == 200


FOREIGN_HOSTS = [
    "evil.example",
    "evil.example:PORT",
    "localhost.evil.example",
    "127.0.0.1.evil.example:PORT",
    "evil.localhost",
    "192.168.1.10",
    "[2001:db8::1]:PORT",
    "evil@localhost",
    "localhost@evil.example",
    "localhost:80:evil.example",
    "::1",
    "*",
    "",
]


@pytest.mark.parametrize("host", FOREIGN_HOSTS)
def test_a_foreign_name_reads_nothing(call: Call, host: str) -> None:
    for path in (EXPORT, "/v1/popular", "/v1/models", "/metrics", "/v1/nothing"):
        status, problem = call(path, ("Host", host))
        assert (status, problem["type"]) == (403, "urn:regulars:problem:foreign_host")
        assert "REGULARS_ALLOWED_HOSTS" in str(problem["detail"])
        assert "evil" not in str(problem)


@pytest.mark.parametrize(
    "origin",
    [
        *(f"https://{host}" for host in FOREIGN_HOSTS),
        "null",
        "file://",
        "chrome-extension://abc",
        "https://shop.example:444",
        "http://localhost/../evil.example",
    ],
)
def test_a_page_of_another_origin_changes_nothing(call: Call, shop: Shop, origin: str) -> None:
    path = f"/v1/models/{shop.model.version}/activate"
    status, problem = call(path, HERE, ("Origin", origin), method="POST")
    assert (status, problem["type"]) == (403, "urn:regulars:problem:foreign_host")
    assert call(path, HERE, method="POST")[0] == 200


def test_a_page_that_may_call_by_cors_may_call(call: Call) -> None:
    assert call("/v1/popular", HERE, ("Origin", "https://shop.example"))[0] == 200


def test_a_second_header_hides_nothing(call: Call) -> None:
    origins = [("Origin", "http://localhost"), ("Origin", "https://evil.example")]
    for both in (origins, origins[::-1]):
        assert call(EXPORT, HERE, *both)[0] == 403


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/openapi.json"])
def test_a_probe_reaches_the_service_by_any_address(call: Call, path: str) -> None:
    assert call(path, ("Host", "192.168.1.10:PORT"))[0] == 200


def test_with_a_key_every_name_may_call_who_has_one(browse: Browse, tmp_path: Path) -> None:
    foreign = {"Host": "regulars.example", "Origin": "https://regulars.example"}
    first = browse(api_key=FIRST_KEY, database_url=f"sqlite:///{tmp_path / 'first.db'}")
    assert first.get("/v1/audit", headers={"X-API-Key": FIRST_KEY, **foreign}).status_code == 200
    assert first.get("/v1/audit", headers=foreign).status_code == 401
    url = f"sqlite:///{tmp_path / 'store.db'}"
    client = browse(signing_key=SIGNING_KEY, database_url=url)
    customer = {"Authorization": f"Bearer {token('c00')}", **foreign}
    assert client.get("/v1/customers/c00/profile", headers=customer).status_code == 200
    assert client.get("/v1/audit", headers=foreign).status_code == 403
    assert client.get("/v1/audit", headers={"X-API-Key": "wrong", **foreign}).status_code == 403
    key = make_key(store_of(client), Scope.ADMIN)
    assert client.get("/v1/audit", headers=foreign).status_code == 401
    assert client.get("/v1/audit", headers={"X-API-Key": key, **foreign}).status_code == 200


@pytest.mark.parametrize(
    "hosts", ["*", "https://shop.internal", "shop.internal:80", "shop.internal/", "a b", "[::1]:80"]
)
def test_what_is_no_host_cannot_be_allowed(hosts: str) -> None:
    with pytest.raises(SettingsError, match=r"REGULARS_ALLOWED_HOSTS: .* is no host"):
        Settings.from_environment({"REGULARS_ALLOWED_HOSTS": f"shop.example,{hosts}"})
