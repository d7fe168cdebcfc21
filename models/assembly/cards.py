"""Cards of products, as pages and mails show them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import orjson
from babel import Locale
from babel.core import UnknownLocaleError
from babel.numbers import format_currency

from models.data.catalogue import COST, Catalogue
from models.data.urls import make_absolute


def build_card(
    catalogue: Catalogue, item: int, locale: str, shop_url: str | None = None
) -> dict[str, Any]:
    """Return what is known of a product, ready to show; None where nothing is known."""
    attributes = catalogue.attributes.bytes_at(item)
    return {
        "title": catalogue.title[item] or None,
        "category": _name(catalogue.category_names, int(catalogue.category[item])),
        "brand": _name(catalogue.brand_names, int(catalogue.brand[item])),
        **build_offer(catalogue, item, locale, shop_url),
        "in_stock": bool(catalogue.in_stock[item]),
        "attributes": _shown_attributes(attributes),
    }


def _shown_attributes(attributes: bytes) -> dict[str, Any]:
    """Return further facts that anyone may see: not what a product costs the shop."""
    shown: dict[str, Any] = orjson.loads(attributes) if attributes else {}
    shown.pop(COST, None)
    return shown


def build_offer(
    catalogue: Catalogue, item: int, locale: str, shop_url: str | None = None
) -> dict[str, Any]:
    """Return the price and the addresses of a card, which takes no parsing."""
    price, currency = read_price(catalogue, item), catalogue.currency[item] or None
    return {
        "price": price,
        "currency": currency,
        "price_text": format_price(price, currency, locale),
        "url": make_absolute(catalogue.url[item], shop_url),
        "image_url": make_absolute(catalogue.image_url[item], shop_url),
    }


def _name(names: Any, code: int) -> str | None:
    return names[code] if code >= 0 else None


def read_price(catalogue: Catalogue, item: int) -> float | None:
    price = float(catalogue.price[item])
    return None if math.isnan(price) else round(price, 4)


class Price(NamedTuple):
    """A price in a currency, ISO 4217."""

    amount: float
    currency: str


def sum_prices(catalogue: Catalogue, items: Sequence[int]) -> Price | None:
    """Return one price for all; None where one is unknown or there are several currencies."""
    prices = [read_price(catalogue, item) for item in items]
    known = [price for price in prices if price is not None]
    currencies = {catalogue.currency[item] for item in items}
    if len(known) < len(prices) or len(currencies) != 1 or "" in currencies:
        return None
    return Price(round(sum(known), 4), currencies.pop())


@lru_cache(maxsize=65_536)
def format_price(price: float | None, currency: str | None, locale: str) -> str | None:
    """Write a price as people do there: 1.29 USD is "$1.29" in en_US and "1,29 $" in de_DE."""
    if price is None or currency is None:
        return None
    return format_currency(price, currency, locale=_locale(locale))


@lru_cache(maxsize=256)
def _locale(name: str) -> Locale:
    return Locale.parse(name, sep="-" if "-" in name else "_")


def is_locale(name: str) -> bool:
    """Return whether prices can be written for this locale, "en_US" or "en-US"."""
    try:
        _locale(name)
    except (UnknownLocaleError, ValueError):
        return False
    return True
