"""Shops of a deployment as they are made and as they are shown."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import AfterValidator, ConfigDict, Field, ValidationError, create_model

from models.assembly.cards import is_locale
from service.patterns import LOCALE, NO_NUL, SHOP_NAME, SHOP_URL, SHOPIFY_SHOP
from service.schemas.base import AnswerModel, ParameterModel, examples
from service.schemas.pages import Next
from service.schemas.parameters import WHOLE_NUMBER
from service.settings import Settings

# What a shop may say for itself. The rest is about the process and its machine, or kept secret.
OWN_EXAMPLES: Final[dict[str, Any]] = {
    "unasked": "refuse",
    "visits": "refuse",
    "calls_a_minute": 600,
    "customer_calls_a_minute": 120,
    "customer_events_a_day": 10_000,
    "customer_bytes_a_day": 4_000_000,
    "token_minutes": 15,
    "token_audience": "recommendations",
    "import_variants": "parent",
    "shopify_shop": "acme.myshopify.com",
    "shop_url": "https://acme.example",
    "utm_source": "regulars",
    "max_age_seconds": 60,
    "deadline_ms": 200,
    "open_feeds": False,
    "campaign_hours": 72,
    "campaign_not_twice": 3,
    "mail_days": 90,
    "exposures": 1.0,
    "exposure_days": 90,
    "default_locale": "de_DE",
}
# What the settings themselves check with more than a range
PATTERNS: Final = {
    "token_audience": NO_NUL,
    "shopify_shop": SHOPIFY_SHOP,
    "shop_url": SHOP_URL,
    "utm_source": NO_NUL,
    "default_locale": LOCALE,
}
MAX_NUMBER: Final = 2**53  # that every JSON reader keeps


def _check_locale(text: str) -> str:
    if not is_locale(text):
        raise ValueError("not a locale; write it like en_US")
    return text


def _describe(name: str) -> Any:
    """Return the type and the default of a setting that a shop may leave out."""
    setting = Settings.model_fields[name]
    kind: Any = setting.annotation
    for limit in setting.metadata:
        kind = Annotated[kind, limit]
    if name in PATTERNS:
        kind = Annotated[kind, Field(pattern=PATTERNS[name])]
    if name == "default_locale":
        kind = Annotated[kind, AfterValidator(_check_locale)]
    if setting.annotation is int and not any(hasattr(limit, "le") for limit in setting.metadata):
        kind = Annotated[kind, Field(le=MAX_NUMBER)]
    if setting.annotation in (int, int | None):
        kind = Annotated[kind, WHOLE_NUMBER]
    field: Any = Field(description=setting.description, examples=[OWN_EXAMPLES[name]])
    return Annotated[kind | None, field], None


OwnSettings = create_model(
    "OwnSettings",
    __config__=ConfigDict(
        strict=True,
        extra="forbid",
        json_schema_extra=examples({"default_locale": "de_DE", "shop_url": "https://acme.example"}),
    ),
    __doc__="Settings of a shop. What is left out or null is as the deployment says.",
    **{name: _describe(name) for name in OWN_EXAMPLES},
)


def check_own_settings(given: Mapping[str, str]) -> dict[str, Any]:
    """Return settings of a shop that were given as texts. Raises ValueError with a sentence."""
    unknown = ", ".join(given.keys() - OWN_EXAMPLES.keys())
    if unknown:
        raise ValueError(f"{unknown}: no setting of a shop; those are {', '.join(OWN_EXAMPLES)}")
    try:
        own = OwnSettings.model_validate(given, strict=False)
    except ValidationError as error:
        problems = [f"{one['loc'][0]}: {one['msg']}" for one in error.errors(include_url=False)]
        raise ValueError("; ".join(problems)) from None
    return dict(own.model_dump(exclude_none=True))


class ShopBody(ParameterModel):
    """What a shop is made with, or changed to."""

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        json_schema_extra=examples({"settings": {"default_locale": "de_DE"}}),
    )
    settings: Annotated[
        OwnSettings,  # type: ignore[valid-type]
        Field(
            description="Settings of its own, in place of those it had.",
            examples=[{"default_locale": "de_DE"}],
        ),
    ] = OwnSettings()


SHOP_EXAMPLE: Final[dict[str, Any]] = {
    "name": "acme",
    "address": "/shops/acme",
    "settings": {"default_locale": "de_DE"},
    "created": "2026-11-29T18:00:00Z",
    "ending": False,
    "model_version": "20261121T200000Z-1f0c9a52d7be",
}


class ShopAnswer(AnswerModel):
    """A shop of the deployment."""

    model_config = ConfigDict(json_schema_extra=examples(SHOP_EXAMPLE))
    name: str = Field(pattern=SHOP_NAME, description="Name of the shop.")
    address: str = Field(
        description="Path in front of the shop's calls, for those that carry no key: links of "
        "mails, open feeds, webhooks. Calls with a key of the shop may use it or leave it out."
    )
    settings: dict[str, Any] = Field(description="What it says for itself.")
    created: datetime = Field(description="When it was made.")
    ending: bool = Field(description="Whether it is being ended and answers no more.")
    model_version: str | None = Field(
        description="Version that is active in its registry; null before the first training."
    )


class MadeShopAnswer(ShopAnswer):
    """A shop that was made or changed."""

    model_config = ConfigDict(
        json_schema_extra=examples(
            {**SHOP_EXAMPLE, "key": "regulars-acme_2b7e_…", "signing_key": "5f0c…"}
        )
    )
    key: str | None = Field(
        description="Its first key, of every scope of a shop. Shown once; null where it has one."
    )
    signing_key: str = Field(
        description="Secret with which the shop's server may sign tokens of customers. They carry "
        "the claim `shop` with the name."
    )


class ShopsAnswer(AnswerModel):
    """The shops of the deployment besides the main one."""

    model_config = ConfigDict(json_schema_extra=examples({"shops": [SHOP_EXAMPLE], "next": None}))
    shops: list[ShopAnswer] = Field(description="Shops, ordered by name.")
    next: Next


class EndedShopAnswer(AnswerModel):
    """A receipt of a shop that was ended."""

    model_config = ConfigDict(
        json_schema_extra=examples(
            {
                "name": "acme",
                "ended": "2026-11-29T18:00:00Z",
                "store": {"events": 1200, "consents": 40},
                "versions": ["20261121T200000Z-1f0c9a52d7be"],
                "reports": 1,
                "text": "Everything of the shop is gone.",
            }
        )
    )
    name: str = Field(pattern=SHOP_NAME, description="Name of the shop.")
    ended: datetime = Field(description="When everything of it was gone.")
    store: dict[str, int] = Field(description="Rows that were deleted, by table.")
    versions: list[str] = Field(description="Versions that were deleted.")
    reports: int = Field(description="Reports that were deleted.")
    text: str = Field(description="What is gone, and what is elsewhere.")
