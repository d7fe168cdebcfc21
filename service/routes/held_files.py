"""Files that are sent from memory: no disk and no thread for whoever asks, or never reads."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from fastapi import Request, Response
from fastapi.responses import StreamingResponse

from service.routes.responses import matches_etag

PIECE_BYTES: Final = 65_536  # of a file that wait for one reader


@dataclass(frozen=True)
class HeldFile:
    """Hold a file in memory."""

    body: bytes
    media_type: str
    etag: str

    @classmethod
    def of(cls, body: bytes, media_type: str) -> HeldFile:
        """Return a file of these bytes."""
        digest = hashlib.blake2b(body, digest_size=16).hexdigest()
        return cls(body, media_type, f'"{digest}"')

    def answer(self, request: Request) -> Response:
        """Return the file piece by piece, or a 304 where the caller has it already."""
        headers = {"ETag": self.etag, "Cache-Control": "no-cache"}
        if matches_etag(request.headers.get("if-none-match"), self.etag):
            return Response(status_code=304, headers=headers)
        headers |= {"Content-Length": str(len(self.body)), "X-Content-Type-Options": "nosniff"}
        return StreamingResponse(self._pieces(), headers=headers, media_type=self.media_type)

    async def _pieces(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self.body), PIECE_BYTES):
            yield self.body[start : start + PIECE_BYTES]
