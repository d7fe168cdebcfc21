"""A file says what the service would say: both read one store and must understand it alike."""

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.data.customers import NO, PERSONALIZE_EMAIL, TRAIN, YES
from models.data.events import HOUR, KINDS, Standing
from models.data.history import LATEST
from models.recommender import Recommender
from models.rules.preferences import NO_PREFERENCES, Preference, Preferences
from models.rules.shop_rules import rules_in_force
from models.slate import Slate, SlateRequest
from models.updates.customer import CustomerUpdate
from service.mail.mail_record import find_mail
from service.model.customer_updates import build_customer_update
from service.model.live_catalogue import CatalogueFollower
from service.model.live_catalogue import LiveCatalogue as Served
from service.model.loaded_model import LoadedModel
from service.store import campaigns, consents, erasure, preferences, products
from service.store.campaigns import Campaign, MailRecord
from service.store.events import Event, EventLine, write
from service.store.lineage import read_mark
from service.store.preferences import Said
from service.store.products import Author
from service.store.shop_documents import RULES
from service.store.store import Store
from service.store.writer import Change
from tests.support.shop import (
    DAYS,
    NO_EMAIL,
    REGULAR,
    SOLD_OUT,
    moment,
    small_shop_records,
)
from tests.support.store_server import KINDS as DATABASES
from tests.support.store_server import new_store
from tests.support.training_shop import small_shop_purchases, trained
from training.errors import InputError
from training.export.already_shown import NOTHING_SHOWN, AlreadyShown
from training.export.current_model import CurrentModel
from training.export.store_snapshot import StoreSnapshot, empty_snapshot, read_store_snapshot
from training.reading.purchases import read_purchases

pytestmark = pytest.mark.slow

LATER = moment(DAYS + 2)
CLOCK = moment(DAYS + 3)
NUMBERS = count()
PEOPLE = ("c00", "c01", "c02", "c03", "c04", "c05", "c06", REGULAR, "ann", "no-email", "nobody")


class Till:
    """A shop's service that writes into its store."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.store = Store(url, folder / "run")

    def reports(
        self,
        kind: str,
        customer: str | None,
        *lines: str | EventLine,
        time: int = LATER,
        **more: Any,
    ) -> None:
        event_lines = tuple(
            line if isinstance(line, EventLine) else EventLine(line) for line in lines
        )
        event = Event(
            f"e{next(NUMBERS)}", KINDS.index(kind), time, event_lines, customer_id=customer, **more
        )
        self.store.write(lambda change: write(change, [event])).result(10)

    def records_consent(self, customer: str, values: dict[int, int], time: int = LATER) -> None:
        self.store.write(lambda change: consents.give(change, customer, values, time)).result(10)

    def strikes_out(self, customer: str, product: str) -> None:
        self.store.write(
            lambda change: consents.strike_out(change, customer, product, LATER)
        ).result(10)

    def says(self, customer: str, said: Preferences) -> None:
        stored = Said(said.pack(), LATER)
        self.store.write(lambda change: preferences.say(change, customer, stored)).result(10)

    def forgets(self, customer: str) -> None:
        def work(change: Change) -> None:
            erasure.erase(change, customer, LATER)

        self.store.write(work).result(10)

    def lists(self, product: str, time: int = LATER, **fields: Any) -> None:
        self.store.write(
            lambda change: products.put(
                change, {product: fields}, Author("test", time), whole=False
            )
        ).result(10)

    def rules(self, rule_id: str, document: dict[str, Any] | None) -> None:
        self.store.write(
            lambda change: RULES.put(change, rule_id, document, time=1, actor="test")
        ).result(10)

    def mails(self, customer: str, campaign: Campaign, *shown: str, time: int) -> None:
        facts = {
            "products": [[product, 0.5, "popular", "popular", [], ""] for product in shown],
            "also": [],
            "before": [],
        }
        document = json.dumps(facts)
        record = MailRecord(
            f"r{next(NUMBERS)}".encode(), campaign.campaign_id, customer, time, document
        )

        def work(change: Change) -> None:
            campaigns.put(change, campaign)
            campaigns.record_mail(change, record, valid_after=0, erased=0)

        self.store.write(work).result(10)

    @property
    def position(self) -> int:
        return self.store.follow().number


@pytest.fixture
def till(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Till]:
    opened = Till(new_store(getattr(request, "param", "sqlite"), tmp_path), tmp_path)
    yield opened
    opened.store.close()


@pytest.fixture(scope="module")
def learned() -> Recommender:
    return trained(small_shop_purchases())


def up_to(till: Till, learned: Recommender, position: int) -> Recommender:
    """As if the model had read the store up to a number."""
    mark = till.store.read(partial(read_mark, number=position)).hex()
    manifest = replace(learned.manifest, event_position=position, event_mark=mark)
    return Recommender(manifest, learned.model, learned.settings)


def now_of(
    till: Till,
    learned: Recommender,
    folder: Path,
    unasked: int = YES,
    shown: AlreadyShown = NOTHING_SHOWN,
) -> CurrentModel:
    """As a worker has it: from the folder in which the store's word was kept."""
    (folder / "live").mkdir()
    read_store_snapshot(till.url, learned.manifest, shown).save(folder / "live")
    return CurrentModel.of(learned, StoreSnapshot.load(folder / "live"), unasked)


