"""One call of the service, described: no client and no network is needed to make one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Generic, TypeVar
from urllib.parse import quote

Answer = TypeVar("Answer")
# What may be done twice, as HTTP defines it. A PATCH could undo one that came in between.
REPEATABLE: Final = frozenset({"GET", "PUT", "DELETE"})


@dataclass(frozen=True)
class Call(Generic[Answer]):
    """Describe a call, whose answer is of a type."""

    method: str
    path: str
    options: Mapping[str, object] | None = None  # the query of a GET, else the body
    repeatable: bool = False  # a POST that may be done twice: it reads, or its parts have ids

    @property
    def may_repeat(self) -> bool:
        """Return whether the call may be sent again when nobody knows if it was done."""
        return self.repeatable or self.method in REPEATABLE


def encode(part: str) -> str:
    """Return an id as part of an address. Raises ValueError for an empty one."""
    if not part:
        raise ValueError("an id is empty; an id has 1 to 500 characters")
    # Dots alone would be taken as steps up and down.
    return part.replace(".", "%2E") if part in (".", "..") else quote(part, safe="")
