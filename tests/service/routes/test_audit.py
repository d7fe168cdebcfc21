"""Every change of a rule is noted, with who made it and what was there before."""

import pytest
from starlette.testclient import TestClient

from service.schemas.audit import AuditAnswer
from tests.support.service_shop import Browse, Shop

NO_BAKERY = {"kind": "exclude", "which": {"category": "bakery"}}


@pytest.fixture
def client(browse: Browse, own_shop: Shop) -> TestClient:
    return browse(own_shop.root)


def test_who_changed_which_rule_is_noted_with_before_and_after(client: TestClient) -> None:
    cap = {"kind": "cap", "by": "brand", "most": 2}
    client.put("/v1/rules/r", json=NO_BAKERY)
    client.put("/v1/rules/r", json=NO_BAKERY)  # nothing new
    client.put("/v1/rules/r", json=cap)
    client.delete("/v1/rules/r")
    changes = client.get("/v1/audit").json()["changes"]
    first, second = {"id": "r", **NO_BAKERY}, {"id": "r", **cap}
    assert [(entry["action"], entry["before"], entry["after"]) for entry in changes] == [
        ("rule deleted", second, None),
        ("rule changed", first, second),
        ("rule made", None, first),
    ]
    assert {(entry["actor"], entry["subject"]) for entry in changes} == {("no key", "r")}
    AuditAnswer.model_validate(client.get("/v1/audit").json())
    assert all(entry["time"].endswith("Z") for entry in changes)
