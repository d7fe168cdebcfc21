"""A recommendation id says what the slate was, and cannot be made up."""

from dataclasses import replace

import pytest

from service.signing.recommendation_ids import RecommendationId, digest_slate, read, sign

SECRET = b"of the shop"
TOKEN = RecommendationId(
    "20260101T000000Z-abc", "email", "spring \0 sale/ü", digest_slate(["1", "popular"])
)


IN_EXPERIMENT = replace(TOKEN, variant=("repeats at home", "nothing twice"))


@pytest.mark.parametrize(
    "token", [TOKEN, IN_EXPERIMENT, RecommendationId("v", None, None, digest_slate([]))]
)
def test_what_was_signed_is_read_again(token: RecommendationId) -> None:
    assert read(SECRET, sign(SECRET, token)) == token


def test_an_id_in_a_mail_that_was_sent_long_ago_is_read() -> None:
    text = (
        "17t_VHTAwBATGCx9EqrjfkNm_R9bIjIwMjYwMTAxVDAwMDAwMFotYWJjIiwi"
        "ZW1haWwiLCJzcHJpbmcgXHUwMDAwIHNhbGUvw7wiXQ"
    )
    slate = replace(TOKEN, content=digest_slate(["bread"]))
    assert read(SECRET, text) == slate
    assert sign(SECRET, slate) == text


def test_an_id_that_says_little_is_signed_as_ever() -> None:
    slate = RecommendationId("v", None, None, digest_slate([]))
    assert sign(SECRET, slate) == "lie5kJeKkiyBvMOucYV1diV0ZcdbInYiLG51bGwsbnVsbF0"


def test_the_same_slate_has_the_same_id() -> None:
    assert sign(SECRET, TOKEN) == sign(SECRET, TOKEN)


def test_an_id_can_stand_in_a_link_as_it_is() -> None:
    assert sign(SECRET, TOKEN).replace("-", "").replace("_", "").isalnum()


def test_another_order_is_another_slate() -> None:
    assert digest_slate(["1", "2"]) != digest_slate(["2", "1"])
    assert digest_slate(["1", "2"]) != digest_slate(["12"])


@pytest.mark.parametrize("text", ["", "x", "é", "A" * 80, "!!!!", sign(b"of another", TOKEN)])
def test_what_this_shop_did_not_sign_is_not_read(text: str) -> None:
    assert read(SECRET, text) is None


def test_every_changed_character_is_noticed() -> None:
    text = sign(SECRET, TOKEN)
    for position in range(len(text) - 1):
        other = "A" if text[position] != "A" else "B"
        assert read(SECRET, text[:position] + other + text[position + 1 :]) is None
