"""Alive, ready, what is served, and how it is doing."""

import json
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

from starlette.testclient import TestClient

from models.artifact.registry import Registry
from service.schemas.operations import Alive, Models, Ready
from tests.support.expected_answers import another_version
from tests.support.permissions import obey_permissions
from tests.support.service_shop import Browse, Shop, damage, process, status, wait_until


def test_it_is_alive_and_ready(client: TestClient, shop: Shop) -> None:
    Alive.model_validate_json(client.get("/healthz").content)
    ready = Ready.model_validate_json(client.get("/readyz").content)
    assert (ready.ready, ready.model_version, ready.refused) == (True, shop.model.version, None)


def test_without_a_model_it_runs_and_says_what_to_do(browse: Browse, tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    client = browse(tmp_path / "nothing")
    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").status_code == 503
    response = client.get("/v1/popular")
    assert (response.status_code, response.headers["retry-after"]) == (503, "5")
    assert "regulars train" in response.json()["detail"]
    assert client.get("/v1/models").json() == {
        "active": None,
        "loaded": None,
        "models": [],
        "next": None,
    }


def test_the_first_model_is_served_without_a_restart(browse: Browse, own_shop: Shop) -> None:
    pointer = (own_shop.root / "active").read_bytes()
    (own_shop.root / "active").unlink()
    client = browse(own_shop.root, poll_seconds=0.05)
    assert client.get("/readyz").status_code == 503
    (own_shop.root / "active").write_bytes(pointer)
    wait_until(lambda: client.get("/readyz").status_code == 200)
    assert client.get("/v1/popular").status_code == 200


def test_a_damaged_version_is_named_and_the_old_one_stays(browse: Browse, own_shop: Shop) -> None:
    client = browse(own_shop.root, poll_seconds=0.05)
    later = another_version(own_shop.root)
    name = damage(own_shop.root, later)
    wait_until(lambda: client.get("/readyz").json()["refused"] is not None)
    ready = client.get("/readyz")
    assert (ready.status_code, ready.json()["model_version"]) == (200, own_shop.model.version)
    assert ready.json()["refused"]["version"] == later
    assert name in ready.json()["refused"]["reason"]
    assert 'regulars_models_refused_total{shop="main"} 1.0' in client.get("/metrics").text
    refused = client.post(f"/v1/models/{later}/activate")
    assert (refused.status_code, name in refused.json()["detail"]) == (409, True)


def test_every_version_is_listed_newest_first(browse: Browse, own_shop: Shop) -> None:
    later = another_version(own_shop.root)
    (Registry(own_shop.root).path("broken")).mkdir()
    models = Models.model_validate_json(browse(own_shop.root).get("/v1/models").content)
    assert [(model.version, model.active, model.loaded) for model in models.models] == [
        (later, False, False),
        (own_shop.model.version, True, True),
    ]


def test_prometheus_reads_routes_and_strategies_and_no_ids(browse: Browse) -> None:
    client = browse()
    client.get("/v1/customers/anna/recommendations?category=secret")
    client.get("/v1/customers/c00/recommendations")
    text = client.get("/metrics").text
    route = 'route="/v1/customers/{customer_id}/recommendations"'
    assert f'regulars_request_seconds_count{{{route},shop="main",status="200"}} 2.0' in text
    assert (
        'regulars_answers_total{fallback_reason="none",shop="main",strategy="personal"} 1.0' in text
    )
    assert 'fallback_reason="unknown_customer"' in text or 'fallback_reason="no_candidates"' in text
    assert "anna" not in text
    assert "secret" not in text


def test_a_version_in_a_registry_that_cannot_be_written_to_is_not_activated(
    own_shop: Shop, tmp_path: Path
) -> None:
    later = another_version(own_shop.root)
    sealed = tmp_path / "sealed"
    own_shop.root.rename(sealed)
    sealed.chmod(0o555)
    url = f"sqlite:///{tmp_path / 'store.db'}"
    with process(sealed, tmp_path / "run", preexec_fn=obey_permissions, database_url=url) as port:
        with closing(HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
            connection.request("POST", f"/v1/models/{later}/activate")
            response = connection.getresponse()
            problem = json.load(response)
        assert response.status == 409
        assert problem["detail"] == "The registry cannot be written to: Permission denied."
        assert status(port, "/v1/popular") == 200
    sealed.chmod(0o755)
