"""A question in the words of a catalogue, and the key under which its answer is kept."""

from dataclasses import replace

import pytest

from models.data.customers import PERSONALIZE_EMAIL, PERSONALIZE_WEB
from service.answering.query import QueryKind, RecommendationQuery, resolve_query
from service.schemas.parameters import Options
from tests.support.service_shop import Shop

ASKED = RecommendationQuery(QueryKind.CUSTOMER, Options(), "en_US", customer_id="c1")


def items(shop: Shop, *names: str) -> tuple[int, ...]:
    return tuple(shop.model.recommender.catalogue.ids.find_all(names).tolist())


def test_products_that_nobody_knows_are_named_once_in_their_order(shop: Shop) -> None:
    question = RecommendationQuery(
        QueryKind.SIMILAR,
        Options(exclude=("x4", "x2")),
        "en_US",
        product_id="x1",
        recent=("x2", "x3"),
        basket=("x1",),
    )
    assert resolve_query(question, shop.model.recommender.catalogue, (), 0).missing_ids == (
        "x1",
        "x2",
        "x3",
        "x4",
    )


def test_the_basket_and_the_product_asked_for_are_never_recommended(shop: Shop) -> None:
    one, two, three = shop.products[:3]
    question = RecommendationQuery(
        QueryKind.SIMILAR, Options(exclude=(three,)), "en_US", product_id=one, basket=(two, two)
    )
    resolved = resolve_query(question, shop.model.recommender.catalogue, (), 0)
    assert resolved.request.filters.exclude == items(shop, one, two, three)
    assert resolved.request.basket == items(shop, two)
    assert (resolved.item,) == items(shop, one)
    assert resolved.missing_ids == ()


@pytest.mark.parametrize(
    ("placement", "purpose"),
    [
        (None, PERSONALIZE_WEB),
        ("home", PERSONALIZE_WEB),
        ("email", PERSONALIZE_EMAIL),
        ("email_top", PERSONALIZE_EMAIL),
    ],
)
def test_a_mail_needs_the_consent_for_mails(
    shop: Shop, placement: str | None, purpose: int
) -> None:
    question = replace(ASKED, options=Options(placement=placement))
    assert (
        resolve_query(question, shop.model.recommender.catalogue, (), 0).request.purpose == purpose
    )


@pytest.mark.parametrize(
    "other",
    [
        replace(ASKED, kind=QueryKind.POPULAR),
        replace(ASKED, customer_id="c2"),
        replace(ASKED, customer_id=None),
        replace(ASKED, locale="de_DE"),
        replace(ASKED, options=Options(n=9)),
        replace(ASKED, options=Options(exclude=("1",))),
        replace(ASKED, options=Options(campaign="spring")),
        replace(ASKED, recent=("1",)),
        replace(ASKED, basket=("1",)),
        replace(ASKED, product_id="1"),
        replace(ASKED, window_days=7),
        replace(ASKED, size=3),
    ],
)
def test_another_question_has_another_key(other: RecommendationQuery) -> None:
    assert other.key("v1", b"secret") != ASKED.key("v1", b"secret")


def test_another_model_has_another_key() -> None:
    assert ASKED.key("v1", b"secret") != ASKED.key("v2", b"secret")


def test_how_long_may_be_waited_does_not_change_the_key() -> None:
    assert replace(ASKED, options=Options(deadline_ms=50)).key("v1", b"secret") == ASKED.key(
        "v1", b"secret"
    )


def test_a_key_shows_nobodys_id_and_cannot_be_guessed() -> None:
    question = replace(ASKED, customer_id="anna@shop.example")
    assert b"anna" not in question.key("v1", b"secret")
    assert question.key("v1", b"secret") != question.key("v1", b"another")
