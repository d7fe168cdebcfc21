"""Routes that answer a plain call themselves, without the framework around them.

They make up the load of a shop: a slate for a customer, beside a product, of what is popular. A
call is plain where the words of its address are, one by one, those of such a route. Everything
else goes through the framework, and to the same code from there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, Protocol, TypeGuard

from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import Scope

ID_WORD: Final = 3  # where ids stand in an address: behind "", "v1" and "customers"


class DirectRoute(Protocol):
    """A route that answers by itself."""

    path_format: str
    param_convertors: Mapping[str, Any]

    async def answer_directly(self, scope: Scope) -> Response | None:
        """Return the answer; None for what the framework has to refuse. Raises Problem."""


class DirectRoutes:
    """Find the direct route of a plain call."""

    def __init__(self, routes: Iterable[BaseRoute]) -> None:
        self._routes: dict[tuple[str, ...], tuple[DirectRoute, str | None]] = {}
        for route in routes:
            if is_direct(route):
                words = route.path_format.split("/")
                name = next(iter(route.param_convertors), None)
                if name is not None:
                    del words[ID_WORD]
                self._routes[(*words, "" if name is None else "id")] = route, name

    def find(self, scope: Scope) -> tuple[DirectRoute, dict[str, str]] | None:
        """Return the route that answers a call and its path parameters; None: it is not plain.

        In a plain path nothing is encoded, and it is not below a prefix or a shop's address.
        """
        is_plain = scope["method"] == "GET" and not scope.get("root_path")
        if not is_plain or b"%" in scope.get("raw_path", b"%"):
            return None
        words = scope["path"].split("/")
        if len(words) > ID_WORD:
            customer_or_product = words.pop(ID_WORD)
            found = self._routes.get((*words, "id"))
            return found and (found[0], {found[1] or "": customer_or_product})
        found = self._routes.get((*words, ""))
        return found and (found[0], {})


def is_direct(route: object) -> TypeGuard[DirectRoute]:
    """Return whether a route answers plain calls by itself."""
    return hasattr(route, "answer_directly")
