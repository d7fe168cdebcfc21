"""A purchase is attributed to what led to it, once, and to nobody who is not to be measured."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from models.data.customers import MEASURE, NO, YES
from models.data.events import DAY, KINDS, Standing
from service.signing import recommendation_ids
from service.signing.recommendation_ids import RecommendationId
from service.store import campaigns, consents, erasure
from service.store.campaigns import MailRecord
from service.store.events import Event, EventLine, write
from service.store.experiments import EXPERIMENTS
from service.store.exposures import Exposure, ShownSlate, Viewer, name_slate, record
from service.store.products import Author, put
from service.store.store import Store
from service.store.writer import Change
from tests.support.store_server import new_store
from training.cli.insights import compute_attribution
from training.insights.attribution import Windows
from training.insights.source import InsightSource

NOW = 1_800_000_000
SECRET = b"secret"
Rows = dict[str, dict[str, Any]]


class Shop:
    """A shop's service that writes into its store; times are days before now."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.store, self._events = url, Store(url, folder), 0
        self.registry = folder.parent

    def _write(self, work: Any) -> None:
        self.store.write(work).result(10)

    def happens(
        self, kind: str, who: str | None, days: float, *lines: EventLine, **more: Any
    ) -> None:
        self._events += 1
        event = Event(
            f"e{self._events}", KINDS.index(kind), _ago(days), lines, customer_id=who, **more
        )
        self._write(lambda change: write(change, [event]))

    def sells(self, who: str | None, days: float, order: str, product: str, **more: Any) -> None:
        line = EventLine(product, more.pop("quantity", 1.0), more.pop("price", 10.0))
        self.happens("purchase", who, days, line, order_id=order, currency="EUR", **more)

    def clicks(self, who: str | None, days: float, product: str, **more: Any) -> None:
        self.happens("click", who, days, EventLine(product), **more)

    def delivers(self, who: Viewer, days: float, slate: str, *products: str) -> None:
        shown = ShownSlate(
            name_slate(slate),
            slate,
            "home",
            None,
            "personal",
            orjson.dumps(
                [(product, "factors", "similar_customers") for product in products]
            ).decode(),
            _ago(days),
        )
        exposure = Exposure(name_slate(slate), who, _ago(days))
        self._write(lambda change: record(change, [exposure], [shown], erased=change.erased))

    def mails(
        self, who: str, days: float, campaign: str, *products: str, variant: Any = None
    ) -> None:
        listed: list[Any] = [
            (product, 0.5, "own_purchases", "buy_again", [], "") for product in products
        ]
        facts = {"strategy": "personal", "products": listed, "variant": variant}
        document = orjson.dumps(facts).decode()
        mail = MailRecord(f"{who}{campaign}".encode(), campaign, who, _ago(days), document)
        self._write(lambda change: campaigns.record_mail(change, mail, valid_after=0, erased=0))

    def asks(self, who: str, *, measure: bool) -> None:
        answer = {MEASURE: YES if measure else NO}
        self._write(lambda change: consents.give(change, who, answer, NOW))

    def figures(self, unasked: int = YES, **windows: int) -> dict[str, Any]:
        source = InsightSource(self.registry, self.url, None, unasked, NOW)
        return compute_attribution(source, Windows(**windows), days=28)

    def by(self, dimension: str, **options: int) -> Rows:
        return rows_of(self.figures(**options), dimension)


def _ago(days: float) -> int:
    return NOW - round(days * DAY)


def rows_of(figures: dict[str, Any], dimension: str) -> Rows:
    rows = figures["attribution"][dimension]
    return {row["value"]: row for row in rows if row["orders"]}


def signed(
    placement: str | None = None,
    campaign: str | None = None,
    variant: tuple[str, str] | None = None,
) -> str:
    content = recommendation_ids.digest_slate([])
    slate = RecommendationId("v", placement, campaign, content, variant)
    return recommendation_ids.sign(SECRET, slate)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    opened = Shop(new_store("sqlite", tmp_path), tmp_path / "run")
    yield opened
    opened.store.close()