def served(
    till: Till, learned: Recommender, customer: str, unasked: str = "allow"
) -> tuple[Served, CustomerUpdate]:
    """What the service answers a customer from."""
    shop = CatalogueFollower(till.store, unasked)
    visitor = till.store.read_records(customer, None, learned.manifest.event_position)
    at = shop.at(LoadedModel.of(learned), visitor.position)
    catalogue = at.model.recommender.catalogue
    return at, build_customer_update(
        visitor, catalogue, unasked=shop.unasked, forgotten=at.is_forgotten(customer)
    )


def as_plain_values(update: CustomerUpdate) -> tuple[Any, ...]:
    events = [
        column.tolist()
        for column in (
            update.events.item,
            update.events.time,
            update.events.kind,
            update.events.weight,
            update.events.order,
        )
    ]
    answers = (update.consent, update.unasked, update.preferences)
    return events, *answers, update.unused.tolist(), update.forgotten


def a_busy_day(till: Till) -> None:
    till.reports("purchase", "c00", EventLine("bagel", 6.0), EventLine("bread", 2.0), order_id="1")
    till.reports("return", "c00", EventLine("bagel", 3.0), time=LATER + 5, order_id="1")
    till.reports("purchase", "c00", "bread", order_id="1")  # told twice
    till.reports("view", None, "kite", session_id="s")
    till.reports("view", "c01", "compost", session_id="s")
    till.reports("rating", "c01", "hose", rating=1)
    till.reports("cart", "c02", "milk", "nonsense")
    till.reports("exposure", "c02", "mug", time=LATER + 60)
    till.reports("purchase", "ann", "espresso", "beans", order_id="2")
    till.reports("purchase", None, "bread", order_id="3", market="north")
    till.reports("purchase", "c03", "puzzle", order_id="4")
    till.records_consent("c02", {PERSONALIZE_EMAIL: NO})
    till.records_consent("c04", {TRAIN: NO, PERSONALIZE_EMAIL: YES})
    till.reports("view", "c04", "yoghurt")  # not to be learned from, and still theirs
    till.strikes_out("c05", "bread")
    till.strikes_out("c05", "nonsense")
    toys, coffee = Preference("category", ("toys",)), Preference("category", ("coffee",))
    till.says("c00", Preferences(likes=(coffee,), avoids=(toys,)))
    till.says("c01", NO_PREFERENCES)
    till.says("nobody", Preferences(needs=(coffee,)))
    till.says("c03", Preferences(avoids=(coffee,)))
    till.forgets("c03")
    till.forgets(REGULAR)
    till.lists("kite", price=99.0, in_stock=False)
    till.lists("novelty", title="Novelty", category="toys", price=3.0, markets=["north"])
    till.reports("view", "c06", "novelty")
    till.rules(
        "loud", {"kind": "boost", "id": "loud", "which": {"category": "toys"}, "strength": 50}
    )
    till.rules(
        "over",
        {
            "kind": "exclude",
            "id": "over",
            "which": {"brand": "Ashby"},
            "ends": "2025-01-02T00:00:00Z",
        },
    )
    till.rules("gone", {"kind": "exclude", "id": "gone", "which": {"brand": "Hartley"}})
    till.rules("gone", None)
    claim: dict[str, Any] = {"standing": Standing.CUSTOMER}
    for customer in ("c00", "c01", "ann"):
        till.reports("purchase", customer, "bagel", order_id="5", **claim)
        till.reports("purchase", customer, "butter", order_id="6", **claim)
        till.reports("return", customer, "bagel", order_id="5", **claim)
    till.reports("purchase", "c01", "bagel", time=LATER + 9 * 86_400, order_id="5")
    till.reports("return", "c01", "bagel", time=LATER + 8 * HOUR, order_id="another's")
    till.reports("purchase", "ann", "butter", time=LATER + 5 * HOUR, order_id="another's")
    till.reports("purchase", "ann", "bagel", time=LATER + 5 * 86_400, order_id="another's")
    till.reports("exposure", "c02", "mug", time=LATER + 10 * 86_400)


