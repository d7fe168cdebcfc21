"""Pages of several slates: what is asked of each part, and what comes back."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import AfterValidator, ConfigDict, Field

from models.rules.filters import Repeat
from models.shop_lists import ShopList
from models.slate import OutOfStock
from service.patterns import PLACEMENT
from service.schemas.answers import (
    SLATE_EXAMPLE,
    AnswerBody,
    BundleAnswer,
    Recommendation,
    SlateAnswer,
)
from service.schemas.base import AnswerModel, examples
from service.schemas.parameters import (
    WHOLE_NUMBER,
    AsOf,
    ChoiceOptions,
    DeadlineMs,
    ExcludedFromBody,
    Fields,
    Id,
    ListedId,
    Market,
    PriceLocale,
    VisitOptions,
    sort_ids,
)
from service.schemas.rankings import RankingAnswer, RuleUse
from service.schemas.shop_lists import ListAnswer

MAX_PARTS: Final = 10
PartKind = Literal[
    "customer", "similar", "popular", "bundles", "basket", "replenishment", "list", "ranking"
]
DUE_EXAMPLE: Final[dict[str, Any]] = {
    **SLATE_EXAMPLE["recommendations"][0],
    "score": 0.5,
    "interval_days": 9.1,
    "due": "2026-11-22T10:00:00Z",
}


class PartOptions(ChoiceOptions):
    """Options of every part of a page."""

    model_config = ConfigDict(strict=True)
    name: Annotated[
        str | None,
        Field(
            pattern=PLACEMENT,
            description="A name of your own, which the answer repeats.",
            examples=["for-you"],
        ),
    ] = None
    n: Annotated[
        int, Field(ge=1, le=100, description="Number of products.", examples=[10]), WHOLE_NUMBER
    ] = 10
    exclude: ExcludedFromBody = ()

    is_personal: ClassVar[bool] = False  # about the customer of the page

    def fields_of_query(self) -> dict[str, Any]:
        """Return the fields of the query that this kind of part alone has."""
        return {}


Strict = Annotated[
    bool,
    Field(
        description="Whether to answer with fewer and better products: the part is not filled up "
        "with popular ones.",
        examples=[False],
    ),
]
PartProduct = Annotated[
    Id, Field(description="Product that the part is about.", examples=["1082185"])
]


class CustomerPart(PartOptions):
    """A slate for the customer or the visit."""

    model_config = ConfigDict(json_schema_extra=examples({"kind": "customer", "n": 8}))
    kind: Annotated[
        Literal["customer"], Field(description="Kind of the part.", examples=["customer"])
    ]
    strict: Strict = False
    repeat: Annotated[
        Repeat,
        Field(
            strict=False,
            description="Products bought before, as in a slate.",
            examples=["auto"],
        ),
    ] = Repeat.AUTO
    is_personal = True

    def fields_of_query(self) -> dict[str, Any]:
        return {"strict": self.strict, "repeat": self.repeat}


class SimilarPart(PartOptions):
    """Products similar to one."""

    model_config = ConfigDict(
        json_schema_extra=examples({"kind": "similar", "product_id": "1082185"})
    )
    kind: Annotated[
        Literal["similar"], Field(description="Kind of the part.", examples=["similar"])
    ]
    product_id: PartProduct
    strict: Strict = False

    def fields_of_query(self) -> dict[str, Any]:
        return {"strict": self.strict, "product_id": self.product_id}


class PopularPart(PartOptions):
    """Popular products."""

    model_config = ConfigDict(json_schema_extra=examples({"kind": "popular"}))
    kind: Annotated[
        Literal["popular"], Field(description="Kind of the part.", examples=["popular"])
    ]
    strict: Strict = False
    window_days: Annotated[
        int | None,
        Field(
            ge=1,
            le=3650,
            description="Number of days whose best sellers are shown, as for /v1/popular.",
            examples=[28],
        ),
        WHOLE_NUMBER,
    ] = None

    def fields_of_query(self) -> dict[str, Any]:
        return {"strict": self.strict, "window_days": self.window_days}


class BundlesPart(PartOptions):
    """Bundles around a product."""

    model_config = ConfigDict(
        json_schema_extra=examples({"kind": "bundles", "product_id": "1082185"})
    )
    kind: Annotated[
        Literal["bundles"], Field(description="Kind of the part.", examples=["bundles"])
    ]
    product_id: PartProduct
    size: Annotated[
        int,
        Field(
            ge=2,
            le=4,
            description="Most products in a bundle, including the one it is about.",
            examples=[2],
        ),
        WHOLE_NUMBER,
    ] = 2

    def fields_of_query(self) -> dict[str, Any]:
        return {"product_id": self.product_id, "size": self.size}


class BasketPart(PartOptions):
    """Products that complete the basket of the page."""

    model_config = ConfigDict(json_schema_extra=examples({"kind": "basket", "n": 4}))
    kind: Annotated[Literal["basket"], Field(description="Kind of the part.", examples=["basket"])]


class ReplenishmentPart(PartOptions):
    """Products that the customer is due to buy again."""

    model_config = ConfigDict(json_schema_extra=examples({"kind": "replenishment"}))
    kind: Annotated[
        Literal["replenishment"],
        Field(description="Kind of the part.", examples=["replenishment"]),
    ]
    ahead_days: Annotated[
        float,
        Field(
            ge=0,
            le=365,
            description="Number of days to look ahead: products that will be due by then are "
            "included.",
            examples=[7],
        ),
    ] = 0.0
    is_personal = True

    def fields_of_query(self) -> dict[str, Any]:
        return {"ahead_days": self.ahead_days}


class ListPart(PartOptions):
    """A list of its own."""

    model_config = ConfigDict(
        json_schema_extra=examples({"kind": "list", "list_name": "price-dropped"})
    )
    kind: Annotated[Literal["list"], Field(description="Kind of the part.", examples=["list"])]
    list_name: Annotated[
        ShopList,
        Field(strict=False, description="Name of the list.", examples=["price-dropped"]),
    ]
    is_personal = True

    def fields_of_query(self) -> dict[str, Any]:
        fields: dict[str, Any] = {"shop_list": self.list_name}
        if self.list_name is not ShopList.RECENTLY_VIEWED:
            fields |= {"customer_id": None, "session_id": None}
        return fields


class RankingPart(PartOptions):
    """Given products in their order, the first `n` of them."""

    model_config = ConfigDict(
        json_schema_extra=examples({"kind": "ranking", "product_ids": ["1082185", "995242"]})
    )
    kind: Annotated[
        Literal["ranking"], Field(description="Kind of the part.", examples=["ranking"])
    ]
    product_ids: Annotated[
        tuple[ListedId, ...],
        Field(
            strict=False,
            min_length=1,
            max_length=1000,
            description="The products to put in order.",
            examples=[["1082185", "995242"]],
        ),
        AfterValidator(sort_ids),
    ]
    rules: Annotated[
        RuleUse,
        Field(strict=False, description="Rules of the shop, as in a ranking.", examples=["apply"]),
    ] = RuleUse.APPLY
    out_of_stock: Annotated[
        OutOfStock,
        Field(
            strict=False,
            description="Products that are sold out, as in a ranking.",
            examples=["last"],
        ),
    ] = OutOfStock.LAST
    is_personal = True

    def fields_of_query(self) -> dict[str, Any]:
        return {
            "given": self.product_ids,
            "with_rules": self.rules is RuleUse.APPLY,
            "out_of_stock": self.out_of_stock,
            "explained": self.n,
        }


AnyPart = Annotated[
    CustomerPart
    | SimilarPart
    | PopularPart
    | BundlesPart
    | BasketPart
    | ReplenishmentPart
    | ListPart
    | RankingPart,
    Field(discriminator="kind"),
]


class PageOptions(VisitOptions):
    """A page of 1 to 10 slates, who looks at it, and options of all of them."""

    model_config = ConfigDict(
        strict=True,
        json_schema_extra=examples(
            {
                "customer_id": "2034",
                "parts": [
                    {"kind": "customer", "name": "for-you", "n": 8, "placement": "product"},
                    {"kind": "similar", "product_id": "1082185", "n": 6},
                    {"kind": "list", "list_name": "price-dropped"},
                ],
            }
        ),
    )
    parts: Annotated[
        list[AnyPart],
        Field(
            min_length=1,
            max_length=MAX_PARTS,
            description="The slates, the most important first: what one shows, no later one shows.",
            examples=[[{"kind": "customer"}, {"kind": "popular"}]],
        ),
    ]
    exclude: ExcludedFromBody = ()
    market: Market = None
    locale: PriceLocale = None
    as_of: AsOf = None
    deadline_ms: DeadlineMs = None
    fields: Annotated[
        Fields,
        Field(
            strict=False,
            description="`ids`: id, score, source and reason of each product. `card`: also "
            "everything a page shows.",
            examples=["card"],
        ),
    ] = Fields.CARD


class DueRecommendation(Recommendation):
    """A product that the customer is due to buy again."""

    model_config = ConfigDict(json_schema_extra=examples(DUE_EXAMPLE))
    interval_days: float = Field(description="Days between the customer's purchases of it.")
    due: str = Field(description="When the customer is due to buy it again.")


class ReplenishmentAnswer(AnswerBody):
    """Products that the customer is due to buy again, the nearest day first."""

    model_config = ConfigDict(
        json_schema_extra=examples(
            {**SLATE_EXAMPLE, "score_kind": "due", "recommendations": [DUE_EXAMPLE]}
        )
    )
    recommendations: list[DueRecommendation] = Field(description="The products.")


class PagePartAnswer(AnswerModel):
    """One slate of a page."""

    model_config = ConfigDict(
        json_schema_extra=examples({"name": "for-you", "kind": "customer", "answer": SLATE_EXAMPLE})
    )
    name: str | None = Field(description="Name of the part, as it was asked for.")
    kind: PartKind = Field(description="Kind of the part.")
    answer: SlateAnswer | BundleAnswer | ListAnswer | RankingAnswer | ReplenishmentAnswer = Field(
        description="What its own call would answer, without what the parts above it show."
    )


class PageAnswer(AnswerModel):
    """The slates of a page, in their order."""

    model_config = ConfigDict(
        json_schema_extra=examples(
            {
                "customer_id": "2034",
                "fallback": False,
                "count": 1,
                "parts": [{"name": "for-you", "kind": "customer", "answer": SLATE_EXAMPLE}],
            }
        )
    )
    customer_id: str | None = Field(description="Customer the page is for, if there is one.")
    fallback: bool = Field(
        description="Whether any part is less than what was asked for; the part says why."
    )
    count: int = Field(description="Number of parts.")
    parts: list[PagePartAnswer] = Field(description="The slates, in the order of the request.")
