"""The catalogue follows the store: products, rules, sales and who was forgotten."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path
from threading import Barrier
from threading import Event as Signal
from typing import Any, TypeVar

import orjson
import pytest
from sqlalchemy import Connection

from models.artifact.registry import Registry
from models.data.customers import NO, YES
from models.data.events import PURCHASE, Standing
from models.recommender import Recommender
from models.slate import SlateRequest
from models.updates.catalogue import read_product_update
from service.model.live_catalogue import CatalogueFollower, LiveCatalogue
from service.model.loaded_model import LoadedModel
from service.schemas.products import ProductBody
from service.store import erasure, events, products
from service.store.events import Event, EventLine
from service.store.lineage import read_mark
from service.store.products import Author
from service.store.shop_documents import BUNDLES, RULES, ShopDocuments
from service.store.store import Store
from service.store.writer import Change, Position, read_position
from tests.support.expected_answers import another_version
from tests.support.service_shop import Shop as Premises
from tests.support.shop import moment, names
from tests.support.store_server import new_store

T = TypeVar("T")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(new_store("sqlite", tmp_path), tmp_path / "run")
    yield opened
    opened.close()


def say(store: Store, documents: dict[str, dict[str, Any]], *, whole: bool = False) -> None:
    author = Author("test", 0)
    store.write(lambda change: products.put(change, documents, author, whole=whole)).result(10)


def make_rule(store: Store, rule_id: str, document: dict[str, Any] | None) -> None:
    write_document(store, RULES, rule_id, document)


def write_document(
    store: Store, documents: ShopDocuments, name: str, document: dict[str, Any] | None
) -> None:
    store.write(lambda change: documents.put(change, name, document, time=1, actor="test")).result(
        10
    )


def forget(store: Store, customer_id: str) -> None:
    def work(change: Change) -> None:
        erasure.erase(change, customer_id, 1)

    store.write(work).result(10)


def sell(store: Store, product_id: str, prefix: str = "", **more: Any) -> None:
    """300 orders of a product."""
    lines = (EventLine(product_id),)
    orders = [
        Event(
            f"{prefix} {product_id} {number}",
            PURCHASE,
            moment(180),
            lines,
            order_id=f"{number}",
            **more,
        )
        for number in range(300)
    ]
    store.write(lambda change: events.write(change, orders)).result(10)


def sold(recommender: Recommender, product_id: str) -> float:
    """Lines of the last year."""
    lines = recommender.model.sales.window(moment(181), 365, len(recommender.catalogue))
    return float(lines[recommender.catalogue.ids.find(product_id)])


def now(store: Store) -> Position:
    return store.read(read_position)


def slate_of(live: LiveCatalogue) -> tuple[Any, ...]:
    recommender = live.model.recommender
    slate = recommender.recommend("c00", SlateRequest(n=100, strict=True, rules=live.rules))
    return names(recommender, slate), [slot.score for slot in slate.slots]


def test_a_shop_that_nothing_was_said_of_serves_its_artifact(shop: Premises, store: Store) -> None:
    live = CatalogueFollower(store, "allow")
    assert live.at(shop.model, now(store)).model is shop.model
    assert not live.at(shop.model, now(store)).is_forgotten("c00")


def test_a_change_is_read_from_the_store_once_however_many_answers_wait_for_it(
    shop: Premises, store: Store
) -> None:
    live, together = CatalogueFollower(store, "allow"), Barrier(6)
    say(store, {"bagel": {"price": 9.0}})
    position = now(store)

    def answer(_: int) -> LiveCatalogue:
        together.wait(10)
        return live.at(shop.model, position)

    with ThreadPoolExecutor(6) as threads:
        first, *others = threads.map(answer, range(6))
    assert all(other is first for other in others)


class SlowStore(Store):
    """A store whose next read waits, once it has read, until it may go on."""

    def __init__(self, url: str, runtime: Path) -> None:
        super().__init__(url, runtime)
        self.has_read, self.may_go_on = Signal(), Signal()

    def read(self, work: Callable[[Connection], T]) -> T:
        result = super().read(work)
        if not self.has_read.is_set():
            self.has_read.set()
            assert self.may_go_on.wait(10)
        return result


@pytest.fixture
def slow_store(tmp_path: Path) -> Iterator[SlowStore]:
    opened = SlowStore(new_store("sqlite", tmp_path), tmp_path / "run")
    yield opened
    opened.close()


def test_a_count_of_sales_that_takes_long_does_not_bring_old_prices_back(
    shop: Premises, slow_store: SlowStore
) -> None:
    live = CatalogueFollower(slow_store, "allow")
    with ThreadPoolExecutor(2) as threads:
        counting = threads.submit(live.count_sales, shop.model)
        assert slow_store.has_read.wait(10)
        say(slow_store, {"bagel": {"price": 9.0}})
        answering = threads.submit(live.at, shop.model, now(slow_store))
        wait([answering], timeout=0.3)
        slow_store.may_go_on.set()
        counting.result(10)
        answering.result(10)
    catalogue = live.as_known(shop.model).model.recommender.catalogue
    assert catalogue.price[catalogue.ids.find("bagel")] == 9.0


def test_a_count_of_sales_that_takes_long_does_not_keep_a_model_that_is_gone(
    shop: Premises, slow_store: SlowStore
) -> None:
    live = CatalogueFollower(slow_store, "allow")
    with ThreadPoolExecutor(2) as threads:
        counting = threads.submit(live.count_sales, shop.model)
        assert slow_store.has_read.wait(10)
        removing = threads.submit(live.keep_only, frozenset())
        wait([removing], timeout=0.3)
        slow_store.may_go_on.set()
        counting.result(10)
        removing.result(10)
    assert live.as_known(shop.model).nobody_known  # as at the start


def test_whoever_answers_from_a_position_sees_all_that_was_said_until_then(
    shop: Premises, store: Store
) -> None:
    live = CatalogueFollower(store, "allow")
    for number, price in enumerate((2.0, 3.0, 4.0)):
        say(store, {"bagel": {"price": price}, f"new {number}": {"title": "New"}})
        catalogue = live.at(shop.model, now(store)).model.recommender.catalogue
        assert catalogue.price[catalogue.ids.find("bagel")] == price
        assert catalogue.ids.find(f"new {number}") == 40 + number


def test_a_worker_that_saw_every_change_and_one_that_starts_now_answer_alike(
    shop: Premises, store: Store
) -> None:
    followed = CatalogueFollower(store, "allow")
    changes: list[dict[str, dict[str, Any]]] = [
        {"bagel": {"hidden": True}},
        {"brioche": {"category": "bakery", "price": 3.0}},
        {"butter": {"category": "bakery", "price": 8.0}},
        {"bagel": {"hidden": False}, "brioche": {"price": 2.0}},
        {"kite": {"in_stock": False}, "crepe": {"category": "bakery"}},
        {"brioche": {"hidden": True}},
        {"baba": {"category": "bakery", "price": 2.0}},
        {"brioche": {"hidden": False}},
    ]
    for change in changes:
        say(store, change)
        at_position = followed.at(shop.model, now(store))
    fresh = slate_of(CatalogueFollower(store, "allow").at(shop.model, now(store)))
    assert fresh == slate_of(at_position)
    assert {"bagel", "brioche", "crepe"} <= set(fresh[0])
    assert fresh[0].index("baba") < fresh[0].index("brioche")  # alike in all but their ids


def test_what_was_sold_of_a_new_product_stays_its_own_when_others_come(
    shop: Premises, store: Store
) -> None:
    live = CatalogueFollower(store, "allow")
    say(store, {"brioche": {"category": "bakery"}})
    live.at(shop.model, now(store))
    sell(store, "brioche")
    live.count_sales(shop.model)
    for changes in ({}, {"baba": {"category": "bakery"}}, {"crepe": {}, "aebleskiver": {}}):
        say(store, changes)
        recommender = live.at(shop.model, now(store)).model.recommender
        assert (
            names(recommender, recommender.popular(SlateRequest(n=3, as_of=moment(181))))[0]
            == "brioche"
        )
        assert sold(recommender, "brioche") == 300


def test_an_order_that_is_told_again_is_not_sold_again_whenever_it_is_counted(
    shop: Premises, store: Store
) -> None:
    live = CatalogueFollower(store, "allow")
    before = sold(shop.model.recommender, "kite")
    for prefix in ("paid", "packed", "packed again"):
        sell(store, "kite", prefix)
        live.count_sales(shop.model)
        recommender = live.at(shop.model, now(store)).model.recommender
        assert sold(recommender, "kite") == before + 300
    sell(store, "kite", "another customer's", customer_id="ann")
    sell(store, "bread", "more of the same orders")
    live.count_sales(shop.model)
    recommender = live.at(shop.model, now(store)).model.recommender
    assert sold(recommender, "kite") == before + 600
    assert sold(recommender, "bread") == sold(shop.model.recommender, "bread") + 300


def test_what_only_a_customer_reported_is_not_sold_until_the_shop_reports_it(
    shop: Premises, store: Store
) -> None:
    live = CatalogueFollower(store, "allow")
    for standing in (Standing.CUSTOMER, Standing.LATE):
        sell(store, "kite", standing.name, customer_id="ann", standing=standing)
    live.count_sales(shop.model)
    before = sold(shop.model.recommender, "kite")
    assert sold(live.at(shop.model, now(store)).model.recommender, "kite") == before
    sell(store, "kite", "the shop's", customer_id="ann")
    live.count_sales(shop.model)
    assert sold(live.at(shop.model, now(store)).model.recommender, "kite") == before + 300


def test_an_order_that_a_model_has_learned_is_not_sold_again(
    own_shop: Premises, store: Store
) -> None:
    """Whether the shop reports it again, or confirms what its customer had reported."""
    sell(store, "kite", "the shop's")
    sell(store, "bread", "ann's", customer_id="ann", standing=Standing.CUSTOMER)
    learned = read_so_far(own_shop, store)
    sell(store, "kite", "the shop's, again")
    sell(store, "bread", "the shop's, of ann", customer_id="ann")
    sell(store, "butter", "bert's", customer_id="bert")
    live = CatalogueFollower(store, "allow")
    live.count_sales(learned)
    recommender = live.at(learned, now(store)).model.recommender
    for product, lines in (("kite", 0), ("bread", 0), ("butter", 300)):
        assert sold(recommender, product) == sold(learned.recommender, product) + lines, product


def read_so_far(shop: Premises, store: Store) -> LoadedModel:
    """Return the shop's model as if it had learned all that the store holds."""
    learned, mark = shop.model.recommender, store.read(read_mark).hex()
    position = now(store).number
    manifest = replace(learned.manifest, event_position=position, event_mark=mark)
    recommender = Recommender(manifest, learned.model, learned.settings)
    return replace(shop.model, recommender=recommender)


