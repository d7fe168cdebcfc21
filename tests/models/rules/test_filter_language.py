"""A filter is read as CEL reads it, is one text for one meaning, and says where it is wrong."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.rules.filter_language import (
    MAX_CONDITIONS,
    FilterError,
    canonical_filter,
    check_filter,
    find_attributes,
    parse_filter,
)


@pytest.mark.parametrize(
    "same",
    [
        [
            'product.price < 20 && product.brand == "Ashby"',
            "product.brand=='Ashby'&&20>product.price",
        ],
        [
            "product.price < 20",
            "((product.price)) < (20)",
            "20.0 > product.price",
            "product.price<2e1",
        ],
        ["product.price >= 3", "!(product.price < 3)", "!!(3 <= product.price)"],
        ['product.brand in ["a", "b"]', "product.brand in ['b', \"a\", 'b']"],
        ['product.brand == "a"', 'product.brand in ["a"]', 'product.brand == "\\u0061"'],
        ["product.x", "product.attributes.x", 'product.attributes["x"] == true', "!(!product.x)"],
        ["!product.x", "product.x == false", "product.x != true"],
        ["has(product.x)", '"x" in product.attributes', 'has(product.attributes["x"])'],
        [
            '!(product.x == 1 || product.y.contains("z"))',
            'product.x != 1 && !product.y.contains("z")',
        ],
        [
            "product.in_stock && (product.x && product.y)",
            "product.y && product.x && product.in_stock",
        ],
        ["product.x || (product.x || false)", "product.x"],
        ["product.x && product.y || product.z", "product.z || (product.y && product.x)"],
        ["true", "product.x || true", "!false"],
        ["-5 < product.x", "product.x > - 5"],
    ],
)
def test_what_means_the_same_is_one_filter(same: list[str]) -> None:
    assert len({canonical_filter(text) for text in same}) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("product.x == 1", 'product.x == "1"'),
        ("product.price < 3", "product.price <= 3"),
        ('product.attributes["price"] < 3', "product.price < 3"),
        ("product.x && product.y || product.z", "product.x && (product.y || product.z)"),
        ('product.title.contains("a")', 'product.title.contains("A")'),
    ],
)
def test_what_means_something_else_is_another_filter(one: str, other: str) -> None:
    assert canonical_filter(one) != canonical_filter(other)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "at character 1: expected a condition or a value, found the end"),
        ("product.price <", "at character 16: expected a condition or a value, found the end"),
        ("product.price = 5", "at character 15: = is no operator; write =="),
        ("product.price < 5 and product.x", "character 19: expected && or || or the end; write &&"),
        ("price < 5", "at character 1: expected product.price or a text in quotes, found price"),
        ('product.brand == "Ash', "at character 18: the text that begins here does not end"),
        ('product.brand == "a\\q"', "at character 20: \\q is no escape"),
        ('product.brand == "\\ud800"', "at character 18: the text holds what is no character"),
        ('product.price < "5"', "at character 1: product.price is a number"),
        ("product.in_stock == 1", "at character 1: product.in_stock is true or false"),
        ("product.x < true", "at character 11: true and false have no order"),
        ("1 == 1", "expected product.… on one side"),
        ("product.x == product.y", "at character 14: expected a text, a number, true or false"),
        ("product.x < 1 < 2", "at character 15: expected && or ||"),
        ('!product.x == "a"', "at character 1: ! holds for what stands next to it alone"),
        ('product.title.matches("a")', "at character 15: expected startsWith, endsWith, contains"),
        ("product.price in []", "at character 19: expected a value in the list"),
        ('product.x in [1, "a"]', "at character 18: expected values of one type"),
        ("product", "expected a field, such as product.price"),
        ("product.attributes == 1", "at character 1: expected one attribute"),
        ('"x" in product.title', "at character 8: expected an attribute"),
        ("(product.x", "at character 11: expected ), found the end"),
        ("product.x == 1e999", "at character 14: expected a smaller number"),
        ("product.x # 3", "at character 11: '#' has no meaning here"),
        ("(" * 40 + "product.x" + ")" * 40, "more than 32 levels are too deep"),
        ("!" * 1900 + "product.x", "more than 32 levels are too deep"),
        ("product.x" + " && product.x" * MAX_CONDITIONS, "more than 50 conditions are too many"),
        (f"product.x in {list(range(201))}", "more than 200 values are too many"),
        ("product.x" + " " * 2000, "at character 2001: a filter has at most 2,000 characters"),
    ],
)
def test_an_error_names_the_character(text: str, message: str) -> None:
    with pytest.raises(FilterError) as refused:
        check_filter(text)
    assert message in str(refused.value)


def test_the_attributes_that_are_asked_for_are_known() -> None:
    text = 'product.color == "red" || !(has(product.size) && product.price < 3) || "S" in product.sizes'
    assert find_attributes(parse_filter(text)) == ("color", "size", "sizes")


VALUES = st.sampled_from(['"a"', "'b\\n'", "5", "-1.5", "true", "[1, 2]", '["x", "y"]', "false"])
FIELDS = st.sampled_from(
    ["product.x", "product.price", 'product.attributes["a b"]', "product.title"]
)
SIGNS = st.sampled_from(["==", "!=", "<", "<=", ">", ">=", "in"])
CONDITIONS = (
    st.builds("{} {} {}".format, FIELDS, SIGNS, VALUES)
    | st.builds("{}.contains({})".format, FIELDS, VALUES)
    | st.builds("has({})".format, FIELDS)
    | FIELDS
)
EXPRESSIONS = st.recursive(
    CONDITIONS,
    lambda inner: (
        st.builds("({}) && {}".format, inner, inner)
        | st.builds("{} || {}".format, inner, inner)
        | st.builds("!({})".format, inner)
    ),
    max_leaves=10,
)


@given(EXPRESSIONS)
def test_the_one_text_of_a_filter_means_the_same_filter(text: str) -> None:
    try:
        parsed = parse_filter(text)
    except FilterError:
        return
    assert parse_filter(str(parsed)) == parsed
    assert canonical_filter(f" ( {text} ) ") == str(parsed)


@given(st.text(alphabet="product.x=!<>&|()[]'\"\\ u12,-e\0é", max_size=40))
def test_any_text_is_a_filter_or_an_error_at_one_of_its_characters(text: str) -> None:
    with suppress(FilterError):
        parse_filter(text)
        return
    with pytest.raises(FilterError) as refused:
        parse_filter(text)
    assert 1 <= refused.value.position <= len(text) + 1
