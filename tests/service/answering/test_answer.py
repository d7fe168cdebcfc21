"""From a query to the bytes of its answer, with a real small model."""

from dataclasses import replace
from typing import Any

import orjson
import pytest

from models.slate import FallbackReason
from service.answering.answer import build_answer, build_popular_answer
from service.answering.presentation import Presentation
from service.answering.query import QueryKind, RecommendationQuery
from service.answering.render import RenderedAnswer
from service.signing.click_links import ClickLinks
from service.signing.recommendation_ids import read
from tests.support.service_shop import Shop

LINKS = ClickLinks(b"secret")
SHOP = Presentation(LINKS)


def ask(shop: Shop, kind: QueryKind, n: int = 3, **values: Any) -> dict[str, Any]:
    query = RecommendationQuery(kind, "en_US", n=n, **values)
    body: dict[str, Any] = orjson.loads(
        build_answer(shop.now, query, SHOP).body_for(query.customer_id)
    )
    return body


def ids(body: dict[str, Any]) -> list[str]:
    return [product["id"] for product in body["recommendations"]]


def test_a_known_customer_gets_a_slate_of_their_own(shop: Shop) -> None:
    body = ask(shop, QueryKind.CUSTOMER, customer_id=shop.customer)
    assert (body["strategy"], body["fallback"], body["fallback_reason"]) == (
        "personal",
        False,
        None,
    )
    assert (body["requested"], body["count"], body["complete"]) == (3, 3, True)
    assert body["customer_id"] == shop.customer


def test_a_stranger_gets_what_is_popular_and_why(shop: Shop) -> None:
    body = ask(shop, QueryKind.CUSTOMER, customer_id="never seen")
    assert (body["strategy"], body["fallback"], body["fallback_reason"]) == (
        "popular",
        True,
        "unknown_customer",
    )
    assert ids(body) == ids(ask(shop, QueryKind.POPULAR))


def test_a_visit_is_enough(shop: Shop) -> None:
    body = ask(shop, QueryKind.CUSTOMER, recent=(shop.product,))
    assert (body["strategy"], body["customer_id"]) == ("session", None)
    assert shop.product not in ids(body)


def test_a_visit_to_unknown_products_alone_gets_what_is_popular(shop: Shop) -> None:
    body = ask(shop, QueryKind.CUSTOMER, recent=("sold by nobody",))
    assert (body["fallback_reason"], body["missing_ids"]) == ("no_history", ["sold by nobody"])


@pytest.mark.parametrize(("kind", "count"), [(QueryKind.SIMILAR, 3), (QueryKind.BUNDLES, 0)])
def test_an_unknown_product_is_like_what_is_popular_and_in_no_bundle(
    shop: Shop, kind: QueryKind, count: int
) -> None:
    body = ask(shop, kind, product_id="sold by nobody")
    assert (body["fallback_reason"], body["missing_ids"]) == ("unknown_product", ["sold by nobody"])
    assert body["count"] == count


def test_the_first_product_of_the_catalogue_is_known_like_any_other(shop: Shop) -> None:
    first, *others = sorted(shop.products)
    similar = ask(shop, QueryKind.SIMILAR, product_id=first)
    assert (similar["count"], similar["fallback_reason"]) == (3, None)
    assert ask(shop, QueryKind.BUNDLES, product_id=first)["count"] > 0
    alone = ask(shop, QueryKind.BUNDLES, product_id=first, exclude=tuple(others))
    assert (alone["count"], alone["fallback_reason"]) == (0, "no_candidates")


def test_more_than_there_is_means_fewer_and_none_twice(shop: Shop) -> None:
    body = ask(shop, QueryKind.CUSTOMER, 100, customer_id=shop.customer)
    assert 0 < body["count"] == len(set(ids(body))) <= len(shop.products) < 100
    assert body["complete"] is False


def test_what_was_excluded_stays_away_everywhere(shop: Shop) -> None:
    gone = tuple(ids(ask(shop, QueryKind.POPULAR)))
    for kind, rest in (
        (QueryKind.CUSTOMER, {"customer_id": shop.customer}),
        (QueryKind.CUSTOMER, {"customer_id": "never seen"}),
        (QueryKind.SIMILAR, {"product_id": shop.product}),
        (QueryKind.POPULAR, {}),
    ):
        assert not {*gone} & {*ids(ask(shop, kind, 50, exclude=gone, **rest))}
    units = ask(shop, QueryKind.BUNDLES, 50, exclude=gone, product_id=shop.product)[
        "recommendations"
    ]
    assert not {*gone} & {product["id"] for unit in units for product in unit["products"]}


