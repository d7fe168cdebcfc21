"""What an answer is signed with, and where its links lead.

The token of `/r/` is base64url of 16 bytes HMAC-SHA256 and what they sign: when it ends, the name of the slate's
record, the recommendation id, the product and its address. Nothing in it names the customer.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass
from functools import cached_property
from struct import Struct
from typing import Final, Self

from models.data.urls import is_absolute, tagged
from service.settings import Settings
from service.signing import recommendation_ids

PURPOSE: Final = (
    b"regulars click links"  # nothing else that is signed with the secret can be a click
)
SIGNATURE: Final = 16  # bytes of the HMAC that are kept
HEAD: Final = Struct(
    ">IBH"
)  # seconds since 1970, bytes of the record's name, bytes of the recommendation id


@dataclass(frozen=True)
class Click:
    """What a link in a mail says."""

    url: str  # of the product
    product_id: str
    recommendation_id: str
    expires: int  # seconds since 1970
    ref: bytes = b""  # names the record of the slate in the store; 255 bytes at most


@dataclass(frozen=True)
class ClickLinks:
    secret: bytes
    shop_url: str | None = (
        None  # what relative addresses in the catalogue are joined to, and where every click may end
    )
    public_url: str | None = (
        None  # where mails reach this service; None: links lead to the shop and are not counted
    )
    utm_source: str = "regulars"

    @classmethod
    def of(cls, settings: Settings) -> Self:
        return cls(
            settings.signing_secret(), settings.shop_url, settings.public_url, settings.utm_source
        )

    def click_url(
        self,
        url: str | None,
        product_id: str,
        recommendation_id: str,
        campaign: str | None,
        ref: bytes = b"",
        expires: int = 0,
    ) -> str | None:
        """Where a product of a mail leads; None where its address is none that a mail can lead to.

        Signed and counted where `public_url` is set and the slate is kept until `expires`, else straight to the shop.
        """
        if url is None or not is_absolute(url):
            return None
        if self.public_url is None or expires == 0:
            return tagged(url, self.utm_source, campaign, product_id)
        return f"{self.public_url}/r/{self.sign(Click(url, product_id, recommendation_id, expires, ref))}"

    def sign(self, click: Click) -> str:
        slate = _bytes(click.recommendation_id)
        head = HEAD.pack(click.expires, len(click.ref), len(slate))
        payload = b"".join((head, click.ref, slate, f"{click.url}\n{click.product_id}".encode()))
        return _text(self._signature(payload) + payload)

    def read(self, token: str, now: int) -> Click | None:
        """What a token says, None unless it was signed here and has not ended at `now`, seconds since 1970."""
        try:
            signed = _bytes(token)
        except ValueError:
            return None
        payload = signed[SIGNATURE:]
        genuine = hmac.compare_digest(signed[:SIGNATURE], self._signature(payload))
        if (
            not genuine or self.public_url is None or _text(signed) != token
        ):  # the same bytes in another spelling
            return None
        expires, named, slate = HEAD.unpack_from(payload)
        texts = payload[HEAD.size :]
        if now >= expires:
            return None
        url, _, product_id = texts[named + slate :].decode().partition("\n")
        return Click(url, product_id, _text(texts[named : named + slate]), expires, texts[:named])

    def target(self, click: Click) -> str:
        """Where a click leads: the product's page, told where it comes from."""
        slate = recommendation_ids.read(self.secret, click.recommendation_id)
        return tagged(
            click.url, self.utm_source, slate.campaign if slate else None, click.product_id
        )

    @cached_property
    def _keyed(self) -> hmac.HMAC:
        return hmac.new(hmac.digest(self.secret, PURPOSE, hashlib.sha256), digestmod=hashlib.sha256)

    def _signature(self, payload: bytes) -> bytes:
        signing = self._keyed.copy()  # half the time of a new one
        signing.update(payload)
        return signing.digest()[:SIGNATURE]


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    """Raises ValueError."""
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
