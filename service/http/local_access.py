"""Hosts and origins that may call while the service asks nobody for a key.

A page of any origin can send requests to this machine, and a foreign name can be made to lead here
(DNS rebinding). Both show in the headers Host and Origin, which a page cannot set.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from starlette.datastructures import Headers

from service.errors import ForeignHost
from service.settings import Settings, is_loopback, parse_host


@dataclass(frozen=True)
class LocalAccess:
    """Hold the hosts and origins that may call beside this machine's own."""

    allowed_hosts: frozenset[str]
    allowed_origins: frozenset[str]

    @classmethod
    def from_settings(cls, settings: Settings) -> LocalAccess:
        """Return the hosts of the settings, and the origins whose pages may call."""
        return cls(frozenset(settings.hosts()), frozenset(settings.origins()))

    def check(self, headers: Headers) -> None:
        """Raise ForeignHost if a request names another host, or comes from a page of one.

        A request without these headers does not come from a browser.
        """
        if not all(map(self._is_allowed, headers.getlist("host"))):
            raise ForeignHost("Host")
        for origin in headers.getlist("origin"):
            scheme, _, host = origin.partition("://")
            is_web = scheme in ("http", "https")
            if origin not in self.allowed_origins and not (is_web and self._is_allowed(host)):
                raise ForeignHost("Origin")

    def _is_allowed(self, text: str) -> bool:
        host, is_own = _read_host(text)
        return is_own or host in self.allowed_hosts


@lru_cache(maxsize=128)  # the same few are named again and again
def _read_host(text: str) -> tuple[str | None, bool]:
    """Return the host of a header, None if it is none, and whether it is this machine only."""
    host = parse_host(text)
    return host, host is not None and is_loopback(host)
