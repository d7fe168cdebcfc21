"""How a rule is described."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from models.rules.shop_rule_json import NUMBERS as NUMBERS_OF
from models.rules.shop_rule_json import SELECTORS, WHERE, rule_of
from models.rules.shop_rules import RuleKind
from service.schemas.rules import RULE


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