def test_rules_come_and_go(shop: Premises, store: Store) -> None:
    live = CatalogueFollower(store, "allow")
    make_rule(store, "b", {"id": "b", "kind": "exclude", "which": {"category": "bakery"}})
    make_rule(store, "a", {"id": "a", "kind": "cap", "by": "brand", "most": 2})
    assert [rule.id for rule in live.at(shop.model, now(store)).rules] == ["a", "b"]
    make_rule(store, "b", None)
    assert [rule.id for rule in live.at(shop.model, now(store)).rules] == ["a"]


def test_a_bundle_of_the_shop_that_another_host_has_made_is_followed_like_a_rule(
    shop: Premises, store: Store
) -> None:
    live = CatalogueFollower(store, "allow")
    document = {"products": ["bread", "butter"], "price": 10.0, "currency": "EUR"}
    times = {"starts": "2026-11-27T00:00:00+00:00", "ends": "2026-11-28T00:00:00+00:00"}
    write_document(store, BUNDLES, "b", {**document, **times})
    followed = live.at(shop.model, now(store))
    start, end = followed.rule_boundaries
    assert [bundle.products for bundle in followed.bundles] == [("bread", "butter")]
    shown = [len(followed.with_rules_at(clock).bundles) for clock in (start - 1, start, end)]
    assert shown == [0, 1, 0]
    write_document(store, BUNDLES, "b", None)
    assert live.at(shop.model, now(store)).bundles == ()


