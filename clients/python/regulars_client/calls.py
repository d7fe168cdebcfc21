"""Calls, their options and answers.

Made by `python -m clients.generate` from the OpenAPI document of the service.
"""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict, Unpack

from regulars_client.call import Call, encode


class SlateOptions(TypedDict):
    placement: NotRequired[str | None]
    exclude: NotRequired[list[str]]
    category: NotRequired[str | None]
    brand: NotRequired[str | None]
    min_price: NotRequired[float | None]
    max_price: NotRequired[float | None]
    filter: NotRequired[str | None]
    market: NotRequired[str | None]
    locale: NotRequired[str | None]
    as_of: NotRequired[str | None]
    deadline_ms: NotRequired[int | None]
    fields: NotRequired[str]
    n: NotRequired[int]
    strict: NotRequired[bool]
    campaign: NotRequired[str | None]
    order_id: NotRequired[str | None]
    repeat: NotRequired[str]


class SlateAnswer(TypedDict):
    recommendation_id: str
    customer_id: str | None
    placement: str | None
    experiment: str | None
    variant: str | None
    offer: SlateOffer | None
    strategy: str
    fallback: bool
    fallback_reason: str | None
    model_version: str
    data_as_of: str
    model_age_days: float
    requested: int
    count: int
    complete: bool
    missing_ids: list[str]
    unknown_names: dict[str, str]
    occasion: Occasion | None
    language: str
    score_kind: str
    recommendations: list[Recommendation]


class SlateOffer(TypedDict):
    id: str
    text: str
    code: str | None
    single_use: bool
    until: str | None


class Occasion(TypedDict):
    kind: str
    text: str
    until: str


class Recommendation(TypedDict):
    id: str
    score: float
    source: str
    reason: ReasonBody
    title: NotRequired[str | None]
    category: NotRequired[str | None]
    brand: NotRequired[str | None]
    price: NotRequired[float | None]
    currency: NotRequired[str | None]
    price_text: NotRequired[str | None]
    url: NotRequired[str | None]
    image_url: NotRequired[str | None]
    in_stock: NotRequired[bool | None]
    attributes: NotRequired[dict[str, Any]]
    click_url: NotRequired[str | None]


class ReasonBody(TypedDict):
    kind: str
    product_ids: list[str]
    text: str


class SessionOptions(TypedDict):
    placement: NotRequired[str | None]
    exclude: NotRequired[list[str]]
    category: NotRequired[str | None]
    brand: NotRequired[str | None]
    min_price: NotRequired[float | None]
    max_price: NotRequired[float | None]
    filter: NotRequired[str | None]
    market: NotRequired[str | None]
    locale: NotRequired[str | None]
    as_of: NotRequired[str | None]
    deadline_ms: NotRequired[int | None]
    fields: NotRequired[str]
    n: NotRequired[int]
    strict: NotRequired[bool]
    campaign: NotRequired[str | None]
    order_id: NotRequired[str | None]
    repeat: NotRequired[str]
    customer_id: NotRequired[str | None]
    session_id: NotRequired[str | None]
    recent: NotRequired[list[str]]
    basket: NotRequired[list[str]]


class PageOptions(TypedDict):
    customer_id: NotRequired[str | None]
    session_id: NotRequired[str | None]
    recent: NotRequired[list[str]]
    basket: NotRequired[list[str]]
    parts: list[
        CustomerPart
        | SimilarPart
        | PopularPart
        | BundlesPart
        | BasketPart
        | ReplenishmentPart
        | ListPart
        | RankingPart
    ]
    exclude: NotRequired[list[str]]
    market: NotRequired[str | None]
    locale: NotRequired[str | None]
    as_of: NotRequired[str | None]
    deadline_ms: NotRequired[int | None]
    fields: NotRequired[str]


