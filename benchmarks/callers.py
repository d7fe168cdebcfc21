"""How fast filters, rankings, pages and batches are: `python -m benchmarks.callers --registry DIR`.

Prints a table; the numbers of record are in benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import http.client
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from random import Random
from statistics import median, quantiles
from typing import Any, Final

import numpy as np
import orjson

from benchmarks.service import row, times_ms, with_one_blas_thread
from models.artifact.registry import Registry
from models.recommender import Recommender
from models.rules.filter_language import parse_filter
from models.rules.filter_mask import find_matching
from models.rules.filters import Filters
from models.slate import SlateRequest
from models.updates.catalogue import ProductUpdate, update_catalogue
from service.answering.answer import AnswerInputs, build_answer
from service.answering.presentation import Presentation
from service.answering.query import AS_LEARNED, QueryKind, RecommendationQuery
from service.answering.shop_page import PageInProgress, PagePart, PageQuery, build_page
from service.model.live_catalogue import LiveCatalogue
from service.model.loaded_model import LoadedModel
from service.signing.click_links import ClickLinks
from tests.support.service_process import server
from tests.support.shop import Product, catalogue_of

PRODUCTS: Final = 100_000
GIVEN: Final = 1_000
CALLS: Final = 300
RECIPIENTS: Final = 1_000
TURNS: Final = 4
COLORS: Final = ("red", "blue", "green", "black", "white")
TEN_CONDITIONS: Final = (
    'product.price < 120 && product.price >= 3 && product.in_stock && product.category != "c9"'
    ' && product.brand != "b7" && product.color in ["red", "blue", "green"] && product.size > 4'
    ' && product.weight <= 18.5 && (product.organic || product.title.startsWith("Thing 9"))'
)


def make_products(count: int) -> list[Product]:
    """Make products with four attributes, seeded."""
    random = np.random.default_rng(1)
    products = []
    for number in range(count):
        attributes = {
            "color": COLORS[number % 5],
            "size": str(number % 40),
            "weight": round(20 * random.random(), 2),
            "organic": number % 3 == 0,
        }
        product = Product(
            f"p{number:06}",
            title=f"Thing {number}",
            category=f"c{number % 300}",
            brand=f"b{number % 900}",
            price=float(random.integers(1, 200)),
            attributes=orjson.dumps(attributes).decode(),
        )
        products.append(product)
    return products


def measure_filters() -> None:
    """Measure the mask of ten conditions over a catalogue of 100,000 products."""
    catalogue, expression = catalogue_of(make_products(PRODUCTS)), parse_filter(TEN_CONDITIONS)
    match = partial(find_matching, expression, catalogue)
    started = time.perf_counter()
    match()
    taken = (time.perf_counter() - started) * 1000
    row("the first filter, which reads every product", taken, taken)
    row("a mask of ten conditions, made anew", *times_ms([match] * CALLS))


def measure_changes(shop: Recommender) -> None:
    """Measure a mask right after a price has changed, and one that is kept."""
    expression = parse_filter(TEN_CONDITIONS)
    find_matching(expression, shop.catalogue)
    product_id, model = shop.catalogue.ids[9], shop.model
    calls: list[Callable[[], object]] = []
    for number in range(100):
        change = ProductUpdate(id=product_id, fields=frozenset({"price"}), price=float(number))
        model = update_catalogue(model, [change], shop.model, shop.manifest.data_as_of)
        calls.append(partial(find_matching, expression, model.catalogue))
    row(f"a mask after a change, {len(shop.catalogue):,} products", *times_ms(calls))
    plain, filtered = SlateRequest(), SlateRequest(filters=Filters(expression=expression))
    row("what a slate leaves out", *times_ms([partial(shop.find_filtered, plain)] * CALLS))
    kept = partial(shop.find_filtered, filtered)
    row("what it leaves out with this filter", *times_ms([kept] * CALLS))


def measure_rankings(registry: Path, shop: Recommender) -> None:
    """Measure the order of 1,000 given products, in the process and over HTTP."""
    random = Random(7)
    customers = random.sample(list(shop.model.customers.ids), CALLS)
    model = LoadedModel.of(shop)
    live, links = LiveCatalogue(model, model), Presentation(ClickLinks(b"secret"))
    known = list(shop.catalogue.ids)
    drawn = [tuple(sorted(random.sample(known, GIVEN))) for _ in customers]
    computed, bodies = [], []
    for customer, products in zip(customers, drawn, strict=True):
        query = RecommendationQuery(
            QueryKind.RANKING,
            "en_US",
            n=GIVEN,
            with_cards=False,
            customer_id=customer,
            given=products,
        )
        computed.append(partial(build_answer, live, query, links))
        bodies.append(orjson.dumps({"product_ids": products, "customer_id": customer}))
    row("a ranking of 1,000 products, in the process", *times_ms(computed))
    with server(registry) as (port, _, _):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        calls = [partial(post, connection, "/v1/rankings", body) for body in bodies]
        row("HTTP, computed", *times_ms(calls))
        row("HTTP, cached", *times_ms(calls))


def page_of(customer: str, product: str) -> PageQuery:
    """Return a product page of five slates."""
    visitor = RecommendationQuery(QueryKind.CUSTOMER, "en_US", customer_id=customer)
    anonymous = replace(visitor, customer_id=None)
    queries = (
        visitor,
        replace(anonymous, kind=QueryKind.SIMILAR, product_id=product),
        replace(anonymous, kind=QueryKind.BUNDLES, product_id=product),
        replace(visitor, kind=QueryKind.REPLENISHMENT, ahead_days=7.0),
        replace(anonymous, kind=QueryKind.POPULAR),
    )
    return PageQuery(tuple(PagePart(None, query) for query in queries), visitor)


def without_bundles(page: PageQuery) -> PageQuery:
    """Return a page without the part that takes longest besides the customer's."""
    parts = [part for part in page.parts if part.query.kind is not QueryKind.BUNDLES]
    return replace(page, parts=tuple(parts))


