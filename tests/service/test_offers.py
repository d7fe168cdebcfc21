"""An offer stands beside a slate for those whom it is for, and a single-use code is given once."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.testclient import TestClient

from models.data.segments import Segment
from models.data.timestamps import format_timestamp
from models.experiments.assignment import bucket_of
from service.store import erasure
from service.store.offers import OFFERS, add_codes, count_codes, export_codes, give_code
from service.store.store import Store
from tests.support.kills import KilledService, Victim
from tests.support.segments import write_segments
from tests.support.service_shop import Browse, Shop
from tests.support.slates import refused
from tests.support.store_server import KINDS, new_store

pytestmark = pytest.mark.slow

PATH = "/v1/customers/{}/recommendations"
THANKS = {"text": {"en": "Thank you", "de": "Danke"}}


@pytest.fixture
def client(browse: Browse, own_shop: Shop) -> TestClient:
    write_segments(own_shop.root, c00=Segment.CONNECTED, c01=Segment.LAPSED)
    return browse(own_shop.root)


def put(client: TestClient, offer_id: str = "thanks", **more: Any) -> Any:
    return client.put(f"/v1/offers/{offer_id}", json={**THANKS, **more})


def answer(client: TestClient, customer: str = "c00", **options: Any) -> dict[str, Any]:
    """Asked twice, so that the next one would come from the cache."""
    first, second = (client.get(PATH.format(customer), params=options) for _ in range(2))
    assert first.status_code == 200
    assert first.content == second.content
    answered: dict[str, Any] = first.json()
    return answered


def offer(client: TestClient, customer: str = "c00", **options: Any) -> dict[str, Any] | None:
    found: dict[str, Any] | None = answer(client, customer, **options)["offer"]
    return found


def say(client: TestClient, customer: str, **answers: bool) -> None:
    given = {**answers, "time": format_timestamp(int(time.time()))}
    client.put(f"/v1/customers/{customer}/consent", json=given).raise_for_status()


def test_an_offer_stands_beside_a_slate_which_stays_what_it_is(client: TestClient) -> None:
    before = answer(client)
    assert before["offer"] is None
    made = put(client, code="TEN", ends="2999-01-01T00:00:00Z").json()
    stored = {"id": "thanks", **THANKS, "code": "TEN", "ends": "2999-01-01T00:00:00+00:00"}
    listed = {"offer": stored, "codes": None}
    assert made == {**listed, "warnings": []}
    assert client.get("/v1/offers/thanks").json() == made
    assert client.get("/v1/offers").json() == {"offers": [listed], "next": None}
    shown = {
        "id": "thanks",
        "text": "Thank you",
        "code": "TEN",
        "single_use": False,
        "until": "2999-01-01T00:00:00Z",
    }
    assert answer(client) == before | {"offer": shown}
    assert offer(client, locale="de_AT") == shown | {"text": "Danke"}
    visit = client.post("/v1/recommendations", json={"session_id": "s1"}).json()
    assert visit["offer"] == shown
    assert client.get("/v1/popular").json()["offer"] is None
    assert client.delete("/v1/offers/thanks").json() == {"offer": stored}
    assert answer(client) == before
    assert client.delete("/v1/offers/thanks").status_code == 404


def test_a_page_shows_an_offer_once(client: TestClient) -> None:
    put(client)
    parts = [{"kind": "popular"}, {"kind": "customer"}, {"kind": "customer", "placement": "home"}]
    page = client.post("/v1/pages", json={"customer_id": "c00", "parts": parts}).json()["parts"]
    offers = [part["answer"]["offer"] for part in page]
    assert [found and found["id"] for found in offers] == [None, "thanks", None]


def test_of_several_offers_the_first_in_their_order_stands_that_is_for_the_customer(
    client: TestClient,
) -> None:
    put(client, "a")
    put(client, "b", order=2, placements=["home"])
    put(client, "c", order=1, starts="2999-01-01T00:00:00Z")
    put(client, "d", order=1, segments=["lapsed"])
    named = [(offer(client, who, placement=where) or {})["id"]
             for who, where in (("c00", "home"), ("c00", "basket"), ("c01", "home"))]  # fmt: skip
    assert named == ["b", "a", "d"]


def test_an_offer_to_a_segment_takes_consent_to_training_and_to_its_channel(
    client: TestClient,
) -> None:
    put(client, segments=["connected"])
    assert [offer(client, who) is not None for who in ("c00", "c01", "x")] == [True, False, False]
    say(client, "c00", personalize_email=False)
    assert offer(client) is not None
    assert offer(client, placement="email") is None
    say(client, "c00", train=False)
    assert offer(client) is None


def test_each_customer_has_a_single_use_code_of_their_own_until_none_is_left(
    client: TestClient,
) -> None:
    assert put(client, codes=["A", "B"]).json()["codes"] == {"given": 0, "left": 2}
    put(client, "z")  # stands where no code is left
    codes = {who: (offer(client, who) or {})["code"] for who in ("c00", "c01", "c02")}
    assert sorted(map(str, codes.values())) == ["A", "B", "None"]
    assert client.get("/v1/offers/thanks").json()["codes"] == {"given": 2, "left": 0}
    assert (offer(client, "c00", campaign="weekly") or {})["code"] == codes["c00"]
    assert put(client, codes=["C", "A"]).json()["codes"] == {"given": 2, "left": 1}
    assert (offer(client, "c02") or {})["code"] == "C"
    assert (offer(client, "c00") or {})["code"] == codes["c00"]
    visit = client.post("/v1/recommendations", json={"session_id": "s1"}).json()
    assert visit["offer"]["id"] == "z"
    foreign = put(client, "other", codes=["A"])
    assert (foreign.status_code, "'A'" in foreign.json()["detail"]) == (409, True)
    assert refused(put(client, "other", codes=["a b"])) == ["codes[0]"]
    assert refused(put(client, "other", code="x", codes=[])) == ["body"]


def test_the_holdout_and_who_refuses_get_no_code(client: TestClient) -> None:
    put(client, codes=["A", "B", "C", "D"])
    key = bytes.fromhex(client.put("/v1/holdout", json={"share": 0.5}).json()["key"])
    for customer in ("c02", "c03"):
        held_out = bucket_of(key, customer) < 5_000
        assert (offer(client, customer) is None) is held_out
    client.put("/v1/holdout", json={"share": 0})
    say(client, "c00", personalize_web=False)
    assert offer(client, "c00") is None


def test_what_a_customer_was_given_is_told_and_erased_and_is_not_given_again(
    client: TestClient,
) -> None:
    put(client, codes=["A"])
    assert (offer(client) or {})["code"] == "A"
    (told,) = client.get("/v1/customers/c00/export").json()["offers"]
    assert (told["offer"], told["code"]) == ("thanks", "A")
    assert client.get("/v1/customers/c00/profile").json()["offers"] == [told]
    receipt = client.delete("/v1/customers/c00").json()
    assert receipt["deleted"]["offers"] == 1
    assert client.get("/v1/customers/c00/export").json()["offers"] == []
    assert [offer(client, who) for who in ("c00", "c01")] == [None, None]
    client.delete("/v1/offers/thanks")
    assert put(client, codes=["A", "B"]).json()["codes"] == {"given": 1, "left": 1}


def test_a_preview_of_a_block_gives_no_code(client: TestClient) -> None:
    put(client, codes=["A"])
    body = {"customer_id": "c00", "look": {}}
    client.post("/v1/blocks/preview", json=body).raise_for_status()
    assert client.get("/v1/offers/thanks").json()["codes"] == {"given": 0, "left": 1}


@pytest.fixture
def stocked(store: Store) -> Store:
    """A store with an offer of fifty codes."""
    codes = [f"X{number:02}" for number in range(50)]
    store.write(
        lambda change: OFFERS.put(
            change, "thanks", {**THANKS, "single_use": True}, time=1, actor=""
        )
    ).result(10)
    store.write(partial(add_codes, offer_id="thanks", codes=codes)).result(10)
    return store


def test_many_who_ask_at_once_get_different_codes(stocked: Store) -> None:
    def ask(number: int) -> str | None:
        give = partial(
            give_code, offer_id="thanks", customer_id=f"c{number % 40}", time=2, erased=0
        )
        return stocked.write(give).result(30)

    with ThreadPoolExecutor(8) as threads:
        given = list(threads.map(ask, range(120)))
    assert given[:40] == given[40:80] == given[80:]
    assert len(set(given)) == 40
    assert stocked.read(count_codes)["thanks"] == (40, 10)


def test_who_is_erased_meanwhile_gets_no_code(stocked: Store) -> None:
    stocked.write(partial(erasure.erase, customer_id="c1", time=2)).result(10)
    give = partial(give_code, offer_id="thanks", customer_id="c1", time=3, erased=0)
    assert stocked.write(give).result(10) is None
    assert stocked.read(partial(export_codes, customer_id="c1")) == []


@pytest.mark.parametrize("kind", KINDS)
def test_no_code_is_given_twice_or_lost_where_processes_are_killed(
    own_shop: Shop, kind: str, tmp_path: Path
) -> None:
    """Customers ask for their slate while workers and masters die."""
    service = KilledService(own_shop.root, tmp_path / "run", new_store(kind, tmp_path))
    base, dice = f"http://127.0.0.1:{service.port}", random.Random(4)
    codes = [f"X{number:03}" for number in range(60)]
    seen: dict[str, set[str]] = {}

    def ask(customer: str) -> None:
        for _ in range(60):
            try:
                answered = httpx2.get(base + PATH.format(customer), timeout=30).json()
            except (httpx2.HTTPError, KeyError, ValueError):
                time.sleep(0.05)
                continue
            if answered["offer"]:
                seen.setdefault(customer, set()).add(answered["offer"]["code"])
                return

    try:
        service.keep_running()
        made = httpx2.put(f"{base}/v1/offers/thanks", json={**THANKS, "codes": codes}, timeout=30)
        made.raise_for_status()
        for victim in (Victim.WORKER, Victim.ALL, Victim.WORKERS):
            with ThreadPoolExecutor(8) as threads:
                asked = [threads.submit(ask, f"n{number}") for number in range(50)]
                time.sleep(dice.uniform(0.05, 0.4))
                service.kill(victim, dice)
                service.keep_running()
                for one in asked:
                    one.result()
        for number in range(50):
            ask(f"n{number}")
        counts = httpx2.get(f"{base}/v1/offers/thanks", timeout=30).json()["codes"]
    finally:
        service.close()
    assert len(seen) == 50
    assert all(len(own) == 1 for own in seen.values())  # the same one again and again
    assert len(set.union(*seen.values())) == 50  # and nobody else's
    assert counts == {"given": 50, "left": 10}


def test_an_offer_of_an_experiment_stands_in_its_variant_alone(client: TestClient) -> None:
    halves = [{"name": "none", "share": 0.5}, {"name": "ten", "share": 0.5, "offers": ["thanks"]}]
    body = {"ends": "2999-01-01T00:00:00Z", "variants": halves}
    path = "/v1/experiments/discount"
    assert refused(client.put(path, json=body)) == ["variants[1].offers[0]"]
    put(client, code="TEN")
    assert refused(client.put(path, json=body)) == ["variants[1].offers[0]"]
    put(client, code="TEN", in_experiments_only=True)
    assert offer(client) is None
    client.put(path, json=body).raise_for_status()
    found = {(a["variant"], a["offer"] is not None)
             for a in (answer(client, f"c{number:02}") for number in range(12))}  # fmt: skip
    assert found == {("none", False), ("ten", True)}
    client.post(f"{path}/stop").raise_for_status()
    assert [offer(client, f"c{number:02}") for number in range(12)] == [None] * 12


def test_a_mail_shows_the_offer_in_each_of_its_parts(client: TestClient) -> None:
    put(client, codes=["A-1", "A-2"], placements=["email"])
    path = PATH.format("c00") + ".html"
    look = {"heading": "For you"}
    client.put("/v1/blocks/weekly", json=look).raise_for_status()
    options = {"campaign": "weekly", "n": 3}
    plain = client.get(path, params=options).text
    parts = [client.get(path, params={**options, "block": "weekly", "part": part}).text
             for part in ("html", "text", "amp")]  # fmt: skip
    found = {next(code for code in ("A-1", "A-2") if code in text) for text in (plain, *parts)}
    assert len(found) == 1
    assert all("Thank you" in text for text in (plain, *parts))


def test_an_offer_for_an_occasion_stands_in_its_mails_alone(client: TestClient) -> None:
    put(client, occasions=["replenishment", "win_back"]).raise_for_status()
    occasions = {}
    for customer in (f"c{number:02}" for number in range(12)):
        for campaign in ("replenishment", "weekly"):
            mail = client.get(PATH.format(customer), params={"campaign": campaign}).json()
            occasions[mail["occasion"] is not None] = mail["offer"] is not None
    assert occasions == {True: True, False: False}
