"""Which versions there are, and which one is served: by name, and back to the one before."""

import pytest
from starlette.testclient import TestClient

from service.schemas.operations import ModelAnswer
from tests.support.expected_answers import another_version
from tests.support.service_shop import Browse, Shop, damage
from tests.support.slates import refused

pytestmark = pytest.mark.slow


@pytest.fixture
def versions(own_shop: Shop) -> list[str]:
    """The served version, and two newer ones."""
    later = [another_version(own_shop.root, 60 * minutes) for minutes in (1, 2)]
    return [own_shop.model.version, *later]


@pytest.fixture
def client(browse: Browse, own_shop: Shop, versions: list[str]) -> TestClient:
    return browse(own_shop.root, poll_seconds=1000)


def served(client: TestClient) -> str:
    version: str = client.get("/v1/popular").json()["model_version"]
    return version


def test_a_version_is_read_by_its_name(client: TestClient, versions: list[str]) -> None:
    for version in versions:
        answer = ModelAnswer.model_validate_json(client.get(f"/v1/models/{version}").content)
        assert (answer.model.version, answer.active) == (version, versions[0])
        assert answer.model.loaded == answer.model.active == (version == versions[0])
    refused(client.get("/v1/models/20200101T000000Z-000000000000"), 404)


def test_a_rollback_serves_the_version_before_step_by_step(
    client: TestClient, versions: list[str]
) -> None:
    for version in versions[1:]:
        assert client.post(f"/v1/models/{version}/activate").json()["active"] == version
    for version in (versions[1], versions[0]):
        answer = ModelAnswer.model_validate_json(client.post("/v1/models/rollback").content)
        assert (answer.active, answer.loaded, answer.model.version) == (version,) * 3
        assert served(client) == version
    refused(client.post("/v1/models/rollback"), 409)
    assert served(client) == versions[0]


def test_a_rollback_passes_over_a_version_that_is_damaged(
    client: TestClient, own_shop: Shop, versions: list[str]
) -> None:
    for version in versions[1:]:
        client.post(f"/v1/models/{version}/activate")
    pointer = (own_shop.root / "active").read_bytes()
    damage(own_shop.root, versions[1])
    (own_shop.root / "active").write_bytes(pointer)
    assert client.post("/v1/models/rollback").json()["active"] == versions[0]


def test_who_changed_what_is_served_is_noted(client: TestClient, versions: list[str]) -> None:
    client.post(f"/v1/models/{versions[1]}/activate")
    client.post("/v1/models/rollback")
    changes = client.get("/v1/audit").json()["changes"]
    assert [(each["action"], each["before"], each["after"]) for each in changes] == [
        ("model rolled back", {"version": versions[1]}, {"version": versions[0]}),
        ("model activated", {"version": versions[0]}, {"version": versions[1]}),
    ]
    assert {each["actor"] for each in changes} == {"no key"}
