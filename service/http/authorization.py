"""Authorization: the scopes of callers, and the scope that every address asks for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from fastapi import Request
from starlette.routing import BaseRoute

from models.data.events import DAY, ORDER_KINDS, Standing
from service.errors import Forbidden
from service.settings import Settings
from service.store.events import Event
from service.store.quotas import Quota, TokenOwner


class Scope(StrEnum):
    """A kind of calls that a key may make."""

    READ = "read"  # what is recommended
    WRITE = "write"  # events, catalogue, consent, tokens of customers
    ADMIN = "admin"  # everything of the shop
    SHOPS = "shops"  # making and ending other shops, and their settings


@dataclass(frozen=True)
class Access:
    """A description of who may call an address."""

    scope: Scope | None  # None: everyone
    customer: bool = False  # a customer's token opens it too: of customers, that customer alone
    public: bool = False  # everyone may call it of other shops than the main one, too
    feed: bool = False  # the shop may open it to everyone
    slate: bool = False  # over the rate limit it answers with what is popular


@dataclass(frozen=True)
class Caller:
    """A key, or a customer with a token, that sent a request."""

    key_id: str | None  # None: a customer, or nobody needs a key
    scopes: frozenset[Scope]
    calls_a_minute: int | None = None  # None: any number
    is_customer: bool = False
    customer_id: str | None = None  # of the token
    session_id: str | None = None  # of the token
    expires: int | None = None  # of the token, seconds since 1970

    def check(self, access: Access, path: Mapping[str, Any]) -> None:
        """Raise Forbidden unless the caller may call an address. `path`: its path parameters."""
        if self.is_customer:
            if not access.customer:
                raise Forbidden(
                    "A customer's token opens what is recommended to that customer or beside a "
                    "product, and that customer's own events, data and consent, and nothing else."
                )
            if "customer_id" in path and path["customer_id"] != self.customer_id:
                raise Forbidden("This token belongs to another customer.")
        elif access.scope is not None and not self.has(access.scope):
            raise Forbidden(f"This key lacks the scope '{access.scope}'.")

    def has(self, scope: Scope) -> bool:
        """Return whether a key opens what a scope does."""
        is_admin = Scope.ADMIN in self.scopes and scope is not Scope.SHOPS
        return is_admin or scope in self.scopes

    def own_ids(self, customer_id: Any, session_id: Any) -> tuple[Any, Any]:
        """Return the customer and the session of a body, a token's own if the body names none.

        Raises Forbidden if the body names others than the token's.
        """
        if not self.is_customer:
            return customer_id, session_id
        if customer_id not in (None, self.customer_id) or session_id not in (None, self.session_id):
            raise Forbidden(
                "The body names a customer or a session that this token does not belong to."
            )
        return self.customer_id, self.session_id

    def check_campaign(self, campaign: str | None) -> None:
        """Raise Forbidden if a browser names a campaign: its record is the shop's."""
        if self.is_customer and campaign is not None:
            raise Forbidden("Campaigns are the shop's: a customer's token opens none.")

    def order_owner(self, order_id: str | None) -> TokenOwner | None:
        """Return whose an order must be so that the caller may know it, None for anybody's."""
        return None if order_id is None else self._owner()

    def quota(self, settings: Settings, now: int) -> Quota | None:
        """Return what the caller may still have stored today, None for any number."""
        owner = self._owner()
        if owner is None:
            return None
        max_lines, max_bytes = settings.customer_events_a_day, settings.customer_bytes_a_day
        return Quota(owner, max_lines, max_bytes, now)

    def _owner(self) -> TokenOwner | None:
        return TokenOwner(self.customer_id, self.session_id) if self.is_customer else None

    def own_event(self, event: Any) -> Any:
        """Return an event of a body with the customer and the session of a token.

        Event ids of browsers are hashed with their customer, or else with their session, so they
        can take nobody else's. Raises Forbidden if the event names others than the token's.
        """
        if not self.is_customer or not isinstance(event, dict):
            return event
        customer_id, session_id = self.own_ids(event.get("customer_id"), event.get("session_id"))
        event_id = event.get("event_id")
        if isinstance(event_id, str) and event_id:
            event_id = hash_event_id(customer_id, session_id, event_id)
        return {**event, "customer_id": customer_id, "session_id": session_id, "event_id": event_id}

    def attest(self, event: Event, now: int) -> Event:
        """Return an event with the standing that the caller gives it. `now`: seconds since 1970."""
        if not self.is_customer:
            return event
        is_late = event.kind in ORDER_KINDS and event.time < now - DAY
        return replace(event, standing=Standing.LATE if is_late else Standing.CUSTOMER)


def hash_event_id(customer_id: str | None, session_id: str | None, event_id: str) -> str:
    """Return the id under which an event is kept that a browser reports as `event_id`."""
    owner = ["session", session_id] if customer_id is None else ["customer", customer_id]
    full_name = json.dumps([*owner, event_id])
    return hashlib.blake2b(full_name.encode(), digest_size=16).hexdigest()


