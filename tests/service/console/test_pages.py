"""The console asks for a key of the right scope, and nothing but its own forms does anything."""

import hashlib
import hmac
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from html import unescape
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from models.artifact.insights import ATTRIBUTION, EXPERIMENTS, WORTH, write_insight
from service.console.screens import SCREENS
from service.console.session import COOKIE, SESSION
from service.http.authentication import FIRST_CALLER
from service.http.authorization import Scope
from service.schemas import worth
from service.schemas.experiment_results import COMPARED_EXAMPLE, COUNTED_EXAMPLE, RESULTS_EXAMPLE
from service.schemas.insights import ATTRIBUTED, PERIOD, REACH, SALES
from service.signing.signature import sign
from service.store import keys
from tests.support.keyed_service import KeyedService, open_keyed_service
from tests.support.service_shop import Browse, Shop, process, wait_until
from tests.support.store_server import away, new_store

HOSTILE = "<img src=x onerror=alert(1)>\u202e\"'&{{ 7 * 7 }}"
SHOWN = [screen for screen in SCREENS if not screen.hidden]


@pytest.fixture
def service(shop: Shop, tmp_path: Path) -> Iterator[KeyedService]:
    with open_keyed_service(shop, tmp_path, console=True) as opened:
        yield opened


def get(client: TestClient, path: str, **more: Any) -> Response:
    return client.get(f"/console/{path}", follow_redirects=False, **more)


def sign_in(service: KeyedService, who: str) -> str:
    """Sign in, as the form does; return the cookie."""
    service.client.cookies.clear()
    key = {"key": service.credentials[who]}
    answer = service.client.post("/console/sign-in", data=key, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "overview")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Secure" in cookie  # this host is not loopback
    assert "Path" not in cookie  # the console's own addresses alone
    text = cookie.partition("=")[2].partition(";")[0]
    service.client.cookies.clear()
    service.client.cookies.set(COOKIE, text)
    return text


def token_of(client: TestClient) -> str:
    page = get(client, "overview").text
    return unescape(page.partition('name="token" value="')[2].partition('"')[0])


def send(client: TestClient, screen: str, fields: dict[str, str], **headers: str) -> Response:
    return client.post(f"/console/{screen}", data=fields, headers=headers, follow_redirects=False)


def test_without_a_key_nothing_but_the_form_of_signing_in_is_shown(service: KeyedService) -> None:
    for screen in SCREENS:
        answer = get(service.client, screen.name)
        assert (answer.status_code, answer.headers["location"]) == (303, "sign-in")
    page = get(service.client, "sign-in")
    assert "unsafe" not in page.headers["content-security-policy"]
    for key in (*map(service.credentials.get, ("wrong", "token", "expired")), "", "schlüssel ✓"):
        answer = send(service.client, "sign-in", {"key": key})
        assert answer.status_code == 401
        assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("who", ["admin", "first"])
def test_an_admin_key_opens_every_screen_and_its_cookie_opens_nothing_else(
    service: KeyedService, who: str
) -> None:
    sign_in(service, who)
    for screen in SHOWN:
        answer = get(service.client, screen.name)
        if screen.scope is Scope.SHOPS and who == "admin":
            assert answer.status_code == 403
            continue
        assert answer.status_code == 200
        assert screen.question in unescape(answer.text)
        assert answer.headers["cache-control"] == "no-store"
    assert service.client.get("/v1/popular").status_code == 401
    assert service.client.get("/v1/audit").status_code == 401


def test_a_read_key_sees_no_customer_and_changes_nothing(service: KeyedService) -> None:
    sign_in(service, "read")
    for screen in SCREENS:
        answer = get(service.client, f"{screen.name}?id=c00")
        assert answer.status_code == (200 if screen.scope is Scope.READ else 403), screen.name
    page = get(service.client, "rules").text
    assert "no scope admin" in page
    assert "Put in force" not in page
    fields = {"token": token_of(service.client), "act": "save", "id": "r", "category": "dairy"}
    answer = send(service.client, "rules", fields)
    assert "lacks the scope" in unescape(answer.text)
    assert (
        service.client.get("/v1/rules", headers={"X-API-Key": service.credentials["read"]}).json()[
            "rules"
        ]
        == []
    )


