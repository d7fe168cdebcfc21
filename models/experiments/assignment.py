"""Assignment of customers and sessions to parts of an experiment: a pure function of an id.

Nothing is stored, so every worker, every host, training and a client of the service find the same.
`docs/experiments.md` says the function in words, for clients.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from itertools import accumulate
from typing import Final

# Parts of all ids; shares are whole numbers of them, so no sum of fractions decides anything.
BUCKETS: Final = 10_000
HASHED_DIGITS: Final = 8  # of the hexadecimal digest


def derive_key(secret: bytes, use: str) -> bytes:
    """Return the key of one use of the shop's secret: who knows it knows no other key.

    Uses are "holdout", "layer NAME" and "variants NAME": whoever is in one part of one of them
    may be in any part of the others.
    """
    return hmac.digest(secret, use.encode(), "sha256")


def bucket_of(key: bytes, subject: str) -> int:
    """Return the bucket of an id, 0 to 9,999.

    floor(x · 10,000 / 2^32), where x is the number in the first 8 hexadecimal digits of
    HMAC-SHA256(key, id in UTF-8).
    """
    digest = hmac.digest(key, subject.encode(errors="surrogatepass"), "sha256")
    number = int.from_bytes(digest[: HASHED_DIGITS // 2], "big")
    return number * BUCKETS >> 4 * HASHED_DIGITS


def part_of(bucket: int, shares: Sequence[int]) -> int:
    """Return which of consecutive parts of the buckets holds one. `shares`: in buckets, all."""
    for part, end in enumerate(accumulate(shares)):
        if bucket < end:
            return part
    raise ValueError(f"bucket {bucket} of shares {shares}")
