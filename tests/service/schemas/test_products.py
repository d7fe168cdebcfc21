"""What may be said about a product, and how a rule is described."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from models.rules.shop_rule_json import NUMBERS as NUMBERS_OF
from models.rules.shop_rule_json import SELECTORS, WHERE, rule_of
from models.rules.shop_rules import RuleKind
from service.schemas.products import RULE, ProductBody, ProductFields


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"price": -0.01}, "price"),
        ({"price": float("nan")}, "price"),
        ({"price": float("inf")}, "price"),
        ({"price": "dear"}, "price"),
        ({"currency": "euro"}, "currency"),
        ({"url": "javascript:alert(1)"}, "url"),
        ({"image_url": "bagel.jpg"}, "image_url"),
        ({"image_url": 'https://shop.example/"onload="'}, "image_url"),
        ({"in_stock": None}, "in_stock"),
        ({"hidden": "perhaps"}, "hidden"),
        ({"markets": "north"}, "markets"),
        ({"markets": [""]}, "markets"),
        ({"category": ""}, "category"),
        ({"title": "x" * 2001}, "title"),
        ({"available_from": "tomorrow"}, "available_from"),
        ({"attributes": {"x" * 101: 1}}, "attributes"),
        ({"attributes": {"a": [1]}}, "attributes"),
        ({"attributes": {"a": "\ud800"}}, "attributes"),
        ({"attributes": {str(number): 1 for number in range(101)}}, "attributes"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_is_no_product_is_refused_by_the_name_of_its_field(
    fields: dict[str, Any], field: str
) -> None:
    with pytest.raises(ValidationError) as error:
        ProductFields.model_validate(fields)
    assert {problem["loc"][0] for problem in error.value.errors()} == {field}


def test_a_number_is_no_text_and_no_flag() -> None:
    for fields in ({"price": "2.19"}, {"price": True}, {"hidden": 0}, {"in_stock": "no"}):
        with pytest.raises(ValidationError, match="should be a valid"):
            ProductFields.model_validate(fields)


def test_a_whole_product_says_of_everything_else_that_it_is_not_known() -> None:
    document = ProductBody(product_id="bagel", price=1.0).document()
    assert set(document) == set(ProductFields.model_fields)
    known = {name: value for name, value in document.items() if value is not None}
    assert known == {"price": 1.0, "in_stock": True, "hidden": False, "attributes": {}}


def test_every_kind_of_rule_is_described_with_the_fields_that_it_takes() -> None:
    described: dict[str, set[str]] = {}
    for kind in RULE["oneOf"]:
        described.setdefault(kind["title"], set()).update(kind["properties"])
    assert described == {kind.value: {"kind", *WHERE, *NUMBERS_OF[kind]} for kind in RuleKind}
    for kind in RULE["oneOf"]:
        assert set(NUMBERS_OF[RuleKind(kind["title"])]) <= set(kind["required"])


def test_every_kind_of_rule_has_an_example_that_is_one() -> None:
    assert {rule_of({**example, "id": "r"}).kind for example in RULE["examples"]} == set(RuleKind)


TEXT = st.text(min_size=1, max_size=3)


def values(described: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Anything that a piece of the description allows, as far as it is used here."""
    if "anyOf" in described and "properties" not in described:
        return st.one_of(*(values(one) for one in described["anyOf"]))
    if "const" in described:
        return st.just(described["const"])
    if "enum" in described:
        return st.sampled_from(described["enum"])
    kind = described["type"]
    if kind == "null":
        return st.none()
    if kind == "integer":
        return st.integers(described["minimum"], described["maximum"])
    if kind == "number":
        most = described.get("maximum", described.get("exclusiveMaximum"))
        return st.floats(described["minimum"], most, exclude_max="exclusiveMaximum" in described)
    if kind == "array":
        return st.lists(
            values(described["items"]), min_size=described.get("minItems", 0), max_size=3
        )
    if kind == "object":
        return objects(described)
    return st.just("2026-11-27T00:00:00+01:00") if described.get("format") == "date-time" else TEXT


@st.composite
def objects(draw: st.DrawFn, described: dict[str, Any]) -> dict[str, Any]:
    one = draw(st.sampled_from(described.get("anyOf", [{}])))
    properties = {**described["properties"], **one.get("properties", {})}
    needed = {*described.get("required", ()), *one.get("required", ())}
    chosen = needed | draw(st.sets(st.sampled_from(sorted(properties))))
    return {name: draw(values(properties[name])) for name in sorted(chosen)}


@given(st.sampled_from(RULE["oneOf"]).flatmap(objects))
def test_whatever_is_described_as_a_rule_is_one(content: dict[str, Any]) -> None:
    which = content.get("which") or {}
    if (
        None not in (which.get("min_price"), which.get("max_price"))
        and which["max_price"] < which["min_price"]
    ):
        which["max_price"] = which[
            "min_price"
        ]  # that the one is not below the other, no schema can say
    if content.get("starts"):
        content.pop("ends", None)
    assert rule_of({**content, "id": "r"}).id == "r"
    assert set(which) <= set(SELECTORS)