def test_a_session_ends_with_its_key_and_with_signing_out(service: KeyedService) -> None:
    sign_in(service, "admin")
    assert get(service.client, "overview").status_code == 200
    held = {"token": token_of(service.client)}
    answer = send(service.client, "sign-out", held)
    assert 'regulars_console=""' in answer.headers["set-cookie"]
    key_id = service.credentials["admin"].split("_")[1]
    service.store.write(partial(keys.revoke, key_id=key_id, actor="test", time=1)).result()
    answer = get(service.client, "overview")
    assert (answer.status_code, answer.headers["location"]) == (303, "sign-in?over=1")
    assert "session has ended" in get(service.client, "sign-in?over=1").text


def test_a_cookie_that_was_not_made_here_opens_nothing(service: KeyedService) -> None:
    text = sign_in(service, "admin")
    for forged in ("", text[:-2] + "AA", "x" * 80, "W10", text + "A"):
        service.client.cookies.clear()
        service.client.cookies.set(COOKIE, forged)
        assert get(service.client, "customers").status_code == 303


def test_a_session_that_is_over_leads_to_signing_in(service: KeyedService) -> None:
    app: Any = service.client.app
    secret = app.state.responder.settings.signing_secret()
    key_hash = app.state.shops.main.authentication.first_key
    for lasts, status in ((60, 200), (-1, 303)):
        payload = orjson.dumps([FIRST_CALLER.key_id, int(time.time()) + lasts, "nonce"])
        text = sign(hmac.digest(secret, key_hash, hashlib.sha256), SESSION, payload)
        service.client.cookies.clear()
        service.client.cookies.set(COOKIE, text)
        assert get(service.client, "customers").status_code == status


def test_a_form_of_another_page_does_nothing(service: KeyedService) -> None:
    sign_in(service, "admin")
    rule = {"act": "save", "id": "r", "kind": "exclude", "category": "dairy"}
    token = {"token": token_of(service.client)}
    assert send(service.client, "rules", rule).status_code == 403
    assert send(service.client, "rules", rule | {"token": "x"}).status_code == 403
    foreign = {"origin": "https://evil.example"}
    assert send(service.client, "rules", rule | token, **foreign).status_code == 403
    assert send(service.client, "rules", rule | token, origin="null").status_code == 403
    answer = send(service.client, "rules", rule | token, origin="http://testserver")
    assert (answer.status_code, answer.headers["location"]) == (303, "rules?done=saved")


def test_while_there_is_no_key_it_is_open_on_this_machine_and_says_so(browse: Browse) -> None:
    client = browse(console=True)
    page = get(client, "overview")
    assert "There is no key" in page.text
    assert get(client, "overview", headers={"host": "evil.example"}).status_code == 403
    assert get(client, "overview", headers={"origin": "https://evil.example"}).status_code == 403
    german = get(client, "overview", headers={"accept-language": "de"}).text
    assert "Ist alles in Ordnung" in german


def test_in_a_new_shop_every_screen_asks_its_question_and_says_what_to_do(browse: Browse) -> None:
    client = browse(console=True)
    for screen in SHOWN:
        page = unescape(get(client, screen.name).text)
        assert screen.question.endswith("?"), screen.name
        assert f'<p class="question">{screen.question}</p>' in page, screen.name
        is_filled = "<tbody>" in page or 'class="cards"' in page
        assert is_filled or 'class="empty"' in page, screen.name
    for part in ("segments", "cohorts", "value", "feedback"):
        assert 'class="empty"' in get(client, f"insights?of={part}").text
    assert 'href="customers?id=c00"' in get(client, "customers").text  # whom the model knows
    overview = get(client, "overview").text
    assert "none was asked for yet" in overview
    assert "– ms" not in overview


def test_what_the_shop_told_of_a_customer_stands_in_order_of_time(browse: Browse) -> None:
    client = browse(console=True)
    views = [
        {"event_id": str(day), "kind": "view", "time": f"2025-06-{day}T10:00:00Z"}
        | {"customer_id": "c00", "product_id": "bread"}
        for day in (20, 25, 22)
    ]
    assert client.post("/v1/events", json={"events": views}).json()["accepted"] == 3
    page = get(client, "customers?id=c00").text.partition("Told since training")[2]
    assert page.index("25 Jun") < page.index("22 Jun") < page.index("20 Jun")