def test_only_ids_means_id_score_source_and_reason(shop: Shop) -> None:
    body = ask(shop, QueryKind.POPULAR, 1, with_cards=False)
    assert [*body["recommendations"][0]] == ["id", "score", "source", "reason"]


def test_the_recommendation_id_says_which_model_made_the_slate_and_for_what(shop: Shop) -> None:
    values = {"placement": "email", "campaign": "spring"}
    body = ask(shop, QueryKind.CUSTOMER, customer_id=shop.customer, **values)
    token = read(LINKS.secret, body["recommendation_id"])
    assert token is not None
    assert (token.model_version, token.placement, token.campaign) == (
        shop.model.version,
        "email",
        "spring",
    )


def test_two_strangers_see_the_same_slate_under_the_same_id(shop: Shop) -> None:
    one, two = (ask(shop, QueryKind.CUSTOMER, customer_id=name) for name in ("stranger", "another"))
    assert one["recommendation_id"] == two["recommendation_id"]
    assert (
        one["recommendation_id"]
        != ask(shop, QueryKind.CUSTOMER, customer_id=shop.customer)["recommendation_id"]
    )


def test_the_same_question_gets_the_same_bytes(shop: Shop) -> None:
    query = RecommendationQuery(QueryKind.CUSTOMER, "en_US", customer_id=shop.customer)
    assert build_answer(shop.now, query, SHOP) == build_answer(shop.now, query, SHOP)


@pytest.mark.parametrize("kind", list(QueryKind))
def test_every_question_has_a_ready_answer(shop: Shop, kind: QueryKind) -> None:
    query = RecommendationQuery(
        kind,
        "en_US",
        n=2,
        customer_id=shop.customer,
        product_id=shop.product,
        basket=(shop.product,),
        given=("bread", "milk"),
    )
    body = orjson.loads(build_popular_answer(shop.now, query, FallbackReason.DEADLINE, SHOP).body)
    bundles = (QueryKind.BUNDLES, QueryKind.BASKET, QueryKind.ORDER)
    expected = ("bundles", 0) if kind in bundles else ("popular", 2)
    if kind is QueryKind.LIST:
        expected = ("list", 0)
    if kind is QueryKind.REPLENISHMENT:
        expected = ("personal", 0)
    assert (body["strategy"], body["count"], body["fallback_reason"]) == (*expected, "deadline")


def test_a_packed_answer_is_unpacked_byte_by_byte() -> None:
    packed = RenderedAnswer("personal", "none", b'{"a":\n"b c"}')
    assert RenderedAnswer.unpack(packed.pack()) == packed


@pytest.mark.parametrize("name", [None, "anna", '"', "\\", '"customer_id":null', "ü\n", "null"])
def test_an_answer_names_its_customer_only_when_it_is_served(shop: Shop, name: str | None) -> None:
    query = RecommendationQuery(
        QueryKind.CUSTOMER,
        "en_US",
        exclude=('"customer_id":null',),
        campaign='"customer_id":null',
        customer_id=name,
    )
    anonymous = build_answer(shop.now, query, SHOP)
    served = orjson.loads(anonymous.body_for(name))
    assert served == {**orjson.loads(anonymous.body), "customer_id": name}
    assert orjson.loads(anonymous.body)["customer_id"] is None


def test_an_empty_basket_is_completed_by_nothing(shop: Shop) -> None:
    body = ask(shop, QueryKind.BASKET)
    assert (body["fallback_reason"], body["recommendations"]) == ("no_history", [])


def test_a_product_that_goes_with_nothing_is_in_no_bundle(shop: Shop) -> None:
    everything_else = tuple(name for name in shop.products if name != shop.product)
    body = ask(shop, QueryKind.BUNDLES, exclude=everything_else, product_id=shop.product)
    assert (body["count"], body["fallback_reason"]) == (0, "no_candidates")


def test_prices_are_written_as_people_write_them_there(shop: Shop) -> None:
    query = RecommendationQuery(QueryKind.POPULAR, "en_US", n=1)
    english = orjson.loads(build_answer(shop.now, query, SHOP).body)["recommendations"][0]
    german = orjson.loads(build_answer(shop.now, replace(query, locale="de_DE"), SHOP).body)[
        "recommendations"
    ][0]
    assert english["price"] == german["price"]
    assert english["price_text"] != german["price_text"]
