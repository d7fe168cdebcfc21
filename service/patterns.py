"""Patterns of texts that callers send, and what is said where a text does not match one."""

from __future__ import annotations

from typing import Final

from models.artifact.shops import NAME

NO_NUL: Final = r"^[^\x00]*$"  # no database takes it in a text
PLACEMENT: Final = "^[a-z0-9_-]{1,50}$"
# Without a byte that may not stand in a link. A longer check would need the shop's own address.
ADDRESS: Final = r"^(https?:/)?/[^\x00-\x20\"<>\x7f-\xa0]+$"
SHOP_NAME: Final = f"^{NAME.pattern}$"
# Of settings of a shop: no more than what the settings themselves take.
LOCALE: Final = "^[a-z]{2,3}(_[A-Z][a-z]{3})?(_[A-Z]{2})?$"
SHOP_URL: Final = r"^https://[a-z0-9]([a-z0-9.-]{0,200}[a-z0-9])?(/[A-Za-z0-9._~-]{1,100})*$"
SHOPIFY_SHOP: Final = r"^[A-Za-z0-9][A-Za-z0-9-]*\.myshopify\.com$"
CURRENCY: Final = "^[A-Z]{3}$"
CODE: Final = r"^[\x21-\x7e]{1,100}$"
COLOR: Final = "^#[0-9a-fA-F]{6}$"

# A caller reads these in place of the pattern.
PATTERN_SENTENCES: Final = {
    NO_NUL: "may not hold the character NUL",
    PLACEMENT: "should be 1 to 50 lower case letters, digits, '-' and '_', like 'home'",
    SHOP_NAME: "should be 1 to 40 lower case letters, digits and '-', like 'acme'",
    CODE: "should be 1 to 100 letters, digits and signs without blanks, like 'TX-81F2'",
    COLOR: "should be a colour of six hexadecimal digits, like '#1f5c3a'",
    CURRENCY: "should be a currency of three capital letters (ISO 4217), like 'USD'",
    LOCALE: "should be a language and, where one is meant, a country, like 'en_US'",
    SHOP_URL: "should be an https address of lower case letters, like 'https://shop.example'",
    SHOPIFY_SHOP: "should be a domain of Shopify, like 'acme.myshopify.com'",
    ADDRESS: "should be an address that begins with http:// or https://, or a path of the shop",
}
