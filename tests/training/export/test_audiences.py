"""Whom a mail is for, by what they bought, allowed and where they are."""

import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from models.data.customer_figures import ROW, CustomerFigures
from models.data.customers import NEVER_ASKED, NO, PERSONALIZE_EMAIL, PERSONALIZE_WEB, YES
from models.data.events import DAY, KINDS, PURCHASE
from models.data.history import NEVER
from models.data.ids import Ids, Strings
from models.data.segments import SEGMENTS, Segment
from models.recommender import Recommender
from models.updates.customer import allows, update_history
from service.store import consents, erasure
from service.store.events import Event, write
from service.store.events import EventLine as Sold
from service.store.store import Store
from service.store.writer import Change
from tests.support.shop import Customer, Line, moment
from tests.support.store_server import new_store
from tests.support.training_shop import small_purchases, trained
from training.errors import InputError
from training.export.audiences import (
    BATCH_CUSTOMERS,
    CustomerBatch,
    choose,
    filter_of,
    usual_interval_days,
)
from training.export.current_model import CurrentModel
from training.export.recipients import Recipients, everyone
from training.export.store_snapshot import empty_snapshot, read_store_snapshot

ANSWERS = (NEVER_ASKED, YES, NO)
# Mails: the answer that the model has learned, the one in the store, and which came last
CONSENTS = list(product(ANSWERS, ANSWERS, ("store", "model", "same")))


def lines(customer: str, *days: float, thing: str = "bread") -> list[Line]:
    return [Line(customer, thing, day) for day in days]


LINES = [
    *lines("weekly", *range(1, 99, 7)),  # last on day 99 - 7 = 92
    *lines("slower", *range(0, 85, 7)),  # last on day 84
    *lines("gone", 0, 7, 14),
    *lines("yearly", 2, 50, 98),
    *lines("once", 60),
    *lines("once-long-ago", 5),
    *lines("fresh", 75, 95),
    *lines("twice-a-day", 0, 0.4, 30, 30.4),
    *lines("struck", 99),
    *lines("back", 20, 27),  # and in the store once more
    Line("", "bread", 100),
]


@pytest.fixture(scope="module")
def learned() -> Recommender:
    people = [
        Customer(f"said{number}", "", (NEVER_ASKED, NEVER_ASKED, learned))
        for number, (learned, _, _) in enumerate(CONSENTS)
    ]
    people += [Customer("weekly", "north"), Customer("gone", "south"), Customer("silent", "south")]
    return trained(small_purchases(LINES, (), people))


@pytest.fixture(scope="module")
def now(learned: Recommender, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CurrentModel]:
    folder = tmp_path_factory.mktemp("store")
    url = new_store("sqlite", folder)
    store = Store(url, folder / "run")

    def happened(change: Change) -> None:
        sales = [
            ("back", "bread", 98.0),
            ("newcomer", "bread", 99.0),
            ("stranger", "nonsense", 99.0),
        ]
        for number, (customer, thing, day) in enumerate(sales):
            sold = (Sold(thing),)
            event = Event(f"e{number}", KINDS.index("purchase"), moment(day), sold, customer)
            write(change, [event])
        write(change, [Event("v", KINDS.index("view"), moment(99), (Sold("bread"),), "looker")])
        consents.strike_out(change, "struck", "bread", moment(99))
        for number, (_, answer, last) in enumerate(CONSENTS):
            if answer != NEVER_ASKED:
                time = {"store": 9, "model": -9, "same": 0}[last]
                consents.give(change, f"said{number}", {PERSONALIZE_EMAIL: answer}, time)
        erasure.erase(change, "once", moment(99))

    store.write(happened).result(10)
    store.close()
    return CurrentModel.of(learned, read_store_snapshot(url, learned.manifest), YES)


def those(now: CurrentModel, *filters: str) -> set[str]:
    recipients = everyone(now.recommender.model.customers.ids, now.snapshot)
    chosen = choose(recipients, [filter_of(text) for text in filters], now)
    return {recipient.customer_id for recipient in chosen}


def test_who_bought_in_the_last_days_is_found_in_the_model_and_in_the_store(
    now: CurrentModel,
) -> None:
    assert those(now, "bought:2") == {"newcomer"}
    assert those(now, "bought:3") == {"back", "newcomer", "yearly"}
    assert {"weekly", "fresh"} <= those(now, "bought:9")
    assert "struck" not in those(now, "bought:365")  # they struck out what they bought


def test_who_bought_a_product_that_meets_a_filter_is_found_by_when_they_bought_that(
    now: CurrentModel,
) -> None:
    assert those(now, 'bought:3:product.id == "bread"') == those(now, "bought:3")
    assert those(now, 'bought:365:product.id != "bread"') == set()
    with pytest.raises(InputError, match="bought: no product has colour"):
        those(now, "bought:3:product.colour == 1")
    with pytest.raises(InputError, match="bought:3:product: its filter is wrong at character 8"):
        filter_of("bought:3:product")


