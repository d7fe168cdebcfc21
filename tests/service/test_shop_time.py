"""A shop whose history is old stays as it was, whatever one caller reports of today."""

import itertools
import json
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from models.artifact.registry import Registry
from models.data.events import DAY
from models.data.timestamps import parse_timestamp
from models.mail.mailings import MailKind
from service.schemas.events import PURCHASE_EXAMPLE
from tests.support.keyed_service import ANNA, KeyedService, open_keyed_service, token
from tests.support.service_shop import Shop, open_shop, wait_until
from tests.support.shop import REGULAR, moment, small_shop_records
from tests.support.training_shop import small_purchases, trained

pytestmark = pytest.mark.slow

NUMBERS = itertools.count()
LINK_HOST = "https://mails.shop.example"
PEOPLE = (ANNA, "c07", "c12", REGULAR)
OCCASIONS = (MailKind.REPLENISHMENT, MailKind.WIN_BACK, MailKind.POST_PURCHASE, MailKind.BASKET)


def open_service(shop: Shop, folder: Path) -> AbstractContextManager[KeyedService]:
    hosts = {"shop_url": "https://shop.example", "public_url": LINK_HOST}
    return open_keyed_service(
        shop, folder, follow_seconds=0.02, sales_seconds=0.05, cache_ttl_seconds=1, **hosts
    )


@pytest.fixture
def service(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeyedService]:
    with open_service(shop, tmp_path_factory.mktemp("service")) as opened:
        yield opened


def get(service: KeyedService, path: str, **options: Any) -> Any:
    headers = {"Authorization": f"Bearer {service.credentials['admin']}"}
    response = service.client.get(path, params=options, headers=headers)
    assert response.status_code == 200, response.text
    return response.json()


def slate(service: KeyedService, customer: str) -> Any:
    # A placement of its own: what is cached from before the report must not stand for it.
    placement = f"place_{next(NUMBERS)}"
    found = get(
        service, f"/v1/customers/{customer}/recommendations", n=8, placement=placement, fields="ids"
    )
    return found["strategy"], found["data_as_of"], found["recommendations"]


def replenishment(service: KeyedService, customer: str) -> Any:
    return get(service, f"/v1/customers/{customer}/replenishment", n=20)


def occasions(service: KeyedService, customer: str) -> list[Any]:
    """Return why each kind of mail is due; a campaign of its own for each call."""
    found = []
    for kind in OCCASIONS:
        campaign = f"{kind} {next(NUMBERS)}"
        headers = {"Authorization": f"Bearer {service.credentials['admin']}"}
        service.client.put(f"/v1/campaigns/{campaign}", json={"kind": kind}, headers=headers)
        path = f"/v1/customers/{customer}/recommendations"
        found.append(get(service, path, campaign=campaign, placement="email")["occasion"])
    return found


def everything(service: KeyedService, people: tuple[str, ...] = PEOPLE) -> list[Any]:
    parts: tuple[Callable[[KeyedService, str], Any], ...] = (slate, replenishment, occasions)
    return [part(service, customer) for customer in people for part in parts]


def report(service: KeyedService, who: str, *events: dict[str, Any]) -> None:
    assert service.call("POST", "/v1/events", who, json={"events": events}) == 202
    seen = datetime.fromisoformat(events[-1]["time"]).timestamp()
    wait_until(lambda: parse(get(service, "/readyz")["newest_event"]) >= int(seen))


def parse(text: str | None) -> int:
    return 0 if text is None else parse_timestamp(text)


def purchase(customer: str, *products: str) -> dict[str, Any]:
    name = f"order-{next(NUMBERS)}"
    return {
        "event_id": name,
        "kind": "purchase",
        "time": datetime.now(UTC).isoformat(),
        "customer_id": customer,
        "order_id": name,
        "lines": [{"product_id": product} for product in products],
    }


def paste_the_example(service: KeyedService) -> None:
    time, lines = datetime.now(UTC).isoformat(), [{"product_id": "rake", "quantity": 2}]
    event = {**PURCHASE_EXAMPLE, "customer_id": "c30", "lines": lines, "time": time}
    report(service, "admin", event)


