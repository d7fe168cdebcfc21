"""A token says who the customer is, for a few minutes, and cannot be made up."""

import base64
import hmac
import json
import math
from typing import Any

import pytest

from service.signing.customer_tokens import CustomerToken, TokenError, read, sign

SECRET = b"of the shop"
NOW = 1_800_000_000
ANNA = CustomerToken("anna", "visit-1", NOW + 60)


def make_token(claims: Any, head: Any = None, secret: bytes = SECRET) -> bytes:
    """Return a JSON Web Token as any library makes it."""
    parts = [json.dumps(part).encode() for part in (head or {"alg": "HS256", "typ": "JWT"}, claims)]
    signed = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
    signature = hmac.digest(secret, signed, "sha256")
    return signed + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")


@pytest.mark.parametrize(
    "token", [ANNA, CustomerToken("Zoë/1", None, NOW + 1), CustomerToken(None, "s", NOW + 1)]
)
def test_what_was_signed_is_read_again(token: CustomerToken) -> None:
    assert read(SECRET, sign(SECRET, token).encode(), NOW) == token


def test_the_shops_own_server_can_make_one() -> None:
    assert read(SECRET, make_token({"sub": "anna", "sid": "visit-1", "exp": NOW + 60}), NOW) == ANNA


def test_the_example_of_rfc_7515_is_signed_as_there() -> None:
    key = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"
    text = (
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQog"
        "Imh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    )
    secret = base64.urlsafe_b64decode(key + "==")
    with pytest.raises(TokenError, match="names neither"):  # signed rightly, and of nobody
        read(secret, text.encode(), 1_300_819_300)
    with pytest.raises(TokenError, match="expired"):
        read(secret, text.encode(), 1_300_819_380)
    with pytest.raises(TokenError, match="not signed with this"):
        read(secret + b"x", text.encode(), 1_300_819_300)


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"sub": "anna", "exp": NOW}, "expired"),
        ({"sub": "anna", "exp": NOW + 86_401}, "longer than a day"),
        ({"sub": "anna"}, "no 'exp'"),
        ({"sub": "anna", "exp": "2099"}, "no 'exp'"),
        ({"exp": NOW + 1}, "names neither"),
        ({"sub": "", "exp": NOW + 1}, "names neither"),
        ({"sub": 7, "exp": NOW + 1}, "names neither"),
        ({"sub": "a" * 501, "exp": NOW + 1}, "names neither"),
        ({"sub": "half a pair: \ud800", "exp": NOW + 1}, "names neither"),
        (["sub"], "cannot be read"),
    ],
)
def test_a_token_that_says_too_little_or_too_much_opens_nothing(claims: Any, why: str) -> None:
    with pytest.raises(TokenError, match=why):
        read(SECRET, make_token(claims), NOW)


@pytest.mark.parametrize("audience", ["another", ["another", "regulars"], "regulars"])
def test_a_token_that_was_made_for_a_named_service_opens_nothing(audience: Any) -> None:
    with pytest.raises(TokenError, match="has an 'aud'"):
        read(SECRET, make_token({"sub": "anna", "exp": NOW + 60, "aud": audience}), NOW)


@pytest.mark.parametrize("audience", ["", [], None])
def test_an_audience_that_names_no_service_refuses_nobody(audience: Any) -> None:
    token = make_token({"sub": "anna", "sid": "visit-1", "exp": NOW + 60, "aud": audience})
    assert read(SECRET, token, NOW) == ANNA


@pytest.mark.parametrize("audience", ["regulars", ["another", "regulars"]])
def test_a_shop_with_an_audience_reads_the_tokens_that_carry_it(audience: Any) -> None:
    claims = {"sub": "anna", "sid": "visit-1", "exp": NOW + 60, "aud": audience}
    assert read(SECRET, make_token(claims), NOW, "regulars") == ANNA


@pytest.mark.parametrize(
    "audience", ["another", "Regulars", "", [], None, ["regular", "s"], 7, [7]]
)
def test_a_shop_with_an_audience_reads_no_token_without_it(audience: Any) -> None:
    claims = {"sub": "anna", "exp": NOW + 60}
    for token in (make_token(claims), make_token({**claims, "aud": audience})):
        with pytest.raises(TokenError, match="'aud'"):
            read(SECRET, token, NOW, "regulars")


