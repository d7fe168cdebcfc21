"""What recommendations earned is told as it was computed, from what the service recorded."""

import csv
import io
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from starlette.testclient import TestClient

from models.artifact.insights import ATTRIBUTION, FEEDBACK, write_insight
from models.artifact.registry import Registry
from service.schemas.feedback import ANSWER, PRODUCT, FeedbackAnswer
from service.schemas.insights import (
    ATTRIBUTED,
    PERIOD,
    REACH,
    SALES,
    AttributionAnswer,
    OverviewAnswer,
)
from tests.support.service_shop import Browse, Shop, wait_until
from tests.support.store_server import KINDS, new_store
from training.cli.commands import main

NOT_FOUND = "urn:regulars:problem:not_found"


def report(client: TestClient, **event: Any) -> None:
    when = datetime.now(UTC).isoformat()
    told = client.post("/v1/events", json={"events": [{"time": when, **event}]})
    assert told.json()["accepted"] == 1


@pytest.mark.parametrize("kind", KINDS)
def test_an_order_after_a_click_on_a_slate_is_told_by_what_showed_it(
    browse: Browse, own_shop: Shop, tmp_path: Any, kind: str
) -> None:
    url = new_store(kind, tmp_path)
    client = browse(own_shop.root, database_url=url, exposures=1)
    missing = client.get("/v1/insights/attribution")
    assert (missing.status_code, missing.json()["type"]) == (404, NOT_FOUND)
    assert "regulars insights" in missing.json()["detail"]
    slate = client.get("/v1/customers/c00/recommendations?placement=home").json()
    first, second = [product["id"] for product in slate["recommendations"][:2]]
    told = {"customer_id": "c00", "recommendation_id": slate["recommendation_id"]}
    report(client, event_id="c", kind="click", product_id=first, **told)
    lines = [{"product_id": name, "unit_price": 2.5} for name in (first, second)]
    report(client, event_id="o", kind="purchase", order_id="1", currency="EUR", lines=lines, **told)
    recorder = client.app.state.responder.exposures  # type: ignore[attr-defined]
    wait_until(lambda: recorder.is_idle)
    options = ["insights", "--registry", str(own_shop.root), "--store", url]
    assert main(options, now=int(time.time()) + 1) == 0
    overview = client.get("/v1/insights/overview").json()
    OverviewAnswer.model_validate(overview)
    assert overview["reach"] == {"deliveries": 1, "mails": 0, "seen": 0, "clicks": 1}
    assert overview["overview"][0]["attributed_revenue"] == 5
    rows = client.get("/v1/insights/attribution").json()
    AttributionAnswer.model_validate(rows)
    assert rows["upper_bound"] is True
    found = {(row["by"], row["value"]): row for row in rows["attribution"]}
    home = found["placement", "home"]
    assert (home["orders"], home["clicked_orders"], home["units"]) == (1, 1, 2)
    assert (home["deliveries"], home["clicks"]) == (1, 1)
    assert found["strategy", "personal"]["orders"] == found["product", second]["orders"] == 1
    assert found["product", second]["clicked_orders"] == 0
    sources = {value for by, value in found if by == "source"}
    assert sources == {product["source"] for product in slate["recommendations"][:2]}


def test_figures_open_in_a_spreadsheet_and_no_name_runs_there(
    browse: Browse, own_shop: Shop
) -> None:
    row = {
        "value": "=HYPERLINK(1)",
        "currency": "EUR",
        "orders": 1,
        "clicked_orders": 1,
        "units": 1.0,
        "revenue": -2.5,
        "clicked_revenue": -2.5,
        "margin": None,
    }
    write_insight(
        own_shop.root, ATTRIBUTION, {"attribution": {"placement": [row], "source": [row]}}
    )
    client = browse(own_shop.root)
    answer = client.get("/v1/insights/attribution", params={"format": "csv", "by": "placement"})
    assert answer.headers["content-type"].startswith("text/csv")
    (cells,) = csv.DictReader(io.StringIO(answer.text))
    assert (cells["by"], cells["value"]) == ("placement", "'=HYPERLINK(1)")
    assert (cells["revenue"], cells["margin"], cells["clicks"]) == ("-2.5", "", "")
    assert client.get("/v1/insights/attribution?by=colour").status_code == 422


def test_which_products_disappoint_whom_is_told_and_can_be_of_a_segment(
    browse: Browse, own_shop: Shop
) -> None:
    client = browse(own_shop.root)
    assert client.get("/v1/insights/feedback").status_code == 404
    part = {**PRODUCT, "segment": "at_risk", "words": []}
    write_insight(own_shop.root, FEEDBACK, {**ANSWER, "feedback": [PRODUCT, part]})
    told = client.get("/v1/insights/feedback").json()
    FeedbackAnswer.model_validate(told)
    assert [row["segment"] for row in told["feedback"]] == [None, "at_risk"]
    assert client.get("/v1/insights/feedback?segment=at_risk").json()["feedback"] == [part]
    assert client.get("/v1/insights/feedback?segment=new").json()["feedback"] == []
    sheet = client.get("/v1/insights/feedback?format=csv").text
    first, second = csv.DictReader(io.StringIO(sheet))
    assert (first["segment"], first["words"]) == ("", "leaks")
    assert (second["segment"], second["disappointed"]) == ("at_risk", "23")


def test_attribution_of_a_segment_is_told_where_enough_customers_are_in_it(
    browse: Browse, own_shop: Shop
) -> None:
    figures = {"reach": REACH, "overview": [SALES], "attribution": {"placement": [ATTRIBUTED]}}
    part = {**figures, "overview": [], "attribution": {"placement": []}}
    write_insight(own_shop.root, ATTRIBUTION, {**PERIOD, **figures, "segments": {"lapsed": part}})
    client = browse(own_shop.root)
    overview = client.get("/v1/insights/overview?segment=lapsed").json()
    OverviewAnswer.model_validate(overview)
    assert (overview["segment"], overview["overview"]) == ("lapsed", [])
    rows = client.get("/v1/insights/attribution?segment=lapsed").json()
    AttributionAnswer.model_validate(rows)
    assert (rows["segment"], rows["attribution"], rows["upper_bound"]) == ("lapsed", [], True)
    assert client.get("/v1/insights/attribution").json()["segment"] is None
    missing = client.get("/v1/insights/attribution?segment=new")
    assert (missing.status_code, "segment new" in missing.json()["detail"]) == (404, True)


def test_figures_of_another_schema_are_not_told_and_go_with_the_shop(
    browse: Browse, own_shop: Shop
) -> None:
    path = write_insight(own_shop.root, ATTRIBUTION, {})
    path.write_text('{"schema": 99}')
    client = browse(own_shop.root)
    answer = client.get("/v1/insights/overview")
    assert (answer.status_code, str(own_shop.root) in answer.text) == (404, False)
    Registry(own_shop.root).erase()
    assert not path.exists()