def times_in_turn(*kinds: Sequence[Callable[[], object]]) -> list[tuple[float, float]]:
    """Return median and 99th percentile of each kind of calls, made in turn.

    What else the machine does then weighs on all alike.
    """
    taken: list[list[float]] = [[] for _ in kinds]
    for calls in zip(*kinds, strict=True):
        for times, call in zip(taken, calls, strict=True):
            started = time.perf_counter()
            call()
            times.append((time.perf_counter() - started) * 1000)
    return [(median(times), quantiles(times, n=100)[98]) for times in taken]


def measure_pages(registry: Path, shop: Recommender) -> None:
    """Measure five slates in one call, and each of them alone, in the process and over HTTP."""
    random = Random(11)
    customers = random.sample(list(shop.model.customers.ids), CALLS)
    sold = [shop.catalogue.ids[slot.item] for slot in shop.popular(SlateRequest(n=100)).slots]
    model = LoadedModel.of(shop)
    live, presentation = LiveCatalogue(model, model), Presentation(ClickLinks(b"secret"))
    pages = [page_of(customer, random.choice(sold)) for customer in customers]

    def answer_page(page: PageQuery) -> None:
        build_page(page, presentation, AnswerInputs(live, AS_LEARNED), {}, PageInProgress())

    for index, query in enumerate(pages[0].queries):
        alone = [partial(build_answer, live, page.queries[index], presentation) for page in pages]
        row(f"{query.kind} alone, in the process", *times_ms(alone))
    alone = [partial(build_answer, live, page.queries[0], presentation) for page in pages]
    whole = [partial(answer_page, page) for page in pages]
    shorter = [partial(answer_page, without_bundles(page)) for page in pages]
    single_ms, page_ms, shorter_ms = times_in_turn(alone, whole, shorter)
    row("customer alone, in turn with the pages", *single_ms)
    row("a page of the five", *page_ms)
    row("a page of the four without bundles", *shorter_ms)
    parts: list[dict[str, Any]] = [
        {"kind": "customer"},
        {"kind": "similar"},
        {"kind": "bundles"},
        {"kind": "replenishment", "ahead_days": 7},
        {"kind": "popular"},
    ]
    singles: list[bytes] = []
    together: list[bytes] = []
    for page in pages:
        customer, product = page.visitor.customer_id, page.queries[1].product_id
        asked = [{**part, "product_id": product} for part in parts[1:3]]
        body = {"customer_id": customer, "parts": [parts[0], *asked, *parts[3:]]}
        together.append(orjson.dumps(body))
        singles.append(orjson.dumps({"customer_id": customer}))
    with server(registry) as (port, _, _):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        calls = [partial(post, connection, "/v1/pages", body) for body in together]
        slates = [partial(post, connection, "/v1/recommendations", body) for body in singles]
        single_ms, page_ms = times_in_turn(slates, calls)
        row("HTTP, the customer's slate alone, computed", *single_ms)
        row("HTTP, a page of five slates, computed", *page_ms)
        row("HTTP, a page of five slates, cached", *times_ms(calls))


