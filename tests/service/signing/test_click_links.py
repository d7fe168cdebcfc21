"""The links of mails: signed here, or they lead nowhere."""

import base64
import hmac
from dataclasses import replace

import pytest

from models.data.urls import add_utm_parameters
from service.settings import Settings
from service.signing import customer_tokens, recommendation_ids
from service.signing.click_links import Click, ClickLinks, LinkedSlate

LINKS = ClickLinks(b"of the shop", "https://shop.example", "https://mails.shop.example")
SLATE = recommendation_ids.RecommendationId(
    "20260101T000000Z-abc", "email", "spring \0 sale/ü", recommendation_ids.digest_slate(["bread"])
)
ID = recommendation_ids.sign(LINKS.secret, SLATE)
NOW = 1_800_000_000
CLICK = Click("https://shop.example/bread?size=2", "br\nead/ü", ID, NOW + 1, bytes(range(16)))
TOKEN = LINKS.sign(CLICK)


@pytest.mark.parametrize(
    "click", [CLICK, replace(CLICK, ref=b""), replace(CLICK, ref=b"r" * 255, product_id="")]
)
def test_what_was_signed_is_read_again(click: Click) -> None:
    assert LINKS.read(LINKS.sign(click), NOW) == click


# Mails with these links were sent before signatures had a module of their own.
OLD_LINKS = {
    (
        "iZTNUtNZ3_6PGI7IRHgIDWtJ0gEQAEwAAQIDBAUGBwgJCgsMDQ4P17t_VHTAwBATGCx9EqrjfkNm_R9bIjIwMjYw"
        "MTAxVDAwMDAwMFotYWJjIiwiZW1haWwiLCJzcHJpbmcgXHUwMDAwIHNhbGUvw7wiXWh0dHBzOi8vc2hvcC5leGFt"
        "cGxlL2JyZWFkP3NpemU9MgpicgplYWQvw7w"
    ): CLICK,
    (
        "jQIE30QML4c1x_T0dCnFQ2tJ0gEAAEzXu39UdMDAEBMYLH0SquN-Q2b9H1siMjAyNjAxMDFUMDAwMDAwWi1hYmMi"
        "LCJlbWFpbCIsInNwcmluZyBcdTAwMDAgc2FsZS_DvCJdaHR0cHM6Ly9zaG9wLmV4YW1wbGUvYgpi"
    ): Click("https://shop.example/b", "b", ID, CLICK.expires),
}


@pytest.mark.parametrize(("token", "click"), OLD_LINKS.items())
def test_a_link_in_a_mail_that_was_sent_long_ago_still_leads_to_its_product(
    token: str, click: Click
) -> None:
    assert LINKS.read(token, NOW) == click
    assert LINKS.sign(click) == token


def test_a_click_leads_to_the_product_and_says_where_it_comes_from() -> None:
    assert LINKS.target(CLICK) == add_utm_parameters(
        CLICK.url, "regulars", SLATE.campaign, CLICK.product_id
    )


def test_a_link_ends_when_it_says() -> None:
    assert LINKS.read(TOKEN, CLICK.expires) is None


def test_every_changed_bit_is_noticed() -> None:
    signed = base64.urlsafe_b64decode(TOKEN + "=" * (-len(TOKEN) % 4))
    for position in range(8 * len(signed)):
        changed = bytearray(signed)
        changed[position // 8] ^= 1 << position % 8
        assert LINKS.read(base64.urlsafe_b64encode(changed).rstrip(b"=").decode(), NOW) is None


def test_every_changed_character_is_noticed() -> None:
    for position, character in enumerate(TOKEN):
        for other in "AB-_/+=%. \n\0é":
            if other != character:
                assert LINKS.read(TOKEN[:position] + other + TOKEN[position + 1 :], NOW) is None


def test_what_is_cut_off_or_added_is_noticed() -> None:
    assert all(LINKS.read(TOKEN[:length], NOW) is None for length in range(len(TOKEN)))
    assert all(
        LINKS.read(TOKEN + more, NOW) is None for more in ("A", "AAAA", "=", "\n", "/", ".html")
    )


def test_what_another_shop_signed_is_not_read() -> None:
    assert replace(LINKS, secret=b"of another shop").read(TOKEN, NOW) is None


def test_what_was_signed_for_something_else_is_no_click() -> None:
    customer = customer_tokens.sign(
        LINKS.secret, customer_tokens.CustomerToken("anna", None, CLICK.expires)
    )
    payload = base64.urlsafe_b64decode(TOKEN + "==")[16:]
    unpurposed = base64.urlsafe_b64encode(
        hmac.digest(LINKS.secret, payload, "sha256")[:16] + payload
    ).decode()
    for other in (
        ID,
        customer,
        unpurposed.rstrip("="),
        recommendation_ids.sign(LINKS.secret, replace(SLATE, campaign=CLICK.url)),
    ):
        assert LINKS.read(other, NOW) is None
    assert recommendation_ids.read(LINKS.secret, TOKEN) is None


def test_where_no_links_are_signed_none_is_followed() -> None:
    assert replace(LINKS, public_url=None).read(TOKEN, NOW) is None


def test_a_link_of_a_mail_is_signed_where_the_slate_is_kept() -> None:
    slate = LinkedSlate(ID, SLATE.campaign, CLICK.ref, CLICK.expires)
    url = LINKS.click_url(CLICK.url, CLICK.product_id, slate)
    assert url == f"https://mails.shop.example/r/{TOKEN}"


@pytest.mark.parametrize(
    ("public_url", "expires"), [(None, CLICK.expires), ("https://mails.shop.example", 0)]
)
def test_otherwise_it_leads_straight_to_the_shop(public_url: str | None, expires: int) -> None:
    links = replace(LINKS, public_url=public_url, utm_source="diner")
    url = links.click_url(CLICK.url, "bread", LinkedSlate(ID, "spring", expires=expires))
    assert url == add_utm_parameters(CLICK.url, "diner", "spring", "bread")


@pytest.mark.parametrize(
    "url", [None, "/bread", "//evil.example", "javascript:alert(1)", "data:text/html,x"]
)
def test_a_product_without_a_page_of_its_own_has_no_link(url: str | None) -> None:
    slate = LinkedSlate(ID, "spring", expires=CLICK.expires)
    assert LINKS.click_url(url, "bread", slate) is None


def test_a_token_names_no_customer_and_is_short() -> None:
    slate = recommendation_ids.RecommendationId(
        "20261121T200000Z-1f0c9a52d7be", "email", "spring-2026", b"12345678"
    )
    usual = Click(
        "https://shop.example/products/1082185",
        "1082185",
        recommendation_ids.sign(LINKS.secret, slate),
        NOW,
        b"r" * 16,
    )
    token = LINKS.sign(usual)
    assert len(token) < 250


def test_links_are_as_the_settings_say() -> None:
    given = {
        "REGULARS_SHOP_URL": "https://shop.example/",
        "REGULARS_PUBLIC_URL": "https://mails.shop.example/regulars/",
        "REGULARS_UTM_SOURCE": "diner",
        "REGULARS_SIGNING_KEY": "secret",
    }
    links = ClickLinks.from_settings(Settings.from_environment(given))
    assert (links.shop_url, links.public_url) == (
        "https://shop.example",
        "https://mails.shop.example/regulars",
    )
    assert (links.utm_source, links.secret) == (
        "diner",
        Settings.from_environment(given).signing_secret(),
    )