def test_a_purchase_within_a_week_of_a_click_followed_from_it(shop: Shop) -> None:
    shop.clicks("ann", 9, "bread", recommendation_id=signed("home"))
    shop.sells("ann", 3, "1", "bread", quantity=2.0)
    shop.clicks("bob", 12, "bread", recommendation_id=signed("home"))
    shop.sells("bob", 3, "2", "bread")
    in_experiment = signed("home", variant=("repeats", "b"))
    shop.clicks("cat", 4, "milk", recommendation_id=in_experiment)
    shop.sells("cat", 3, "3", "bread")
    figures = shop.figures()
    home = rows_of(figures, "placement")["home"]
    assert (home["orders"], home["clicked_orders"], home["units"], home["revenue"]) == (1, 1, 2, 20)
    assert home["clicks"] == 3
    (overview,) = figures["overview"]
    assert (overview["orders"], overview["revenue"]) == (3, 40)
    assert (overview["attributed_orders"], overview["attributed_revenue"]) == (1, 20)
    assert shop.by("placement", click_days=10)["home"]["orders"] == 2


def test_a_purchase_within_a_day_of_a_delivery_followed_from_it(shop: Shop) -> None:
    shop.delivers(Viewer("ann"), 5, "slate", "milk", "bread")
    shop.sells("ann", 4.5, "1", "bread")
    shop.sells("ann", 4.5, "1", "ball")
    shop.delivers(Viewer("bob"), 5, "slate", "milk", "bread")
    shop.sells("bob", 3.5, "2", "bread")
    figures = shop.figures()
    assert figures["reach"]["deliveries"] == 2
    home = rows_of(figures, "placement")["home"]
    assert (home["orders"], home["deliveries"]) == (1, 2)
    assert rows_of(figures, "product").keys() == {"bread"}
    assert rows_of(figures, "source").keys() == {"factors"}
    assert rows_of(figures, "reason").keys() == {"similar_customers"}
    assert rows_of(figures, "strategy")["personal"]["clicked_orders"] == 0


def test_what_bears_the_same_id_goes_first_and_a_click_before_a_look(shop: Shop) -> None:
    own, other = signed("basket"), signed("home")
    shop.clicks("ann", 4, "bread", recommendation_id=own)
    shop.clicks("ann", 3.5, "bread", recommendation_id=other)
    shop.sells("ann", 3, "1", "bread", recommendation_id=own)
    shop.clicks("bob", 4, "bread", recommendation_id=other)
    shop.delivers(Viewer("bob"), 3.5, "slate", "bread")
    shop.happens("exposure", "bob", 3.2, EventLine("bread"), recommendation_id=own)
    shop.sells("bob", 3, "2", "bread")
    placements = shop.by("placement")
    assert {name: row["orders"] for name, row in placements.items()} == {"basket": 1, "home": 1}
    assert placements["home"]["clicked_orders"] == 1


def test_what_came_back_is_taken_off(shop: Shop) -> None:
    for order, who in (("1", "ann"), ("2", "bob"), ("3", "cat")):
        shop.clicks(who, 4, "bread", recommendation_id=signed("home"))
        shop.sells(who, 3, order, "bread", quantity=3.0)
    shop.happens("return", "ann", 1, EventLine("bread", 1.0), order_id="1")
    shop.happens("return", "bob", 1, EventLine("bread", 3.0))
    home = shop.by("placement")["home"]
    assert (home["orders"], home["units"], home["revenue"]) == (2, 5, 50)


def test_a_mail_that_was_fetched_counts_by_its_campaign(shop: Shop) -> None:
    shop.mails("ann", 3.5, "spring", "bread", "milk")
    shop.sells("ann", 3, "1", "milk")
    shop.clicks("bob", 5, "bread", recommendation_id=signed("email", "autumn"))
    shop.sells("bob", 3, "2", "bread")
    figures = shop.figures()
    found = rows_of(figures, "campaign")
    assert {name: row["orders"] for name, row in found.items()} == {"spring": 1, "autumn": 1}
    assert (found["spring"]["deliveries"], found["autumn"]["clicks"]) == (1, 1)
    assert rows_of(figures, "reason")["buy_again"]["orders"] == 1


