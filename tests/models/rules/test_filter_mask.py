"""A filter shows what is known to meet it, and nothing that is not known."""

import operator
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.data.catalogue import Catalogue
from models.rules.filter_language import parse_filter
from models.rules.filter_mask import find_matching, find_unknown_attributes
from tests.support.shop import Product, catalogue_of

CATALOGUE = catalogue_of(
    [
        Product(
            "apple",
            title="Apple",
            category="fruit",
            brand="Ashby",
            price=1.0,
            attributes='{"color": "red", "organic": true, "weight": 0.2, "sizes": ["S", "M"]}',
        ),
        Product(
            "bread",
            category="bakery",
            price=3.0,
            in_stock=False,
            attributes='{"color": "Brown", "organic": "False", "weight": "0.75", "cost": 2}',
        ),
        Product("cake", title="Apple cake", category="bakery", attributes='{"color": 5}'),
        Product("dates", price=9.0, attributes='{"sizes": [], "color": null, "box": {"w": 1}}'),
        Product("figs", price=9.0, attributes='{"sizes": ["L", 4], "weight": "heavy"}'),
    ]
)
NAMES = list(CATALOGUE.ids)


def matched(text: str, catalogue: Catalogue = CATALOGUE) -> str:
    mask = find_matching(parse_filter(text), catalogue)
    assert mask.dtype == np.bool_
    return " ".join(name for name, shown in zip(catalogue.ids, mask, strict=True) if shown)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("true", "apple bread cake dates figs"),
        ("product.price < 9", "apple bread"),
        ("product.price == 9", "dates figs"),
        ("product.price in [1, 3]", "apple bread"),
        ("has(product.price)", "apple bread dates figs"),
        ("product.in_stock", "apple cake dates figs"),
        ('product.category == "bakery"', "bread cake"),
        ('product.id in ["figs", "nonsense", "cake"]', "cake figs"),
        ('product.title.startsWith("Apple")', "apple cake"),
        ('product.title.endsWith("cake")', "cake"),
        ('product.title.contains("p")', "apple cake"),
        ('product.title < "Apple c"', "apple"),
        ('product.color == "red"', "apple"),
        ('product.attributes["color"] in ["red", "Brown", "red"]', "apple bread"),
        ("product.color == 5", "cake"),
        ("has(product.color)", "apple bread cake"),
        ("product.weight < 1", "apple bread"),
        ("product.weight == 0.75", "bread"),
        ("product.organic", "apple"),
        ("!product.organic", "bread"),
        ('"M" in product.sizes', "apple"),
        ("4 in product.sizes", "figs"),
        ("has(product.sizes)", "apple figs"),
        ("has(product.box)", "dates"),
        ('product.category == "bakery" && product.price < 9', "bread"),
        ('product.category == "bakery" || product.price < 9', "apple bread cake"),
        ("product.cost < 5", ""),
        ("has(product.cost)", ""),
    ],
)
def test_what_meets_a_filter_is_shown(text: str, shown: str) -> None:
    assert matched(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("product.price != 9", "apple bread"),
        ("!(product.price > 3)", "apple bread"),
        ('product.color != "red"', "bread"),
        ('!(product.color == "red" || product.price > 100)', "bread"),
        ('!(product.color in ["red"])', "bread"),
        ('!product.title.contains("cake")', "apple"),
        ("product.weight != 0.2", "bread"),
        ('!("M" in product.sizes)', "figs"),
        ("!(product.colour == 1)", ""),
        ('product.color != "red" || !has(product.color)', "bread dates figs"),
        ('product.brand != "Hartley"', "apple"),
    ],
)
def test_what_is_not_known_is_not_shown_by_the_opposite_either(text: str, shown: str) -> None:
    assert matched(text) == shown


def test_attributes_that_no_product_has_are_told() -> None:
    text = "product.colour == 1 || product.cost > 1 || has(product.weight)"
    assert find_unknown_attributes(parse_filter(text), CATALOGUE) == ("colour", "cost")


# An oracle: three values, product by product
Known = bool | None
SIGNS: dict[str, Any] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
ITEMS = st.fixed_dictionaries(
    {},
    optional={
        "x": st.sampled_from(["a", "b", "c"]),
        "y": st.integers(0, 3),
        "z": st.booleans(),
    },
)
TESTS = st.one_of(
    st.tuples(st.just("x"), st.sampled_from(list(SIGNS)), st.sampled_from(["a", "b"])),
    st.tuples(st.just("y"), st.sampled_from(list(SIGNS)), st.sampled_from([1, 2])),
    st.tuples(st.just("z"), st.sampled_from(["==", "!="]), st.booleans()),
)
TREES: st.SearchStrategy[Any] = st.recursive(
    TESTS,
    lambda inner: (
        st.tuples(st.just("!"), inner) | st.tuples(inner, st.sampled_from(["&&", "||"]), inner)
    ),
    max_leaves=8,
)


def written(tree: Any) -> str:
    if tree[0] == "!":
        return f"!({written(tree[1])})"
    if isinstance(tree[0], str):
        value = {True: "true", False: "false"}[tree[2]] if tree[0] == "z" else repr(tree[2])
        return f"product.{tree[0]} {tree[1]} {value}"
    return f"({written(tree[0])}) {tree[1]} ({written(tree[2])})"


def judged(tree: Any, product: dict[str, Any]) -> Known:
    """As CEL judges it, with None for an error."""
    if tree[0] == "!":
        inner = judged(tree[1], product)
        return None if inner is None else not inner
    if isinstance(tree[0], str):
        return bool(SIGNS[tree[1]](product[tree[0]], tree[2])) if tree[0] in product else None
    sides = judged(tree[0], product), judged(tree[2], product)
    decides = tree[1] == "||"
    if decides in sides:
        return decides
    return None if None in sides else not decides


@settings(deadline=None)
@given(st.lists(ITEMS, min_size=1, max_size=8), TREES)
def test_a_filter_shows_what_three_valued_logic_finds_true(
    products: list[dict[str, Any]], tree: Any
) -> None:
    catalogue = catalogue_of(
        [Product(str(i), attributes=orjson.dumps(p).decode()) for i, p in enumerate(products)]
    )
    expected = [judged(tree, product) is True for product in products]
    assert find_matching(parse_filter(written(tree)), catalogue).tolist() == expected