class CustomerPart(TypedDict):
    placement: NotRequired[str | None]
    exclude: NotRequired[list[str]]
    category: NotRequired[str | None]
    brand: NotRequired[str | None]
    min_price: NotRequired[float | None]
    max_price: NotRequired[float | None]
    filter: NotRequired[str | None]
    name: NotRequired[str | None]
    n: NotRequired[int]
    kind: str
    strict: NotRequired[bool]
    repeat: NotRequired[str]


class SimilarPart(TypedDict):
    placement: NotRequired[str | None]
    exclude: NotRequired[list[str]]
    category: NotRequired[str | None]
    brand: NotRequired[str | None]
    min_price: NotRequired[float | None]
    max_price: NotRequired[float | None]
    filter: NotRequired[str | None]
    name: NotRequired[str | None]
    n: NotRequired[int]
    kind: str
    product_id: str
    strict: NotRequired[bool]


class PopularPart(TypedDict):
    placement: NotRequired[str | None]
    exclude: NotRequired[list[str]]
    category: NotRequired[str | None]
    brand: NotRequired[str | None]
    min_price: NotRequired[float | None]
    max_price: NotRequired[float | None]
    filter: NotRequired[str | None]
    name: NotRequired[str | None]
    n: NotRequired[int]
    kind: str
    strict: NotRequired[bool]
    window_days: NotRequired[int | None]


class BundlesPart(TypedDict):
    placement: NotRequired[str | None]
    exclude: NotRequired[list[str]]
    category: NotRequired[str | None]
    brand: NotRequired[str | None]
    min_price: NotRequired[float | None]
    max_price: NotRequired[float | None]
    filter: NotRequired[str | None]
    name: NotRequired[str | None]
    n: NotRequired[int]
    kind: str
    product_id: str
    size: NotRequired[int]


class BasketPart(TypedDict):
    placement: NotRequired[str | None]
    exclude: NotRequired[list[str]]
    category: NotRequired[str | None]
    brand: NotRequired[str | None]
    min_price: NotRequired[float | None]
    max_price: NotRequired[float | None]
    filter: NotRequired[str | None]
    name: NotRequired[str | None]
    n: NotRequired[int]
    kind: str


class ReplenishmentPart(TypedDict):
    placement: NotRequired[str | None]
    exclude: NotRequired[list[str]]
    category: NotRequired[str | None]
    brand: NotRequired[str | None]
    min_price: NotRequired[float | None]
    max_price: NotRequired[float | None]
    filter: NotRequired[str | None]
    name: NotRequired[str | None]
    n: NotRequired[int]
    kind: str
    ahead_days: NotRequired[float]


class ListPart(TypedDict):
    placement: NotRequired[str | None]
    exclude: NotRequired[list[str]]
    category: NotRequired[str | None]
    brand: NotRequired[str | None]
    min_price: NotRequired[float | None]
    max_price: NotRequired[float | None]
    filter: NotRequired[str | None]
    name: NotRequired[str | None]
    n: NotRequired[int]
    kind: str
    list_name: str


class RankingPart(TypedDict):
    placement: NotRequired[str | None]
    exclude: NotRequired[list[str]]
    category: NotRequired[str | None]
    brand: NotRequired[str | None]
    min_price: NotRequired[float | None]
    max_price: NotRequired[float | None]
    filter: NotRequired[str | None]
    name: NotRequired[str | None]
    n: NotRequired[int]
    kind: str
    product_ids: list[str]
    rules: NotRequired[str]
    out_of_stock: NotRequired[str]


class PageAnswer(TypedDict):
    customer_id: str | None
    fallback: bool
    count: int
    parts: list[PagePartAnswer]


class PagePartAnswer(TypedDict):
    name: str | None
    kind: str
    answer: SlateAnswer | BundleAnswer | ListAnswer | RankingAnswer | ReplenishmentAnswer


class BundleAnswer(TypedDict):
    recommendation_id: str
    customer_id: str | None
    placement: str | None
    experiment: str | None
    variant: str | None
    offer: SlateOffer | None
    strategy: str
    fallback: bool
    fallback_reason: str | None
    model_version: str
    data_as_of: str
    model_age_days: float
    requested: int
    count: int
    complete: bool
    missing_ids: list[str]
    unknown_names: dict[str, str]
    occasion: Occasion | None
    language: str
    score_kind: str
    recommendations: list[Unit]


