"""Addresses of products: where a link may lead, and what it tells the shop's web analytics."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final
from urllib.parse import urlencode, urljoin, urlsplit

# As it may stand in a page, a mail and a header. Browsers take a backslash for a slash and read over line ends.
PLAIN: Final = r"[^\s\x00-\x20\x7f-\x9f\\\"<>^`{|}]"
ABSOLUTE: Final = re.compile(rf"(?i:https?)://[\w.-]+(?::[0-9]+)?(?:[/?#]{PLAIN}*)?")
RELATIVE: Final = re.compile(rf"(?![A-Za-z][A-Za-z0-9+.-]*:|///|[?#]){PLAIN}+")
ESCAPES: Final = str.maketrans({mark: f"%{ord(mark):02X}" for mark in ' "<>^`{|}'})


def make_absolute(url: str, shop_url: str | None) -> str | None:
    """The address of a page or a picture as a mail can use it, None where it is none.

    With the shop's own address it is absolute https: relative ones are joined to it, `http:` on the shop's own host is
    made what the shop's address says. Without one an address stays as it is, relative or http.
    """
    return url if url.startswith("https://") and is_absolute(url) else _mended(url, shop_url)


@lru_cache(maxsize=65_536)
def _mended(url: str, shop_url: str | None) -> str | None:
    plain = url.strip().translate(ESCAPES)
    if shop_url is None:
        return plain if is_absolute(plain) or RELATIVE.fullmatch(plain) else None
    if RELATIVE.fullmatch(plain):
        try:
            plain = urljoin(shop_url.rstrip("/") + "/", plain)
        except ValueError:  # a host that is none, like "//["
            return None
    if not is_absolute(plain):
        return None
    return plain if plain[:8].lower() == "https://" else _as_the_shop(plain, shop_url)


def _as_the_shop(url: str, shop_url: str) -> str | None:
    parts, shop = urlsplit(url), urlsplit(shop_url)
    if parts.netloc.lower().removesuffix(":80") != shop.netloc.lower().removesuffix(":80"):
        return None
    return parts._replace(scheme=shop.scheme, netloc=shop.netloc).geturl()


def is_absolute(url: str) -> bool:
    """Whether it is http or https with a host, and holds nothing that must not stand in a link."""
    return ABSOLUTE.fullmatch(url) is not None


def add_utm_parameters(url: str, source: str, campaign: str | None, product_id: str) -> str:
    """An address with utm parameters; those that it has already stay as they are."""
    page, mark, fragment = url.partition("#")
    path, _, query = page.partition("?")
    held = {parameter.partition("=")[0] for parameter in query.split("&")}
    wanted = {
        "utm_source": source,
        "utm_medium": "email",
        "utm_campaign": campaign,
        "utm_content": product_id,
    }
    told = {name: value for name, value in wanted.items() if value and name not in held}
    parameters = "&".join(part for part in (query, urlencode(told, errors="replace")) if part)
    return f"{path}?{parameters}{mark}{fragment}"
