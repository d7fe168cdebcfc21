"""Rules come from people and programs: what is right is read as it stands, what is wrong is told."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.rules.shop_rule_json import NUMBERS, RuleError, mapping_of, rule_of
from models.rules.shop_rules import CapBy, MinimumOf, ProductSelector, RuleKind, ShopRule

PIN: dict[str, Any] = {
    "id": "launch",
    "kind": "pin",
    "which": {"product_ids": ["007"]},
    "position": 1,
}
CAP: dict[str, Any] = {"id": "mix", "kind": "cap", "by": "brand", "most": 2}

TEXTS = st.text(min_size=1, max_size=5)
MOMENTS = st.none() | st.integers(-1_000_000_000, 2_000_000_000)
VALUES = {
    "strength": st.floats(1, 1e6),
    "position": st.integers(1, 100),
    "by": st.sampled_from(CapBy),
    "most": st.integers(1, 10),
    "of": st.sampled_from(MinimumOf),
    "minimum": st.floats(0, 0.99),
}


@st.composite
def rules(draw: st.DrawFn) -> ShopRule:
    kind = draw(st.sampled_from(RuleKind))
    prices = sorted(draw(st.tuples(st.floats(0, 1e6), st.floats(0, 1e6))))
    low, high = draw(st.sampled_from([(None, None), (prices[0], None), tuple(prices)]))
    names = draw(st.lists(TEXTS, min_size=1).map(tuple))
    which = ProductSelector(names, draw(st.none() | TEXTS), draw(st.none() | TEXTS), low, high)
    starts, ends = draw(MOMENTS), draw(MOMENTS)
    if starts is not None and ends is not None and starts >= ends:
        ends = None
    numbers = {name: draw(VALUES[name]) for name in NUMBERS[kind]}
    where = (tuple(draw(st.lists(TEXTS))), draw(st.none() | TEXTS))
    return ShopRule(draw(TEXTS), kind, which, *where, starts, ends, **numbers)


@given(rules())
def test_a_rule_survives_the_way_through_json(rule: ShopRule) -> None:
    assert rule_of(json.loads(json.dumps(mapping_of(rule)))) == rule


def test_a_rule_is_written_without_what_it_does_not_say() -> None:
    assert mapping_of(rule_of(PIN)) == PIN
    assert mapping_of(rule_of(CAP)) == CAP
    cheap = {"id": "no gifts", "kind": "exclude", "which": {"max_price": 0.0}}
    assert mapping_of(rule_of(cheap)) == cheap


def test_a_moment_is_read_in_its_own_zone() -> None:
    sale = rule_of({**CAP, "starts": "2026-11-27T00:00:00+01:00", "ends": "2026-11-27T23:00:00Z"})
    assert (sale.starts, sale.ends) == (1_795_734_000, 1_795_734_000 + 24 * 3600)
    assert mapping_of(sale)["starts"] == "2026-11-26T23:00:00+00:00"


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (
            {"kind": "hide"},
            "`kind` is 'hide'; expected one of filter, exclude, boost, bury, pin, cap, minimum",
        ),
        ({"kind": None}, "`kind` is missing; expected one of filter"),
        ({"kind": ["pin"]}, "`kind` is ['pin']; expected one of filter"),
        ({"id": ""}, "`id` is ''; expected a text that is not empty"),
        ({"id": None}, "`id` is missing; expected a text that is not empty"),
        ({"position": 0}, "`position` is 0; expected a whole number from 1 to 100"),
        ({"position": 1.5}, "`position` is 1.5; expected a whole number"),
        ({"position": True}, "`position` is True; expected a whole number"),
        ({"position": None}, "`position` is missing; expected a whole number"),
        ({"which": None}, "`which` is missing; expected `product_ids` with what the pin shows"),
        ({"which": {"brand": "Ashby"}}, "expected `product_ids` with what the pin shows"),
        (
            {"which": ["007"]},
            "`which` is ['007']; expected an object with some of product_ids, category, brand",
        ),
        ({"which": {"product_ids": "007"}}, "`product_ids` is '007'; expected a list of texts"),
        ({"which": {"product_ids": [7]}}, "`product_ids` is [7]; expected a list of texts"),
        (
            {"which": {"colour": "red"}},
            "`colour` is 'red'; expected only the fields of `which`: product_ids",
        ),
        ({"which": {"min_price": -1}}, "`min_price` is -1; expected a price that is not below 0"),
        (
            {"which": {"min_price": 5, "max_price": 4}},
            "`max_price` is 4.0; expected a price that is not below",
        ),
        ({"placements": "home"}, "`placements` is 'home'; expected a list of texts"),
        ({"market": 7}, "`market` is 7; expected a text"),
        (
            {"starts": "2026-11-27"},
            "`starts` is '2026-11-27'; expected a date and time with its zone",
        ),
        ({"starts": "tomorrow"}, "`starts` is 'tomorrow'; expected a date and time with its zone"),
        ({"ends": 1_800_000_000}, "`ends` is 1800000000; expected a date and time with its zone"),
        (
            {"starts": "2026-11-27T00:00:00Z", "ends": "2026-11-27T00:00:00Z"},
            "`ends` is '2026-11-27T00:00:00Z'; expected a moment after `starts`",
        ),
        (
            {"strength": 2},
            "`strength` is 2; expected only the fields of a rule of kind pin: id, kind, which",
        ),
    ],
)
def test_what_is_wrong_is_told_with_field_value_and_remedy(
    wrong: dict[str, Any], sentence: str
) -> None:
    content = {name: value for name, value in {**PIN, **wrong}.items() if value is not None}
    with pytest.raises(RuleError) as error:
        rule_of(content)
    assert sentence in str(error.value)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (
            {"kind": "boost", "strength": 0.5},
            "`strength` is 0.5; expected a number from 1 (no effect)",
        ),
        ({"kind": "bury", "strength": float("nan")}, "`strength` is nan; expected a number"),
        (
            {"kind": "cap", "by": "colour", "most": 2},
            "`by` is 'colour'; expected one of category, brand",
        ),
        (
            {"kind": "cap", "by": "brand", "most": 0},
            "`most` is 0; expected a whole number from 1 to 10, of ten",
        ),
        (
            {"kind": "minimum", "of": "margin", "minimum": 20},
            "`minimum` is 20.0; expected a margin below 1",
        ),
        ({"kind": "filter"}, "`which` is missing; expected the products that the filter is about"),
        (
            {"kind": "exclude", "which": {}},
            "`which` is {}; expected the products that the exclude is about",
        ),
    ],
)
def test_every_kind_is_held_to_its_numbers(content: dict[str, Any], sentence: str) -> None:
    with pytest.raises(RuleError) as error:
        rule_of({"id": "rule", **content})
    assert str(error.value).startswith(sentence)
