"""Queries from the options that a caller gives."""

from __future__ import annotations

from typing import Any

from service.answering.query import QueryKind, RecommendationQuery
from service.schemas.parameters import Fields, Options


def build_query(
    kind: QueryKind, options: Options, default_locale: str, **more: Any
) -> RecommendationQuery:
    """Return the query that options ask for; `more` are fields of it that not all options have."""
    return RecommendationQuery(
        kind,
        options.locale or default_locale,
        n=options.n,
        placement=options.placement,
        exclude=options.exclude,
        category=options.category,
        brand=options.brand,
        min_price=options.min_price,
        max_price=options.max_price,
        market=options.market,
        strict=options.strict,
        campaign=options.campaign,
        as_of=options.as_of,
        deadline_ms=options.deadline_ms,
        with_cards=options.fields is Fields.CARD,
        **more,
    )