# In the state of a request: who makes it, where a part of the service does so for them. Nothing
# that comes from outside can put it there.
SIGNED_IN: Final = "signed_in"
# On this machine only, before there is a key.
EVERY_SCOPE: Final = frozenset({Scope.ADMIN, Scope.SHOPS})
LOCAL_CALLER: Final = Caller(None, EVERY_SCOPE)
OPEN: Final = Access(None)
# What a browser or a shop system calls without a key, at the address of any shop
PUBLIC: Final = Access(None, public=True)
READ: Final = Access(Scope.READ)
SLATE: Final = Access(Scope.READ, slate=True)
WRITE: Final = Access(Scope.WRITE)
ADMIN: Final = Access(Scope.ADMIN)
SHOPS: Final = Access(Scope.SHOPS)
CUSTOMER_SLATE: Final = Access(Scope.READ, customer=True, slate=True)

# Every other address is open to admin alone.
POLICY: Final[Mapping[str, Access]] = {
    "GET /": OPEN,
    "GET /healthz": OPEN,
    "GET /readyz": OPEN,
    "GET /docs": OPEN,
    "GET /docs/assets/{path}": OPEN,
    "GET /openapi.json": OPEN,
    "GET /r/{token}": PUBLIC,  # whoever reads a mail
    # The console asks for a key itself, and what it shows it calls with that key's scopes
    "GET /console": PUBLIC,
    "GET /console/{name}": PUBLIC,
    "POST /console/{name}": PUBLIC,
    "GET /v1/customers/{customer_id}/recommendations": CUSTOMER_SLATE,
    "GET /v1/customers/{customer_id}/recommendations.html": CUSTOMER_SLATE,
    "POST /v1/recommendations": CUSTOMER_SLATE,
    "POST /v1/pages": CUSTOMER_SLATE,
    "POST /v1/rankings": CUSTOMER_SLATE,
    "GET /v1/lists/{name}": CUSTOMER_SLATE,
    "GET /v1/customers/{customer_id}/recently-viewed": CUSTOMER_SLATE,
    "POST /v1/recommendations/batch": SLATE,
    "GET /v1/products/{product_id}/similar": CUSTOMER_SLATE,
    "GET /v1/products/{product_id}/bundles": CUSTOMER_SLATE,
    "POST /v1/baskets/bundles": CUSTOMER_SLATE,
    "GET /v1/popular": CUSTOMER_SLATE,
    "GET /v1/feeds/{name}.json": Access(Scope.READ, feed=True, slate=True),
    "GET /v1/orders/{order_id}/follow-up": CUSTOMER_SLATE,
    "GET /v1/customers/{customer_id}/replenishment": Access(Scope.READ, customer=True),
    "GET /v1/customers/{customer_id}/profile": Access(Scope.ADMIN, customer=True),
    "GET /v1/customers/{customer_id}/export": Access(Scope.ADMIN, customer=True),
    "DELETE /v1/customers/{customer_id}": Access(Scope.ADMIN, customer=True),
    "GET /v1/products/{product_id}": READ,
    "GET /v1/products/{product_id}/ratings": READ,
    "GET /v1/campaigns": READ,
    "GET /v1/campaigns/{campaign_id}": READ,
    "PUT /v1/campaigns/{campaign_id}": WRITE,
    "DELETE /v1/campaigns/{campaign_id}": WRITE,
    "GET /v1/blocks": READ,
    "GET /v1/blocks/{name}": READ,
    "PUT /v1/blocks/{name}": WRITE,
    "DELETE /v1/blocks/{name}": WRITE,
    "GET /v1/rules": READ,
    "GET /v1/rules/{rule_id}": READ,
    "GET /v1/bundles": READ,
    "GET /v1/offers": READ,
    "GET /v1/offers/{offer_id}": READ,
    "GET /v1/bundles/{bundle_id}": READ,
    "GET /v1/models": READ,
    "GET /v1/models/{version}": READ,
    "POST /v1/events": Access(Scope.WRITE, customer=True),
    "PUT /v1/customers/{customer_id}/consent": Access(Scope.WRITE, customer=True),
    "PUT /v1/customers/{customer_id}/unused": Access(Scope.WRITE, customer=True),
    "GET /v1/customers/{customer_id}/preferences": Access(Scope.ADMIN, customer=True),
    "PUT /v1/customers/{customer_id}/preferences": Access(Scope.WRITE, customer=True),
    "DELETE /v1/customers/{customer_id}/preferences": Access(Scope.WRITE, customer=True),
    "PUT /v1/products": WRITE,
    "PATCH /v1/products/{product_id}": WRITE,
    "DELETE /v1/products/{product_id}": WRITE,
    "POST /v1/tokens": WRITE,
    "GET /v1/shops": SHOPS,
    "GET /v1/shops/{name}": SHOPS,
    "PUT /v1/shops/{name}": SHOPS,
    "DELETE /v1/shops/{name}": SHOPS,
    "POST /v1/import/{vendor}": PUBLIC,  # the signature is the key, or the route asks for one
}


def find_access(route: BaseRoute, method: str) -> Access:
    """Return who may call a route of the application."""
    path, methods = getattr(route, "path_format", None), getattr(route, "methods", None)
    if methods and method not in methods:
        return OPEN  # the route itself refuses it
    return POLICY.get(f"{'GET' if method == 'HEAD' else method} {path}", ADMIN)


def get_caller(request: Request) -> Caller:
    """Return who sent a request, as the middleware has identified them."""
    caller: Caller = request.scope["state"]["caller"]
    return caller