def test_of_the_rules_those_hold_whose_time_it_is_by_the_clock(
    shop: Premises, store: Store
) -> None:
    dates = {"starts": "2026-11-27T00:00:00+00:00", "ends": "2026-11-28T00:00:00+00:00"}
    make_rule(
        store,
        "friday",
        {"id": "friday", "kind": "exclude", "which": {"category": "bakery"}, **dates},
    )
    live = CatalogueFollower(store, "allow").at(shop.model, now(store))
    start, end = live.rule_boundaries
    assert [len(live.with_rules_at(clock).rules) for clock in (start - 1, start, end - 1, end)] == [
        0,
        1,
        1,
        0,
    ]
    assert [live.rule_period(clock) for clock in (start - 1, start, end - 1, end)] == [0, 1, 1, 2]


def test_who_is_forgotten_is_forgotten_and_their_name_is_not_kept(
    shop: Premises, store: Store
) -> None:
    live = CatalogueFollower(store, "allow")
    forget(store, "c00")
    at_position = live.at(shop.model, now(store))
    assert at_position.is_forgotten("c00")
    assert not at_position.is_forgotten("c01")
    assert not at_position.is_forgotten(None)
    assert all(b"c00" not in mark for mark in at_position.erased)


def test_another_model_is_served_with_all_that_was_said(own_shop: Premises, store: Store) -> None:
    live = CatalogueFollower(store, "allow")
    say(store, {"bagel": {"price": 9.0}})
    make_rule(store, "a", {"id": "a", "kind": "cap", "by": "brand", "most": 2})
    forget(store, "c00")
    first = live.at(own_shop.model, now(store))
    other = LoadedModel.of(
        Recommender.load(Registry(own_shop.root).path(another_version(own_shop.root)))
    )
    second = live.at(other, now(store))
    assert (second.artifact, second.is_forgotten("c00"), len(second.rules)) == (other, True, 1)
    assert slate_of(second) == slate_of(first)
    assert slate_of(live.at(own_shop.model, now(store))) == slate_of(first)


