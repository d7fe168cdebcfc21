"""A product as a page shows it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.assembly.cards import build_card, build_offer, format_price, is_locale, read_price
from tests.support.shop import Product, catalogue_of

CATALOGUE = catalogue_of(
    [
        Product(
            "bread",
            title="Rye loaf",
            category="bakery",
            brand="Ashby",
            price=1234.5,
            currency="EUR",
            url="https://shop.example/bread",
            attributes='{"weight": "500 g", "cost": 0.9}',
            cost=0.9,
        ),
        Product("mystery", in_stock=False),
        Product("sand", price=0.1 + 0.2),
    ]
)


def test_a_card_holds_all_that_is_known_but_what_it_costs_the_shop() -> None:
    assert build_card(CATALOGUE, 0, "en_US") == {
        "title": "Rye loaf",
        "category": "bakery",
        "brand": "Ashby",
        "price": 1234.5,
        "currency": "EUR",
        "price_text": "€1,234.50",
        "url": "https://shop.example/bread",
        "image_url": "https://shop.example/bread.jpg",
        "in_stock": True,
        "attributes": {"weight": "500 g"},
    }


def test_what_is_not_known_is_none_and_not_empty() -> None:
    mystery = build_card(CATALOGUE, 1, "en_US")
    assert (mystery.pop("in_stock"), mystery.pop("attributes")) == (False, {})
    assert set(mystery.values()) == {None}


def test_with_the_shops_address_pages_and_pictures_are_where_a_mail_finds_them() -> None:
    catalogue = catalogue_of(
        [Product("rye", url="/rye"), Product("sly", url="javascript:alert(1)")]
    )
    rye = build_card(catalogue, 0, "en_US", "https://shop.example")
    assert (rye["url"], rye["image_url"]) == (
        "https://shop.example/rye",
        "https://shop.example/rye.jpg",
    )
    assert (build_card(catalogue, 0, "en_US")["url"], build_card(catalogue, 1, "en_US")["url"]) == (
        "/rye",
        None,
    )


def test_an_offer_is_the_part_of_a_card_that_a_line_of_a_file_holds() -> None:
    whole, part = build_card(CATALOGUE, 0, "en_US"), build_offer(CATALOGUE, 0, "en_US")
    assert part == {
        name: whole[name] for name in ("price", "currency", "price_text", "url", "image_url")
    }


def test_a_price_without_a_currency_is_a_number_alone() -> None:
    assert (
        build_card(CATALOGUE, 2, "en_US")["price"],
        build_card(CATALOGUE, 2, "en_US")["price_text"],
    ) == (
        0.3,
        None,
    )


def test_an_unknown_price_is_none() -> None:
    assert read_price(CATALOGUE, 1) is None


@pytest.mark.parametrize(
    ("locale", "text"),
    [("en_US", "$1.29"), ("en-US", "$1.29"), ("de_DE", "1,29\xa0$"), ("fr-CA", "1,29\xa0$\xa0US")],
)
def test_a_price_is_written_as_people_write_it_there(locale: str, text: str) -> None:
    assert format_price(1.29, "USD", locale) == text


def test_yen_have_no_cents() -> None:
    assert format_price(1290.0, "JPY", "en_US") == "\N{YEN SIGN}1,290"


@pytest.mark.parametrize("name", ["en_US", "en-US", "de", "zh_Hant_TW", "sr-Latn-RS"])
def test_prices_can_be_written_for_a_real_locale(name: str) -> None:
    assert is_locale(name)


@pytest.mark.parametrize(
    "name", ["", "xx_YY", "english", "en_US_", "../../etc/passwd", "en US", "🧦"]
)
def test_a_name_of_no_place_is_no_locale(name: str) -> None:
    assert not is_locale(name)


@given(st.text(max_size=20) | st.text("deUSfrzhHant_-@.019", max_size=8))
def test_any_name_either_writes_prices_or_is_no_locale(name: str) -> None:
    if is_locale(name):
        assert format_price(1.5, "EUR", name)