class Unit(TypedDict):
    anchor_id: str
    anchor: Card
    held_ids: list[str]
    products: list[Recommendation]
    support: int | None
    rule_confidence: float | None
    lift: float | None
    total_price: float | None
    total_price_text: str | None
    currency: str | None
    expected_gain: GainBody | None
    offer: Offer | None


class Card(TypedDict):
    id: str
    title: NotRequired[str | None]
    category: NotRequired[str | None]
    brand: NotRequired[str | None]
    price: NotRequired[float | None]
    currency: NotRequired[str | None]
    price_text: NotRequired[str | None]
    url: NotRequired[str | None]
    image_url: NotRequired[str | None]
    in_stock: NotRequired[bool | None]
    attributes: NotRequired[dict[str, Any]]
    click_url: NotRequired[str | None]


class GainBody(TypedDict):
    value: float
    low: float
    high: float


class Offer(TypedDict):
    bundle_id: str
    title: str | None
    price: float
    price_text: str | None
    currency: str | None
    saving: float | None
    saving_text: str | None


class ListAnswer(TypedDict):
    recommendation_id: str
    customer_id: str | None
    placement: str | None
    experiment: str | None
    variant: str | None
    offer: SlateOffer | None
    strategy: str
    fallback: bool
    fallback_reason: str | None
    model_version: str
    data_as_of: str
    model_age_days: float
    requested: int
    count: int
    complete: bool
    missing_ids: list[str]
    unknown_names: dict[str, str]
    occasion: Occasion | None
    language: str
    score_kind: str
    recommendations: list[ListedProduct]
    list_name: str


class ListedProduct(TypedDict):
    id: str
    score: float
    source: str
    reason: ReasonBody
    title: NotRequired[str | None]
    category: NotRequired[str | None]
    brand: NotRequired[str | None]
    price: NotRequired[float | None]
    currency: NotRequired[str | None]
    price_text: NotRequired[str | None]
    url: NotRequired[str | None]
    image_url: NotRequired[str | None]
    in_stock: NotRequired[bool | None]
    attributes: NotRequired[dict[str, Any]]
    click_url: NotRequired[str | None]
    since: str | None
    former_price: float | None
    former_price_text: str | None
    rating_mean: float | None
    rating_count: int | None


class RankingAnswer(TypedDict):
    recommendation_id: str
    customer_id: str | None
    placement: str | None
    experiment: str | None
    variant: str | None
    offer: SlateOffer | None
    strategy: str
    fallback: bool
    fallback_reason: str | None
    model_version: str
    data_as_of: str
    model_age_days: float
    requested: int
    count: int
    complete: bool
    missing_ids: list[str]
    unknown_names: dict[str, str]
    occasion: Occasion | None
    language: str
    score_kind: str
    recommendations: list[RankedProductBody]
    left_out: list[LeftOutProduct]


class RankedProductBody(TypedDict):
    id: str
    title: NotRequired[str | None]
    category: NotRequired[str | None]
    brand: NotRequired[str | None]
    price: NotRequired[float | None]
    currency: NotRequired[str | None]
    price_text: NotRequired[str | None]
    url: NotRequired[str | None]
    image_url: NotRequired[str | None]
    in_stock: NotRequired[bool | None]
    attributes: NotRequired[dict[str, Any]]
    click_url: NotRequired[str | None]
    score: float
    source: str | None
    reason: ReasonBody | None


class LeftOutProduct(TypedDict):
    id: str
    rule: str


class ReplenishmentAnswer(TypedDict):
    recommendation_id: str
    customer_id: str | None
    placement: str | None
    experiment: str | None
    variant: str | None
    offer: SlateOffer | None
    strategy: str
    fallback: bool
    fallback_reason: str | None
    model_version: str
    data_as_of: str
    model_age_days: float
    requested: int
    count: int
    complete: bool
    missing_ids: list[str]
    unknown_names: dict[str, str]
    occasion: Occasion | None
    language: str
    score_kind: str
    recommendations: list[DueRecommendation]


