"""Who is in which experiment, and which experiments may run beside one another."""

from __future__ import annotations

from typing import Any

import pytest

from models.data.segments import CustomerGroups, Segment
from models.experiments.experiment import AssignedBy, Experiment, find_assigned
from models.experiments.holdout import Holdout
from models.rules.shop_rules import ExcludeRule, ProductSelector, read_moment

SECRET = b"of the shop"
NOON = "2026-12-01T12:00:00+00:00"
ONE = "2026-12-01T13:00:00+00:00"
TWO = "2026-12-01T14:00:00+00:00"
MILK = ProductSelector(category="MILK")
HALVES = [{"name": "a", "share": 0.5}, {"name": "b", "share": 0.5}]


def experiment(name: str = "x", **changes: Any) -> Experiment:
    document = {
        "id": name,
        "by": "customer",
        "layer": "main",
        "layer_from": 0,
        "layer_to": 1,
        "starts": NOON,
        "ends": ONE,
        "variants": HALVES,
        **changes,
    }
    return Experiment.read(document, SECRET, lambda rule: ExcludeRule(rule["id"], MILK))


def assigned(*experiments: Experiment, at: str = NOON, placement: str | None = "home") -> set[Any]:
    found = set()
    for number in range(50):
        subjects = {AssignedBy.CUSTOMER: str(number), AssignedBy.SESSION: None}
        part = find_assigned(experiments, subjects, placement, read_moment(at))
        found.add(part and (part.experiment_id, part.variant.name))
    return found


def test_an_experiment_runs_from_its_begin_to_its_end_at_its_placements() -> None:
    home = experiment(placements=["home"])
    assert assigned(home) == {("x", "a"), ("x", "b")}
    assert assigned(home, placement="basket") == assigned(home, placement=None) == {None}
    assert assigned(home, at="2026-12-01T11:59:59Z") == assigned(home, at=ONE) == {None}
    assert assigned(experiment(stopped="2026-12-01T12:30:00Z"), at="2026-12-01T12:30:00Z") == {None}
    assert assigned(experiment(by="session")) == {None}


def test_an_experiment_for_a_column_is_for_those_who_have_one_of_its_values() -> None:
    golden = experiment(segments=["lapsed"], customers={"tier": ["gold", "iron"]})
    subjects = {AssignedBy.CUSTOMER: "1", AssignedBy.SESSION: None}

    def takes_part(*groups: Any) -> bool:
        who = CustomerGroups(*groups)
        return find_assigned([golden], subjects, "home", read_moment(NOON), who) is not None

    assert takes_part(Segment.LAPSED, frozenset({("tier", "iron"), ("country", "SE")}))
    assert not takes_part(Segment.LAPSED, frozenset({("tier", "silver")}))
    assert not takes_part(Segment.NEW, frozenset({("tier", "gold")}))
    assert not takes_part(Segment.LAPSED)


def test_experiments_in_two_parts_of_a_layer_share_nobody() -> None:
    first, second = experiment("x", layer_to=0.3), experiment("y", layer_from=0.3)
    for number in range(200):
        parts = (first.find_variant(str(number)), second.find_variant(str(number)))
        assert sum(part is not None for part in parts) == 1


def test_a_part_has_rules_of_its_own() -> None:
    variants = [HALVES[0], {**HALVES[1], "rules": [{}, {}], "without_rules": ["milk"]}]
    with_rules = experiment(variants=variants).variants[1]
    shop = (ExcludeRule("bread", MILK), ExcludeRule("milk", MILK))
    assert [rule.id for rule in with_rules.apply_rules(shop)] == ["bread", "x/b/0", "x/b/1"]


@pytest.mark.parametrize(
    ("changes", "claimed"),
    [
        ({}, "0 to 1 of the layer 'main'"),
        ({"starts": ONE, "ends": TWO}, None),
        ({"layer_from": 0.5}, "0 to 1 of the layer 'main'"),
        ({"placements": ["basket"]}, "0 to 1 of the layer 'main'"),
        ({"layer": "other"}, "both change all placements"),
        ({"layer": "other", "placements": ["home"]}, "placements home"),
        ({"by": "session"}, "by customer"),
    ],
)
def test_a_second_experiment_collides_where_both_would_claim_somebody(
    changes: dict[str, Any], claimed: str | None
) -> None:
    collision = experiment("y", **changes).find_collision(experiment("x"))
    assert collision == claimed or (claimed is not None and claimed in (collision or ""))


def test_at_other_placements_of_another_layer_nothing_collides() -> None:
    home, mails = experiment(placements=["home"]), experiment(placements=["email"], layer="mails")
    assert home.find_collision(mails) is None


def test_a_holdout_is_a_share_of_all_customers() -> None:
    holdout = Holdout.read({"share": 0.1, "since": NOON}, SECRET)
    held = sum(holdout.holds(str(number)) for number in range(10_000))
    assert 900 < held < 1_100
