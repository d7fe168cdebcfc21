"""A text that was signed here for one purpose is read again, and no other text is."""

import base64
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.signing import click_links, recommendation_ids
from service.signing.signature import Purpose, decode, encode, sign, verify

SECRET = b"of the shop"
TICKET = Purpose(b"tickets", 16)
PURPOSES = [TICKET, Purpose(b"tickets", 32), recommendation_ids.PURPOSE, click_links.PURPOSE]


@given(st.binary(), st.sampled_from(PURPOSES))
def test_what_was_signed_is_read_again(payload: bytes, purpose: Purpose) -> None:
    assert verify(SECRET, purpose, sign(SECRET, purpose, payload)) == payload


@pytest.mark.parametrize("purpose", PURPOSES)
@pytest.mark.parametrize("other", PURPOSES)
def test_what_was_signed_for_another_purpose_is_not_read(purpose: Purpose, other: Purpose) -> None:
    text = sign(SECRET, purpose, b"content")
    assert (verify(SECRET, other, text) is not None) is (other == purpose)


def test_what_another_shop_signed_is_not_read() -> None:
    assert verify(SECRET, TICKET, sign(b"of another", TICKET, b"content")) is None


def test_the_signature_is_the_hmac_of_rfc_2104_with_a_key_of_its_purpose() -> None:
    key = hmac.digest(SECRET, b"tickets", "sha256")
    signed = hmac.digest(key, b"content", "sha256")[:16] + b"content"
    assert (
        sign(SECRET, TICKET, b"content") == base64.urlsafe_b64encode(signed).rstrip(b"=").decode()
    )


@pytest.mark.parametrize("length", range(12))
def test_every_changed_character_is_noticed(length: int) -> None:
    text = sign(SECRET, TICKET, b"a" * length)
    for position, character in enumerate(text):
        for other in "AB-_/+=%. \n\0é":
            if other != character:
                changed = text[:position] + other + text[position + 1 :]
                assert verify(SECRET, TICKET, changed) is None


@pytest.mark.parametrize("text", ["", "x", "é", "A" * 80, "!!!!", "\ud800", "="])
def test_what_was_never_signed_is_not_read(text: str) -> None:
    assert verify(SECRET, TICKET, text) is None


@given(st.binary())
def test_bytes_stand_in_a_url_as_they_are(content: bytes) -> None:
    text = encode(content)
    assert decode(text) == content
    assert text.replace("-", "a").replace("_", "a").isalnum() or text == ""
