"""What customers are worth is computed from what the shop trains on, of those who allow it."""

from __future__ import annotations

import csv
import json
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.artifact.insights import ATTRIBUTION, FEEDBACK, WORTH, read_insight
from models.artifact.registry import Registry
from models.data.customer_figures import CustomerFigures
from models.data.customers import NO, TRAIN, YES
from models.data.events import DAY, KINDS
from models.data.segments import Segment
from models.data.timestamps import format_timestamp
from service.store import consents, erasure
from service.store.events import Event, EventLine, write
from service.store.store import Store
from tests.support.store_server import new_store
from training.cli.commands import main

NOW = int(time.time())
DAYS = 400


class Registered:
    """A registry without a version, with a store in it."""

    def __init__(self, folder: Path) -> None:
        self.root = folder
        Registry(folder).root.mkdir(exist_ok=True)
        self.url = new_store("sqlite", folder.parent)
        self.store = Store(self.url, folder.parent / "run")

    def write(self, work: Any) -> None:
        self.store.write(work).result(10)

    def sells(self, who: str, days_ago: float) -> None:
        line = EventLine("bread", 1.0, 10.0)
        when = NOW - round(days_ago * DAY)
        event = Event(
            f"{who}{days_ago}",
            KINDS.index("purchase"),
            when,
            (line,),
            customer_id=who,
            order_id=f"{who}{days_ago}",
        )
        self.write(lambda change: write(change, [event]))

    def compute(self, *words: object) -> int:
        options = ["insights", "--registry", self.root, "--store", self.url, *words]
        return main([str(word) for word in options], now=NOW)

    def figures(self) -> CustomerFigures:
        figures = CustomerFigures.read(self.root)
        assert figures is not None
        return figures

    def worth(self) -> dict[str, Any]:
        facts = read_insight(self.root, WORTH)
        assert facts is not None
        return facts


@pytest.fixture
def registered(tmp_path: Path) -> Any:
    made = Registered(tmp_path / "registry")
    yield made
    made.store.close()


def write_habits(path: Path, customers: int = 150) -> None:
    """Customers with a habit each, who buy on any day alike."""
    random = np.random.default_rng(5)
    habit = random.gamma(1.0, 1 / 25, customers)
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["customer_id", "product_id", "timestamp", "order_id", "unit_price"])
        for user in range(customers):
            for ago in np.flatnonzero(random.random(DAYS) < habit[user]).tolist():
                when = format_timestamp(NOW - (ago + 1) * DAY)
                writer.writerow((f"c{user}", "bread", when, f"{user}-{ago}", 4))


@pytest.mark.slow
def test_customers_of_the_files_and_the_store_are_counted(
    registered: Registered, tmp_path: Path
) -> None:
    write_habits(tmp_path / "orders.csv")
    registered.sells("of the store", 3)
    target = tmp_path / "told.json"
    assert registered.compute("--purchases", tmp_path / "orders.csv", "--json", target) == 0
    facts = registered.worth()
    assert json.loads(target.read_bytes())["worth"]["customers"] == facts["customers"]
    assert sum(row["customers"] for row in facts["segments"]) == facts["customers"] > 100
    value = facts["value"]
    assert value["served"] in {row["method"] for row in value["comparison"]}
    assert {row["quarter"] for row in value["comparison"]} == {
        row["quarter"] for row in value["returned"]
    }
    assert sum(row["customers"] for row in value["tenths"]) == facts["customers"]
    worths = [row["expected_value"] for row in value["tenths"]]
    assert worths == sorted(worths, reverse=True)
    assert value["expected_value"] == pytest.approx(sum(worths), abs=0.1)
    newcomer = registered.figures().find("of the store")
    assert newcomer is not None
    assert (newcomer.segment, newcomer.orders, newcomer.revenue) == (Segment.NEW, 1, 10)
    assert newcomer.returns is not None
    assert 0 < newcomer.returns < 1
    assert registered.figures().find("nobody") is None
    assert read_insight(registered.root, ATTRIBUTION) is not None


@pytest.mark.parametrize("end", ["no", "erased", "unasked"])
def test_nobody_is_in_a_segment_who_does_not_allow_training(
    registered: Registered, tmp_path: Path, end: str
) -> None:
    for who in ("ann", "bob"):
        registered.sells(who, 5)
    registered.write(lambda change: consents.give(change, "bob", {TRAIN: YES}, NOW))
    words = []
    if end == "no":
        registered.write(lambda change: consents.give(change, "ann", {TRAIN: NO}, NOW))
    elif end == "erased":
        registered.write(lambda change: erasure.erase(change, "ann", NOW))
    else:
        (tmp_path / "own.toml").write_text('[training]\nunasked = "refuse"\n')
        words = ["--config", tmp_path / "own.toml"]
    assert registered.compute("--only", "customers", *words) == 0
    assert registered.figures().find("ann") is None
    assert registered.figures().find("bob") is not None
    facts = registered.worth()
    assert (facts["customers"], facts["repeats"]["orders"]) == (1, 1)
    assert sum(row["revenue"] for row in facts["segments"]) == 10
    assert facts["cohorts"][0]["customers"] == 1
    assert "100 customers" in facts["value"]["problem"]
    assert read_insight(registered.root, ATTRIBUTION) is None
    assert "ann" not in json.dumps(facts)


