"""Compute the slates of batches on all workers of a service, each with the others' help."""

from __future__ import annotations

import asyncio
import contextlib
import pickle
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from service.answering.query import RecommendationQuery
from service.runtime.logs import current_shop
from service.runtime.peers import Peer, PeerGoneError, find_peers, listening
from service.settings import Settings
from service.shops.shop import Shop
from service.shops.shops import Shops

FEWEST_PENDING: Final = 16  # answers of a call: computed, or waiting until those before are sent
NOT_HERE: Final = b""  # the answer of a worker that has none; no slate is so short


@contextlib.asynccontextmanager
async def open_batches(
    shops: Shops, settings: Settings, own: Path | None
) -> AsyncIterator[BatchPool]:
    """Compute slates of batches, here and for other workers. `own`: see BatchPool."""
    pool = BatchPool(shops, max(1, settings.thread_count() - 1), own)
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(pool.close)
        if own is not None:
            await stack.enter_async_context(listening(own, pool.answer_peer))
        yield pool


class BatchPool:
    """The slates that all batches of this process compute at once, here and in other workers.

    In no worker are they more than its threads but one, whoever asks: a single slate waits for one
    of a batch at most, or has a thread of its own.
    """

    def __init__(self, shops: Shops, slots: int, own: Path | None) -> None:
        """Make a pool. `own`: the socket of this worker, None where there are no others."""
        self._shops = shops
        self._slots = slots
        self._own = own
        self._running = asyncio.Semaphore(slots)
        self._places: asyncio.Queue[Peer | None] = asyncio.Queue()  # None: in this process
        self._peers: dict[Path, list[Peer]] = {}
        for _ in range(slots):
            self._places.put_nowait(None)

    @property
    def pending_answers(self) -> int:
        """Return how many answers of one call may be computed, or wait to be sent."""
        return max(FEWEST_PENDING, 2 * self._slots * (1 + len(self._peers)))

    async def respond(self, shop: Shop, query: RecommendationQuery, *, limited: bool) -> bytes:
        """Return the body of an answer, from whichever worker has a thread for it first.

        Raises Problem.
        """
        place = await self._places.get()
        try:
            if place is not None:
                with contextlib.suppress(PeerGoneError):
                    body = await place.ask(pickle.dumps((shop.name, query, limited)))
                    if body != NOT_HERE:
                        return body
            return await self._respond_here(shop, query, limited=limited)
        finally:
            self._places.put_nowait(place)

    def look_for_peers(self) -> None:
        """Count on the workers that have come since the last look, too."""
        for path in find_peers(self._own) if self._own else ():
            if path not in self._peers:
                self._peers[path] = [Peer(path) for _ in range(self._slots)]
                for peer in self._peers[path]:
                    self._places.put_nowait(peer)

    async def answer_peer(self, message: bytes) -> bytes:
        """Return the body that another worker asks for, or NOT_HERE.

        Why it is not is found again, and told, by the worker that has asked.
        """
        # Only processes of this user reach the socket
        name, query, limited = pickle.loads(message)  # noqa: S301
        current_shop.set(name)
        try:
            visit = await self._shops.enter(name)
            try:
                return await self._respond_here(visit.shop, query, limited=limited)
            finally:
                self._shops.leave(visit)
        except Exception:
            return NOT_HERE

    async def _respond_here(
        self, shop: Shop, query: RecommendationQuery, *, limited: bool
    ) -> bytes:
        async with self._running:
            served = await shop.responder.respond(query, limited=limited)
        shop.responder.note_delivery(served)
        return served.body

    def close(self) -> None:
        for peers in self._peers.values():
            for peer in peers:
                peer.close()
