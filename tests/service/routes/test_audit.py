"""Every change of a rule is noted, with who made it and what was there before."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from service.schemas.audit import AuditAnswer
from tests.support.keyed_service import ANNA, KeyedService, open_keyed_service
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


@pytest.fixture
def keyed(shop: Shop, tmp_path: Path) -> Iterator[KeyedService]:
    with open_keyed_service(shop, tmp_path) as service:
        yield service


def audited(service: KeyedService) -> list[dict[str, Any]]:
    headers = {"X-API-Key": service.credentials["admin"]}
    changes = service.client.get("/v1/audit", headers=headers).json()["changes"]
    return [each for each in changes if not each["action"].startswith("key ")]


def say(service: KeyedService, who: str, **answers: bool) -> None:
    path = f"/v1/customers/{ANNA}/consent"
    assert service.call("PUT", path, who, json=answers) == 200


def test_consents_are_noted_with_who_changed_them_and_without_the_customers_id(
    keyed: KeyedService,
) -> None:
    say(keyed, "token", personalize_web=False)
    say(keyed, "token", personalize_web=False)  # nothing new
    say(keyed, "write", train=True)
    first = {"personalize_web": False}
    changes = audited(keyed)
    assert [(each["before"], each["after"]) for each in changes] == [
        (first, {**first, "train": True}),
        ({}, first),
    ]
    assert changes[1]["actor"] == "customer token"
    assert changes[0]["actor"] not in ("customer token", "no key")
    assert len({each["subject"] for each in changes}) == 1
    assert ANNA not in str(changes)
    headers = {"Authorization": f"Bearer {keyed.credentials['token']}"}
    exported = keyed.client.get(f"/v1/customers/{ANNA}/export", headers=headers).json()
    assert [each["after"] for each in exported["audited"]] == [first, {**first, "train": True}]


def test_an_erasure_takes_what_was_noted_about_the_customer_and_is_noted_once(
    keyed: KeyedService,
) -> None:
    say(keyed, "token", personalize_web=False)
    for _ in range(2):
        assert keyed.call("DELETE", f"/v1/customers/{ANNA}", "admin") == 200
    (erased,) = audited(keyed)
    assert (erased["action"], erased["after"]) == ("customer erased", None)
    assert (erased["before"]["consents"], erased["before"]["audited"]) == (1, 1)
    assert ANNA not in str(erased)


def test_a_token_that_changes_its_mind_all_day_fills_no_disk_and_is_heard_all_the_same(
    shop: Shop, tmp_path: Path
) -> None:
    with open_keyed_service(shop, tmp_path, customer_events_a_day=3) as service:
        for number in range(7):
            say(service, "token", personalize_web=number % 2 == 0)
        assert len(audited(service)) == 3
        say(service, "token", personalize_web=False)
        path = f"/v1/customers/{ANNA}/recommendations"
        headers = {"Authorization": f"Bearer {service.credentials['token']}"}
        assert service.client.get(path, headers=headers).json()["fallback_reason"] == "no_consent"
