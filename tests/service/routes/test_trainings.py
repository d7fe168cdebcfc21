"""Trainings are listed with what became of them, and their reports can be read."""

from pathlib import Path

from models.artifact.reports import report_path
from service.schemas.operations import Trainings
from tests.support.service_shop import Browse, Shop


def test_trainings_are_listed_last_first_and_a_report_runs_nothing(
    browse: Browse, own_shop: Shop
) -> None:
    version = own_shop.model.version
    report_path(own_shop.root, version).parent.mkdir(exist_ok=True)
    report_path(own_shop.root, version).write_text("<p>Good</p>")
    report_path(own_shop.root, "refused").write_text("<p>Worse</p>")
    client = browse(own_shop.root)
    body = client.get("/v1/trainings").json()
    Trainings.model_validate(body)
    by_name = {one["name"]: one for one in body["trainings"]}
    assert by_name[version]["outcome"] == "published"
    assert by_name[version]["active"]
    assert (by_name["refused"]["outcome"], by_name["refused"]["in_registry"]) == ("refused", False)
    page = client.get(f"/v1/trainings/{version}/report")
    assert (page.status_code, page.text) == (200, "<p>Good</p>")
    assert page.headers["content-security-policy"].startswith("sandbox;")
    for name in ("none", "..%2Fstore", f"..%2Freports%2F{version}"):
        assert client.get(f"/v1/trainings/{name}/report").status_code in (404, 422)


def test_settings_are_told_with_their_meaning_and_without_a_secret(
    browse: Browse, tmp_path: Path
) -> None:
    client = browse(deadline_ms=5000, redis_url=None, signing_key="never to be read")
    response = client.get("/v1/settings")
    assert "never to be read" not in response.text
    by_name = {one["name"]: one for one in response.json()["settings"]}
    assert by_name["REGULARS_DEADLINE_MS"] | {"meaning": ""} == {
        "name": "REGULARS_DEADLINE_MS",
        "value": 5000,
        "default": 200,
        "is_set": True,
        "is_secret": False,
        "meaning": "",
    }
    key = by_name["REGULARS_SIGNING_KEY"]
    assert (key["value"], key["is_set"], key["is_secret"]) == (None, True, True)
    assert all(one["meaning"] for one in by_name.values())