def test_activity_goes_by_the_customers_own_rhythm_and_everyone_who_bought_is_in_one_class(
    now: CurrentModel,
) -> None:
    assert those(now, "activity:new") == {"fresh", "newcomer"}
    assert those(now, "activity:active") == {"weekly", "yearly", "back"}
    assert those(now, "activity:cooling") == {"slower", "twice-a-day"}
    assert those(now, "activity:lapsed") == {"gone", "once-long-ago"}


def test_who_bought_once_is_measured_by_the_shops_usual_interval(now: CurrentModel) -> None:
    assert (
        usual_interval_days(now) == 7
    )  # of weekly, slower, gone and back, and 20, 30 and 48 days of the others


def test_in_a_shop_where_nobody_bought_twice_a_month_is_usual() -> None:
    bought = [*lines("a", 0), *lines("b", 60), *lines("c", 99), Line("", "bread", 100)]
    recommender = trained(small_purchases(bought))
    quiet = CurrentModel.of(recommender, empty_snapshot(recommender.manifest), YES)
    customers = {
        activity: those(quiet, f"activity:{activity}")
        for activity in ("new", "active", "cooling", "lapsed")
    }
    assert customers == {"new": {"c"}, "active": {"b"}, "cooling": set(), "lapsed": {"a"}}


@pytest.mark.parametrize("unasked", [YES, NO])
def test_consent_is_what_the_service_would_hold(now: CurrentModel, unasked: int) -> None:
    shop = CurrentModel(
        now.recommender, now.snapshot, unasked, now.as_of, now.rules, now.facts, now.items
    )
    customers = now.recommender.model.customers
    everybody = {recipient.customer_id for recipient in everyone(customers.ids, now.snapshot)}
    for channel, purpose in (("email", PERSONALIZE_EMAIL), ("web", PERSONALIZE_WEB)):
        allowed = {
            name
            for name in everybody
            if allows(customers, customers.ids.find(name), purpose, shop.update_of(name))
        }
        assert those(shop, f"consent:{channel}") == allowed
    refused = everybody - those(shop, "consent:email")
    assert ("silent" in refused, "newcomer" in refused) == (unasked == NO, unasked == NO)


@pytest.fixture(scope="module")
def reported_twice(tmp_path_factory: pytest.TempPathFactory) -> CurrentModel:
    """A shop whose file has the orders of local days; its service got them in UTC, some twice."""
    dice, folder = random.Random(7), tmp_path_factory.mktemp("twice")
    bought = [Line("monthly", "bread", 10 + 30 * month, f"m{month}") for month in range(4)]
    orders = [
        (f"k{dice.randrange(9)}", dice.uniform(1, 140), f"o{number}" * (number % 9 > 0))
        for number in range(80)
    ]
    bought += [
        Line(name, f"p{number % 4}", day, order) for number, (name, day, order) in enumerate(orders)
    ]
    recommender = trained(small_purchases([*bought, Line("", "bread", 142)]))
    store = Store(new_store("sqlite", folder), folder / "run")

    def happened(change: Change) -> None:
        for number, line in enumerate([*bought, *bought[::3], *bought[::5]]):
            thing = "bread" if number % 7 == 6 else line.product
            event = Event(
                f"e{number}",
                KINDS.index("purchase"),
                moment(line.day - dice.choice([0.1, 1, 1])),
                (Sold(thing),),
                line.customer,
                order_id=line.order or None,
            )
            write(change, [event])
        consents.strike_out(change, "k3", "bread", moment(142))

    store.write(happened).result(10)
    snapshot = read_store_snapshot(f"sqlite:///{next(folder.glob('*.db'))}", recommender.manifest)
    store.close()
    return CurrentModel.of(recommender, snapshot, YES)


def test_an_order_that_the_file_and_the_store_date_differently_is_one(
    reported_twice: CurrentModel,
) -> None:
    assert "monthly" in those(reported_twice, "activity:active")  # 42 days are not 1.5 times 30


