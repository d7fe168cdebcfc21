"""Documents for everybody."""

from dataclasses import replace
from typing import Any

import numpy as np
import orjson

from models.data.events import DAY
from models.data.ids import Strings
from models.recommender import Recommender
from models.shop_lists import RECENT_DAYS
from service.answering.feed import MAX_FEED_BYTES, build_feed
from service.answering.presentation import Presentation
from service.answering.query import AS_LEARNED, QueryKind, RecommendationQuery
from service.model.live_catalogue import LiveCatalogue
from service.model.loaded_model import LoadedModel
from service.schemas.answers import Feed
from service.signing.click_links import ClickLinks
from tests.support.service_shop import Shop
from tests.support.shop import SOLD_OUT, SOUTHERN

LINKS = Presentation(ClickLinks(b"secret", "https://shop.example"))


def changed(shop: Shop, **columns: Any) -> LoadedModel:
    """The same shop with other columns in its catalogue."""
    recommender = shop.model.recommender
    catalogue = replace(recommender.catalogue, **columns)
    model = replace(recommender.model, catalogue=catalogue)
    return replace(
        shop.model, recommender=Recommender(recommender.manifest, model, recommender.settings)
    )


def read(
    model: LoadedModel, name: str, n: int = 100, **options: Any
) -> tuple[dict[str, Any], bytes]:
    query = RecommendationQuery(QueryKind.POPULAR, "en_US", **options)
    body = build_feed(name, n, LiveCatalogue(model, model), query, LINKS, AS_LEARNED)
    Feed.model_validate_json(body)
    return orjson.loads(body), body


def ids(document: dict[str, Any]) -> list[str]:
    return [product["id"] for product in document["recommendations"]]


def newcomers(shop: Shop, days_ago: dict[str, float]) -> LoadedModel:
    catalogue, as_of = shop.model.recommender.catalogue, shop.model.recommender.manifest.data_as_of
    came = catalogue.available_from.copy()
    for name, days in days_ago.items():
        came[catalogue.ids.find(name)] = as_of - round(days * DAY)
    return changed(shop, available_from=came)


def test_the_popular_feed_is_what_is_popular_for_everyone(shop: Shop) -> None:
    recommender = shop.model.recommender
    document, _ = read(shop.model, "popular", 5)
    assert (document["feed"], document["requested"], document["count"], document["complete"]) == (
        "popular",
        5,
        5,
        True,
    )
    assert {product["source"] for product in document["recommendations"]} == {"popular"}
    sold = [product["score"] for product in document["recommendations"]]
    assert sold == sorted(sold, reverse=True)
    assert SOLD_OUT not in ids(read(shop.model, "popular", len(recommender.catalogue))[0])


def test_a_feed_keeps_to_its_category_and_market(shop: Shop) -> None:
    dairy, _ = read(shop.model, "popular", category="dairy", market="north")
    assert {product["category"] for product in dairy["recommendations"]} == {"dairy"}
    assert SOUTHERN not in ids(dairy)
    assert SOUTHERN in ids(read(shop.model, "popular", category="dairy", market="south")[0])


def test_the_new_feed_is_what_came_on_sale_lately_the_newest_first(shop: Shop) -> None:
    model = newcomers(
        shop, {"hose": 1, "bread": 3, "kite": 0, SOLD_OUT: 2, "beans": RECENT_DAYS, "mug": -1}
    )
    document, _ = read(model, "new")
    assert ids(document) == ["kite", "hose", "bread"]
    assert (document["count"], document["complete"]) == (3, False)
    assert [product["reason"]["text"] for product in document["recommendations"]] == [
        "New in toys",
        "New in garden",
        "New in bakery",
    ]
    assert ids(read(model, "new", category="garden")[0]) == ["hose"]
    assert ids(read(model, "new", 1)[0]) == ["kite"]


def test_a_feed_ends_before_it_is_too_large(shop: Shop) -> None:
    n = len(shop.model.recommender.catalogue)
    huge = Strings.of([orjson.dumps({"text": "é" * 100_000}).decode()] * n)
    whole = read(shop.model, "popular", n)[0]
    document, body = read(changed(shop, attributes=huge), "popular", n)
    assert MAX_FEED_BYTES - 202_000 < len(body) <= MAX_FEED_BYTES
    assert (document["count"], document["complete"]) == (16, False)
    assert ids(document) == ids(whole)[:16]


def test_nothing_new_is_an_empty_feed(shop: Shop) -> None:
    assert ids(read(shop.model, "new")[0]) == []
    assert np.all(shop.model.recommender.catalogue.available_from < 0)
