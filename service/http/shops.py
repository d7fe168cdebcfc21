"""Which shop of the deployment a request is about.

Its address names it (`/shops/NAME/v1/…`), else its key or its customer token, else it is the main
one. Whatever names it, the key or token has to be of that shop.
"""

from __future__ import annotations

from typing import Final, Protocol

from starlette.types import Scope

from models.artifact.shops import FOLDER
from service.http.authentication import Authentication
from service.http.paths import get_path

SHOPS: Final = f"/{FOLDER}/"  # in front of the name


class AnsweringShop(Protocol):
    """A shop that answers."""

    @property
    def name(self) -> str:
        """Return its name."""

    @property
    def authentication(self) -> Authentication:
        """Return what knows its keys and tokens."""


class ShopVisit(Protocol):
    """A stay of one request in a shop, which is not let go meanwhile."""

    @property
    def shop(self) -> AnsweringShop:
        """Return the shop."""


class OpenShops(Protocol):
    """All shops of the deployment."""

    async def enter(self, name: str) -> ShopVisit:
        """Return a visit, which `leave` has to end. Raises UnknownShopError."""

    def leave(self, visit: ShopVisit) -> None:
        """End a visit."""


class UnknownShopError(Exception):
    """Raised where the deployment has no shop of that name."""


def split_address(scope: Scope) -> tuple[Scope, str | None]:
    """Return the scope of a request below its shop's address, and the name in it, None without."""
    path = get_path(scope)
    if not path.startswith(SHOPS):
        return scope, None
    name, slash, _ = path.removeprefix(SHOPS).partition("/")
    if not slash:
        return scope, None
    return {**scope, "root_path": f"{scope.get('root_path', '')}{SHOPS}{name}"}, name