def test_where_the_store_is_away_the_shop_is_as_it_was_last_known(
    shop: Premises, store: Store
) -> None:
    live = CatalogueFollower(store, "allow")
    assert live.as_known(shop.model).model is shop.model
    say(store, {"bagel": {"price": 9.0}})
    at_position = live.at(shop.model, now(store))
    assert live.as_known(shop.model) is at_position


@pytest.mark.parametrize(("setting", "expected"), [("allow", YES), ("refuse", NO)])
def test_what_holds_for_the_unasked_is_the_shops_to_say(
    store: Store, setting: str, expected: int
) -> None:
    catalogues = CatalogueFollower(store, setting)
    assert (catalogues.unasked_of("anna"), catalogues.unasked_of(None)) == (expected, expected)


def test_what_holds_for_visits_is_the_shops_to_say_apart(store: Store) -> None:
    catalogues = CatalogueFollower(store, "allow", "refuse")
    assert (catalogues.unasked_of("anna"), catalogues.unasked_of(None)) == (YES, NO)


def test_a_product_is_what_was_given_of_it() -> None:
    product = read_product_update(
        "bagel", {"price": None, "available_from": "2025-01-02", "available_until": None}
    )
    assert product.fields == {"price", "available_from", "available_until"}
    assert (product.price, product.available_from, product.available_until) == (
        None,
        moment(1),
        None,
    )
    assert read_product_update("bagel", {}).fields == frozenset()


def test_a_whole_product_gives_all_that_can_be_given() -> None:
    body = ProductBody(
        product_id="bagel", markets=("north",), attributes={"cost": 2, "organic": True}
    )
    product = read_product_update("bagel", orjson.loads(orjson.dumps(body.document())))
    assert product.fields == set(ProductBody.model_fields) - {"product_id"}
    assert product.markets == ("north",)
    assert orjson.loads(product.attributes) == {"cost": 2, "organic": True}
    assert product.cost == 2  # where shops told it once