class DueRecommendation(TypedDict):
    id: str
    score: float
    source: str
    reason: ReasonBody
    title: NotRequired[str | None]
    category: NotRequired[str | None]
    brand: NotRequired[str | None]
    price: NotRequired[float | None]
    currency: NotRequired[str | None]
    price_text: NotRequired[str | None]
    url: NotRequired[str | None]
    image_url: NotRequired[str | None]
    in_stock: NotRequired[bool | None]
    attributes: NotRequired[dict[str, Any]]
    click_url: NotRequired[str | None]
    interval_days: float
    due: str


class RankingOptions(TypedDict):
    placement: NotRequired[str | None]
    exclude: NotRequired[list[str]]
    category: NotRequired[str | None]
    brand: NotRequired[str | None]
    min_price: NotRequired[float | None]
    max_price: NotRequired[float | None]
    filter: NotRequired[str | None]
    market: NotRequired[str | None]
    locale: NotRequired[str | None]
    as_of: NotRequired[str | None]
    deadline_ms: NotRequired[int | None]
    fields: NotRequired[str]
    customer_id: NotRequired[str | None]
    session_id: NotRequired[str | None]
    recent: NotRequired[list[str]]
    basket: NotRequired[list[str]]
    product_ids: list[str]
    rules: NotRequired[str]
    out_of_stock: NotRequired[str]
    reasons: NotRequired[int]


class BatchOptions(TypedDict):
    placement: NotRequired[str | None]
    exclude: NotRequired[list[str]]
    category: NotRequired[str | None]
    brand: NotRequired[str | None]
    min_price: NotRequired[float | None]
    max_price: NotRequired[float | None]
    filter: NotRequired[str | None]
    market: NotRequired[str | None]
    locale: NotRequired[str | None]
    as_of: NotRequired[str | None]
    deadline_ms: NotRequired[int | None]
    fields: NotRequired[str]
    n: NotRequired[int]
    strict: NotRequired[bool]
    campaign: NotRequired[str | None]
    order_id: NotRequired[str | None]
    repeat: NotRequired[str]
    recipients: list[Recipient]


class Recipient(TypedDict):
    customer_id: str
    order_id: NotRequired[str | None]
    exclude: NotRequired[list[str]]
    market: NotRequired[str | None]
    locale: NotRequired[str | None]


class BatchAnswer(TypedDict):
    answers: list[SlateAnswer | RecipientProblem]
    count: int
    failed: int


class RecipientProblem(TypedDict):
    index: int
    customer_id: str | None
    problem: ProblemBody


class ProblemBody(TypedDict):
    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldProblem]


class FieldProblem(TypedDict):
    field: str
    problem: str


class SimilarOptions(TypedDict):
    placement: NotRequired[str | None]
    exclude: NotRequired[list[str]]
    category: NotRequired[str | None]
    brand: NotRequired[str | None]
    min_price: NotRequired[float | None]
    max_price: NotRequired[float | None]
    filter: NotRequired[str | None]
    market: NotRequired[str | None]
    locale: NotRequired[str | None]
    as_of: NotRequired[str | None]
    deadline_ms: NotRequired[int | None]
    fields: NotRequired[str]
    n: NotRequired[int]
    strict: NotRequired[bool]
    campaign: NotRequired[str | None]


class BundlesOptions(TypedDict):
    placement: NotRequired[str | None]
    exclude: NotRequired[list[str]]
    category: NotRequired[str | None]
    brand: NotRequired[str | None]
    min_price: NotRequired[float | None]
    max_price: NotRequired[float | None]
    filter: NotRequired[str | None]
    market: NotRequired[str | None]
    locale: NotRequired[str | None]
    as_of: NotRequired[str | None]
    deadline_ms: NotRequired[int | None]
    fields: NotRequired[str]
    n: NotRequired[int]
    strict: NotRequired[bool]
    campaign: NotRequired[str | None]
    size: NotRequired[int]


