"""A query in the words of a catalogue, and the key under which its answer is kept."""

from dataclasses import replace

import pytest

from models.data.customers import PERSONALIZE_EMAIL, PERSONALIZE_WEB
from models.data.ids import Ids
from models.rules.filters import Repeat
from service.answering.query import (
    AnswerMoment,
    QueryKind,
    RecommendationQuery,
    find_unknown_names,
    resolve_query,
)
from service.store.quotas import TokenOwner
from tests.support.service_shop import Shop

NOW = AnswerMoment(0)
QUERY = RecommendationQuery(QueryKind.CUSTOMER, "en_US", customer_id="c1")


def items(shop: Shop, *names: str) -> tuple[int, ...]:
    return tuple(shop.model.recommender.catalogue.ids.find_all(names).tolist())


def test_products_that_nobody_knows_are_named_once_in_their_order(shop: Shop) -> None:
    query = RecommendationQuery(
        QueryKind.SIMILAR,
        "en_US",
        exclude=("x4", "x2"),
        product_id="x1",
        recent=("x2", "x3"),
        basket=("x1",),
    )
    assert resolve_query(query, shop.model.recommender.catalogue, (), NOW).missing_ids == (
        "x1",
        "x2",
        "x3",
        "x4",
    )


def test_the_basket_and_the_product_asked_for_are_never_recommended(shop: Shop) -> None:
    one, two, three = shop.products[:3]
    query = RecommendationQuery(
        QueryKind.SIMILAR, "en_US", exclude=(three,), product_id=one, basket=(two, two)
    )
    resolved = resolve_query(query, shop.model.recommender.catalogue, (), NOW)
    assert resolved.request.filters.exclude == items(shop, one, two, three)
    assert resolved.request.basket == items(shop, two)
    assert (resolved.item,) == items(shop, one)
    assert resolved.missing_ids == ()


def test_names_that_nothing_in_the_shop_bears_are_told_by_option(shop: Shop) -> None:
    model = shop.model.recommender.model
    known = {
        "category": model.catalogue.category_names[0],
        "brand": model.catalogue.brand_names[0],
        "market": model.customers.market_names[0],
    }
    unknown = dict.fromkeys(known, "nowhere")
    for options, told in ((known, {}), (unknown, unknown), ({}, {})):
        query = replace(QUERY, **options)
        assert find_unknown_names(query, model) == told


def test_a_market_where_something_is_sold_is_known_before_anything_sells_there(shop: Shop) -> None:
    model = shop.model.recommender.model
    opened = replace(model.catalogue, market_names=Ids.of(["opened today"]))
    query = replace(QUERY, market="opened today")
    assert find_unknown_names(query, model) == {"market": "opened today"}
    assert find_unknown_names(query, replace(model, catalogue=opened)) == {}


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
    query = replace(QUERY, placement=placement)
    assert (
        resolve_query(query, shop.model.recommender.catalogue, (), NOW).request.purpose == purpose
    )


@pytest.mark.parametrize(
    "other",
    [
        replace(QUERY, kind=QueryKind.POPULAR),
        replace(QUERY, customer_id="c2"),
        replace(QUERY, customer_id=None),
        replace(QUERY, locale="de_DE"),
        replace(QUERY, n=9),
        replace(QUERY, exclude=("1",)),
        replace(QUERY, campaign="spring"),
        replace(QUERY, recent=("1",)),
        replace(QUERY, basket=("1",)),
        replace(QUERY, product_id="1"),
        replace(QUERY, window_days=7),
        replace(QUERY, size=3),
        replace(QUERY, with_cards=False),
        replace(QUERY, as_of=0),
        replace(QUERY, session_id="c1"),
        replace(QUERY, order_id="c1"),
        replace(QUERY, order_owner=TokenOwner("c1", None)),
        replace(QUERY, placement="home"),
        replace(QUERY, repeat=Repeat.INCLUDE),
    ],
)
def test_another_question_has_another_key(other: RecommendationQuery) -> None:
    assert other.key("v1", b"secret") != QUERY.key("v1", b"secret")


def test_another_model_has_another_key() -> None:
    assert QUERY.key("v1", b"secret") != QUERY.key("v2", b"secret")


def test_how_long_may_be_waited_does_not_change_the_key() -> None:
    assert replace(QUERY, deadline_ms=50).key("v1", b"secret") == QUERY.key("v1", b"secret")


def test_a_key_shows_nobodys_id_and_cannot_be_guessed() -> None:
    query = replace(QUERY, customer_id="anna@shop.example")
    assert b"anna" not in query.key("v1", b"secret")
    assert query.key("v1", b"secret") != query.key("v1", b"another")


# Refs that version 0.1.0 gave to the records of its campaigns.
IN_A_CAMPAIGN = replace(QUERY, campaign="spring")
WITH_EVERYTHING = RecommendationQuery(
    QueryKind.CUSTOMER,
    "en_US",
    n=4,
    placement="email",
    exclude=("a", "b"),
    category="dairy",
    brand="Ä",
    min_price=1.0,
    max_price=2.5,
    market="de",
    strict=True,
    campaign="spring",
    as_of=1_751_241_600,
    customer_id="c1",
    session_id="s",
    order_id="o/1",
    recent=("x",),
    basket=("y", "z"),
    repeat=Repeat.INCLUDE,
)


@pytest.mark.parametrize(
    ("query", "ref"),
    [
        (IN_A_CAMPAIGN, "bbf4d78adcd4d54664f042e8cda925f1"),
        (WITH_EVERYTHING, "63d27f1b8bba6542668e36fa159d3621"),
    ],
)
def test_records_of_mails_are_found_by_later_versions(query: RecommendationQuery, ref: str) -> None:
    assert query.ref(b"secret").hex() == ref


def test_the_parts_of_a_mail_share_a_record() -> None:
    part = replace(IN_A_CAMPAIGN, locale="de_DE", deadline_ms=50, with_cards=False)
    assert part.ref(b"secret") == IN_A_CAMPAIGN.ref(b"secret")
    assert replace(part, n=9).ref(b"secret") != IN_A_CAMPAIGN.ref(b"secret")