def test_a_token_that_is_made_here_carries_the_audience() -> None:
    assert read(SECRET, sign(SECRET, ANNA, "regulars").encode(), NOW, "regulars") == ANNA
    with pytest.raises(TokenError, match="has an 'aud'"):
        read(SECRET, sign(SECRET, ANNA, "regulars").encode(), NOW)


@pytest.mark.parametrize("start", [NOW, NOW - 1, NOW - 0.5, 0, None])
def test_a_token_is_good_from_its_start_on(start: Any) -> None:
    token = make_token({"sub": "anna", "sid": "visit-1", "exp": NOW + 60, "nbf": start})
    assert read(SECRET, token, NOW) == ANNA


@pytest.mark.parametrize("start", [NOW + 1, NOW + 0.5, NOW + 10**6, math.nan, math.inf])
def test_before_its_start_a_token_opens_nothing(start: float) -> None:
    with pytest.raises(TokenError, match="not valid yet"):
        read(SECRET, make_token({"sub": "anna", "exp": NOW + 60, "nbf": start}), NOW)


@pytest.mark.parametrize("start", ["", "2020", [NOW], {}, True])
def test_a_start_that_is_no_time_opens_nothing(start: Any) -> None:
    with pytest.raises(TokenError, match="'nbf' that is no time"):
        read(SECRET, make_token({"sub": "anna", "exp": NOW + 60, "nbf": start}), NOW)


def test_claims_that_say_nothing_about_the_customer_are_not_read() -> None:
    claims = {"iss": 7, "iat": NOW + 10**6, "jti": 7}
    token = make_token({"sub": "anna", "sid": "visit-1", "exp": NOW + 60, **claims})
    assert read(SECRET, token, NOW) == ANNA


@pytest.mark.parametrize(
    "secret",
    [b"s", b"s" * 64, b"s" * 65, b'{"kty": "oct"}', b"-----BEGIN KEY-----\n-----END KEY-----"],
)
def test_any_text_can_be_the_secret(secret: bytes) -> None:
    assert read(secret, sign(secret, ANNA).encode(), NOW) == ANNA
    claims = {"sub": "anna", "sid": "visit-1", "exp": NOW + 60}
    assert read(secret, make_token(claims, secret=secret), NOW) == ANNA


def test_a_token_that_the_old_service_made_is_read_after_an_upgrade() -> None:
    text = (
        b"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbm5hIiwic2lkIjoidmlzaXQtMSIsImV4cCI6MTgw"
        b"MDAwMDA2MH0.fmyM_0rX0jbw_RYY9kI1mEuRe5cWRvVV6XYkU84ySAA"
    )
    assert read(SECRET, text, NOW) == ANNA
    assert sign(SECRET, ANNA).encode() == text


@pytest.mark.parametrize("algorithm", ["none", "HS512", "RS256", None])
def test_a_token_cannot_choose_how_it_is_checked(algorithm: str | None) -> None:
    with pytest.raises(TokenError, match="HS256"):
        read(SECRET, make_token({"sub": "anna", "exp": NOW + 1}, {"alg": algorithm}), NOW)


DEEP = base64.urlsafe_b64encode(b"[" * 30_000) + b".e30.e30"


@pytest.mark.parametrize(
    "sent",
    [b"", b"..", b"a.b.c", b"\xff.\xff.\xff", b"e30.e30.", make_token({}, secret=b"another"), DEEP],
)
def test_what_this_shop_did_not_sign_is_not_read(sent: bytes) -> None:
    with pytest.raises(TokenError):
        read(SECRET, sent, NOW)


def test_every_changed_character_is_noticed() -> None:
    text = sign(SECRET, ANNA)
    for position in range(len(text) - 1):
        other = "A" if text[position] != "A" else "B"
        with pytest.raises(TokenError):
            read(SECRET, (text[:position] + other + text[position + 1 :]).encode(), NOW)