@pytest.mark.parametrize("till", DATABASES, indirect=True)
@pytest.mark.parametrize("known", [0, 4, 100])  # how much of it the model has learned
def test_the_file_says_what_the_service_says(
    till: Till, learned: Recommender, tmp_path: Path, known: int
) -> None:
    a_busy_day(till)
    learned = up_to(till, learned, min(known, till.position))
    for unasked in ("allow", "refuse"):
        folder = tmp_path / unasked
        folder.mkdir()
        now = now_of(till, learned, folder, YES if unasked == "allow" else NO)
        for customer in PEOPLE:
            shop, expected = served(till, learned, customer, unasked)
            assert as_plain_values(now.update_of(customer)) == as_plain_values(expected), customer
            request = SlateRequest(
                as_of=now.as_of,
                events_until=LATEST,
                purpose=PERSONALIZE_EMAIL,
                rules=rules_in_force(now.rules, CLOCK),
            )
            asked = replace(request, rules=shop.with_rules_at(CLOCK).rules)
            slates = (
                now.recommender.recommend(customer, request, now.update_of(customer)),
                shop.model.recommender.recommend(customer, asked, expected),
            )
            assert slates[0] == slates[1], customer
        assert now.as_of == shop.model.shop_time.moment == LATER + 5 * HOUR
        assert now.rules == shop.rules


@pytest.mark.parametrize("campaign", ["c", "d"])
@pytest.mark.parametrize("mails", [0, 1, 2, 9])
def test_what_the_last_mails_showed_counts_in_the_file_as_in_the_service(
    till: Till, learned: Recommender, tmp_path: Path, mails: int, campaign: str
) -> None:
    sent = {name: Campaign(name, "newsletter", "v1", CLOCK, CLOCK - 9, 1, mails) for name in "abcd"}
    for customer in ("c00", NO_EMAIL, "ann", "cold"):
        for day, name in enumerate("acabc"):
            till.mails(
                customer,
                sent[name],
                *list(learned.catalogue.ids)[day : day + 3],
                "nonsense",
                time=CLOCK - 5 + day,
            )
        till.mails(customer, sent["c"], "bagel", time=CLOCK - HOUR)
    till.records_consent("cold", {PERSONALIZE_EMAIL: NO})
    now = now_of(
        till, learned, tmp_path, shown=AlreadyShown(campaigns=mails, campaign=campaign, clock=CLOCK)
    )
    ids = learned.catalogue.ids
    for customer in ("c00", "ann", "nobody"):
        history = till.store.read(
            lambda connection, customer=customer: campaigns.read_mails(connection, customer)
        )
        before = find_mail(sent[campaign], b"", history, CLOCK).shown_before
        assert {ids[item] for item in now.shown_items(customer, now.update_of(customer))} == {
            *before
        } - {"nonsense"}
        assert bool(before) == (mails > 0 and customer != "nobody")
    assert [
        now.shown_items(customer, now.update_of(customer)) for customer in (NO_EMAIL, "cold")
    ] == [(), ()]


def test_the_slate_of_who_was_erased_follows_nothing_that_earlier_files_showed_them(
    till: Till, learned: Recommender, tmp_path: Path
) -> None:
    earlier = tmp_path / "earlier.csv"
    earlier.write_text(f"customer_id,product_id\nc00,bread\n{REGULAR},bread\n")
    till.forgets(REGULAR)
    now = now_of(till, learned, tmp_path, shown=AlreadyShown([earlier]))
    bread = now.recommender.catalogue.ids.find("bread")
    assert [
        now.shown_items(customer, now.update_of(customer)) for customer in ("c00", REGULAR)
    ] == [
        (bread,),
        (),
    ]


def test_what_was_sold_since_is_popular_in_the_file_as_in_the_service(
    till: Till, learned: Recommender, tmp_path: Path
) -> None:
    for standing in (Standing.CUSTOMER, Standing.LATE):
        claimed = {"order_id": f"of {standing}", "standing": standing}
        till.reports("purchase", "c01", "mug", "kite", **claimed)
    for number in range(40):
        buyer = None if number % 3 == 0 else f"c{number:02}"
        till.reports(
            "purchase",
            buyer,
            "mug",
            "novelty",
            order_id=f"{number}",
            market="north" if number % 2 else None,
        )
        till.reports("purchase", buyer, "mug", order_id=f"{number}", time=LATER + 1)
    till.reports("purchase", "c00", "hose", time=moment(1))  # of before the training
    till.lists("novelty", title="Novelty")
    for position in (0, 20):
        shop = CatalogueFollower(till.store, "allow")
        model = LoadedModel.of(up_to(till, learned, position))
        at = shop.at(model, till.store.read(lambda _: till.store.follow()))
        shop.count_sales(model)
        expected = shop.as_known(model).model.recommender.model.sales
        folder = tmp_path / str(position)
        folder.mkdir()
        now = now_of(till, up_to(till, learned, position), folder)
        sales = now.recommender.model.sales
        assert int(at.model.recommender.model.sales.indptr[-1]) < int(expected.indptr[-1])
        for name in ("first_day", "newest", "indptr", "lines"):
            np.testing.assert_array_equal(getattr(sales, name), getattr(expected, name))
        np.testing.assert_array_equal(sales.total(LATER + 9, 41), expected.total(LATER + 9, 41))