class BasketOptions(TypedDict):
    placement: NotRequired[str | None]
    exclude: NotRequired[list[str]]
    category: NotRequired[str | None]
    brand: NotRequired[str | None]
    min_price: NotRequired[float | None]
    max_price: NotRequired[float | None]
    filter: NotRequired[str | None]
    market: NotRequired[str | None]
    locale: NotRequired[str | None]
    as_of: NotRequired[str | None]
    deadline_ms: NotRequired[int | None]
    fields: NotRequired[str]
    n: NotRequired[int]
    strict: NotRequired[bool]
    campaign: NotRequired[str | None]
    basket: list[str]
    customer_id: NotRequired[str | None]


class PopularOptions(TypedDict):
    placement: NotRequired[str | None]
    exclude: NotRequired[list[str]]
    category: NotRequired[str | None]
    brand: NotRequired[str | None]
    min_price: NotRequired[float | None]
    max_price: NotRequired[float | None]
    filter: NotRequired[str | None]
    market: NotRequired[str | None]
    locale: NotRequired[str | None]
    as_of: NotRequired[str | None]
    deadline_ms: NotRequired[int | None]
    fields: NotRequired[str]
    n: NotRequired[int]
    strict: NotRequired[bool]
    campaign: NotRequired[str | None]
    window_days: NotRequired[int | None]


class ShopListOptions(TypedDict):
    placement: NotRequired[str | None]
    exclude: NotRequired[list[str]]
    category: NotRequired[str | None]
    brand: NotRequired[str | None]
    min_price: NotRequired[float | None]
    max_price: NotRequired[float | None]
    filter: NotRequired[str | None]
    market: NotRequired[str | None]
    locale: NotRequired[str | None]
    as_of: NotRequired[str | None]
    deadline_ms: NotRequired[int | None]
    fields: NotRequired[str]
    n: NotRequired[int]
    customer_id: NotRequired[str | None]


class RecentlyViewedOptions(TypedDict):
    placement: NotRequired[str | None]
    exclude: NotRequired[list[str]]
    category: NotRequired[str | None]
    brand: NotRequired[str | None]
    min_price: NotRequired[float | None]
    max_price: NotRequired[float | None]
    filter: NotRequired[str | None]
    market: NotRequired[str | None]
    locale: NotRequired[str | None]
    as_of: NotRequired[str | None]
    deadline_ms: NotRequired[int | None]
    fields: NotRequired[str]
    n: NotRequired[int]


class ReplenishmentOptions(TypedDict):
    n: NotRequired[int]
    as_of: NotRequired[str | None]
    locale: NotRequired[str | None]
    placement: NotRequired[str | None]
    ahead_days: NotRequired[float]


class DueAnswer(TypedDict):
    customer_id: str
    data_as_of: str
    count: int
    recommendations: list[DueProduct]


class DueProduct(TypedDict):
    id: str
    title: NotRequired[str | None]
    category: NotRequired[str | None]
    brand: NotRequired[str | None]
    price: NotRequired[float | None]
    currency: NotRequired[str | None]
    price_text: NotRequired[str | None]
    url: NotRequired[str | None]
    image_url: NotRequired[str | None]
    in_stock: NotRequired[bool | None]
    attributes: NotRequired[dict[str, Any]]
    purchases: int
    last_purchase: str
    interval_days: float
    due: str
    reason: ReasonBody


class FollowUpOptions(TypedDict):
    placement: NotRequired[str | None]
    exclude: NotRequired[list[str]]
    category: NotRequired[str | None]
    brand: NotRequired[str | None]
    min_price: NotRequired[float | None]
    max_price: NotRequired[float | None]
    filter: NotRequired[str | None]
    market: NotRequired[str | None]
    locale: NotRequired[str | None]
    as_of: NotRequired[str | None]
    deadline_ms: NotRequired[int | None]
    fields: NotRequired[str]
    n: NotRequired[int]
    strict: NotRequired[bool]
    campaign: NotRequired[str | None]