def click_in_a_mail(service: KeyedService) -> None:
    path = f"/v1/customers/{ANNA}/recommendations"
    shown = get(service, path, campaign=f"newsletter {next(NUMBERS)}", placement="email")
    url = shown["recommendations"][0]["click_url"].removeprefix(LINK_HOST)
    assert service.client.get(url, follow_redirects=False).status_code == 302
    today = datetime.now(UTC).timestamp() - DAY
    wait_until(lambda: parse(get(service, "/readyz")["newest_event"]) > today)


def buy_with_tokens(service: KeyedService) -> None:
    for customer in ("c20", "c21", "c22", "c23"):
        service.credentials[customer] = token(customer)
        report(service, customer, purchase(customer, "rake", "hose", "seeds"))


def look_around(service: KeyedService) -> None:
    time = datetime.now(UTC).isoformat()
    for number in range(20):
        view = {"event_id": f"view-{next(NUMBERS)}", "kind": "view", "time": time}
        report(service, "admin", {**view, "customer_id": f"c{30 + number}", "product_id": "rake"})


def bought(answers: list[Any]) -> list[Any]:
    """Return what the first slate shows of the customer's own purchases."""
    return [entry for entry in answers[0][2] if entry["source"] == "own_purchases"]


@pytest.mark.parametrize(
    "happen", [paste_the_example, click_in_a_mail, buy_with_tokens, look_around]
)
def test_an_event_of_today_takes_nothing_from_a_shop_whose_history_is_old(
    service: KeyedService, happen: Callable[[KeyedService], None]
) -> None:
    before = everything(service)
    assert any(entry["source"] == "own_purchases" for entry in before[0][2])
    assert any(part["count"] > 0 for part in before[1::3])
    assert any(any(found) for found in before[2::3])
    happen(service)
    after = everything(service)
    if happen is click_in_a_mail:  # what they clicked is of interest to them, and nothing is gone
        assert {entry["id"] for entry in bought(after)} >= {entry["id"] for entry in bought(before)}
        before[0] = after[0]
    assert after == before
    feed = get(service, "/v1/feeds/popular.json")
    assert feed["data_as_of"] == before[0][1]


def test_who_bought_today_in_such_a_shop_still_buys_again_what_they_used_to(
    service: KeyedService,
) -> None:
    _, _, before = slate(service, ANNA)
    again = [entry["id"] for entry in before if entry["source"] == "own_purchases"]
    due = {entry["id"] for entry in replenishment(service, ANNA)["recommendations"]}
    report(service, "admin", purchase(ANNA, again[0]))
    strategy, _, after = slate(service, ANNA)
    assert strategy == "personal"
    left = {entry["id"] for entry in after if entry["source"] == "own_purchases"}
    assert set(again[1:]) & left  # and what they bought just now is theirs at once
    now_due = replenishment(service, ANNA)["recommendations"]
    assert {entry["id"] for entry in now_due} == due - {again[0]}
    profile = get(service, f"/v1/customers/{ANNA}/profile")
    today = datetime.now(UTC).date().isoformat()
    assert profile["known"]["last_purchase"].startswith(today)


