"""Signed recommendation ids: a description of a slate that can travel in a link."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

import orjson

from service.signing import signature
from service.signing.signature import Purpose

PURPOSE: Final = Purpose(b"", 12)
DIGEST_BYTES: Final = 8


@dataclass(frozen=True)
class RecommendationId:
    """A slate without its customer, so that equal slates have equal ids."""

    model_version: str
    placement: str | None
    campaign: str | None
    content: bytes  # digest of the products, their order and their reasons
    variant: tuple[str, str] | None = None  # the experiment and its variant


def digest_slate(lines: list[str]) -> bytes:
    """Return the digest of the lines that describe a slate's products in their order."""
    return hashlib.blake2b(orjson.dumps(lines), digest_size=DIGEST_BYTES).digest()


def sign(secret: bytes, slate: RecommendationId) -> str:
    """Return the id as text. Its payload is the digest of the content, then the rest as JSON."""
    facts = [slate.model_version, slate.placement, slate.campaign, *(slate.variant or ())]
    return signature.sign(secret, PURPOSE, slate.content + orjson.dumps(facts))


def read(secret: bytes, text: str) -> RecommendationId | None:
    """Return what an id says, None if it was not signed with this secret."""
    payload = signature.verify(secret, PURPOSE, text)
    if payload is None:
        return None
    model_version, placement, campaign, *names = orjson.loads(payload[DIGEST_BYTES:])
    variant = (names[0], names[1]) if names else None
    return RecommendationId(model_version, placement, campaign, payload[:DIGEST_BYTES], variant)


def is_signed(secret: bytes, text: str) -> bool:
    """Return whether a text is an id that was signed with this secret."""
    return signature.verify(secret, PURPOSE, text) is not None
