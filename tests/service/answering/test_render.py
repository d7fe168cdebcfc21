"""Cards of recommended products, where they lead from a mail, and what a bundle costs."""

from dataclasses import replace
from typing import Any

import numpy as np
import orjson
import pytest

from models.data.ids import Strings
from models.recommender import Recommender
from models.slate import Bundle, Reason, ReasonKind, ScoreKind, Slot, Source, Strategy
from service.answering.answer import build_answer
from service.answering.presentation import Presentation
from service.answering.query import QueryKind, RecommendationQuery
from service.answering.render import AnswerRenderer, SlateFacts
from service.model.live_catalogue import LiveCatalogue
from service.model.loaded_model import LoadedModel
from service.schemas.answers import SlateAnswer
from service.signing.click_links import ClickLinks
from tests.support.service_shop import Shop

LINKS = ClickLinks(b"secret", "https://shop.example", "https://mails.shop.example")
SHOP = Presentation(LINKS)
REASON = Reason(ReasonKind.POPULAR, (), "Popular right now")
BUNDLE = Bundle(0, (1, 2), 0.5, 12, 0.25, 3.0)


def query(**options: Any) -> RecommendationQuery:
    return RecommendationQuery(QueryKind.CUSTOMER, "en_US", customer_id="c00", **options)


def linked_to(shop: Shop, url: str) -> LoadedModel:
    """The same shop, whose products all have that address and picture."""
    recommender = shop.model.recommender
    same = Strings.of([url] * len(recommender.catalogue))
    catalogue = replace(recommender.catalogue, url=same, image_url=same)
    changed = Recommender(
        recommender.manifest, replace(recommender.model, catalogue=catalogue), recommender.settings
    )
    return replace(shop.model, recommender=changed)


@pytest.mark.parametrize("shop_url", [None, "https://shop.example"])
@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "JAVASCRIPT:alert(1)//https://shop.example",
        "data:text/html,x",
        "https:evil.example",
        "\\\\evil.example",
        "/a\r\nX: y",
    ],
)
def test_what_is_no_address_is_no_link_in_any_answer(
    shop: Shop, url: str, shop_url: str | None
) -> None:
    model = linked_to(shop, url)
    for options in ({}, {"placement": "email"}, {"campaign": "spring"}):
        body = build_answer(
            LiveCatalogue(model, model),
            query(**options),
            Presentation(replace(LINKS, shop_url=shop_url)),
        ).body
        for product in orjson.loads(body)["recommendations"]:
            assert (product["url"], product["image_url"], product["click_url"]) == (
                None,
                None,
                None,
            )


def test_a_relative_address_leads_from_a_mail_where_it_is_known_whose_it_is(shop: Shop) -> None:
    model = linked_to(shop, "/bread")
    body = build_answer(LiveCatalogue(model, model), query(placement="email", n=1), SHOP).body
    (product,) = orjson.loads(body)["recommendations"]
    assert product["click_url"].startswith(
        "https://shop.example/bread?utm_source=regulars&utm_medium=email"
    )
    unknown = build_answer(
        LiveCatalogue(model, model),
        query(placement="email", n=1),
        Presentation(replace(LINKS, shop_url=None)),
    ).body
    (product,) = orjson.loads(unknown)["recommendations"]
    assert (product["url"], product["click_url"]) == ("/bread", None)


def rendered(shop: Shop, **options: Any) -> dict[str, Any]:
    renderer = AnswerRenderer(
        shop.model, query(**options), (), 1_750_000_000, SHOP, b"r" * 16, 1_800_000_000
    )
    products = [renderer.render_slot(Slot(item, 1.0, Source.POPULAR, REASON)) for item in range(3)]
    occasion = {"kind": "welcome", "text": "You are new here", "until": "2026-01-01T00:00:00Z"}
    facts = SlateFacts(Strategy.POPULAR, None, ScoreKind.SALES, occasion)
    body: dict[str, Any] = orjson.loads(renderer.render(facts, products, []).body)
    return body


def test_a_mail_says_why_it_is_sent_and_each_link_says_which_product_of_which_slate_it_is(
    shop: Shop,
) -> None:
    body = rendered(shop, campaign="welcome")
    assert SlateAnswer.model_validate_json(orjson.dumps(body)).occasion is not None
    assert list(body).index("occasion") == list(body).index("unknown_names") + 1
    for product in body["recommendations"]:
        click = LINKS.read(product["click_url"].rpartition("/")[2], 1_799_999_999)
        assert click is not None
        assert (click.url, click.product_id) == (product["url"], product["id"])
        assert (click.recommendation_id, click.ref) == (body["recommendation_id"], b"r" * 16)


@pytest.mark.parametrize("options", [{}, {"placement": "home"}, {"placement": "product-email"}])
def test_a_page_has_no_links_of_a_mail(shop: Shop, options: dict[str, str]) -> None:
    assert {product["click_url"] for product in rendered(shop, **options)["recommendations"]} == {
        None
    }


def test_who_asks_for_ids_gets_no_link(shop: Shop) -> None:
    for product in rendered(shop, campaign="welcome", with_cards=False)["recommendations"]:
        assert set(product) == {"id", "score", "source", "reason"}


def unit(shop: Shop, bundle: Bundle) -> dict[str, Any]:
    bundles = RecommendationQuery(QueryKind.BUNDLES, "en_US")
    return AnswerRenderer(shop.model, bundles, (), 0, SHOP).render_bundle(bundle)


def with_prices(shop: Shop, prices: list[float]) -> Shop:
    recommender = shop.model.recommender
    price = recommender.catalogue.price.copy()
    price[: len(prices)] = prices
    catalogue = replace(recommender.catalogue, price=price)
    model = replace(recommender.model, catalogue=catalogue)
    repriced = type(recommender)(recommender.manifest, model, recommender.settings)
    return replace(shop, model=replace(shop.model, recommender=repriced))


def test_a_unit_costs_what_its_products_cost_with_the_anchor(shop: Shop) -> None:
    bundle = unit(with_prices(shop, [1.1, 2.2, 3.3]), BUNDLE)
    assert bundle["total_price"] == pytest.approx(6.6)
    assert bundle["total_price_text"] == "€6.60"


def test_one_unknown_price_makes_the_total_unknown(shop: Shop) -> None:
    bundle = unit(with_prices(shop, [1.0, np.nan, 3.0]), BUNDLE)
    assert (bundle["total_price"], bundle["total_price_text"], bundle["currency"]) == (
        None,
        None,
        None,
    )


def test_a_unit_names_its_anchor_and_its_figures(shop: Shop) -> None:
    bundle = unit(shop, BUNDLE)
    assert bundle["anchor_id"] == shop.products[0]
    assert [product["id"] for product in bundle["products"]] == shop.products[1:3]
    assert (bundle["support"], bundle["rule_confidence"], bundle["lift"]) == (12, 0.25, 3.0)
    assert bundle["products"][0]["reason"]["product_ids"] == [shop.products[0]]