def test_a_store_without_purchases_says_what_to_name(
    registered: Registered, capsys: pytest.CaptureFixture[str]
) -> None:
    assert registered.compute() == 0
    assert "--purchases" in capsys.readouterr().err
    assert read_insight(registered.root, WORTH) is None


def test_where_nobody_may_be_counted_the_rest_is_computed_and_old_figures_go(
    registered: Registered, capsys: pytest.CaptureFixture[str]
) -> None:
    registered.sells("ann", 5)
    assert registered.compute() == 0
    assert registered.figures().find("ann") is not None
    registered.write(lambda change: consents.give(change, "ann", {TRAIN: NO}, NOW))
    assert registered.compute() == 0
    assert "Nothing is told of customers' worth" in capsys.readouterr().err
    assert read_insight(registered.root, WORTH) is None
    assert CustomerFigures.read(registered.root) is None
    facts = read_insight(registered.root, ATTRIBUTION)
    assert facts is not None
    assert facts["overview"][0]["orders"] == 1
    assert read_insight(registered.root, FEEDBACK) is not None


def test_customers_of_files_alone_need_no_store(tmp_path: Path) -> None:
    root = tmp_path / "registry"
    Registry(root).root.mkdir()
    write_habits(tmp_path / "orders.csv", customers=8)
    words = ["insights", "--registry", root, "--purchases", tmp_path / "orders.csv"]
    assert main([str(word) for word in words], now=NOW) == 2  # the rest is in a store alone
    only = [*words, "--only", "customers"]
    assert main([str(word) for word in only], now=NOW) == 0
    facts = read_insight(root, WORTH)
    assert facts is not None
    assert facts["customers"] == 8
    assert read_insight(root, ATTRIBUTION) is None
    assert main(["insights", "--registry", str(root), "--only", "customers"], now=NOW) == 2


def test_sales_and_value_are_told_by_segment(registered: Registered) -> None:
    for number in range(10):
        registered.sells(f"new {number}", 2 + number / 10)
    for number in range(6):
        for days in (100, 130, 160):
            registered.sells(f"old {number}", days)
    for number in range(5):
        registered.sells(f"new {number}", 1)  # promising now
    assert registered.compute() == 0
    parts = registered.worth()["by_segment"]
    assert {name: part["customers"] for name, part in parts.items()} == {
        "new": 5,
        "promising": 5,
        "lapsed": 6,
    }
    assert parts["lapsed"]["repeats"]["repeat_rate"] == 1
    assert sum(row["orders"] for row in parts["lapsed"]["cohorts"]) == 18
    facts = read_insight(registered.root, ATTRIBUTION)
    assert facts is not None
    assert {name: part["overview"][0]["orders"] for name, part in facts["segments"].items()} == {
        "new": 5,
        "promising": 10,
    }
    assert facts["overview"][0]["orders"] == 15
    registered.sells("new 4", 0.5)
    registered.sells("new 5", 1)  # promising too: four new ones are left, and would be the rest
    assert registered.compute() == 0
    facts = read_insight(registered.root, ATTRIBUTION)
    assert facts is not None
    assert facts["segments"] == {}


@pytest.mark.slow
@pytest.mark.parametrize("unasked", [YES, NO])
def test_whatever_customers_do_only_those_who_allow_training_are_in_the_figures(
    registered: Registered, tmp_path: Path, unasked: int
) -> None:
    """Random orders, answers and erasures; an oracle keeps who may be counted, and how often."""
    random = np.random.default_rng(unasked)
    names = [f"customer {number}" for number in range(8)]
    orders, answers, erased = dict.fromkeys(names, 0), dict.fromkeys(names, unasked), set()
    (tmp_path / "own.toml").write_text(
        f'[training]\nunasked = "{"allow" if unasked == YES else "refuse"}"\n'
    )
    for step in range(60):
        who, what = names[random.integers(8)], random.random()
        if what < 0.05 and who not in erased:
            registered.write(partial(erasure.erase, customer_id=who, time=step))
            erased.add(who)
        elif what < 0.4 and who not in erased:
            answers[who] = YES if random.random() < 0.6 else NO
            given = {TRAIN: answers[who]}
            registered.write(partial(consents.give, customer_id=who, values=given, time=step))
        elif who not in erased:
            registered.sells(who, 90 - step)
            orders[who] += 1
        if step % 30 == 29:
            counted = {
                name: count
                for name, count in orders.items()
                if count and name not in erased and answers[name] == YES
            }
            words = ("--only", "customers", "--config", tmp_path / "own.toml")
            assert registered.compute(*words) == 0
            if not counted:
                assert CustomerFigures.read(registered.root) is None
            else:
                figures, facts = registered.figures(), registered.worth()
                found = {name: figures.find(name) for name in names}
                assert {name: one.orders for name, one in found.items() if one} == counted
                assert facts["repeats"]["orders"] == sum(counted.values())
                assert sum(row["customers"] for row in facts["segments"]) == len(counted)