class EventsBody(TypedDict):
    events: list[EventBody]


class EventBody(TypedDict):
    event_id: str
    kind: str
    time: str
    customer_id: NotRequired[str | None]
    session_id: NotRequired[str | None]
    product_id: NotRequired[str | None]
    product_ids: NotRequired[list[str] | None]
    order_id: NotRequired[str | None]
    lines: NotRequired[list[LineBody] | None]
    currency: NotRequired[str | None]
    market: NotRequired[str | None]
    placement: NotRequired[str | None]
    recommendation_id: NotRequired[str | None]
    rating: NotRequired[float | str | None]
    words: NotRequired[str | None]


class LineBody(TypedDict):
    product_id: str
    quantity: NotRequired[float]
    unit_price: NotRequired[float | None]


class EventsAnswer(TypedDict):
    accepted: int
    repeated: list[int]
    rejected: list[Rejected]


class Rejected(TypedDict):
    index: int
    event_id: str | None
    errors: list[EventProblem]


class EventProblem(TypedDict):
    field: str
    problem: str


class ProductsBody(TypedDict):
    products: list[ProductBody]


class ProductBody(TypedDict):
    title: NotRequired[str | None]
    category: NotRequired[str | None]
    brand: NotRequired[str | None]
    price: NotRequired[float | None]
    currency: NotRequired[str | None]
    url: NotRequired[str | None]
    image_url: NotRequired[str | None]
    in_stock: NotRequired[bool]
    cost: NotRequired[float | None]
    hidden: NotRequired[bool]
    markets: NotRequired[list[str] | None]
    available_from: NotRequired[str | None]
    available_until: NotRequired[str | None]
    attributes: NotRequired[dict[str, str | float | bool | None]]
    product_id: str


class ProductsAnswer(TypedDict):
    written: int
    rejected: list[RejectedProduct]


class RejectedProduct(TypedDict):
    index: int
    product_id: str | None
    errors: list[FieldProblem]


class KnownProduct(TypedDict):
    product_id: str
    document: dict[str, Any]
    card: ProductFacts | None


class ProductFacts(TypedDict):
    title: NotRequired[str | None]
    category: NotRequired[str | None]
    brand: NotRequired[str | None]
    price: NotRequired[float | None]
    currency: NotRequired[str | None]
    price_text: NotRequired[str | None]
    url: NotRequired[str | None]
    image_url: NotRequired[str | None]
    in_stock: NotRequired[bool | None]
    attributes: NotRequired[dict[str, Any]]


class ProductFields(TypedDict):
    title: NotRequired[str | None]
    category: NotRequired[str | None]
    brand: NotRequired[str | None]
    price: NotRequired[float | None]
    currency: NotRequired[str | None]
    url: NotRequired[str | None]
    image_url: NotRequired[str | None]
    in_stock: NotRequired[bool]
    cost: NotRequired[float | None]
    hidden: NotRequired[bool]
    markets: NotRequired[list[str] | None]
    available_from: NotRequired[str | None]
    available_until: NotRequired[str | None]
    attributes: NotRequired[dict[str, str | float | bool | None]]


class ProductDocument(TypedDict):
    product_id: str
    document: dict[str, Any]


class ConsentBody(TypedDict):
    train: NotRequired[bool | None]
    personalize_web: NotRequired[bool | None]
    personalize_email: NotRequired[bool | None]
    measure: NotRequired[bool | None]
    time: NotRequired[str | None]


class ConsentAnswer(TypedDict):
    customer_id: str
    consent: dict[str, Any]


class PreferencesAnswer(TypedDict):
    customer_id: str
    likes: list[SaidPreference]
    avoids: list[SaidPreference]
    needs: list[SaidPreference]
    time: str | None
    warnings: list[MistakenValue]


