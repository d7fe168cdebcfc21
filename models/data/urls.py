"""Addresses of products and pictures: made absolute, and tagged for the shop's web analytics."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final
from urllib.parse import urlencode, urljoin, urlsplit

# A character that may stand in a page, a mail and a header. Browsers take a backslash for a slash
# and skip line ends.
PLAIN: Final = r"[^\s\x00-\x20\x7f-\x9f\\\"<>^`{|}]"
ABSOLUTE: Final = re.compile(rf"(?i:https?)://[\w.-]+(?::[0-9]+)?(?:[/?#]{PLAIN}*)?")
RELATIVE: Final = re.compile(rf"(?![A-Za-z][A-Za-z0-9+.-]*:|///|[?#]){PLAIN}+")
ESCAPES: Final = str.maketrans({mark: f"%{ord(mark):02X}" for mark in ' "<>^`{|}'})


# Between addresses in one cell
BETWEEN: Final = re.compile(r"""["'\]]*\s*[,;|\s]\s*["']*(?=(?:https?:)?//|/)""", re.IGNORECASE)


def read_address(text: str) -> str | None:
    """Return the address of a page or picture as a shop writes it, None where it is none.

    It is absolute, or begins with `//` (then it is https) or with `/`, the root of the shop. Spaces
    and what may not stand in a link are encoded. Without any of these nobody can tell the name of a
    host from that of a folder.
    """
    address = text.strip().translate(ESCAPES)
    if address.startswith("//"):
        address = f"https:{address}"
    is_from_root = address.startswith("/") and RELATIVE.fullmatch(address) is not None
    return address if is_from_root or is_absolute(address) else None


def split_addresses(text: str) -> list[str]:
    """Return the addresses in a cell that may hold several, one at least."""
    return BETWEEN.split(text.strip().strip("[]\"'"))


def make_absolute(url: str, shop_url: str | None) -> str | None:
    """Return the address of a page or a picture as a mail can use it, None where it is none.

    With the shop's own address the result is absolute https: relative addresses are joined to it,
    and those with `http:` on the shop's own host get the scheme and host of the shop's address.
    Without the shop's address they stay as they are, relative or http.
    """
    return url if url.startswith("https://") and is_absolute(url) else _repair(url, shop_url)


@lru_cache(maxsize=65_536)
def _repair(url: str, shop_url: str | None) -> str | None:
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
    return plain if plain[:8].lower() == "https://" else _on_shop_host(plain, shop_url)


def _on_shop_host(url: str, shop_url: str) -> str | None:
    parts, shop = urlsplit(url), urlsplit(shop_url)
    if parts.netloc.lower().removesuffix(":80") != shop.netloc.lower().removesuffix(":80"):
        return None
    return parts._replace(scheme=shop.scheme, netloc=shop.netloc).geturl()


def is_absolute(url: str) -> bool:
    """Tell whether an address is http or https with a host, and may stand in a link as it is."""
    return ABSOLUTE.fullmatch(url) is not None


def add_utm_parameters(url: str, source: str, campaign: str | None, product_id: str) -> str:
    """Return an address with utm parameters; those that it has already stay as they are."""
    page, mark, fragment = url.partition("#")
    path, _, query = page.partition("?")
    present = {parameter.partition("=")[0] for parameter in query.split("&")}
    utm = {
        "utm_source": source,
        "utm_medium": "email",
        "utm_campaign": campaign,
        "utm_content": product_id,
    }
    added = {name: value for name, value in utm.items() if value and name not in present}
    parameters = "&".join(filter(None, (query, urlencode(added, errors="replace"))))
    return f"{path}?{parameters}{mark}{fragment}"