def test_a_title_a_brand_and_an_id_are_shown_as_text(browse: Browse, own_shop: Shop) -> None:
    client = browse(own_shop.root, console=True)
    product = {"product_id": HOSTILE, "title": HOSTILE, "brand": HOSTILE, "category": HOSTILE}
    client.put("/v1/products", json={"products": [product]})
    client.put("/v1/rules/" + "r", json={"kind": "exclude", "which": {"brand": HOSTILE}})
    view = {"event_id": "e", "kind": "view", "time": "2025-06-29T10:00:00Z"}
    view |= {"customer_id": HOSTILE, "product_id": HOSTILE}
    assert client.post("/v1/events", json={"events": [view]}).json()["accepted"] == 1
    query = {"id": HOSTILE, "product_id": HOSTILE, "q": HOSTILE}
    for screen in SHOWN:
        for asked in ({}, query):
            if screen.name == "rules" and asked:
                continue
            page = get(client, screen.name, params=asked)
            assert page.status_code == 200, screen.name
            assert "<img src=x" not in page.text
            assert "49" not in page.text.partition("onerror")[2][:40]
    assert "<bdi>&lt;img" in get(client, "events").text


def test_what_is_wrong_with_a_rule_is_said_and_what_was_typed_is_kept(browse: Browse) -> None:
    client = browse(console=True)
    client.cookies.set(COOKIE, get(client, "overview").cookies[COOKIE])
    fields = {"token": token_of(client), "act": "preview", "id": "r", "kind": "boost"}
    for wrong, problem in (
        ({"strength": "much"}, "strength: 'much' is no number"),
        ({}, "strength"),
        ({"id": ""}, "give the rule a name"),
    ):
        page = unescape(send(client, "rules", fields | wrong | {"category": "dairy"}).text)
        assert problem in page.partition('class="problem"')[2]
        assert 'name="category" value="dairy"' in page


def test_what_a_mailing_earned_stands_on_its_own_screen(browse: Browse, own_shop: Shop) -> None:
    client = browse(own_shop.root, console=True)
    client.put("/v1/campaigns/monday", json={})
    assert 'href="campaigns?id=monday"' in get(client, "campaigns").text
    assert "Nothing was computed yet" in get(client, "campaigns?id=monday").text
    earned = {**ATTRIBUTED, "value": "monday", "revenue": 1234.5, "currency": "EUR"}
    others = {**earned, "value": "tuesday", "revenue": 777.25}
    write_insight(own_shop.root, ATTRIBUTION, {**PERIOD, "attribution": {"campaign": [earned]}})
    page = get(client, "campaigns?id=monday").text
    assert "€1,234.50" in page
    assert "upper bound" in page
    write_insight(own_shop.root, ATTRIBUTION, {**PERIOD, "attribution": {"campaign": [others]}})
    page = get(client, "campaigns?id=monday").text
    assert "777" not in page
    assert "nobody had been shown" in page
    assert "It is not open" in get(client, "campaigns?id=never").text


def test_whose_mail_is_due_leads_to_the_mails_as_the_campaign_would_send_them(
    browse: Browse, own_shop: Shop
) -> None:
    client = browse(own_shop.root, console=True)
    assert 'href="campaigns?id=replenishment"' in get(client, "campaigns").text
    page = unescape(get(client, "campaigns?id=replenishment").text)
    due = client.get("/v1/campaigns/replenishment/due").json()
    first, looked_at = due["due"][0], due["looked_at"]
    assert f"It is due for {len(due['due'])} of the {looked_at} customers" in page
    assert first["occasion"]["text"] in page
    path = page.partition('href="mails?')[2].partition('"')[0]
    mails = unescape(get(client, f"mails?{path}").text)
    assert "as the campaign would send them now" in mails
    assert mails.count('data-mail="') == len(due["due"])
    assert first["products"][0]["title"] in mails.partition('data-mail="')[2]
    assert client.get("/v1/campaigns").json()["campaigns"] == []
    assert "It is due for 0 of the" in get(client, "campaigns?id=basket").text


