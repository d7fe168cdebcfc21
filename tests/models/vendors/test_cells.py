from __future__ import annotations

import pytest

from models.vendors.cells import (
    address_of_mail,
    is_gift_card,
    is_no_product,
    price_of_piece,
    quantity_left,
    text,
)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Gift Card", True),
        ("gift card - 50", True),
        ("e-Gift Voucher 25", True),
        ("Geschenkgutschein", True),
        ("Carte cadeau (50 €)", True),
        ("Gift card holder", False),
        ("Cards, gift set", False),
        (None, False),
    ],
)
def test_a_gift_card_is_known_by_its_name_and_a_holder_is_not(name: object, expected: bool) -> None:
    assert is_gift_card(name) is expected


def test_a_tip_is_no_product_and_a_tip_of_a_pen_is() -> None:
    assert is_no_product("Tip")
    assert not is_no_product("Tip for fountain pens")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (12, "12"),
        (12.0, "12"),
        (9.5, "9.5"),
        (True, "true"),
        ("  ", None),
        (" a ", " a "),
        ([], None),
    ],
)
def test_a_cell_is_its_text(value: object, expected: str | None) -> None:
    assert text(value) == expected


def test_what_cannot_be_taken_off_is_told() -> None:
    assert quantity_left("3", "1", -1) == "1"
    assert quantity_left(None, None) == "1"
    assert quantity_left("3", "some") == "some"
    assert quantity_left("three", "1") == "three"


def test_a_piece_costs_its_share_of_the_line() -> None:
    assert price_of_piece("9.00", "3") == "3"
    assert price_of_piece("9.00", "0") is None
    assert price_of_piece("nine", "3") is None


def test_an_address_of_mail_is_one_however_it_is_written() -> None:
    assert address_of_mail(" Anna@Example.com") == "anna@example.com"
