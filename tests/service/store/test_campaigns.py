"""What campaigns are pinned to, and what their mails showed, in a real store."""

from dataclasses import replace
from functools import partial

import orjson

from models.data.events import HOUR
from service.store import campaigns, erasure
from service.store.campaigns import Campaign, MailRecord
from service.store.store import Store
from service.store.writer import Change

MONDAY = Campaign(
    "monday", "newsletter", "v1", as_of=900, opened=1000, window_hours=72, not_twice=3
)


def shown(
    ref: str, campaign: str, *products: str, time: int = 1000, customer: str = "ann"
) -> MailRecord:
    return MailRecord(
        ref.encode(), campaign, customer, time, orjson.dumps({"products": products}).decode()
    )


def keep(store: Store, record: MailRecord, valid_after: int = 0) -> bool:
    return store.write(
        lambda change: campaigns.record_mail(change, record, valid_after=valid_after, erased=0)
    ).result(10)


def recent(store: Store) -> list[MailRecord]:
    return store.read(lambda connection: campaigns.read_mails(connection, "ann"))


def test_a_campaign_is_what_was_last_said_of_it(store: Store) -> None:
    for campaign in (MONDAY, replace(MONDAY, kind="basket")):
        store.write(lambda change, campaign=campaign: campaigns.put(change, campaign)).result(10)
    assert store.read(partial(campaigns.list_newest, limit=9)) == [replace(MONDAY, kind="basket")]
    assert store.read(lambda connection: campaigns.find(connection, "tuesday")) is None


def test_the_first_worker_to_record_a_mail_decides_what_it_shows(store: Store) -> None:
    assert keep(store, shown("r", "monday", "bread"))
    assert not keep(store, shown("r", "monday", "milk", time=1001))
    assert recent(store) == [shown("r", "monday", "bread")]


def test_a_mail_whose_window_has_passed_shows_something_new(store: Store) -> None:
    keep(store, shown("r", "monday", "bread", time=1000))
    assert keep(store, shown("r", "monday", "milk", time=9000), valid_after=1000)
    assert recent(store) == [shown("r", "monday", "milk", time=9000)]


def test_what_was_shown_last_is_told_first_and_of_nobody_else(store: Store) -> None:
    for time, name in enumerate(("one", "two", "three"), 1000):
        keep(store, shown(name, name, f"of {name}", time=time))
    keep(store, shown("bob's", "three", "milk", customer="bob"))
    assert [record.campaign_id for record in recent(store)] == ["three", "two", "one"]


def test_of_who_was_forgotten_nothing_is_recorded_any_more(store: Store) -> None:
    keep(store, shown("r", "monday", "bread"))

    def forget(change: Change) -> erasure.Erasure:
        return erasure.erase(change, "ann", 1000)

    assert store.write(forget).result(10).counts["mails"] == 1
    assert not keep(store, shown("r", "monday", "bread"))
    assert store.read(lambda connection: campaigns.find_customer(connection, b"r")) is None


def test_a_link_finds_whose_mail_it_was_in_until_that_is_swept(store: Store) -> None:
    keep(store, shown("old", "monday", "bread", time=1000))
    keep(store, shown("new", "monday", "bread", time=2000, customer="bob"))
    store.write(lambda change: campaigns.forget_mails(change, 2000)).result(10)
    customers = [
        store.read(lambda connection, r=ref: campaigns.find_customer(connection, r))
        for ref in (b"old", b"new")
    ]
    assert customers == [None, "bob"]


def test_models_are_needed_until_the_last_campaign_pinned_to_them_closes(store: Store) -> None:
    for name, version, hours in (("a", "v1", 1), ("b", "v1", 3), ("c", "v2", 1)):
        campaign = replace(MONDAY, campaign_id=name, model_version=version, window_hours=hours)
        store.write(lambda change, campaign=campaign: campaigns.put(change, campaign)).result(10)
    needed = [
        store.read(lambda connection, at=at: campaigns.pinned_versions(connection, at))
        for at in (1001, 1000 + 2 * HOUR)
    ]
    assert needed == [{"v1", "v2"}, {"v1"}]


def test_what_a_clock_ahead_has_recorded_counts_as_shown_when_its_campaign_is_brought_back(
    store: Store,
) -> None:
    ahead = replace(MONDAY, opened=9000)
    keep(store, shown("before", "monday", "bread", time=1500))
    keep(store, shown("ahead", "monday", "milk", time=9500))
    keep(store, shown("other", "tuesday", "jam", time=9500))

    def bring_back(change: Change) -> Campaign:
        return campaigns.bring_back(change, ahead, 2000)

    assert store.write(bring_back).result(10) == replace(MONDAY, opened=2000)
    assert {record.ref: record.time for record in recent(store)} == {
        b"before": 1500,
        b"ahead": 2000,
        b"other": 9500,
    }


def test_the_model_of_a_campaign_from_far_ahead_is_not_needed_until_it_is_brought_back(
    store: Store,
) -> None:
    opened = replace(MONDAY, opened=10 * HOUR)
    store.write(lambda change: campaigns.put(change, opened)).result(10)
    needed = {
        now: store.read(lambda connection, now=now: campaigns.pinned_versions(connection, now))
        for now in (8 * HOUR, 9 * HOUR, 10 * HOUR, 82 * HOUR)
    }
    assert [set(versions) for versions in needed.values()] == [set(), {"v1"}, {"v1"}, set()]


def test_a_campaign_is_open_from_its_first_second_to_its_last() -> None:
    closes = 1000 + 72 * HOUR
    clocks = (999, 1000, closes - 1, closes)
    assert [MONDAY.is_open(clock) for clock in clocks] == [False, True, True, False]
    assert not MONDAY.close(5000).is_open(5000)