class SaidPreference(TypedDict):
    attribute: str
    values: list[str]


class MistakenValue(TypedDict):
    field: str
    problem: str


class PreferencesBody(TypedDict):
    likes: NotRequired[list[PreferenceBody]]
    avoids: NotRequired[list[PreferenceBody]]
    needs: NotRequired[list[PreferenceBody]]


class PreferenceBody(TypedDict):
    attribute: str
    values: list[str | float | bool]


class UnusedBody(TypedDict):
    product_id: str
    unused: NotRequired[bool]


class ProfileOptions(TypedDict):
    n: NotRequired[int]
    as_of: NotRequired[str | None]
    locale: NotRequired[str | None]


class ProfileAnswer(TypedDict):
    customer_id: str
    consent: dict[str, Any]
    used_for: list[str]
    known: dict[str, Any]
    segment: str | None
    products: list[dict[str, Any]]
    slate: ProfileSlate
    offers: list[dict[str, Any]]


class ProfileSlate(TypedDict):
    strategy: str
    fallback_reason: str | None
    recommendations: list[ExplainedProduct]


class ExplainedProduct(TypedDict):
    id: str
    title: str | None
    reason: ReasonBody


class Receipt(TypedDict):
    customer_id: str
    known: bool
    deleted: dict[str, int]
    forgotten: str
    versions_with_history: list[dict[str, Any]]
    last_pruned_by: str | None
    reports: list[dict[str, Any]]
    insights: bool | None
    text: str


class TokenBody(TypedDict):
    customer_id: NotRequired[str | None]
    session_id: NotRequired[str | None]
    minutes: NotRequired[int | None]


class TokenAnswer(TypedDict):
    token: str
    expires: str


class NewEvent(TypedDict):
    event_id: NotRequired[str]
    kind: str
    time: NotRequired[str]
    customer_id: NotRequired[str | None]
    session_id: NotRequired[str | None]
    product_id: NotRequired[str | None]
    product_ids: NotRequired[list[str] | None]
    order_id: NotRequired[str | None]
    lines: NotRequired[list[LineBody] | None]
    currency: NotRequired[str | None]
    market: NotRequired[str | None]
    placement: NotRequired[str | None]
    recommendation_id: NotRequired[str | None]
    rating: NotRequired[float | str | None]
    words: NotRequired[str | None]


def slate(customer_id: str, /, **options: Unpack[SlateOptions]) -> Call[SlateAnswer]:
    """Recommend products for a customer."""
    return Call("GET", f"/v1/customers/{encode(customer_id)}/recommendations", options=options)


def visit(**options: Unpack[SessionOptions]) -> Call[SlateAnswer]:
    """Recommend products for a visit."""
    return Call("POST", "/v1/recommendations", options=options, repeatable=True)


def page(**options: Unpack[PageOptions]) -> Call[PageAnswer]:
    """Recommend products for all parts of a page."""
    return Call("POST", "/v1/pages", options=options, repeatable=True)


def rank(**options: Unpack[RankingOptions]) -> Call[RankingAnswer]:
    """Put given products in order."""
    return Call("POST", "/v1/rankings", options=options, repeatable=True)


def batch(**options: Unpack[BatchOptions]) -> Call[BatchAnswer]:
    """Recommend products for many customers."""
    return Call("POST", "/v1/recommendations/batch", options=options, repeatable=True)


def similar(product_id: str, /, **options: Unpack[SimilarOptions]) -> Call[SlateAnswer]:
    """Recommend products similar to a product."""
    return Call("GET", f"/v1/products/{encode(product_id)}/similar", options=options)


def bundles(product_id: str, /, **options: Unpack[BundlesOptions]) -> Call[BundleAnswer]:
    """Recommend bundles around a product."""
    return Call("GET", f"/v1/products/{encode(product_id)}/bundles", options=options)


def basket_bundles(**options: Unpack[BasketOptions]) -> Call[BundleAnswer]:
    """Recommend products that complete a basket."""
    return Call("POST", "/v1/baskets/bundles", options=options, repeatable=True)


