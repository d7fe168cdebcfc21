"""Keys are made and revoked over HTTP as at the command line."""

from pathlib import Path
from typing import Any

from service.schemas.keys import KeysAnswer, NewKeyAnswer
from tests.support.keyed_service import open_keyed_service
from tests.support.service_shop import Shop


def test_a_key_opens_its_scope_until_it_is_revoked_and_its_secret_is_told_once(
    shop: Shop, tmp_path: Path
) -> None:
    with open_keyed_service(shop, tmp_path) as service:
        admin = {"X-API-Key": service.credentials["admin"]}

        def call(method: str, path: str, **more: Any) -> Any:
            return service.client.request(method, path, headers=admin, **more)

        made = call("POST", "/v1/keys", json={"name": "mails", "scopes": ["read"]})
        assert made.status_code == 200
        NewKeyAnswer.model_validate(made.json())
        secret, key_id = made.json()["secret"], made.json()["key"]["key_id"]
        own = {"X-API-Key": secret}
        assert service.client.get("/v1/popular", headers=own).status_code == 200
        assert service.client.get("/v1/keys", headers=own).status_code == 403
        listed = call("GET", "/v1/keys")
        KeysAnswer.model_validate(listed.json())
        assert secret not in listed.text
        assert key_id in [key["key_id"] for key in listed.json()["keys"]]
        assert call("DELETE", f"/v1/keys/{key_id}").json()["key"]["revoked"]
        assert service.client.get("/v1/popular", headers=own).status_code == 401
        assert call("DELETE", "/v1/keys/none").status_code == 404
        assert call("POST", "/v1/keys", json={"name": "", "scopes": []}).status_code == 422
        changes = call("GET", "/v1/audit?limit=2").json()["changes"]
        assert [change["action"] for change in changes] == ["key revoked", "key created"]