def test_the_holdout_is_begun_read_and_ended(service: KeyedService, shop: Shop) -> None:
    sign_in(service, "read")
    fields = {"token": token_of(service.client), "act": "set", "share": "2"}
    assert send(service.client, "holdout", fields).status_code == 403
    sign_in(service, "admin")
    page = get(service.client, "holdout").text
    assert "There is no holdout" in page
    assert 'name="share" inputmode="decimal" required value="2"' in page
    assert send(service.client, "holdout", {"act": "set", "share": "2"}).status_code == 403
    fields["token"] = token_of(service.client)
    for wrong, problem in (("much", "'much' is no number"), ("95", "0.9"), ("0.001", "multiple")):
        page = unescape(send(service.client, "holdout", fields | {"share": wrong}).text)
        assert problem in page.partition('class="problem"')[2]
        assert f'value="{wrong}"' in page
    answer = send(service.client, "holdout", fields | {"share": "2,5 %"})
    assert answer.headers["location"] == "holdout?done=held_out"
    page = get(service.client, "holdout").text
    assert "2.5 %" in page
    assert "Nothing was computed of it yet" in page
    admin = {"X-API-Key": service.credentials["admin"]}
    assert service.client.get("/v1/holdout", headers=admin).json()["holdout"]["share"] == 0.025
    answer = send(service.client, "holdout", fields | {"act": "end"})
    assert answer.headers["location"] == "holdout?done=let_go"
    assert "There is no holdout" in get(service.client, "holdout").text
    changes = service.client.get("/v1/audit", headers=admin).json()["changes"]
    assert [one["subject"] for one in changes[:2]] == ["holdout", "holdout"]


def test_what_all_of_regulars_earned_is_told_with_an_interval(
    browse: Browse, own_shop: Shop
) -> None:
    interval = {"low": 1.0, "high": 3.0, "relative_low": 0.1, "relative_high": 0.3}
    revenue = COMPARED_EXAMPLE | {"variant": "personalised", "control": "held out"}
    revenue |= {"difference": 2.0, "fixed": interval, "always_valid": interval}
    counts = [{**COUNTED_EXAMPLE, "name": "held out", "customers": 150}]
    counts.append({**COUNTED_EXAMPLE, "name": "personalised", "customers": 7_000})
    results = {**RESULTS_EXAMPLE, "id": "holdout", "variants": counts, "comparisons": [revenue]}
    facts = {"computed": results["computed"], "experiments": {"holdout": results}}
    write_insight(own_shop.root, EXPERIMENTS, facts)
    page = get(browse(own_shop.root, console=True), "holdout").text
    assert "Revenue: more where it is personal" in page
    assert "14,000" in page
    assert "between 7,000 and 21,000, of 7,000 customers" in page


def test_what_followed_is_shown_of_one_segment_where_it_may_be_told(
    browse: Browse, own_shop: Shop
) -> None:
    row = {**ATTRIBUTED, "value": "home", "revenue": 1234.5, "currency": "EUR"}
    sales = {**SALES, "currency": "EUR", "attributed_orders": None, "attributed_revenue": None}
    everyone = {"reach": REACH, "overview": [], "attribution": {"placement": []}}
    part = {"reach": REACH, "overview": [sales], "attribution": {"placement": [row]}}
    facts = {**PERIOD, **everyone, "segments": {"at_risk": part}}
    write_insight(own_shop.root, ATTRIBUTION, facts)
    client = browse(own_shop.root, console=True)
    assert "1,234.50" not in get(client, "insights").text
    page = get(client, "insights?segment=at_risk&by=placement").text
    assert "€1,234.50" in page
    assert '<option value="at_risk" selected>At risk' in page
    assert "by=campaign&amp;segment=at_risk" in page
    missing = get(client, "insights?segment=new").text
    assert "Too few customers of this segment" in missing
    assert '<option value="new" selected>' in missing
    for path in ("insights?of=cohorts", "insights?of=value", "holdout?by=customer"):
        assert "Too few customers" in get(client, f"{path}&segment=new").text


