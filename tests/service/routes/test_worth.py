"""What customers are worth is told as it was computed, and nothing of who does not allow it."""

import csv
import io
import time
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from models.artifact.insights import WORTH, write_insight
from models.data.customer_figures import CustomerFigures, path_of
from models.data.segments import SEGMENTS, Segment
from service.schemas.customers import ExportAnswer, ProfileAnswer, Receipt
from service.schemas.worth import (
    COHORT,
    IMPROVEMENT,
    METHOD,
    PERIOD,
    REPEATS,
    RETURNED,
    SEGMENT,
    TENTH,
    CohortsAnswer,
    CustomerWorth,
    SegmentsAnswer,
    ValueAnswer,
)
from tests.support.service_shop import Browse, Shop
from training.cli.commands import main

FIGURES = "/v1/insights/customers/{}"
VALUE: dict[str, Any] = {
    "served": "learned",
    "days": 365,
    "comparison": [METHOD],
    "improvements": [IMPROVEMENT],
    "returned": [RETURNED],
    "tenths": [TENTH],
}


def hold(shop: Shop, segment: Segment, *customers: str, last: int = 20_000) -> None:
    """Write figures as the command would."""
    facts = {**PERIOD, "segments": [SEGMENT], "repeats": REPEATS, "cohorts": [COHORT]}
    ahead = {"expected_orders": 12.5, "expected_value": 100.0, "tenths": []}
    part = {"customers": 9, "repeats": REPEATS, "cohorts": [], "value": ahead}
    facts["by_segment"] = {Segment.CONNECTED.value: part}
    write_insight(shop.root, WORTH, {**facts, "value": VALUE})
    number = np.full(len(customers), SEGMENTS.index(segment))
    columns: dict[str, Any] = {"segment": number, "orders": number + 3, "first": number + 19_000}
    columns |= {"last": np.full(len(customers), last), "recency": number, "interval": number + 7.5}
    half = np.full(len(customers), 0.5)
    columns |= dict.fromkeys(("revenue", "returns", "expected_orders", "expected_value"), half)
    CustomerFigures.of(customers, columns).write(shop.root)


def test_segments_cohorts_and_value_are_told_as_json_and_for_a_spreadsheet(
    browse: Browse, own_shop: Shop
) -> None:
    client = browse(own_shop.root)
    for path in ("segments", "cohorts", "value", "customers/c00"):
        missing = client.get(f"/v1/insights/{path}")
        assert (missing.status_code, "regulars insights" in missing.json()["detail"]) == (404, True)
    hold(own_shop, Segment.CONNECTED, "c00")
    segments = client.get("/v1/insights/segments").json()
    SegmentsAnswer.model_validate(segments)
    assert segments["segments"] == [SEGMENT]
    cohorts = client.get("/v1/insights/cohorts").json()
    CohortsAnswer.model_validate(cohorts)
    assert (cohorts["repeats"], cohorts["cohorts"]) == (REPEATS, [COHORT])
    value = client.get("/v1/insights/value").json()
    ValueAnswer.model_validate(value)
    assert (value["served"], value["problem"], value["spending"]) == ("learned", None, None)
    for path in ("cohorts", "value"):
        assert client.get(f"/v1/insights/{path}?segment=new").status_code == 404
        assert client.get(f"/v1/insights/{path}?segment=rich").status_code == 422
    cohorts = client.get("/v1/insights/cohorts?segment=connected").json()
    CohortsAnswer.model_validate(cohorts)
    assert (cohorts["segment"], cohorts["cohorts"]) == ("connected", [])
    value = client.get("/v1/insights/value?segment=connected").json()
    ValueAnswer.model_validate(value)
    assert (value["expected_orders"], value["served"]) == (12.5, "learned")
    for path, row in (("segments", SEGMENT), ("cohorts", COHORT), ("value", TENTH)):
        answer = client.get(f"/v1/insights/{path}?format=csv")
        assert answer.headers["content-type"].startswith("text/csv")
        (cells,) = csv.DictReader(io.StringIO(answer.text))
        assert cells == {name: str(value) for name, value in row.items()}
    (cells,) = csv.DictReader(io.StringIO(client.get(FIGURES.format("c00?format=csv")).text))
    assert (cells["segment"], cells["orders"]) == ("connected", "5")