def test_a_shop_that_reopens_moves_on_its_first_day_and_says_how_old_its_model_is(
    service: KeyedService, shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    ready = get(service, "/readyz")
    assert ready["shop_time"] == ready["data_as_of"] == shop.model.data_as_of
    assert (ready["model_age_days"], ready["newest_event"]) == (0, None)
    look_around(service)
    assert get(service, "/readyz")["shop_time"] == shop.model.data_as_of
    wait_until(lambda: "too few sales to confirm a later moment" in caplog.text)
    for customer in ("c20", "c21"):
        report(service, "admin", purchase(customer, "rake"))
    wait_until(lambda: get(service, "/readyz")["shop_time"] != shop.model.data_as_of)
    days = (datetime.now(UTC).timestamp() - moment(180)) / DAY
    ready = get(service, "/readyz")
    assert ready["model_age_days"] == pytest.approx(days, abs=3)
    answer = get(service, "/v1/customers/c00/recommendations", placement="reopened")
    assert answer["data_as_of"] == ready["shop_time"]
    assert answer["model_age_days"] == ready["model_age_days"]
    text = service.client.get(
        "/metrics", headers={"Authorization": f"Bearer {service.credentials['admin']}"}
    ).text
    moments = {
        name: float(text.split(f'\n{name}{{shop="main"}} ')[1].split("\n")[0])
        for name in (
            "regulars_shop_time_timestamp_seconds",
            "regulars_model_data_timestamp_seconds",
            "regulars_newest_event_timestamp_seconds",
        )
    }
    shop_time, model_data, newest = moments.values()
    assert shop_time == parse_timestamp(ready["shop_time"]) <= newest
    assert model_data == parse_timestamp(shop.model.data_as_of)
    wait_until(lambda: "train again" in caplog.text)


# What the examples of /docs, the README and docs/shop.md speak of
IN_EXAMPLES = {"bread": "1082185", "butter": "995242", ANNA: "2034", "c07": "811"}
ROOT = Path(__file__).parents[2]
PASTED_URL = re.compile(r"curl 'http://127\.0\.0\.1:8000(/v1/[^']+)'")
PASTED_EVENTS = re.compile(r"""/v1/events .*? -d '(\{.*?\})'$""", re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """Return a shop like that of `make demo`: its sales end yesterday."""
    records = small_shop_records()
    last = max(line.day for line in records.lines)
    yesterday = datetime.now(UTC).timestamp() // DAY - moment(0) // DAY - 1
    shift = int(yesterday - int(last))
    lines = [
        replace(
            line,
            customer=IN_EXAMPLES.get(line.customer, line.customer),
            product=IN_EXAMPLES.get(line.product, line.product),
            day=line.day + shift,
        )
        for line in records.lines
    ]
    products = [
        replace(product, id=IN_EXAMPLES.get(product.id, product.id)) for product in records.products
    ]
    registry = Registry(tmp_path_factory.mktemp("demo") / "registry")
    recommender = trained(small_purchases(lines, products))
    registry.publish(recommender.model, replace(recommender.manifest, created=moment(0)))
    return open_shop(registry)


def test_after_what_the_readme_and_docs_give_to_paste_everyone_buys_again_what_they_did(
    demo: Shop, tmp_path: Path
) -> None:
    people = ("2034", "811", "c12", REGULAR)
    with open_service(demo, tmp_path) as service:
        before = [gist(service, customer) for customer in people]
        openapi = get(service, "/openapi.json")
        for name in ("EventBody", "EventsBody"):
            for example in openapi["components"]["schemas"].get(name, {}).get("examples", ()):
                report_pasted(service, example if "events" in example else {"events": [example]})
        bodies = PASTED_EVENTS.findall((ROOT / "docs/shop.md").read_text())
        assert bodies
        for body in bodies:
            time = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            report_pasted(service, json.loads(body.replace("""'"$(date -u +%FT%TZ)"'""", time)))
        as_of = openapi_example(openapi, "as_of")
        assert get(service, "/v1/customers/2034/recommendations", as_of=as_of)["fallback"] is False
        paths = PASTED_URL.findall((ROOT / "README.md").read_text())
        assert paths
        for path in paths:
            pasted = get(service, path)
            assert (pasted["strategy"], pasted["complete"]) == ("personal", True)
        wait_until(lambda: get(service, "/readyz")["newest_event"] is not None)
        assert [gist(service, customer) for customer in people] == before


def openapi_example(openapi: dict[str, Any], name: str) -> Any:
    path = openapi["paths"]["/v1/customers/{customer_id}/recommendations"]["get"]
    parameter = next(entry for entry in path["parameters"] if entry["name"] == name)
    return parameter["schema"]["examples"][0]


def report_pasted(service: KeyedService, body: dict[str, Any]) -> None:
    headers = {"Authorization": f"Bearer {service.credentials['admin']}"}
    answer = service.client.post("/v1/events", json=body, headers=headers)
    assert (answer.status_code, answer.json()["rejected"]) == (202, []), answer.text


def gist(service: KeyedService, customer: str) -> Any:
    """Return what a customer buys again, is due, and is mailed about, but for what is pasted."""
    strategy, _, recommendations = slate(service, customer)
    again = {entry["id"] for entry in recommendations if entry["source"] == "own_purchases"}
    due = {entry["id"] for entry in replenishment(service, customer)["recommendations"]}
    kinds = [found and found["kind"] for found in occasions(service, customer)]
    return strategy, bool(again), due - {"1082185", "995242"}, kinds
