"""Rules come from people and programs: what is right is read, what is wrong is told."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from models.rules.rule_problems import KINDS, rule_problems
from models.rules.shop_rules import (
    BoostRule,
    BuryRule,
    CapRule,
    EarlyAccessRule,
    ExcludeRule,
    FilterRule,
    MinimumRule,
    PinRule,
    ProductSelector,
    ShopRule,
)
from service.schemas.rules import SHOP_RULE

PIN: dict[str, Any] = {
    "id": "launch",
    "kind": "pin",
    "which": {"product_ids": ["007"]},
    "position": 1,
}
CAP: dict[str, Any] = {"id": "mix", "kind": "cap", "by": "brand", "most": 2}

TEXTS = st.text(min_size=1, max_size=5)
MOMENTS = st.none() | st.integers(-1_000_000_000, 2_000_000_000)
NUMBERS = {
    FilterRule: {},
    ExcludeRule: {},
    BoostRule: {"strength": st.floats(1, 1e6)},
    BuryRule: {"strength": st.floats(1, 1e6)},
    PinRule: {"position": st.integers(1, 100)},
    CapRule: {"by": st.sampled_from(["category", "brand"]), "most": st.integers(1, 10)},
    MinimumRule: {"of": st.sampled_from(["price", "margin"]), "minimum": st.floats(0, 0.99)},
    EarlyAccessRule: {
        "segments": st.just(("connected",)),
        "customers": st.none()
        | st.dictionaries(TEXTS, TEXTS.map(lambda text: (text,)), max_size=5),
    },
}


@st.composite
def rules(draw: st.DrawFn) -> ShopRule:
    kind = draw(st.sampled_from(list(NUMBERS)))
    prices = sorted(draw(st.tuples(st.floats(0, 1e6), st.floats(0, 1e6))))
    low, high = draw(st.sampled_from([(None, None), (prices[0], None), tuple(prices)]))
    product_ids = draw(st.lists(TEXTS, min_size=1).map(tuple))
    which = ProductSelector(
        product_ids, draw(st.none() | TEXTS), draw(st.none() | TEXTS), low, high
    )
    starts, ends = draw(MOMENTS), draw(MOMENTS)
    if starts is not None and ends is not None and starts >= ends:
        ends = None
    placements = draw(st.none() | st.lists(TEXTS, min_size=1).map(tuple))
    numbers = {name: draw(values) for name, values in NUMBERS[kind].items()}
    market = draw(st.none() | TEXTS)
    return kind(draw(TEXTS), which, placements, market, starts, ends, **numbers)


def read(content: dict[str, Any]) -> ShopRule:
    return SHOP_RULE.validate_json(json.dumps(content))


def problems(content: dict[str, Any]) -> list[tuple[str, str]]:
    with pytest.raises(ValidationError) as refused:
        read(content)
    return [(found.field, found.sentence) for found in rule_problems(refused.value.errors())]


@given(rules())
def test_a_rule_survives_the_way_through_json(rule: ShopRule) -> None:
    assert read(rule.document()) == rule


def test_every_kind_of_rule_is_looked_at() -> None:
    assert [kind.kind for kind in NUMBERS] == list(KINDS)


def test_a_rule_is_written_without_what_it_does_not_say() -> None:
    assert read(PIN).document() == PIN
    assert read(CAP).document() == CAP
    nothing = {"which": None, "placements": [], "market": None, "starts": None, "ends": None}
    assert read({**CAP, **nothing}).document() == CAP
    assert read({**CAP, "which": {"brand": None, "product_ids": []}}).document() == CAP
    cheap = {"id": "no gifts", "kind": "exclude", "which": {"max_price": 0.0}}
    assert read(cheap).document() == cheap


def test_a_rule_is_written_with_its_fields_in_their_order() -> None:
    written = {
        "id": "sale",
        "kind": "minimum",
        "which": {"product_ids": ["7"], "min_price": 1.0},
        "placements": ["home"],
        "market": "north",
        "starts": "2026-11-27T00:00:00+00:00",
        "ends": "2026-11-28T00:00:00+00:00",
        "of": "margin",
        "minimum": 0.0,
    }
    shuffled = dict(reversed(written.items()))
    assert json.dumps(read(shuffled).document()) == json.dumps(written)


def test_a_moment_is_read_in_its_own_zone() -> None:
    sale = read({**CAP, "starts": "2026-11-27T00:00:00+01:00", "ends": "2026-11-27T23:00:00Z"})
    assert (sale.starts, sale.ends) == (1_795_734_000, 1_795_734_000 + 24 * 3600)
    assert sale.document()["starts"] == "2026-11-26T23:00:00+00:00"


@pytest.mark.parametrize(("number", "written"), [(3, "3"), (3.0, "3"), (100, "100"), (1, "1")])
def test_a_whole_number_may_be_written_with_a_point(number: float, written: str) -> None:
    assert json.dumps(read({**PIN, "position": number}).document()["position"]) == written


KIND = "it should be one of filter, exclude, boost, bury, pin, cap, minimum"
TIME = "it should be a date and time with its zone, such as 2026-11-27T00:00:00+01:00"
SELECTION = "it should select products by one part at least, such as `category`"
FOREIGN = "is no field of this kind of rule; leave it out"
MISSING = "is missing; a rule of this kind needs it"
DAY = "2026-11-27T00:00:00Z"


@pytest.mark.parametrize(
    ("wrong", "field", "sentence"),
    [
        ({"kind": "hide"}, "kind", f"is 'hide'; {KIND}"),
        ({"kind": None}, "kind", f"is missing; {KIND}"),
        ({"kind": ["pin"]}, "kind", f"is \"['pin']\"; {KIND}"),
        ({"id": ""}, "id", "is ''; it should have at least 1 character"),
        ({"id": None}, "id", MISSING),
        ({"position": 0}, "position", "is 0; it should be greater than or equal to 1"),
        ({"position": 101}, "position", "is 101; it should be less than or equal to 100"),
        ({"position": 1.5}, "position", "is 1.5; it should be a valid integer"),
        ({"position": True}, "position", "is True; it should be a valid integer"),
        ({"position": "1"}, "position", "is '1'; it should be a valid integer"),
        ({"position": None}, "position", MISSING),
        ({"which": None}, "which", MISSING),
        (
            {"which": {"brand": "Ashby"}},
            "which",
            "is {'brand': 'Ashby'}; it should hold `product_ids` with what the pin shows",
        ),
        ({"which": ["007"]}, "which", "is ['007']; it should be an object"),
        ({"which": {"product_ids": "007"}}, "which.product_ids", "is '007'; it should be a valid "),
        (
            {"which": {"product_ids": ["7", 7]}},
            "which.product_ids[1]",
            "is 7; it should be a valid string",
        ),
        ({"which": {"product_ids": ["7"], "colour": "red"}}, "which.colour", FOREIGN),
        (
            {"which": {"product_ids": ["7"], "min_price": -1}},
            "which.min_price",
            "is -1; it should be greater than or equal to 0",
        ),
        (
            {"which": {"product_ids": ["7"], "min_price": 5, "max_price": 4}},
            "which.max_price",
            "is 4; it should be a price that is not below `min_price`",
        ),
        ({"placements": "home"}, "placements", "is 'home'; it should be a valid array"),
        ({"market": 7}, "market", "is 7; it should be a valid string"),
        ({"starts": "2026-11-27"}, "starts", f"is '2026-11-27'; {TIME}"),
        ({"starts": "tomorrow"}, "starts", f"is 'tomorrow'; {TIME}"),
        ({"starts": "0001-01-01T00:00:00+05:00"}, "starts", "is '0001-01-01T00:00:00+05:00'; it"),
        ({"ends": 1_800_000_000}, "ends", f"is 1800000000; {TIME}"),
        (
            {"starts": DAY, "ends": DAY},
            "ends",
            f"is '{DAY}'; it should be a moment after `starts`",
        ),
        ({"strength": 2}, "strength", FOREIGN),
    ],
)
def test_what_is_wrong_is_told_with_field_value_and_remedy(
    wrong: dict[str, Any], field: str, sentence: str
) -> None:
    content = {name: value for name, value in {**PIN, **wrong}.items() if value is not None}
    ((told_field, told_sentence),) = problems(content)
    assert told_field == field
    assert told_sentence.startswith(sentence)


@pytest.mark.parametrize(
    ("content", "field", "sentence"),
    [
        ({"kind": "boost", "strength": 0.5}, "strength", "is 0.5; it should be greater than or eq"),
        ({"kind": "bury", "strength": float("nan")}, "strength", "is nan; it should be"),
        ({"kind": "bury", "strength": "3"}, "strength", "is '3'; it should be a valid number"),
        ({"kind": "bury", "strength": True}, "strength", "is True; it should be a valid number"),
        (
            {"kind": "cap", "by": "colour", "most": 2},
            "by",
            "is 'colour'; it should be 'category' or 'brand'",
        ),
        ({"kind": "cap", "by": "brand", "most": 0}, "most", "is 0; it should be greater than or e"),
        (
            {"kind": "minimum", "of": "margin", "minimum": 20},
            "minimum",
            "is 20; it should be a margin below 1, such as 0.2 for 20 %",
        ),
        ({"kind": "filter"}, "which", MISSING),
        ({"kind": "exclude", "which": {}}, "which", f"is {{}}; {SELECTION}"),
        (
            {"kind": "exclude", "which": {"brand": None}},
            "which",
            f"is {{'brand': None}}; {SELECTION}",
        ),
    ],
)
def test_every_kind_is_held_to_its_numbers(
    content: dict[str, Any], field: str, sentence: str
) -> None:
    ((told_field, told_sentence),) = problems({"id": "rule", **content})
    assert told_field == field
    assert told_sentence.startswith(sentence)


def test_every_field_that_is_wrong_is_told() -> None:
    wrong = problems({**PIN, "position": 0, "market": "", "strength": 3})
    assert {field for field, _ in wrong} == {"position", "market", "strength"}


def test_half_a_surrogate_pair_is_no_text() -> None:
    ((field, sentence),) = problems({**PIN, "market": "\ud800"})
    assert (field, sentence[:11]) == ("", "is not JSON")