@pytest.mark.parametrize("day", [30, 70, 142])
def test_what_counts_as_bought_is_what_slates_are_made_from(
    reported_twice: CurrentModel, day: float
) -> None:
    learned, snapshot = reported_twice.recommender.model, reported_twice.snapshot
    names = list(snapshot.customers.ids)
    user = learned.customers.ids.find_all(names)
    store_row = snapshot.customers.ids.find_all(names)
    moments = np.full(len(names), moment(day))
    batch = CustomerBatch(reported_twice, user, store_row, moments, moments)
    bought = batch.buying_times
    for row, name in enumerate(names):
        events = update_history(learned.histories.of(user[row]), reported_twice.update_of(name))
        times = events.time[(events.kind == PURCHASE) & (events.time <= moment(day))]
        expected = (
            (times.min(), times.max(), len(np.unique(times // DAY)))
            if len(times)
            else (NEVER, NEVER, 0)
        )
        assert (bought.first[row], bought.last[row], bought.days[row]) == expected, name


def test_consent_given_is_a_yes_that_was_said(now: CurrentModel) -> None:
    """A no that the model has not read is the last word, whatever its date."""
    given = {
        f"said{number}"
        for number, (learned, stored, last) in enumerate(CONSENTS)
        if (
            learned
            if stored == NEVER_ASKED or (stored == YES and learned == NO and last == "model")
            else stored
        )
        == YES
    }
    assert those(now, "consent:given") == given


def test_a_market_is_that_of_the_customer(now: CurrentModel) -> None:
    assert those(now, "market:south") == {"gone", "silent"}
    assert those(now, "market:south", "activity:lapsed") == {"gone"}
    assert those(now, "market:north", "market:south") == set()


def test_a_market_of_nobody_is_refused_with_those_that_are_known(now: CurrentModel) -> None:
    with pytest.raises(
        InputError, match="--audience market:west: is the market of nobody; known are north, south"
    ):
        those(now, "market:west")


def test_each_recipient_is_looked_at_at_the_moment_of_their_mail_and_keeps_their_place(
    now: CurrentModel,
) -> None:
    names = ["weekly", "unheard-of", "gone", "weekly", "once"]
    moments = [moment(100), moment(100), moment(15), moment(0), moment(61)]
    recipients = Recipients(Strings.of(names), np.array(moments), Strings.of([""] * 5))
    kept = choose(recipients, [filter_of("bought:30")], now)
    assert [(recipient.customer_id, recipient.as_of) for recipient in kept] == [
        ("weekly", moment(100)),
        ("gone", moment(15)),
    ]  # once: erased


def test_more_recipients_than_are_looked_at_together_are_all_looked_at(now: CurrentModel) -> None:
    recipients = Recipients.of(Strings.of(["gone", "weekly"] * BATCH_CUSTOMERS))
    kept = choose(recipients, [filter_of("bought:30")], now)
    assert (len(kept), {recipient.customer_id for recipient in kept[-3:]}) == (
        BATCH_CUSTOMERS,
        {"weekly"},
    )


def test_nobody_is_chosen_of_nobody(now: CurrentModel) -> None:
    assert (
        list(choose(everyone(Ids.of([])), [filter_of("bought:9"), filter_of("activity:new")], now))
        == []
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "bought",
            "--audience bought: expected a whole number of days from 1 to 36500, such as bought:90",
        ),
        ("bought:0", "--audience bought:0: expected a whole number"),
        ("bought:ten", "--audience bought:ten: expected a whole number"),
        ("bought:²", "--audience bought:²: expected a whole number"),
        ("consent:sms", "--audience consent:sms: expected one of email, web, given"),
        ("market:", "--audience market:: expected the name of a market"),
        (
            "activity:asleep",
            "--audience activity:asleep: expected one of new, active, cooling, lapsed",
        ),
        ("loyal", "--audience loyal: is no filter; known are bought:DAYS, bought:DAYS:EXPRESSION"),
        ("", "--audience : is no filter"),
    ],
)
def test_a_filter_that_cannot_be_read_is_told_with_what_was_expected(
    text: str, sentence: str
) -> None:
    with pytest.raises(InputError) as error:
        filter_of(text)
    assert str(error.value).startswith(sentence)


def test_a_segment_is_an_audience_of_those_who_allow_what_it_is_made_of_and_mails(
    now: CurrentModel,
) -> None:
    def in_segment(*names: str) -> CustomerFigures:
        numbers = np.ones(len(names))
        columns = {name: numbers for name in ROW.names or () if name not in ("digest", "segment")}
        code = np.full(len(names), SEGMENTS.index(Segment.LAPSED))
        return CustomerFigures.of(names, {**columns, "segment": code})

    with pytest.raises(InputError, match="regulars insights"):
        those(now, "segment:lapsed")
    with pytest.raises(InputError, match="segment:rich: expected one of new, promising"):
        filter_of("segment:rich")
    allowing = those(now, "consent:email")
    everybody = in_segment("gone", "newcomer", "once", *(f"said{n}" for n in range(len(CONSENTS))))
    told = replace(now, figures=everybody)
    assert those(told, "segment:lapsed") == allowing & {
        "gone",
        "newcomer",
        *(f"said{n}" for n in range(len(CONSENTS))),
    }
    assert those(told, "segment:lapsed", "bought:2") == {"newcomer"}
    assert those(told, "segment:connected") == set()


def test_who_no_longer_allows_training_is_in_no_audience_by_segment() -> None:
    asked = [Customer("weekly", "", (NO,)), Customer("gone", "", (YES,))]
    recommender = trained(small_purchases(LINES, (), asked))
    columns = {name: np.zeros(2) for name in ROW.names or () if name != "digest"}
    figures = CustomerFigures.of(["weekly", "gone"], columns)
    current = CurrentModel.of(recommender, empty_snapshot(recommender.manifest), YES)
    assert those(replace(current, figures=figures), "segment:new") == {"gone"}