def test_a_customers_figures_are_told_and_nobody_learns_why_there_are_none(
    browse: Browse, own_shop: Shop
) -> None:
    client = browse(own_shop.root)
    hold(own_shop, Segment.AT_RISK, "c00", "c01", "c02")
    told = client.get(FIGURES.format("c00")).json()
    CustomerWorth.model_validate(told)
    assert (told["segment"], told["orders"], told["returns"]) == ("at_risk", 6, 0.5)
    assert (told["first_order"], told["last_order"]) == ("2022-01-11", "2024-10-04")
    client.put("/v1/customers/c01/consent", json={"train": False}).raise_for_status()
    receipt = client.delete("/v1/customers/c02").json()
    Receipt.model_validate(receipt)
    assert receipt["insights"] is True
    refused = [client.get(FIGURES.format(name)) for name in ("c01", "c02", "nobody")]
    assert [answer.status_code for answer in refused] == [404] * 3
    details = {answer.json()["detail"] for answer in refused}
    assert len(details) == 1
    figures = CustomerFigures.read(own_shop.root)
    assert figures is not None
    assert figures.find("c02") is None
    assert figures.find("c00") is not None
    looked = client.get("/v1/audit").json()
    assert "customer looked at" in str(looked)


@pytest.mark.parametrize(
    ("segment", "words"),
    [
        (Segment.NEW, "You are new here: welcome"),
        (Segment.CONNECTED, "You are one of our regulars"),
        (Segment.AT_RISK, "You have not been here for a while"),
    ],
)
def test_customers_read_their_segment_in_words_said_to_their_face(
    browse: Browse, own_shop: Shop, segment: Segment, words: str
) -> None:
    client = browse(own_shop.root)
    assert profile_of(client)["segment"] is None
    hold(own_shop, segment, "c00", last=30_000)
    assert profile_of(client)["segment"] == words
    assert profile_of(client, locale="de_DE")["segment"] not in (words, None)
    assert profile_of(client, as_of="2020-01-01T00:00:00Z")["segment"] is None
    stored = client.get("/v1/customers/c00/export").json()
    ExportAnswer.model_validate(stored)
    assert stored["computed"]["segment"] == segment
    client.put("/v1/customers/c00/consent", json={"train": False}).raise_for_status()
    assert profile_of(client)["segment"] is None


def test_who_is_back_is_not_told_that_they_stay_away(browse: Browse, own_shop: Shop) -> None:
    client = browse(own_shop.root)
    hold(own_shop, Segment.LAPSED, "c00")  # the shop opened later than that last day
    assert profile_of(client)["segment"] == "You have come back to us"


def profile_of(client: TestClient, **options: str) -> dict[str, Any]:
    profile: dict[str, Any] = client.get("/v1/customers/c00/profile", params=options).json()
    ProfileAnswer.model_validate(profile)
    return profile


def test_figures_that_cannot_be_read_are_none(browse: Browse, own_shop: Shop) -> None:
    client = browse(own_shop.root)
    hold(own_shop, Segment.NEW, "c00")
    path_of(own_shop.root).write_bytes(b"nothing")
    assert client.get(FIGURES.format("c00")).status_code == 404
    assert profile_of(client)["segment"] is None


def test_what_the_command_computes_is_what_the_service_tells(
    browse: Browse, own_shop: Shop, tmp_path: Any
) -> None:
    client = browse(own_shop.root)
    line = {"product_id": own_shop.product, "unit_price": 2.5}
    event = {"event_id": "o", "kind": "purchase", "order_id": "1", "lines": [line]}
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    told = {**event, "customer_id": "fresh", "time": when}
    assert client.post("/v1/events", json={"events": [told]}).json()["accepted"] == 1
    options = ["insights", "--registry", str(own_shop.root), "--only", "customers"]
    assert main(options, now=int(time.time()) + 1) == 0
    for name, shape in (
        ("segments", SegmentsAnswer),
        ("cohorts", CohortsAnswer),
        ("value", ValueAnswer),
        ("customers/fresh", CustomerWorth),
    ):
        shape.model_validate(client.get(f"/v1/insights/{name}").json())
    assert client.get(FIGURES.format("fresh")).json()["segment"] == "new"
