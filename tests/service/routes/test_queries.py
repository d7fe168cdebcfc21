"""What a caller asks for arrives in the query, whichever way it came."""

from models.rules.filters import Repeat
from service.answering.query import QueryKind, RecommendationQuery
from service.routes.queries import build_query
from service.schemas.parameters import Fields, Options


def test_every_option_arrives() -> None:
    options = Options(
        n=4,
        placement="email",
        exclude=("a", "b"),
        category="dairy",
        brand="Ä",
        min_price=1,
        max_price=2.5,
        market="de",
        filter="product.price<2",
        locale="de_DE",
        strict=True,
        campaign="spring",
        as_of="2025-06-30T00:00:00Z",
        deadline_ms=50,
        fields=Fields.IDS,
    )
    expected = RecommendationQuery(
        QueryKind.CUSTOMER,
        "de_DE",
        n=4,
        placement="email",
        exclude=("a", "b"),
        category="dairy",
        brand="Ä",
        min_price=1.0,
        max_price=2.5,
        market="de",
        filter="product.price < 2",
        strict=True,
        campaign="spring",
        as_of=1_751_241_600,
        deadline_ms=50,
        with_cards=False,
        customer_id="c1",
        repeat=Repeat.INCLUDE,
    )
    query = build_query(
        QueryKind.CUSTOMER, options, "en_US", customer_id="c1", repeat=Repeat.INCLUDE
    )
    assert query == expected
    assert options.model_fields_set == {*Options.model_fields}


def test_what_nobody_asked_for_is_what_a_query_has_by_default() -> None:
    query = build_query(QueryKind.POPULAR, Options(), "en_US")
    assert query == RecommendationQuery(QueryKind.POPULAR, "en_US")
