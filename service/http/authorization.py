"""Who may do what: the scopes of callers, and the scope that every address asks for."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from fastapi import Request
from starlette.routing import BaseRoute

from service.errors import Forbidden


class Scope(StrEnum):
    READ = "read"  # what is recommended
    WRITE = "write"  # events, catalogue, consent, tokens of customers
    ADMIN = "admin"  # everything


@dataclass(frozen=True)
class Access:
    """What an address asks for."""

    scope: Scope | None  # None: nothing, it is open to everyone
    customer: bool = False  # a customer's token opens it too, for that customer alone
    feed: bool = False  # the shop may open it to everyone
    slate: bool = False  # over the limit of calls it still answers, with what is popular


@dataclass(frozen=True)
class Caller:
    """Who sent a request: a key, or a customer by a token."""

    key_id: str | None  # None: a customer, or nobody was asked
    scopes: frozenset[Scope]
    calls_a_minute: int | None = None  # None: any number
    is_customer: bool = False
    customer_id: str | None = None  # of the token
    session_id: str | None = None  # of the token

    def check(self, access: Access, path: Mapping[str, Any]) -> None:
        """Raises Forbidden unless the caller may call an address, with these parameters in its path."""
        if self.is_customer:
            if not access.customer:
                raise Forbidden(
                    "A customer's token opens that customer's own slate and events, and nothing else."
                )
            if "customer_id" in path and path["customer_id"] != self.customer_id:
                raise Forbidden("This token belongs to another customer.")
        elif access.scope is not None and not self.scopes & {access.scope, Scope.ADMIN}:
            raise Forbidden(f"This key lacks the scope '{access.scope}'.")

    def own_ids(self, customer_id: Any, session_id: Any) -> tuple[Any, Any]:
        """Customer and session of a body: for a token its own where none are named. Raises Forbidden for others'."""
        if not self.is_customer:
            return customer_id, session_id
        if customer_id not in (None, self.customer_id) or session_id not in (None, self.session_id):
            raise Forbidden(
                "The body names a customer or a session that this token does not belong to."
            )
        return self.customer_id, self.session_id

    def check_campaign(self, campaign: str | None) -> None:
        """Raises Forbidden where a browser names a campaign: what mails show is recorded, and it is the shop's."""
        if self.is_customer and campaign is not None:
            raise Forbidden("Campaigns are the shop's: a customer's token opens none.")

    def own_event(self, given: Any) -> Any:
        """An event of a body, likewise. A browser's event ids are a space of their own: it cannot take the shop's."""
        if not self.is_customer or not isinstance(given, dict):
            return given
        customer_id, session_id = self.own_ids(given.get("customer_id"), given.get("session_id"))
        event_id = given.get("event_id")
        if isinstance(event_id, str) and event_id:
            named = f"{customer_id}\n{session_id}\n{event_id}".encode(errors="surrogatepass")
            event_id = hashlib.blake2b(named, digest_size=16).hexdigest()
        return {**given, "customer_id": customer_id, "session_id": session_id, "event_id": event_id}


LOCAL_CALLER: Final = Caller(
    None, frozenset({Scope.ADMIN})
)  # on this machine alone, before there is a key
OPEN: Final = Access(None)
READ: Final = Access(Scope.READ)
SLATE: Final = Access(Scope.READ, slate=True)
WRITE: Final = Access(Scope.WRITE)
ADMIN: Final = Access(Scope.ADMIN)

# What is not here is open to admin alone.
POLICY: Final[Mapping[str, Access]] = {
    "GET /": OPEN,
    "GET /healthz": OPEN,
    "GET /readyz": OPEN,
    "GET /docs": OPEN,
    "GET /docs/assets/{path}": OPEN,
    "GET /openapi.json": OPEN,
    "GET /r/{token}": OPEN,  # whoever reads a mail
    "GET /v1/customers/{customer_id}/recommendations": Access(
        Scope.READ, customer=True, slate=True
    ),
    "GET /v1/customers/{customer_id}/recommendations.html": Access(
        Scope.READ, customer=True, slate=True
    ),
    "POST /v1/recommendations": Access(Scope.READ, customer=True, slate=True),
    "POST /v1/recommendations/batch": SLATE,
    "GET /v1/products/{product_id}/similar": SLATE,
    "GET /v1/products/{product_id}/bundles": SLATE,
    "POST /v1/baskets/bundles": SLATE,
    "GET /v1/popular": SLATE,
    "GET /v1/feeds/{name}.json": Access(Scope.READ, feed=True, slate=True),
    "GET /v1/orders/{order_id}/follow-up": SLATE,
    "GET /v1/customers/{customer_id}/replenishment": Access(Scope.READ, customer=True),
    "GET /v1/customers/{customer_id}/profile": Access(Scope.ADMIN, customer=True),
    "GET /v1/products/{product_id}": READ,
    "GET /v1/products/{product_id}/ratings": READ,
    "GET /v1/campaigns": READ,
    "GET /v1/campaigns/{campaign_id}": READ,
    "PUT /v1/campaigns/{campaign_id}": WRITE,
    "GET /v1/rules": READ,
    "GET /v1/rules/{rule_id}": READ,
    "GET /v1/models": READ,
    "POST /v1/events": Access(Scope.WRITE, customer=True),
    "PUT /v1/customers/{customer_id}/consent": Access(Scope.WRITE, customer=True),
    "PUT /v1/customers/{customer_id}/unused": Access(Scope.WRITE, customer=True),
    "PUT /v1/products": WRITE,
    "PATCH /v1/products/{product_id}": WRITE,
    "POST /v1/tokens": WRITE,
}


def find_access(route: BaseRoute, method: str) -> Access:
    """What a route of the application asks for."""
    path, methods = getattr(route, "path_format", None), getattr(route, "methods", None)
    if methods and method not in methods:
        return OPEN  # the route itself refuses it
    return POLICY.get(f"{'GET' if method == 'HEAD' else method} {path}", ADMIN)


def get_caller(request: Request) -> Caller:
    """Who sent it. The door has put them there; where it has not, there is no answer."""
    caller: Caller = request.state.caller
    return caller