def test_a_product_that_came_back_is_known_with_when(
    till: Till, learned: Recommender, tmp_path: Path
) -> None:
    till.lists(SOLD_OUT, in_stock=False)
    till.lists(SOLD_OUT, time=LATER + 7, in_stock=True)
    till.lists("bread", price=1.0)
    now = now_of(till, learned, tmp_path)
    assert now.facts.restocked == {now.recommender.catalogue.ids.find(SOLD_OUT): LATER + 7}


def test_an_order_is_found_in_what_was_learned_and_in_what_was_told(
    till: Till, learned: Recommender, tmp_path: Path
) -> None:
    till.reports("purchase", "c00", "mug", "kite", order_id="7/a")
    till.reports("purchase", "c01", "hose", order_id="7/a")
    now = now_of(till, learned, tmp_path)
    ids = now.recommender.catalogue.ids
    assert [
        ids[item] for item in now.facts_for("c00", now.update_of("c00"), "7/a", None).order
    ] == [
        "kite",
        "mug",
    ]
    assert now.facts_for("c00", now.update_of("c00"), "8", None).order == ()
    assert now.facts_for("nobody", now.update_of("nobody"), "7/a", None).order == ()
    assert now.facts_for("c00", now.update_of("c00"), None, None) is now.facts


def test_without_a_store_nothing_has_happened(learned: Recommender) -> None:
    now = CurrentModel.of(learned, empty_snapshot(learned.manifest), YES)
    assert (now.as_of, now.rules, now.facts.restocked) == (learned.manifest.data_as_of, (), {})
    expected: list[Slate] = [learned.recommend(customer, SlateRequest()) for customer in PEOPLE]
    assert [
        now.recommender.recommend(customer, SlateRequest(), now.update_of(customer))
        for customer in PEOPLE
    ] == expected


def test_a_store_of_another_kind_is_refused_without_its_password(learned: Recommender) -> None:
    with pytest.raises(InputError, match="--store: the store's address cannot be read"):
        read_store_snapshot("mysql://anna:secret@localhost/shop", learned.manifest)


def test_a_snapshot_of_another_version_is_refused_with_what_to_do(
    learned: Recommender, tmp_path: Path
) -> None:
    empty_snapshot(learned.manifest).save(tmp_path)
    (tmp_path / "rules.blob.npy").unlink()
    with pytest.raises(InputError, match=r"--resume: .* without --resume the export begins again"):
        StoreSnapshot.load(tmp_path)


@pytest.mark.parametrize("till", DATABASES, indirect=True)
def test_service_file_and_training_find_the_same_shop_time(
    till: Till, learned: Recommender, tmp_path: Path
) -> None:
    """Day after day more is reported; training on the store says what service and file say."""
    served_time = LoadedModel.of(learned)
    first = served_time.shop_time.moment
    shop, seen = CatalogueFollower(till.store, "allow"), []
    orders = tmp_path / "orders.csv"
    rows = [
        f"{line.customer},{line.product},{moment(line.day)},{line.order}"
        for line in small_shop_records().lines
        if line.kind == "purchase" and line.customer
    ]
    orders.write_text("\n".join(["customer_id,product_id,timestamp,order_id", *rows]))
    steps: list[tuple[int, str, Standing, tuple[str, ...]]] = [
        (400, "view", Standing.SHOP, ("c00", "c01", "c02", "c03")),
        (401, "purchase", Standing.CUSTOMER, ("c00", "c01", "c02", "c03")),
        (402, "purchase", Standing.SHOP, ("c00",)),
        (403, "purchase", Standing.SHOP, ("c00", "c01", "c02")),
        (404, "purchase", Standing.SHOP, ("c09",)),
        (404, "purchase", Standing.LATE, ("c10", "c11")),
        (900, "purchase", Standing.SHOP, ("c12",)),
        (900, "purchase", Standing.SHOP, ("c13", "c14")),
    ]
    for number, (day, kind, standing, customers) in enumerate(steps):
        for customer in customers:
            till.reports(
                kind, customer, "bread", time=moment(day), order_id=f"{number}", standing=standing
            )
        shop.follow_shop_time(served_time)
        folder = tmp_path / str(number)
        folder.mkdir()
        seen.append(now_of(till, learned, folder).as_of)
        assert shop.shop_time_of(served_time) == seen[-1]
        learned_too = read_purchases([orders, till.url], now=moment(1_000)).shop_time
        assert learned_too == seen[-1]
    later = [moment(403), moment(403), moment(403), moment(403), moment(900)]
    assert seen == [first, first, first, *later]