def test_the_overview_tells_what_followed_and_leads_to_it(browse: Browse, own_shop: Shop) -> None:
    client = browse(own_shop.root, console=True)
    assert '<a href="insights">not computed yet</a>' in get(client, "overview").text
    sales = {**SALES, "currency": "EUR", "attributed_orders": 7, "attributed_revenue": 1234.5}
    facts = {"reach": REACH, "overview": [sales], "attribution": {"placement": []}, "segments": {}}
    write_insight(own_shop.root, ATTRIBUTION, {**PERIOD, **facts})
    page = get(client, "overview").text
    assert '<a href="insights">€1,234.50</a>' in page
    assert "7 orders" in page


def test_who_computed_worth_alone_is_led_there(browse: Browse, own_shop: Shop) -> None:
    client = browse(own_shop.root, console=True)
    assert "Computed already" not in get(client, "insights").text
    write_insight(own_shop.root, WORTH, {**worth.PERIOD, "segments": [worth.SEGMENT]})
    assert 'href="insights?of=segments">Computed already' in get(client, "insights").text


def test_a_product_leads_to_the_rule_that_takes_it_out_of_mails(browse: Browse) -> None:
    client = browse(console=True)
    path = "rules?product=bread&amp;placement=email#make"
    assert f'href="{path}">Stop showing it in mails' in get(client, "products?id=bread").text
    page = get(client, "rules?product=bread&placement=email").text
    for name, value in (("id", "bread not in email"), ("product_ids", "bread")):
        assert f'value="{value}"' in page.partition(f'name="{name}"')[2][:80]
    assert 'value="email"' in page.partition('name="placements"')[2][:120]
    assert 'value=" not in' not in get(client, "rules").text


def test_while_the_store_is_away_it_says_so_and_goes_on(browse: Browse, tmp_path: Path) -> None:
    url = new_store("postgresql", tmp_path)
    client = browse(console=True, database_url=url)
    assert "c00" in get(client, "customers?id=c00").text
    with away(url):
        assert "The store does not answer" in get(client, "overview").text
        for screen in ("customers?id=c00", "rules", "events", "keys", "audit", "campaigns"):
            page = get(client, screen)
            assert (page.status_code, "The store does not answer" in page.text) == (200, True)
        assert "What sells best now" in get(client, "products").text
    assert "The store does not answer" not in get(client, "rules").text


def test_nothing_of_the_console_is_loaded_before_somebody_asks_for_it(tmp_path: Path) -> None:
    probe = (
        "import sys; from service.app import create; from service.settings import Settings; "
        "create(Settings(console=True)); "
        "print([name for name in sys.modules if name.startswith('service.console.')])"
    )
    run = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert run.stdout.strip() == "['service.console.entrance']"


def test_what_the_console_looks_at_was_shown_to_nobody(browse: Browse, own_shop: Shop) -> None:
    client = browse(own_shop.root, console=True, exposures=1)
    for screen in ("overview", "products?id=bread", "products", "customers?id=c00", "events"):
        assert get(client, screen).status_code == 200
    client.get("/v1/popular")
    recorder = client.app.state.responder.exposures  # type: ignore[attr-defined]
    wait_until(lambda: recorder.is_idle)
    metrics = client.get("/metrics").text
    counted = [line for line in metrics.splitlines() if line.startswith("regulars_exposures_total")]
    assert [line.rpartition(" ")[2] for line in counted if 'result="recorded"' in line] == ["1.0"]


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_on_a_port_of_its_own_it_is_there_alone(shop: Shop, tmp_path: Path, workers: int) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        own = free.getsockname()[1]
    with process(
        shop.root, tmp_path / "run", console="true", console_port=own, workers=workers
    ) as (port):
        calls = [
            httpx2.get(f"http://127.0.0.1:{number}/{path}").status_code
            for number in (port, own)
            for path in ("healthz", "console/overview")
        ]
    assert calls == [200, 404, 200, 200]


def test_there_is_no_console_unless_it_is_asked_for(browse: Browse) -> None:
    assert get(browse(), "overview").status_code == 404
