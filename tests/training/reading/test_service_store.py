"""The loop closes: what the service's store holds is in the next model."""

from __future__ import annotations

import ast
import hashlib
import json
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import (
    Engine,
    TableClause,
    create_engine,
    event,
    insert,
    inspect,
    make_url,
    text,
)

from models.artifact.registry import Registry
from models.data.customers import (
    NEVER_ASKED,
    NO,
    PERSONALIZE_EMAIL,
    PERSONALIZE_WEB,
    TRAIN,
    YES,
    consent_slot,
)
from models.data.events import KINDS, Standing, order_code
from service.store import consents, erasure, preferences
from service.store.database import SCHEMA
from service.store.events import Event, EventLine, write
from service.store.store import Store
from service.store.tables import metadata
from service.store.writer import Change, write_lost_consents
from tests.support import corner_shop
from tests.support.store_server import KINDS as DATABASES
from tests.support.store_server import empty_database, new_store
from tests.support.training_shop import small_shop_purchases, trained
from training.errors import InputError
from training.fitting import counts
from training.reading import service_store
from training.reading.purchases import Purchases, read_purchases

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
NOON = 1_767_182_400  # 31 December 2025
DAY = 86_400


class Till:
    """A shop's service that writes into its store."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self._store = Store(url, folder)
        self._events = 0
        self._open = True

    def _write(self, work: Callable[[Change], Any]) -> None:
        self._store.write(work).result(10)

    def sells(
        self, customer: str | None, *products: str, order: str | None = None, **more: Any
    ) -> None:
        self.reports(
            "purchase",
            customer,
            *(EventLine(product, **_taken(more)) for product in products),
            order=order,
            **more,
        )

    def reports(
        self,
        kind: str,
        customer: str | None,
        *lines: EventLine,
        order: str | None = None,
        time: int = NOON,
        **more: Any,
    ) -> None:
        self._events += 1
        reported = Event(
            f"e{self._events}",
            KINDS.index(kind),
            time,
            lines,
            customer_id=customer,
            order_id=order,
            **more,
        )
        self._write(lambda change: write(change, [reported]))

    def records_consent(self, customer: str, values: dict[int, int], time: int = NOON) -> None:
        self._write(lambda change: consents.give(change, customer, values, time))

    def strikes_out(self, customer: str, product: str) -> None:
        self._write(lambda change: consents.strike_out(change, customer, product, NOON))

    def has_lost_consent(self, customer: str) -> None:
        def work(change: Change) -> None:
            (number,) = change.take_numbers(1)
            write_lost_consents(change.connection, {consent_slot(customer): number})

        self._write(work)

    def says(self, customer: str, document: str) -> None:
        said = preferences.Said(document, NOON)
        self._write(lambda change: preferences.say(change, customer, said))

    def forgets(self, customer: str) -> None:
        self._write(lambda change: erasure.erase(change, customer, NOON))

    def lists(self, product: str, **document: Any) -> None:
        def work(change: Change) -> None:
            (number,) = change.take_numbers(1)
            row = {"product_id": product, "document": json.dumps(document), "number": number}
            change.connection.execute(insert(metadata.tables["products"]).values(row))

        self._write(work)

    def reports_at_once(self, count: int) -> None:
        """As many purchases, each of another product."""
        numbers = (
            f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) "
        )
        columns = "number, event_id, line, kind, time, customer_id, product_id"
        values = f"SELECT i, 'e' || i, 0, 0, {NOON}, 'anna', 'p' || i FROM n"

        def work(change: Change) -> None:
            change.take_numbers(count)
            change.connection.execute(text(f"INSERT INTO events ({columns}) {numbers}{values}"))

        self._write(work)

    @property
    def position(self) -> int:
        return self._store.follow().number

    def close(self) -> None:
        if self._open:
            self._store.close()
        self._open = False


def _taken(more: dict[str, Any]) -> dict[str, Any]:
    return {name: more.pop(name) for name in ("quantity", "unit_price") if name in more}


@pytest.fixture(params=DATABASES)
def till(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Till]:
    opened = Till(new_store(request.param, tmp_path), tmp_path)
    yield opened
    opened.close()


def read(*sources: str | Path, **options: Any) -> Purchases:
    return read_purchases(sources, **({"now": NOON + DAY} | options))


def orders(
    folder: Path, *lines: str, header: str = "customer_id,product_id,timestamp,order_id,quantity"
) -> Path:
    return corner_shop.write(folder, lines, header=header)


def people(folder: Path, *lines: str, header: str) -> Path:
    return corner_shop.write(folder, lines, header=header, name="people.csv")


def lines(shop: Purchases) -> list[tuple[str | None, str, str, float]]:
    """(customer, product, kind, quantity) of every line, sorted."""
    named = [
        (
            shop.customer_ids[user] if user >= 0 else None,
            shop.product_ids[item],
            KINDS[kind],
            float(quantity),
        )
        for user, item, kind, quantity in zip(
            shop.user, shop.item, shop.kind, shop.quantity, strict=True
        )
    ]
    return sorted(named, key=str)


def consent(shop: Purchases, customer: str) -> list[int]:
    values: list[int] = shop.consent[shop.customer_ids.find(customer)].tolist()
    return values


def test_an_event_of_today_is_in_tonights_model(till: Till, tmp_path: Path) -> None:
    till.sells("anna", "p5", order="today")
    assert (
        corner_shop.train(
            tmp_path, "--purchases", corner_shop.write(tmp_path, corner_shop.rows()), till.url
        )
        == 0
    )
    registry = Registry(tmp_path / "registry")
    version = registry.active()
    assert version is not None
    manifest = json.loads((registry.path(version) / "manifest.json").read_text())
    assert manifest["event_position"] == till.position == 1
    assert service_store.store_holds(till.url, 1, manifest["event_mark"])
    assert not service_store.store_holds(till.url, 2, manifest["event_mark"])
    assert manifest["data_as_of"] == NOON
    assert manifest["counts"]["customers"] == 31


def test_every_kind_of_event_is_learned_from_but_what_was_only_shown(till: Till) -> None:
    till.sells("anna", "milk", order="1", quantity=2.0, unit_price=1.5, currency="EUR", market="DE")
    for kind in KINDS[1:]:
        till.reports(
            kind, "anna", EventLine("milk"), order="1", rating=2.0 if kind == "rating" else None
        )
    shop = read(till.url)
    assert {line[2] for line in lines(shop)} == set(KINDS) - {"exposure"}
    weights = {
        KINDS[kind]: float(weight) for kind, weight in zip(shop.kind, shop.weight, strict=True)
    }
    assert weights.pop("return") == -0.5
    assert weights.pop("rating") == -0.5
    assert weights.pop("remove_from_cart") == -1
    assert set(weights.values()) == {1.0}
    assert shop.catalogue.price.tolist() == [1.5]
    assert list(shop.market_names) == ["DE"]
    assert set(shop.time.tolist()) == {NOON}


def test_a_guests_order_counts_and_a_visit_without_a_name_does_not(till: Till) -> None:
    till.sells(None, "milk", order="1")
    till.reports("view", None, EventLine("milk"), session_id="s")
    shop = read(till.url)
    assert lines(shop) == [(None, "milk", "purchase", 1.0)]
    assert shop.report.dropped.counts == {"guest_without_order": 1}


def test_what_was_looked_at_before_the_login_belongs_to_the_customer(till: Till) -> None:
    till.reports("view", None, EventLine("milk"), session_id="s")
    till.reports("view", "anna", EventLine("bread"), session_id="s")
    assert lines(read(till.url)) == [("anna", "bread", "view", 1.0), ("anna", "milk", "view", 1.0)]


def test_a_purchase_that_came_by_file_and_by_event_counts_once(till: Till, tmp_path: Path) -> None:
    till.sells("anna", "milk", order="7", quantity=3.0)
    till.sells(None, "milk", order="8")
    file = orders(
        tmp_path, "anna,milk,2025-12-30,7,2", "anna,bread,2025-12-30,7,1", ",milk,2025-12-30,8,5"
    )
    shop = read(file, till.url)
    assert lines(shop) == [
        ("anna", "bread", "purchase", 1.0),
        ("anna", "milk", "purchase", 3.0),
        (None, "milk", "purchase", 1.0),
    ]
    assert shop.report.dropped.counts == {"in_store_too": 2}
    assert shop.report.orders == 2


def test_a_purchase_that_was_sent_twice_under_two_names_counts_once_as_it_was_told_last(
    till: Till,
) -> None:
    till.sells("anna", "milk", order="7", quantity=3.0)
    till.reports("purchase", "anna", EventLine("milk", 1.0), EventLine("milk", 1.0), order="7")
    shop = read(till.url)
    assert lines(shop) == [("anna", "milk", "purchase", 2.0)]
    assert shop.report.dropped.counts == {"told_again": 1}
    assert shop.report.merged_rows == 1


CLAIM: dict[str, Any] = {"standing": Standing.CUSTOMER}


def test_thousands_of_made_up_purchases_are_one_line_a_customer_product_and_day(
    till: Till,
) -> None:
    till.sells("bert", "milk", order="7", quantity=3.0, unit_price=2.0)
    till.lists("kite")
    for number in range(30):
        made_up = {"quantity": 1000.0, "unit_price": 0.01, "time": NOON + number}
        till.sells("anna", "milk", "kite", order=f"made up {number}", **made_up, **CLAIM)
    till.sells("anna", "milk", order="the day after", time=NOON + DAY, **CLAIM)
    shop = read(till.url)
    assert lines(shop) == [
        ("anna", "kite", "purchase", 1.0),
        ("anna", "milk", "purchase", 1.0),
        ("anna", "milk", "purchase", 1.0),
        ("bert", "milk", "purchase", 3.0),
    ]
    assert shop.report.orders == 3
    price = dict(zip(shop.product_ids, shop.catalogue.price.tolist(), strict=True))
    assert price["milk"] == 2.0
    assert np.isnan(price["kite"])


def test_what_a_visit_or_late_reports_of_an_order_is_not_learned_from(till: Till) -> None:
    till.sells("bert", "milk", order="7")
    till.lists("bread")
    till.sells(None, "milk", order="8", session_id="s", **CLAIM)
    till.sells("anna", "milk", order="9", standing=Standing.LATE)
    till.reports("view", "anna", EventLine("milk"), **CLAIM)
    till.reports("view", None, EventLine("milk"), session_id="login", **CLAIM)
    till.sells(None, "bread", order="10", session_id="login", **CLAIM)
    till.reports("view", "carl", EventLine("milk"), session_id="login", **CLAIM)
    shop = read(till.url)
    assert lines(shop) == [
        ("anna", "milk", "view", 1.0),
        ("bert", "milk", "purchase", 1.0),
        ("carl", "bread", "purchase", 1.0),
        ("carl", "milk", "view", 2.0),
    ]
    assert shop.report.dropped.counts == {"late_claim": 1, "claim_of_visit": 1}


@pytest.mark.parametrize("by_file", [False, True], ids=["by event", "by file"])
@pytest.mark.parametrize("kind", ["purchase", "return"])
def test_an_order_that_its_customer_and_the_shop_report_is_learned_once_as_the_shop_reports_it(
    till: Till, tmp_path: Path, kind: str, by_file: bool
) -> None:
    sent_back = -1 if kind == "return" else 1
    shops = [("7", NOON - 9 * DAY, 2.0), ("8", NOON, 3.0), ("9", NOON, 4.0), ("6", NOON - DAY, 5.0)]
    till.sells("anna", "milk", order="1", time=NOON - 30 * DAY)
    till.sells("bert", "milk", order="7")  # of the same order id, and another's
    for order, time in (("7", NOON), ("made up", NOON - DAY // 2)):
        till.reports(kind, "anna", EventLine("milk", 99.0), order=order, time=time, **CLAIM)
    rows = []
    for order, time, quantity in shops:
        if by_file:
            rows.append(f"anna,milk,{time},{order},{sent_back * quantity}")
        else:
            till.reports(kind, "anna", EventLine("milk", quantity), order=order, time=time)
    sources = [orders(tmp_path, *rows), till.url] if by_file else [till.url]
    shop = read(*sources)
    expected = [("anna", "milk", kind, quantity) for _, _, quantity in shops]
    expected += [("anna", "milk", "purchase", 1.0), ("bert", "milk", "purchase", 1.0)]
    assert lines(shop) == sorted(expected, key=str)
    assert shop.report.dropped.counts == {"confirmed_claim": 2}


def test_a_claim_keeps_the_code_of_its_order(till: Till) -> None:
    till.lists("milk")
    till.sells("anna", "milk", order="7", **CLAIM)
    assert read(till.url).order_code.tolist() == [order_code("7")]


def test_a_customer_adds_no_product_to_the_shop(till: Till, tmp_path: Path) -> None:
    """Whatever a browser calls a product, it is in no slate of anybody else."""
    till.sells("bert", "milk", order="7")
    till.lists("kite")
    made_up = EventLine("see example.com")
    for number in range(5):
        for kind in ("purchase", "view", "rating"):
            order = f"{number}" if kind == "purchase" else None
            time = NOON + number * DAY
            till.reports(kind, "anna", made_up, order=order, time=time, rating=5.0, **CLAIM)
    for product in ("bread", "milk", "kite"):
        till.reports("view", "anna", EventLine(product), **CLAIM)
    file = orders(tmp_path, "carl,bread,2025-12-30,8,1")
    shop = read(file, till.url, now=NOON + 9 * DAY)
    assert list(shop.product_ids) == ["bread", "kite", "milk"]
    assert shop.report.dropped.counts["product_of_customer"] == 15
    assert ("anna", "kite", "view", 1.0) in lines(shop)


def test_only_orders_have_order_ids(till: Till) -> None:
    for number in range(20):
        till.reports("view", "anna", EventLine("milk"), order=f"{number}", **CLAIM)
    till.sells("anna", "milk", order="7")
    shop = read(till.url)
    assert lines(shop) == [("anna", "milk", "purchase", 1.0), ("anna", "milk", "view", 20.0)]
    assert shop.weight.tolist() == [1.0, 1.0]


def test_what_is_sent_back_in_two_parts_is_sent_back_whole(till: Till) -> None:
    till.sells("anna", "milk", order="7", quantity=4.0)
    for _ in range(2):
        till.reports("return", "anna", EventLine("milk", 2.0), order="7")
    shop = read(till.url)
    assert lines(shop)[1] == ("anna", "milk", "return", 4.0)
    assert sorted(shop.weight.tolist()) == [-1, 1]


def test_an_erased_customers_file_rows_are_not_learned_from(till: Till, tmp_path: Path) -> None:
    till.sells("önne", "milk", order="7")
    till.sells("anna", "milk", order="8")
    till.forgets("önne")
    file = orders(
        tmp_path,
        "önne,milk,2025-12-30,7,2",
        "önne,bread,2025-12-30,9,2",
        "anna,jam,2025-12-30,6,2",
    )
    known = people(tmp_path, "önne,yes", "anna,yes", header="customer_id,train")
    shop = read(file, till.url, customers=known)
    assert (list(shop.customer_ids), list(shop.product_ids)) == (["anna"], ["jam", "milk"])
    assert shop.report.dropped.counts == {"erased_customer": 2}
    assert shop.report.customer_problems.counts == {"erased_customer": 1}


def test_what_a_customer_struck_out_is_not_learned_from_wherever_it_stands(
    till: Till, tmp_path: Path
) -> None:
    till.sells("anna", "milk", "bread", order="7")
    till.strikes_out("anna", "milk")
    shop = read(orders(tmp_path, "anna,milk,2025-12-30,1,1", "bert,milk,2025-12-30,2,1"), till.url)
    assert lines(shop) == [("anna", "bread", "purchase", 1.0), ("bert", "milk", "purchase", 1.0)]
    assert shop.report.dropped.counts == {"struck_out": 1}


NUTS = '{"avoids":[{"attribute":"contains","values":["nuts"]}]}'
MILK = '{"avoids":[{"attribute":"contains","values":["milk"]}]}'


def said(shop: Purchases, customer: str) -> str:
    return shop.preferences[shop.customer_ids.find(customer)]


def test_what_customers_say_is_in_the_next_model_and_the_store_stands_before_the_file(
    till: Till, tmp_path: Path
) -> None:
    till.sells("anna", "bread")
    till.says("anna", NUTS)
    till.says("only-said", NUTS)
    till.says("took-it-back", "{}")
    till.says("erased", NUTS)
    till.forgets("erased")
    cells = {"anna": MILK, "took-it-back": MILK, "erased": MILK, "in-the-file": MILK}
    quoted = [f'{name},"{text.replace(chr(34), chr(34) * 2)}"' for name, text in cells.items()]
    file = people(tmp_path, *quoted, header="customer_id,preferences")
    shop = read(till.url, customers=file)
    assert [said(shop, name) for name in ("anna", "only-said", "in-the-file")] == [
        NUTS,
        NUTS,
        MILK,
    ]
    assert said(shop, "took-it-back") == "{}"
    assert shop.customer_ids.find("erased") < 0
    model = trained(shop).model.customers
    assert model.preferences_of(model.ids.find("only-said")) == NUTS


def test_who_may_have_said_no_in_a_store_that_was_restored_is_not_learned_from(
    till: Till, tmp_path: Path
) -> None:
    till.records_consent("anna", {TRAIN: YES})
    for number, customer in enumerate(("anna", "bob")):
        till.sells(customer, "milk", order=str(number))
    till.has_lost_consent("anna")
    file = orders(tmp_path, "anna,milk,2025-12-30,7,2", "cleo,milk,2025-12-30,8,2")

    def customers() -> set[str | None]:
        return {line[0] for line in lines(read(till.url, file))}

    assert customers() == {"bob", "cleo"}
    till.records_consent("anna", {TRAIN: YES})
    assert customers() == {"anna", "bob", "cleo"}


def test_training_with_another_store_than_the_active_version_tells_it(
    till: Till, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    till.sells("anna", "p5", order="today")
    recommender = trained(small_shop_purchases())
    manifest = replace(recommender.manifest, event_position=1, event_mark="0123456789abcdef")
    Registry(tmp_path / "registry").publish(recommender.model, manifest)
    file = corner_shop.write(tmp_path, corner_shop.rows())
    corner_shop.train(tmp_path, "--purchases", file, till.url, "--accept-smaller")
    assert "Warning: the store is not the one that the active version" in capsys.readouterr().err


def test_the_later_consent_wins(till: Till, tmp_path: Path) -> None:
    yesterday, noon, tomorrow = "2025-12-30T12:00:00Z", "2025-12-31T12:00:00Z", "2026-01-01"
    for customer in ("earlier", "same", "later", "undated"):
        till.records_consent(customer, {TRAIN: YES, PERSONALIZE_WEB: NO})
    till.records_consent("store-only", {PERSONALIZE_EMAIL: YES})
    rows = [
        f"earlier,no,yes,{yesterday}",
        f"same,no,yes,{noon}",
        f"later,no,yes,{tomorrow}",
        "undated,no,yes,",
    ]
    file = people(
        tmp_path,
        *rows,
        "file-only,no,yes,",
        header="customer_id,train,personalize_web,consent_time",
    )
    shop = read(
        orders(tmp_path, "later,milk,2025-12-30,1,1", "same,jam,2025-12-30,2,1"),
        till.url,
        customers=file,
    )
    assert {name: consent(shop, name) for name in shop.customer_ids} == {
        "earlier": [YES, NO, NEVER_ASKED, NEVER_ASKED],
        "file-only": [NO, YES, NEVER_ASKED, NEVER_ASKED],
        "later": [NO, YES, NEVER_ASKED, NEVER_ASKED],
        "same": [YES, NO, NEVER_ASKED, NEVER_ASKED],
        "store-only": [NEVER_ASKED, NEVER_ASKED, YES, NEVER_ASKED],
        "undated": [YES, NO, NEVER_ASKED, NEVER_ASKED],
    }
    assert lines(shop) == [("same", "jam", "purchase", 1.0)]
    assert shop.report.dropped.counts == {"no_consent_to_train": 1}


def test_a_yes_in_a_file_that_is_dated_ahead_takes_no_no_back(till: Till, tmp_path: Path) -> None:
    till.records_consent("anna", {TRAIN: NO, PERSONALIZE_WEB: NO})
    till.records_consent("bert", {TRAIN: YES, PERSONALIZE_WEB: YES})
    rows = ["anna,yes,yes,2099-01-01", "bert,no,no,2026-01-03", "carl,yes,yes,2026-01-03"]
    header = "customer_id,train,personalize_web,consent_time"
    file = people(tmp_path, *rows, header=header)
    lines = (f"{name},milk,2025-12-30,{name},1" for name in ("anna", "bert", "carl"))
    shop = read(orders(tmp_path, *lines), till.url, customers=file)
    assert {name: consent(shop, name) for name in shop.customer_ids} == {
        "anna": [NO, NO, NEVER_ASKED, NEVER_ASKED],
        "bert": [NO, NO, NEVER_ASKED, NEVER_ASKED],
        "carl": [YES, YES, NEVER_ASKED, NEVER_ASKED],
    }
    # Told without this store, a service takes any no of its own for the later one.
    assert shop.consent_time[shop.customer_ids.find("carl")].tolist() == [0, 0, 0, 0]
    assert shop.report.customer_problems.counts == {"consent_time_ahead": 6}


def test_each_purpose_has_a_date_of_its_own(till: Till, tmp_path: Path) -> None:
    till.sells("anna", "milk", order="1")
    till.records_consent("anna", {TRAIN: YES, PERSONALIZE_WEB: YES, PERSONALIZE_EMAIL: YES})
    header = (
        "customer_id,train,personalize_web,personalize_email,"
        "train_time,personalize_web_time,consent_time"
    )
    file = people(tmp_path, "anna,no,no,no,2025-12-30,2026-01-01,1767312000", header=header)
    assert consent(read(till.url, customers=file), "anna") == [YES, NO, NO, NEVER_ASKED]


def test_who_said_no_in_the_store_is_not_learned_from_in_the_file(
    till: Till, tmp_path: Path
) -> None:
    till.records_consent("anna", {TRAIN: NO})
    shop = read(orders(tmp_path, "anna,milk,2025-12-30,1,1", "bert,milk,2025-12-30,2,1"), till.url)
    assert lines(shop) == [("bert", "milk", "purchase", 1.0)]
    assert shop.report.dropped.counts == {"no_consent_to_train": 1}


def test_the_position_lies_below_what_came_while_reading(till: Till) -> None:
    till.sells("anna", "milk", order="1")
    came = []

    def meanwhile(*about: Any) -> None:
        if "FROM position" in about[2] and not came:
            came.append(True)
            till.sells("anna", "bread", order="2")
            till.records_consent("carl", {TRAIN: NO})

    event.listen(Engine, "after_cursor_execute", meanwhile)
    try:
        shop = read(till.url)
    finally:
        event.remove(Engine, "after_cursor_execute", meanwhile)
    assert (lines(shop), shop.event_position) == ([("anna", "milk", "purchase", 1.0)], 1)
    shop = read(till.url)
    assert (len(lines(shop)), shop.event_position, till.position) == (2, 3, 3)


def test_nothing_after_until_is_learned_and_the_position_lies_below_it(till: Till) -> None:
    till.sells("anna", "milk", order="1", time=NOON - DAY)
    till.sells("anna", "bread", order="2")
    till.sells("anna", "jam", order="3", time=NOON - DAY)  # it came late: the service folds it in
    shop = read(till.url, until=NOON)
    assert (lines(shop), shop.event_position) == ([("anna", "milk", "purchase", 1.0)], 1)


def test_more_events_than_are_held_at_once_are_all_there(till: Till) -> None:
    many = service_store.BATCH_ROWS + 7
    till.reports_at_once(many)
    shop = read(till.url)
    assert (len(shop), len(shop.product_ids), shop.event_position) == (many, many, many)


def test_what_the_shop_says_about_a_product_goes_over_the_products_file(
    till: Till, tmp_path: Path
) -> None:
    header = "product_id,title,category,brand,price,in_stock,available_until,shelf,rating,cost"
    rows = [
        "milk,Milk,dairy,Ashby,1.5,yes,2026-02-01,3,4.5,1.1",
        "bread,Bread,bakery,Ashby,2,yes,,,,free",
    ]
    file = corner_shop.write(tmp_path, rows, header=header, name="products.csv")
    attributes = {"cost": "0.9"}
    till.lists(
        "milk",
        price=1.75,
        currency="EUR",
        in_stock=False,
        brand=None,
        markets=["DE", "AT"],
        url="ftp://no",
    )
    till.lists("jam", title="Jam", available_from="2025-12-01T00:00:00Z", attributes=attributes)
    till.lists("soap", title="Soap", hidden=True, cost=0.3, attributes={"cost": 9})
    till.sells("anna", "milk", "bread", order="1")
    shop = read(till.url, products=file)
    catalogue = shop.catalogue
    assert list(catalogue.ids) == ["bread", "jam", "milk", "soap"]
    assert list(catalogue.title) == ["Bread", "Jam", "Milk", "Soap"]
    assert [
        catalogue.category_names[code] if code >= 0 else None for code in catalogue.category
    ] == [*("bakery", None, "dairy", None)]
    assert catalogue.brand.tolist() == [0, -1, -1, -1]
    np.testing.assert_array_equal(catalogue.price, [2, np.nan, 1.75, np.nan])
    assert list(catalogue.currency) == ["", "", "EUR", ""]
    assert catalogue.in_stock.tolist() == [True, True, False, True]
    assert catalogue.limited.tolist() == [False, False, True, False]
    assert list(catalogue.market_names) == ["AT", "DE"]
    assert catalogue.available_from[1] == 1_764_547_200
    assert catalogue.available_until[2] == 1_769_904_000
    assert catalogue.available_until[3] < 0
    assert [json.loads(text) if text else None for text in catalogue.attributes] == [
        *(None, attributes, {"shelf": "3", "rating": "4.5"}, {"cost": 9})
    ]
    np.testing.assert_array_equal(catalogue.cost, [np.nan, 0.9, 1.1, 0.3])
    assert shop.report.product_rows == 5
    assert shop.report.product_problems.counts == {"bad_url": 1, "bad_cost": 1}


def test_a_model_keeps_the_codes_of_its_orders(till: Till, tmp_path: Path) -> None:
    till.sells("anna", "milk", order="Bestellung-ä7")
    file = orders(tmp_path, "anna,jam,2025-12-30,😀,1", "anna,bread,2025-12-30,,1")
    history = counts.build_histories(read(till.url, file)).of(0)
    assert history.order.tolist() == [0, order_code("😀"), order_code("Bestellung-ä7")]
    assert history.order.dtype == np.uint32


@pytest.mark.parametrize("name", ["", "7", "Bestellung-ä7", "注文😀", "x" * 500])
def test_the_code_of_an_order_is_part_of_its_md5(name: str) -> None:
    assert order_code(name) == int(np.frombuffer(hashlib.md5(name.encode()).digest(), "<u4")[2])


def test_the_schema_that_is_read_is_the_one_that_the_service_makes() -> None:
    assert service_store.SCHEMA == SCHEMA


@pytest.mark.parametrize("table", service_store.TABLES_READ, ids=str)
def test_every_table_and_column_that_is_read_is_one_of_the_service(table: TableClause) -> None:
    assert set(table.c.keys()) <= set(metadata.tables[table.name].c.keys())


@pytest.mark.parametrize("kind", DATABASES)
def test_every_view_that_is_read_is_in_a_store_with_the_columns_that_are_read(
    kind: str, tmp_path: Path
) -> None:
    with service_store.open_store(new_store(kind, tmp_path), "--store") as store:
        for view in service_store.VIEWS_READ:
            columns = inspect(store.connection).get_columns(view.name)
            assert {column["name"] for column in columns} == set(view.c.keys())


def test_no_other_file_of_training_names_a_table_or_writes_sql() -> None:
    namers = {"table", "column", "text", "literal_column", "Table", "MetaData", "TextClause"}
    files = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "training").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom)
        and (node.module or "").partition(".")[0] == "sqlalchemy"
        and namers & {alias.name for alias in node.names}
    }
    assert files == {"training/reading/service_store.py"}


def refused(url: str) -> str:
    with pytest.raises(InputError) as error:
        read(url)
    assert "secret" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("kind", DATABASES)
def test_a_database_that_is_no_store_or_another_version_is_refused_with_what_to_do(
    kind: str, tmp_path: Path
) -> None:
    url = empty_database(kind, tmp_path)
    engine = create_engine(
        make_url(url).set(drivername={"postgresql": "postgresql+psycopg"}.get(kind, kind))
    )
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE other (id INTEGER)"))
    assert "holds no store of Regulars" in refused(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num TEXT)"))
        connection.execute(text("INSERT INTO alembic_version VALUES ('0000')"))
    assert f"has schema 0000 of the store, and schema {SCHEMA} is read here" in refused(url)
    engine.dispose()


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        (
            "sqlite:///nowhere/store.db",
            "sqlite:///nowhere/store.db cannot be read: unable to open database file.",
        ),
        ("sqlite://", "address cannot be read"),
        ("mysql://anna:secret@localhost/shop", "address cannot be read"),
        ("postgresql://anna:secret@localhost:port/shop", "address cannot be read"),
        (
            "postgresql://anna:secret@127.0.0.1:1/shop?password=secret",
            "postgresql://127.0.0.1:1/shop cannot be read: ",
        ),
    ],
)
def test_a_store_that_cannot_be_reached_costs_one_sentence_without_the_password(
    url: str, sentence: str
) -> None:
    assert sentence in refused(url)


def test_a_store_that_cannot_be_reached_ends_the_command_as_bad_input(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = "postgresql://anna:secret@127.0.0.1:1/shop"
    assert corner_shop.run("train", "--purchases", url, "--registry", tmp_path / "registry") == 2
    assert "secret" not in capsys.readouterr().out
    assert not (tmp_path / "registry").exists()


def test_a_database_that_says_nothing_is_not_waited_for_without_end() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as threads:
        url = f"postgresql://anna:secret@127.0.0.1:{server.getsockname()[1]}/shop"
        reading = threads.submit(refused, url)
        try:
            sentence = reading.result(2 * service_store.CONNECT_TIMEOUT_SECONDS)
        finally:
            server.accept()[0].close()  # whoever waits still is let go
    assert "cannot be read: " in sentence
    assert "timeout" in sentence


def test_two_stores_at_once_are_refused() -> None:
    with pytest.raises(InputError, match="2 stores are named"):
        read("sqlite:///one.db", "sqlite:///two.db")


def test_a_store_in_which_nothing_happened_is_refused(till: Till) -> None:
    with pytest.raises(InputError, match=r"holds no events \(0 rows\)"):
        read(till.url)


def test_reading_changes_nothing_in_the_store(till: Till, tmp_path: Path) -> None:
    till.sells("anna", "milk", order="1")
    till.close()
    before = (
        sorted(tmp_path.glob("*.db*")),
        [path.read_bytes() for path in sorted(tmp_path.glob("*.db"))],
    )
    read(till.url)
    assert (
        sorted(tmp_path.glob("*.db*")),
        [path.read_bytes() for path in sorted(tmp_path.glob("*.db"))],
    ) == before