def test_a_visit_is_the_customers_who_logged_into_it(shop: Shop) -> None:
    shop.clicks(None, 3.5, "bread", session_id="s-1", recommendation_id=signed("home"))
    shop.delivers(Viewer(session_id="s-2"), 3.5, "slate", "milk")
    shop.happens("view", "ann", 3.4, EventLine("ball"), session_id="s-1")
    shop.sells("ann", 3, "1", "bread")
    shop.sells(None, 3, "2", "milk", session_id="s-2")
    assert shop.by("placement")["home"]["orders"] == 2
    shop.asks("ann", measure=False)
    assert shop.by("placement")["home"]["orders"] == 1


def test_what_followed_is_told_by_experiment_and_variant(shop: Shop) -> None:
    document = {"id": "repeats"}
    shop._write(lambda change: EXPERIMENTS.put(change, "repeats", document, time=NOW, actor="test"))
    shop.clicks("ann", 4, "bread", recommendation_id=signed("home", variant=("repeats", "b")))
    shop.sells("ann", 3, "1", "bread")
    shop.delivers(Viewer("bob"), 3.5, signed("home", variant=("repeats", "as now")), "milk")
    shop.sells("bob", 3, "2", "milk")
    shop.mails("cat", 3.5, "spring", "ball", variant=("repeats", "b"))
    shop.sells("cat", 3, "3", "ball")
    shop.clicks("dan", 4, "bread", recommendation_id=signed("home"))
    shop.sells("dan", 3, "4", "bread")
    figures = shop.figures()
    variants = rows_of(figures, "variant")
    counted = {
        name: (row["orders"], row["deliveries"], row["clicks"]) for name, row in variants.items()
    }
    assert counted == {"repeats/b": (2, 1, 1), "repeats/as now": (1, 1, 0), None: (1, 0, 1)}
    assert rows_of(figures, "experiment")["repeats"]["orders"] == 3


@pytest.mark.parametrize("end", ["no", "erased", "unasked"])
def test_nothing_is_attributed_of_who_is_not_to_be_measured(shop: Shop, end: str) -> None:
    for who in ("ann", "bob"):
        shop.clicks(who, 4, "bread", recommendation_id=signed("home"))
        shop.sells(who, 3, f"of {who}", "bread")
    shop.asks("bob", measure=True)
    if end == "no":
        shop.asks("ann", measure=False)
    elif end == "erased":
        shop._write(lambda change: erasure.erase(change, "ann", NOW))
    figures = shop.figures(unasked=NO if end == "unasked" else YES)
    assert figures["attribution"]["placement"][0]["orders"] == 1
    assert figures["overview"][0]["orders"] == (1 if end == "erased" else 2)
    assert figures["overview"][0]["customers"] == 1
    assert "ann" not in str(figures)


def test_an_order_that_is_told_twice_counts_once_and_a_customers_own_report_not(shop: Shop) -> None:
    shop.clicks("ann", 4, "bread", recommendation_id=signed("home"))
    shop.sells("ann", 3, "1", "bread")
    shop.sells("ann", 3, "1", "bread")
    shop.sells("ann", 3, "2", "bread", standing=Standing.CUSTOMER)
    assert shop.by("placement")["home"]["units"] == 1


def test_margin_is_told_where_the_cost_is_known(shop: Shop) -> None:
    def cost(change: Change) -> None:
        put(change, {"bread": {"cost": 4.0}}, Author("test", NOW), whole=True)

    shop._write(cost)
    for product in ("bread", "milk"):
        shop.clicks("ann", 4, product, recommendation_id=signed("home"))
        shop.sells("ann", 3, "1", product)
    figures = shop.figures()
    assert rows_of(figures, "placement")["home"]["margin"] == 6
    assert figures["overview"][0]["units_without_margin"] == 1


def test_a_shop_without_anything_has_figures_too(shop: Shop) -> None:
    figures = shop.figures()
    assert figures["reach"] == {"deliveries": 0, "mails": 0, "seen": 0, "clicks": 0}
    assert figures["overview"] == []
    assert figures["upper_bound"] is True
