"""Where a link may lead, and what it tells the shop's analytics."""

from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.data.urls import (
    add_utm_parameters,
    is_absolute,
    make_absolute,
    read_address,
    split_addresses,
)

SHOP = "https://shop.example"
NO_LINK = [
    "",
    " ",
    "javascript:alert(1)",
    " JavaScript:alert(1)",
    "java\nscript:alert(1)",
    "\x01javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:x",
    "file:///etc/passwd",
    "mailto:anna@shop.example",
    "https:evil.example",
    "https:/evil.example",
    "https:///evil.example",
    "https://",
    "https://?x",
    "https://shop.example@evil.example/",
    "https://anna:secret@evil.example/",
    "https://shop.example:port/",
    "https://shop.example\\@evil.example",
    "https://shop.example/a\\b",
    "https://shop.example/\r\nSet-Cookie: a=b",
    "/bread\r\nLocation: https://evil.example",
    "\\evil.example",
    "\\\\evil.example",
    "/\\evil.example",
    "///evil.example",
    "/rye\u2028bread",
    "?bread",
    "#bread",
]


@pytest.mark.parametrize("shop_url", [None, SHOP])
@pytest.mark.parametrize("url", NO_LINK)
def test_what_is_no_address_of_a_page_is_no_link(url: str, shop_url: str | None) -> None:
    assert make_absolute(url, shop_url) is None


@pytest.mark.parametrize(
    ("url", "mended"),
    [
        ("https://shop.example/bread", "https://shop.example/bread"),
        (
            "https://pictures.example/bread.jpg?w=200#top",
            "https://pictures.example/bread.jpg?w=200#top",
        ),
        ("/bread", "https://shop.example/bread"),
        ("bread", "https://shop.example/bread"),
        ("./bread", "https://shop.example/bread"),
        ("//pictures.example/bread.jpg", "https://pictures.example/bread.jpg"),
        ("http://shop.example/bread", "https://shop.example/bread"),
        ("http://SHOP.example:80/bread", "https://shop.example/bread"),
        ("http://other.example/bread", None),
        ("http://shop.example:8080/bread", None),
        ("//[", None),
        (" /rye bread.jpg ", "https://shop.example/rye%20bread.jpg"),
        ('/bread"><script>', "https://shop.example/bread%22%3E%3Cscript%3E"),
        ("https://bäcker.example/brötchen", "https://bäcker.example/brötchen"),
    ],
)
def test_with_the_shops_address_every_link_is_absolute_https(url: str, mended: str | None) -> None:
    assert make_absolute(url, SHOP) == mended


@pytest.mark.parametrize(
    "url", ["/bread", "bread", "//pictures.example/a.jpg", "http://other.example/bread"]
)
def test_without_the_shops_address_a_link_stays_as_the_catalogue_has_it(url: str) -> None:
    assert make_absolute(url, None) == url


def test_relative_addresses_begin_in_the_shops_folder() -> None:
    assert make_absolute("bread", "https://shop.example/de") == "https://shop.example/de/bread"
    assert make_absolute("/bread", "https://shop.example/de") == "https://shop.example/bread"


def test_a_shop_on_this_machine_is_linked_as_it_is() -> None:
    assert make_absolute("/bread", "http://127.0.0.1:8000") == "http://127.0.0.1:8000/bread"


@given(st.text(max_size=30) | st.text("htps:/\\.@[]?#%\n\t xe", max_size=20))
def test_whatever_the_catalogue_holds_a_link_is_https_or_none(url: str) -> None:
    address = make_absolute(url, SHOP)
    assert address is None or (address.lower().startswith("https://") and is_absolute(address))
    kept = make_absolute(url, None)
    assert kept is None or not set(kept) & set('\r\n\\"<>')


def parameters(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query))


def test_a_link_tells_the_shop_where_it_comes_from() -> None:
    assert parameters(
        add_utm_parameters("https://shop.example/bread", "regulars", "spring sale", "a&b=c")
    ) == {
        "utm_source": "regulars",
        "utm_medium": "email",
        "utm_campaign": "spring sale",
        "utm_content": "a&b=c",
    }


def test_what_a_link_says_already_stays() -> None:
    url = add_utm_parameters(
        "https://shop.example/bread?size=2&utm_source=feed&flag#reviews", "regulars", None, "bread"
    )
    assert url == (
        "https://shop.example/bread?size=2&utm_source=feed&flag"
        "&utm_medium=email&utm_content=bread#reviews"
    )
    assert add_utm_parameters(url, "regulars", None, "bread") == url


def test_without_a_campaign_no_link_names_one() -> None:
    assert "utm_campaign" not in add_utm_parameters(
        "https://shop.example/bread?", "regulars", None, "bread"
    )


@given(st.text(max_size=20), st.text(max_size=20))
def test_no_name_breaks_out_of_its_parameter(campaign: str, product_id: str) -> None:
    url = add_utm_parameters("https://shop.example/bread?a=b", "regulars", campaign, product_id)
    assert is_absolute(url)
    assert set(parameters(url)) <= {"a", "utm_source", "utm_medium", "utm_campaign", "utm_content"}


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("//shop.example/p/1", "https://shop.example/p/1"),
        ("/p/2", "/p/2"),
        ("https://shop.example/p/green tea", "https://shop.example/p/green%20tea"),
        ("https://shop.example/tür/ß", "https://shop.example/tür/ß"),
        ("https://shop.example/p?a=1|2", "https://shop.example/p?a=1%7C2"),
        ("HTTPS://shop.example/P", "HTTPS://shop.example/P"),
        ("shop.example/p/3", None),  # a host, or a folder
        ("", None),
        ("javascript:alert(1)", None),
        ("///evil.example", None),
        ("/\\evil.example", None),
    ],
)
def test_addresses_are_read_as_shops_write_them(text: str, address: str | None) -> None:
    assert read_address(text) == address


@pytest.mark.parametrize(
    "cell",
    [
        "https://cdn.example/1.jpg,https://cdn.example/2.jpg",
        "https://cdn.example/1.jpg | //cdn.example/2.jpg",
        "https://cdn.example/1.jpg https://cdn.example/2.jpg",
        '["https://cdn.example/1.jpg", "https://cdn.example/2.jpg"]',
    ],
)
def test_the_first_of_several_pictures_is_found(cell: str) -> None:
    first, second = map(read_address, split_addresses(cell))
    assert (first, second) == ("https://cdn.example/1.jpg", "https://cdn.example/2.jpg")


def test_a_comma_within_an_address_parts_nothing() -> None:
    address = "https://cdn.example/w_200,h_300/v1/a.jpg"
    assert split_addresses(address) == [address]
