"""A body says what it means: a number is no text, and a yes is no word."""

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from service.schemas.batch import BatchOptions
from service.schemas.campaigns import CampaignBody
from service.schemas.customers import ConsentBody, UnusedBody
from service.schemas.parameters import BasketOptions, SessionOptions
from service.schemas.products import ProductFields
from service.schemas.rules import PreviewOptions
from service.schemas.tokens import TokenBody

BASKET = {"basket": ["bread"]}
RECIPIENTS = {"recipients": [{"customer_id": "anna"}]}


@pytest.mark.parametrize(
    ("body", "values", "field", "text"),
    [
        (SessionOptions, {}, "strict", "no"),
        (SessionOptions, {}, "min_price", "1.5"),
        (BasketOptions, BASKET, "strict", "no"),
        (PreviewOptions, {"rules": []}, "strict", "no"),
        (BatchOptions, RECIPIENTS, "strict", "no"),
        (CampaignBody, {}, "window_hours", "24"),
        (ConsentBody, {}, "personalize_web", "no"),
        (UnusedBody, {"product_id": "bread"}, "unused", "no"),
        (ProductFields, {}, "in_stock", "no"),
        (ProductFields, {}, "price", "1.5"),
        (TokenBody, {"customer_id": "anna"}, "minutes", "15"),
    ],
)
def test_a_value_in_quotation_marks_is_refused_and_not_guessed_at(
    body: type[BaseModel], values: dict[str, Any], field: str, text: str
) -> None:
    meant = {"no": False, "1.5": 1.5}.get(text, 15)
    assert getattr(body.model_validate(values | {field: meant}), field) == meant
    with pytest.raises(ValidationError, match=field):
        body.model_validate(values | {field: text})
