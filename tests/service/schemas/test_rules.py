"""How a rule is described."""

import json
from typing import Any

import jsonschema_rs
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from models.rules.rule_problems import KINDS
from service.schemas.rules import RULE, RULE_EXAMPLES, SHOP_RULE, TRIED_RULE


def test_every_kind_of_rule_is_described_with_what_it_takes() -> None:
    assert {kind["title"] for kind in RULE["oneOf"]} == set(KINDS)
    for kind in RULE["oneOf"]:
        assert not kind["additionalProperties"]
        assert "kind" in kind["required"]
        assert "id" not in kind["properties"]
    for kind in TRIED_RULE["oneOf"]:
        assert {"id", "kind"} <= set(kind["required"])


def test_every_kind_of_rule_has_an_example_that_is_one() -> None:
    rules = [
        SHOP_RULE.validate_json(json.dumps({**example, "id": "r"})) for example in RULE_EXAMPLES
    ]
    assert {rule.kind for rule in rules} == set(KINDS)


def test_what_the_documentation_shows_of_a_field_can_be_pasted() -> None:
    for kind in TRIED_RULE["oneOf"]:
        fields = {name: field["examples"][0] for name, field in kind["properties"].items()}
        which = kind["properties"]["which"]
        selector = which if "properties" in which else which["anyOf"][0]
        which = {name: field["examples"][0] for name, field in selector["properties"].items()}
        SHOP_RULE.validate_json(json.dumps({**fields, "which": which}))


PARTS = {
    "which": [
        None,
        {},
        {"category": None},
        {"category": "MILK"},
        {"product_ids": []},
        {"product_ids": ["7"]},
        {"product_ids": ["7"], "brand": "Ashby", "category": None},
        {"product_ids": [""]},
        {"product_ids": [7]},
        {"min_price": 0},
        {"min_price": -1},
        {"max_price": 1e13},
        {"colour": "red"},
    ],
    "placements": [None, [], ["home"], [""], "home"],
    "segments": [None, [], ["connected"], ["gold"]],
    "customers": [None, {}, {"tier": ["gold"]}, {"tier": []}, {"": ["gold"]}, {"tier": "gold"}],
    "market": [None, "north", "", 7],
    "starts": [None, "2026-11-27T00:00:00+01:00", 7],
    "strength": [None, 1, 1e6, 0.5, 1e7, "3", True],
    "position": [None, 1, 7.0, 100, 0, 101, 1.5, True],
    "by": [None, "category", "brand", "colour"],
    "most": [None, 1, 10, 10.0, 0, 11],
    "of": [None, "price", "margin", "colour"],
    "minimum": [None, 0, 0.99, 1, 1e12, -1],
}
GOOD = {example["kind"]: example for example in RULE_EXAMPLES}


@st.composite
def contents(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a good rule with some fields that may be wrong."""
    content: dict[str, Any] = dict(GOOD[draw(st.sampled_from(KINDS))])
    for name in draw(st.lists(st.sampled_from(list(PARTS)), max_size=3)):
        content[name] = draw(st.sampled_from(PARTS[name]))
    for name in draw(st.lists(st.sampled_from(sorted(content)), max_size=1)):
        del content[name]
    return content


@settings(max_examples=500, deadline=None)
@given(contents())
def test_what_is_described_as_a_rule_is_one_and_nothing_else(content: dict[str, Any]) -> None:
    described = jsonschema_rs.validator_for(RULE).is_valid(content)
    try:
        SHOP_RULE.validate_json(json.dumps({**content, "id": "r"}))
    except ValidationError:
        assert not described
    else:
        assert described
