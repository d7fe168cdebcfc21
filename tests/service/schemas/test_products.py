"""What may be said about a product."""

from typing import Any

import pytest
from pydantic import ValidationError

from service.schemas.products import ProductBody, ProductFields


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
    not_null = {name: value for name, value in document.items() if value is not None}
    assert not_null == {"price": 1.0, "in_stock": True, "hidden": False, "attributes": {}}