def popular(**options: Unpack[PopularOptions]) -> Call[SlateAnswer]:
    """Recommend popular products."""
    return Call("GET", "/v1/popular", options=options)


def shop_list(name: str, /, **options: Unpack[ShopListOptions]) -> Call[ListAnswer]:
    """Read a list of new, cheaper, returned or best rated products."""
    return Call("GET", f"/v1/lists/{encode(name)}", options=options)


def recently_viewed(
    customer_id: str, /, **options: Unpack[RecentlyViewedOptions]
) -> Call[ListAnswer]:
    """Read what a customer looked at lately."""
    return Call("GET", f"/v1/customers/{encode(customer_id)}/recently-viewed", options=options)


def replenishment(customer_id: str, /, **options: Unpack[ReplenishmentOptions]) -> Call[DueAnswer]:
    """List products a customer is due to buy again."""
    return Call("GET", f"/v1/customers/{encode(customer_id)}/replenishment", options=options)


def follow_up(order_id: str, /, **options: Unpack[FollowUpOptions]) -> Call[SlateAnswer]:
    """Recommend products that go with an order."""
    return Call("GET", f"/v1/orders/{encode(order_id)}/follow-up", options=options)


def report(**options: Unpack[EventsBody]) -> Call[EventsAnswer]:
    """Report events."""
    return Call("POST", "/v1/events", options=options, repeatable=True)


def put_products(**options: Unpack[ProductsBody]) -> Call[ProductsAnswer]:
    """Create or replace products."""
    return Call("PUT", "/v1/products", options=options)


def product(product_id: str, /) -> Call[KnownProduct]:
    """Read a product."""
    return Call("GET", f"/v1/products/{encode(product_id)}")


def change_product(product_id: str, /, **options: Unpack[ProductFields]) -> Call[ProductDocument]:
    """Change fields of a product."""
    return Call("PATCH", f"/v1/products/{encode(product_id)}", options=options)


def delete_product(product_id: str, /) -> Call[ProductDocument]:
    """Delete a product."""
    return Call("DELETE", f"/v1/products/{encode(product_id)}")


def set_consent(customer_id: str, /, **options: Unpack[ConsentBody]) -> Call[ConsentAnswer]:
    """Set what a customer allows."""
    return Call("PUT", f"/v1/customers/{encode(customer_id)}/consent", options=options)


def preferences(customer_id: str, /) -> Call[PreferencesAnswer]:
    """Read what a customer likes, avoids and needs."""
    return Call("GET", f"/v1/customers/{encode(customer_id)}/preferences")


def set_preferences(
    customer_id: str, /, **options: Unpack[PreferencesBody]
) -> Call[PreferencesAnswer]:
    """Set what a customer likes, avoids and needs."""
    return Call("PUT", f"/v1/customers/{encode(customer_id)}/preferences", options=options)


def delete_preferences(customer_id: str, /) -> Call[PreferencesAnswer]:
    """Take back what a customer likes, avoids and needs."""
    return Call("DELETE", f"/v1/customers/{encode(customer_id)}/preferences")


def set_unused(customer_id: str, /, **options: Unpack[UnusedBody]) -> Call[UnusedBody]:
    """Stop using a product for a customer, or use it again."""
    return Call("PUT", f"/v1/customers/{encode(customer_id)}/unused", options=options)


def profile(customer_id: str, /, **options: Unpack[ProfileOptions]) -> Call[ProfileAnswer]:
    """Show what is known about a customer."""
    return Call("GET", f"/v1/customers/{encode(customer_id)}/profile", options=options)


def forget(customer_id: str, /) -> Call[Receipt]:
    """Erase a customer."""
    return Call("DELETE", f"/v1/customers/{encode(customer_id)}")


def token(**options: Unpack[TokenBody]) -> Call[TokenAnswer]:
    """Make a customer token for the browser."""
    return Call("POST", "/v1/tokens", options=options, repeatable=True)
