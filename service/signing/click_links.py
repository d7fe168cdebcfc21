"""Links of mails: signed addresses that count a click and lead to the product.

The token of `/r/` holds when the link ends, the name of the slate's record, the recommendation id,
the product and its address. It does not name the customer.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import Final, Self

from models.data.urls import add_utm_parameters, is_absolute
from service.settings import Settings
from service.signing import recommendation_ids, signature
from service.signing.signature import Purpose

PURPOSE: Final = Purpose(b"regulars click links", 16)
# Seconds since 1970, bytes of the record's name, bytes of the recommendation id.
HEAD: Final = Struct(">IBH")


@dataclass(frozen=True)
class LinkedSlate:
    """A slate whose products a mail links to."""

    recommendation_id: str
    campaign: str | None
    ref: bytes = b""  # names the record of the slate in the store
    expires: int = 0  # when its links end, seconds since 1970; 0: the slate is kept nowhere


@dataclass(frozen=True)
class Click:
    """The content of a link in a mail."""

    url: str  # of the product
    product_id: str
    recommendation_id: str
    expires: int  # seconds since 1970
    ref: bytes = b""  # names the record of the slate in the store; 255 bytes at most


@dataclass(frozen=True)
class ClickLinks:
    """Make and read the links of mails.

    `shop_url`: relative addresses in the catalogue are joined to it, and every click may end there.
    `public_url`: where mails reach this service; without it links lead straight to the shop and are
    not counted.
    """

    secret: bytes
    shop_url: str | None = None
    public_url: str | None = None
    utm_source: str = "regulars"

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Return the links that the settings of a service ask for."""
        return cls(
            settings.signing_secret(),
            settings.shop_url,
            settings.public_url,
            settings.utm_source,
        )

    def click_url(self, url: str | None, product_id: str, slate: LinkedSlate) -> str | None:
        """Return where a product of a mail leads, None if a mail cannot lead to its address.

        The link is signed and counted if `public_url` is set and the slate is kept until `expires`.
        Otherwise it leads straight to the shop.
        """
        if url is None or not is_absolute(url):
            return None
        if self.public_url is None or slate.expires == 0:
            return add_utm_parameters(url, self.utm_source, slate.campaign, product_id)
        click = Click(url, product_id, slate.recommendation_id, slate.expires, slate.ref)
        return f"{self.public_url}/r/{self.sign(click)}"

    def sign(self, click: Click) -> str:
        """Return the token of a link."""
        recommendation_id = signature.decode(click.recommendation_id)
        head = HEAD.pack(click.expires, len(click.ref), len(recommendation_id))
        product = f"{click.url}\n{click.product_id}".encode()
        payload = b"".join((head, click.ref, recommendation_id, product))
        return signature.sign(self.secret, PURPOSE, payload)

    def read(self, token: str, now: int) -> Click | None:
        """Return what a token says, None unless it was signed here and ends after `now`.

        `now`: seconds since 1970.
        """
        payload = signature.verify(self.secret, PURPOSE, token)
        if payload is None or self.public_url is None:
            return None
        expires, ref_bytes, id_bytes = HEAD.unpack_from(payload)
        if now >= expires:
            return None
        ref_end = HEAD.size + ref_bytes
        id_end = ref_end + id_bytes
        url, _, product_id = payload[id_end:].decode().partition("\n")
        recommendation_id = signature.encode(payload[ref_end:id_end])
        return Click(url, product_id, recommendation_id, expires, payload[HEAD.size : ref_end])

    def target(self, click: Click) -> str:
        """Return the address of the product's page, with the slate's campaign as a parameter."""
        slate = recommendation_ids.read(self.secret, click.recommendation_id)
        campaign = slate.campaign if slate else None
        return add_utm_parameters(click.url, self.utm_source, campaign, click.product_id)
