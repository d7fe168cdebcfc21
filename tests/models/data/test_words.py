"""Words of shop systems: what is not understood is never taken for a yes."""

import pytest

from models.data.events import KINDS
from models.data.words import is_nobody, read_flag, read_kind, read_status, read_stock


@pytest.mark.parametrize(
    "text",
    ["instock", "In Stock", "12", "1.0", "yes", "TRUE", "ja", "https://schema.org/InStock",
     "auf Lager", "available", "1.200,00", "LimitedAvailability"],
)  # fmt: skip
def test_what_shop_systems_say_of_products_in_stock(text: str) -> None:
    assert read_stock(text) is True


@pytest.mark.parametrize(
    "text",
    ["outofstock", "out-of-stock", "out_of_stock", "-3", "0", "0.0", "0.00", "N", "f", "nein",
     "sold out", "discontinued", "unavailable", "https://schema.org/OutOfStock", "OutOfStock",
     "onbackorder", "preorder", "backorder", "ausverkauft"],
)  # fmt: skip
def test_what_shop_systems_say_of_products_that_cannot_be_had_now(text: str) -> None:
    assert read_stock(text) is False


def test_a_word_that_nobody_knows_is_neither() -> None:
    assert read_stock("call us") is read_flag("perhaps") is read_status("frozen") is None
    assert read_kind("teleported") is None


@pytest.mark.parametrize("text", ["completed", "wc-processing", "Partially refunded", "paid"])
def test_orders_that_are_sales(text: str) -> None:
    assert read_status(text) is True


@pytest.mark.parametrize("text", ["cancelled", "Canceled", "wc-refunded", "voided", "failed"])
def test_orders_that_are_none(text: str) -> None:
    assert read_status(text) is False


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("transaction", "purchase"),
        ("Order Completed", "purchase"),
        ("sale", "purchase"),
        ("addtocart", "cart"),
        ("add_to_cart", "cart"),
        ("Product Viewed", "view"),
        ("view_item", "view"),
        ("refund", "return"),
        ("remove_from_cart", "remove_from_cart"),
        ("WISHLIST", "wishlist"),
    ],
)
def test_kinds_of_common_trackers(text: str, kind: str) -> None:
    code = read_kind(text)
    assert code is not None
    assert KINDS[code] == kind


def test_nobody_is_called_zero_or_null_and_anna_is_somebody() -> None:
    assert all(map(is_nobody, ["0", "NULL", r"\N", "nan", "None", ""]))
    assert not any(map(is_nobody, ["anna", "00", "10"]))
