"""Pages of lists: at most `limit` entries, and a cursor for those after them.

A cursor holds the place of the last entry in the order of its list, not the entry itself: it leads
on from there, whatever was deleted or added since.
"""

from __future__ import annotations

import base64
import operator
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Generic, TypeVar

import orjson
from pydantic import Field

from service.errors import Invalid
from service.schemas.base import ParameterModel
from service.schemas.parameters import WHOLE_NUMBER

T = TypeVar("T")
Place = tuple[Any, ...]  # texts and whole numbers by which a list is sorted
MAX_LIMIT: Final = 1000
MAX_CURSOR_CHARACTERS: Final = 4000
MAX_NUMBER: Final = 2**62  # in a place
NO_CURSOR: Final = "is not the `next` of a page of this list; begin again without it"
CURSOR_EXAMPLE: Final = "WyJuby1taWxrIl0"

Next = Annotated[
    str | None,
    Field(
        description="Send it as `after` for the next page. Null on the last one.",
        examples=[CURSOR_EXAMPLE],
    ),
]


class PagingOptions(ParameterModel):
    """A page of a list."""

    limit: Annotated[
        int,
        Field(ge=1, le=MAX_LIMIT, description="Most entries in the answer.", examples=[100]),
        WHOLE_NUMBER,
    ] = 100
    after: Annotated[
        str | None,
        Field(
            max_length=MAX_CURSOR_CHARACTERS,
            description="The `next` of the page before this one, as it came. Empty for the first.",
            examples=[""],
        ),
    ] = None


@dataclass(frozen=True)
class Page(Generic[T]):
    """Hold the entries of a page, and the cursor of the next one, if there is one."""

    entries: list[T]
    next: str | None


@dataclass(frozen=True)
class Listing(Generic[T]):
    """A list that is answered in pages, sorted by the place of each entry."""

    place_of: Callable[[T], Place]
    types: tuple[type, ...]  # of the parts of a place
    newest_first: bool = False  # the largest place comes first

    def read_place(self, options: PagingOptions) -> Place | None:
        """Return the place after which a page begins, None for the first one. Raises Invalid."""
        if options.after is None:
            return None
        try:
            padded = options.after + "=" * (-len(options.after) % 4)
            parts = orjson.loads(base64.b64decode(padded, b"-_", validate=True))
        except ValueError:
            parts = None
        if not isinstance(parts, list) or not self._is_place(parts):
            raise Invalid(f"after: {NO_CURSOR}", errors=[{"field": "after", "problem": NO_CURSOR}])
        return tuple(parts)

    def _is_place(self, parts: Sequence[Any]) -> bool:
        """Return whether a list holds what the store can compare with its own places."""
        if tuple(map(type, parts)) != self.types:
            return False
        return all(
            "\0" not in part if isinstance(part, str) else abs(part) <= MAX_NUMBER for part in parts
        )

    def cut(self, following: Sequence[T], options: PagingOptions) -> Page[T]:
        """Return the page that begins a list; `following` holds one entry more, if there is one."""
        entries = list(following[: options.limit])
        is_last = len(following) <= options.limit
        return Page(entries, None if is_last else self.write_cursor(self.place_of(entries[-1])))

    def write_cursor(self, place: Place) -> str:
        """Return the cursor that leads on from a place."""
        return base64.urlsafe_b64encode(orjson.dumps(place)).rstrip(b"=").decode()

    def page(self, entries: Iterable[T], options: PagingOptions) -> Page[T]:
        """Return a page of a list that is held as a whole, in any order. Raises Invalid."""
        place = self.read_place(options)
        following = sorted(entries, key=self.place_of, reverse=self.newest_first)
        if place is not None:
            follows = operator.lt if self.newest_first else operator.gt
            following = [entry for entry in following if follows(self.place_of(entry), place)]
        return self.cut(following, options)


BY_ID: Final[Listing[Any]] = Listing(lambda document: (document["id"],), (str,))
