"""Sessions of the console: a signed cookie that names a key, and holds no longer than the key.

The cookie is sent to the console alone and opens nothing else: no call of the API reads cookies.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import orjson
from fastapi import Request, Response

from service.errors import Unauthorized
from service.http.api_keys import caller_of
from service.http.authentication import FIRST_CALLER, Authentication
from service.http.authorization import LOCAL_CALLER, Caller
from service.settings import is_loopback, parse_host
from service.signing.signature import Purpose, decode, encode, sign, verify

COOKIE: Final = "regulars_console"
SESSION: Final = Purpose(b"regulars console session", 16)
FORM: Final = Purpose(b"regulars console form", 32)
SECONDS: Final = 8 * 3600
NO_KEY: Final = ""  # the id in sessions while nobody needs a key


@dataclass(frozen=True)
class Session:
    """A session of somebody who may see the console."""

    caller: Caller
    cookie: str
    form_token: str  # in every form, so that no other page can send one
    is_new: bool = False  # the browser has yet to be told of it

    @property
    def needs_key(self) -> bool:
        """Tell whether it was opened with a key."""
        return self.caller is not LOCAL_CALLER


@dataclass(frozen=True)
class Sessions:
    """Open sessions and find them again, for all workers alike."""

    authentication: Authentication
    secret: bytes

    async def find(self, request: Request) -> Session | None:
        """Return the session of a request, None where somebody has to sign in.

        Raises ForeignHost for a page of another host while nobody needs a key.
        """
        text = request.cookies.get(COOKIE, "")
        found = await self._read(text)
        if found is None and await self.authentication.is_open():
            found = self._make(LOCAL_CALLER, NO_KEY, b"", is_new=True)
        if found is not None and not found.needs_key:
            self.authentication.local_access.check(request.headers)
        return found

    async def open(self, request: Request, key: str) -> Session:
        """Return a new session for a key that a request names. Raises Unauthorized."""
        caller = await self.authentication.identify(request.headers, key.strip().encode())
        key_id, key_hash = await self._find_key(caller.key_id or NO_KEY)
        if caller.is_customer or key_hash is None:
            raise Unauthorized("It is no key.")
        return self._make(caller, key_id, key_hash, is_new=True)

    def _make(self, caller: Caller, key_id: str, key_hash: bytes, *, is_new: bool) -> Session:
        payload = orjson.dumps([key_id, int(time.time()) + SECONDS, secrets.token_hex(8)])
        text = sign(self._secret_of(key_hash), SESSION, payload)
        return Session(caller, text, self._form_token(text), is_new)

    async def _read(self, text: str) -> Session | None:
        """Return the session that a cookie names, if it was signed with its key and is not over."""
        try:
            key_id, expires, _ = orjson.loads(decode(text)[SESSION.signature_bytes :])
            _, key_hash = await self._find_key(key_id)
        except (ValueError, TypeError):
            return None
        if key_hash is None or not verify(self._secret_of(key_hash), SESSION, text):
            return None
        if expires < time.time():
            return None
        return Session(await self._caller(key_id), text, self._form_token(text))

    async def _find_key(self, key_id: str) -> tuple[str, bytes | None]:
        """Return the hash of a key that holds, None where it does not."""
        if key_id == NO_KEY:
            return key_id, b"" if await self.authentication.is_open() else None
        if key_id == FIRST_CALLER.key_id:
            return key_id, self.authentication.first_key
        key = await self.authentication.keys.get(str(key_id))
        return key_id, None if key is None else key.hash

    async def _caller(self, key_id: str) -> Caller:
        if key_id == NO_KEY:
            return LOCAL_CALLER
        key = await self.authentication.keys.get(key_id)
        return FIRST_CALLER if key is None else caller_of(key)

    def _secret_of(self, key_hash: bytes) -> bytes:
        """Return the secret of sessions with a key: it ends with the key, and only it makes one."""
        return hmac.digest(self.secret, key_hash, hashlib.sha256)

    def _form_token(self, cookie: str) -> str:
        return encode(hmac.digest(self.secret, FORM.name + cookie.encode(), hashlib.sha256))


def is_own_form(request: Request, session: Session, form_token: str) -> bool:
    """Tell whether a form was sent by a page of this console and of this session."""
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        return False
    return hmac.compare_digest(form_token.encode(), session.form_token.encode())


def set_cookie(request: Request, response: Response, text: str) -> None:
    """Tell the browser of a session. Without a path, the cookie goes to the console alone."""
    host = parse_host(request.headers.get("host", ""))
    is_secure = host is None or not is_loopback(host)
    response.set_cookie(
        COOKIE, text, SECONDS, path=None, httponly=True, samesite="strict", secure=is_secure
    )
