"""Lists of their own, and what they say of their products."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import ConfigDict, Field

from models.shop_lists import ShopList
from service.schemas.answers import (
    ANSWER_EXAMPLE,
    RECOMMENDATION_EXAMPLE,
    AnswerBody,
    Recommendation,
)
from service.schemas.base import examples
from service.schemas.parameters import WHOLE_NUMBER, Id, ListOptions

LISTED_EXAMPLE: Final[dict[str, Any]] = {
    **RECOMMENDATION_EXAMPLE,
    "score": 0.2,
    "source": "price_dropped",
    "reason": {"kind": "price_dropped", "product_ids": [], "text": "20% less than before"},
    "since": "2026-11-20T09:00:00Z",
    "former_price": 1.61,
    "former_price_text": "$1.61",
    "rating_mean": None,
    "rating_count": None,
}


class ShopListOptions(ListOptions):
    """Options of a list."""

    n: Annotated[
        int, Field(ge=1, le=100, description="Number of products.", examples=[10]), WHOLE_NUMBER
    ] = 10


class NamedListOptions(ShopListOptions):
    """Options of a list that rules of the shop may have for some customers."""

    customer_id: Annotated[
        Id | None,
        Field(
            description="Customer who is to see it: rules that are for some customers hold, such "
            "as early access to what is new, and nothing that they avoid is in it.",
            examples=["2034"],
        ),
    ] = None


class ListedProduct(Recommendation):
    """A product of a list. What the list does not tell is null."""

    model_config = ConfigDict(json_schema_extra=examples(LISTED_EXAMPLE))
    since: datetime | None = Field(
        description="When it came on sale, came back, became cheaper or was looked at."
    )
    former_price: float | None = Field(
        description="Lowest price in the 30 days before it became cheaper, in `currency`."
    )
    former_price_text: str | None = Field(
        description="The former price as it is written in `locale`."
    )
    rating_mean: float | None = Field(description="Mean of its ratings, 1 to 5 stars.")
    rating_count: int | None = Field(description="Number of customers who rated it.")


class ListAnswer(AnswerBody):
    """Products of a list, in its order."""

    model_config = ConfigDict(
        json_schema_extra=examples(
            {
                **ANSWER_EXAMPLE,
                "customer_id": None,
                "strategy": "list",
                "score_kind": "saving",
                "recommendations": [LISTED_EXAMPLE],
                "list_name": "price-dropped",
            }
        )
    )
    recommendations: list[ListedProduct] = Field(description="The products, in their order.")
    list_name: ShopList = Field(description="Name of the list.")
