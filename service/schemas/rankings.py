"""Rankings: the order of products that the caller gives."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import AfterValidator, ConfigDict, Field

from models.slate import OutOfStock, Source
from service.schemas.answers import (
    ANSWER_EXAMPLE,
    RECOMMENDATION_EXAMPLE,
    AnswerBody,
    LinkedFacts,
    ProductReference,
    ReasonBody,
)
from service.schemas.base import examples
from service.schemas.parameters import (
    WHOLE_NUMBER,
    ExcludedFromBody,
    Fields,
    ListedId,
    ListOptions,
    VisitOptions,
    sort_ids,
)

MAX_GIVEN: Final = 1000
MAX_EXPLAINED: Final = 100
RANKED_EXAMPLE: Final[dict[str, Any]] = {
    name: RECOMMENDATION_EXAMPLE[name] for name in ("id", "score", "source", "reason")
}
UNEXPLAINED_EXAMPLE: Final[dict[str, Any]] = {
    "id": "995242",
    "score": 0.12,
    "source": None,
    "reason": None,
}
LEFT_OUT_EXAMPLE: Final[dict[str, Any]] = {"id": "1029743", "rule": "NOT_FOR_SALE"}


class RuleUse(StrEnum):
    """What a ranking does with the rules of the shop."""

    APPLY = "apply"
    IGNORE = "ignore"


class RankingOptions(VisitOptions, ListOptions):
    """1 to 1,000 products, who looks at them, and options of their order."""

    model_config = ConfigDict(
        strict=True,
        json_schema_extra=examples(
            {"product_ids": ["1082185", "995242", "1029743"], "customer_id": "2034"}
        ),
    )
    product_ids: Annotated[
        tuple[ListedId, ...],
        Field(
            strict=False,
            min_length=1,
            max_length=MAX_GIVEN,
            description="The products to put in order, in any order and each once.",
            examples=[["1082185", "995242", "1029743"]],
        ),
        AfterValidator(sort_ids),
    ]
    exclude: ExcludedFromBody = ()
    rules: Annotated[
        RuleUse,
        Field(
            strict=False,
            description="`apply`: rules of the shop leave products out, move and pin them; their "
            "caps do not hold here. `ignore`: they do not.",
            examples=["apply"],
        ),
    ] = RuleUse.APPLY
    out_of_stock: Annotated[
        OutOfStock,
        Field(
            strict=False,
            description="Products that are sold out. `last`: behind all others. `keep`: where they "
            "would stand. `remove`: left out.",
            examples=["last"],
        ),
    ] = OutOfStock.LAST
    reasons: Annotated[
        int,
        Field(
            ge=0,
            le=MAX_EXPLAINED,
            description="Number of products, from the first on, whose source and reason are told.",
            examples=[10],
        ),
        WHOLE_NUMBER,
    ] = 10
    fields: Annotated[
        Fields,
        Field(
            strict=False,
            description="`ids`: id, score, source and reason of each product. `card`: also "
            "everything a page shows.",
            examples=["ids"],
        ),
    ] = Fields.IDS


class RankedProductBody(LinkedFacts, ProductReference):
    """A product in its place.

    The fields of the card are there with `fields=card`.
    """

    model_config = ConfigDict(
        json_schema_extra=examples(RECOMMENDATION_EXAMPLE, UNEXPLAINED_EXAMPLE)
    )
    score: float = Field(description="Score by which the products are ordered.")
    source: Source | None = Field(
        description="Recommender that speaks for the product. Null behind the first `reasons`."
    )
    reason: ReasonBody | None = Field(
        description="Why it stands here. Null behind the first `reasons`."
    )


class LeftOutProduct(ProductReference):
    """A product that is not in the ranking."""

    model_config = ConfigDict(json_schema_extra=examples(LEFT_OUT_EXAMPLE))
    rule: str = Field(description="Rule that leaves it out, such as NOT_FOR_SALE or SHOP_EXCLUDED.")


class RankingAnswer(AnswerBody):
    """Products that were given, in their order."""

    model_config = ConfigDict(
        json_schema_extra=examples(
            {
                **ANSWER_EXAMPLE,
                "requested": 3,
                "count": 2,
                "complete": False,
                "recommendations": [RANKED_EXAMPLE, UNEXPLAINED_EXAMPLE],
                "left_out": [LEFT_OUT_EXAMPLE],
            }
        )
    )
    recommendations: list[RankedProductBody] = Field(description="The products, best first.")
    left_out: list[LeftOutProduct] = Field(
        description="Products that were given and are not shown, by id."
    )