def measure_batches(registry: Path, shop: Recommender) -> None:
    """Measure 1,000 slates in one call, and in 1,000 calls that all workers answer at once."""
    drawn = Random(13).sample(list(shop.model.customers.ids), 2 * RECIPIENTS)
    workers = len(os.sched_getaffinity(0))
    settings = {"workers": workers, "cache_bytes": 0, "deadline_ms": 10_000, "scoring_queue": 1000}
    with server(registry, **settings) as (port, _, _):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
        for turn in range(TURNS):
            half = drawn[:RECIPIENTS] if turn % 2 else drawn[RECIPIENTS:]
            body = orjson.dumps({"recipients": [{"customer_id": name} for name in half]})
            started = time.perf_counter()
            post(connection, "/v1/recommendations/batch", body)
            seconds = time.perf_counter() - started
            row("slates a second, one batch of 1,000", RECIPIENTS / seconds, seconds, "/s, s")
            started = time.perf_counter()
            ask_each(port, half, 4 * workers)
            seconds = time.perf_counter() - started
            row("slates a second, 1,000 calls", RECIPIENTS / seconds, seconds, "/s, s")


def ask_each(port: int, customers: Sequence[str], connections: int) -> None:
    """Ask for the slate of each customer over so many connections."""

    def ask(part: Sequence[str]) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
        for customer in part:
            post(connection, "/v1/recommendations", orjson.dumps({"customer_id": customer}))
        connection.close()

    with ThreadPoolExecutor(connections) as pool:
        list(pool.map(ask, [customers[first::connections] for first in range(connections)]))


def post(connection: http.client.HTTPConnection, path: str, body: bytes) -> dict[str, Any]:
    """Return the answer to a body. Raises RuntimeError for one that is no 200."""
    connection.request("POST", path, body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    content = response.read()
    if response.status != 200:
        raise RuntimeError(f"{response.status}: {content[:200]!r}")
    answer: dict[str, Any] = orjson.loads(content)
    return answer


def main() -> None:
    with_one_blas_thread("benchmarks.callers")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--registry", type=Path, required=True)
    arguments = parser.parse_args()
    registry = Registry(arguments.registry)
    version = registry.active()
    if version is None:
        parser.error(f"{arguments.registry} holds no active version; train one first")
    print(f"{'':<46} {'p50':>9} {'p99':>9}")
    measure_filters()
    shop = Recommender.load(registry.path(version))
    measure_changes(shop)
    measure_rankings(arguments.registry, shop)
    measure_pages(arguments.registry, shop)
    measure_batches(arguments.registry, shop)


if __name__ == "__main__":
    main()
