"""All shops of a deployment, of which a process holds some open."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Final

from models.artifact.shops import MAIN
from service.errors import StoreUnavailable
from service.http.shops import AnsweringShop, ShopVisit, UnknownShopError
from service.runtime.logs import current_shop
from service.shops.shop import Shop
from service.store import shops as table
from service.store.change_counters import KEYS
from service.store.database import StoreDownError
from service.store.following import Following
from service.store.shops import ShopRecord

OpenShop = Callable[[ShopRecord], AbstractAsyncContextManager[Shop]]
log: Final = logging.getLogger("regulars.shops")


class _Stay:
    """A shop while it is open in this process: from its first visit until it is let go.

    One task opens and closes it, whoever asked for it first.
    """

    def __init__(self, record: ShopRecord, opening: AbstractAsyncContextManager[Shop]) -> None:
        self.record = record
        self.visits = 0
        self.shop: asyncio.Future[Shop] = asyncio.get_running_loop().create_future()
        self._opening = opening
        self._is_over = False
        self._may_close = asyncio.Event()
        self.task = asyncio.create_task(self._run())

    def leave(self) -> None:
        """End a visit."""
        self.visits -= 1
        self._close_unvisited()

    def end(self) -> None:
        """Have the shop closed as soon as nobody visits it."""
        self._is_over = True
        self._close_unvisited()

    def _close_unvisited(self) -> None:
        if self._is_over and self.visits == 0:
            self._may_close.set()

    async def _run(self) -> None:
        current_shop.set(self.record.name)  # of this task, and of those that it starts
        try:
            async with self._opening as shop:
                self.shop.set_result(shop)
                await self._may_close.wait()
        except Exception as error:
            log.exception("shop %s", self.record.name)
            if not self.shop.done():
                self.shop.set_exception(error)
                self.shop.exception()  # whoever waits meets it; nobody may
        except asyncio.CancelledError:
            self.shop.cancel()
            raise


class ShopStay:
    """A stay of one request in a shop."""

    def __init__(self, shop: Shop, stay: _Stay | None) -> None:
        self.shop = shop
        self.stay = stay  # None: the main shop, which is never let go


class Shops:
    """The main shop and the others, which are opened when they are asked for.

    At most `limit` others are open. For one more, the one that nobody has asked for longest is let
    go, once no request is in it.
    """

    def __init__(self, main: Shop, open_shop: OpenShop, limit: int) -> None:
        self.main = main
        self._visit_to_main = ShopStay(main, None)
        self._open_shop = open_shop
        self._limit = limit
        self._records = Following(main.responder.store, KEYS, table.list_all, "shops")
        self._stays: OrderedDict[str, _Stay] = OrderedDict()  # the one asked for last comes last
        self._closing: set[asyncio.Task[None]] = set()
        self.when_let_go: Callable[[str], None] = _tell_nobody  # is given the name of each shop

    async def enter(self, name: str) -> ShopStay:
        """Return a visit to a shop, opened for it where it is not.

        Raises UnknownShopError, and StoreUnavailable where the shop cannot be opened now.
        """
        if name == MAIN:
            return self._visit_to_main
        record = (await self.list_others()).get(name)
        if record is None or record.ending is not None:
            raise UnknownShopError
        stay = self._stay_in(record)
        stay.visits += 1
        try:
            return ShopStay(await asyncio.shield(stay.shop), stay)
        except asyncio.CancelledError:
            stay.leave()
            raise
        except Exception:  # it was logged, and the next visit tries again
            stay.leave()
            if self._stays.get(name) is stay:
                self._let_go(name)
            raise StoreUnavailable from None

    def leave(self, visit: ShopVisit) -> None:
        """End a visit."""
        if isinstance(visit, ShopStay) and visit.stay is not None:
            visit.stay.leave()

    def is_answering(self, shop: AnsweringShop) -> bool:
        """Return whether another shop than the main one is open as it was, and still to answer.

        Where that is not known without a look into the store, it is not. Who asks keeps it open.
        """
        stay = self._stays.get(shop.name)
        if stay is None or not self._records.is_current:
            return False
        self._stays.move_to_end(shop.name)
        return stay.shop.done() and stay.shop.exception() is None and stay.shop.result() is shop

    async def list_others(self) -> Mapping[str, ShopRecord]:
        """Return every other shop by name. Raises StoreUnavailable."""
        try:
            return await self._records.current()
        except StoreDownError:
            raise StoreUnavailable from None

    @property
    def open_names(self) -> frozenset[str]:
        """Return the names of the others that are open in this process."""
        return frozenset(self._stays)

    async def watch(self, seconds: float) -> None:
        """Let go of shops that were ended or changed, again and again until cancelled."""
        while True:
            await asyncio.sleep(seconds)
            if not self._stays:
                continue
            try:
                records = await self._records.current()
            except StoreDownError:
                continue
            for name, stay in list(self._stays.items()):
                if records.get(name) != stay.record:
                    self._let_go(name)

    async def let_go(self, name: str) -> None:
        """Close a shop in this process, once nobody visits it any more."""
        stay = self._stays.get(name)
        if stay is not None:
            self._let_go(name)
            await asyncio.wait([stay.task])

    async def close(self) -> None:
        """Close every shop but the main one."""
        for name in list(self._stays):
            self._let_go(name)
        await asyncio.gather(*self._closing, return_exceptions=True)

    def _stay_in(self, record: ShopRecord) -> _Stay:
        stay = self._stays.get(record.name)
        if stay is not None and stay.record != record:
            self._let_go(record.name)
            stay = None
        if stay is None:
            self._make_room()
            stay = self._stays[record.name] = _Stay(record, self._open_shop(record))
        self._stays.move_to_end(record.name)
        return stay

    def _make_room(self) -> None:
        """Let go of shops until one more is within the limit, or all are visited."""
        unvisited = [name for name, stay in self._stays.items() if stay.visits == 0]
        for name in unvisited[: max(len(self._stays) + 1 - self._limit, 0)]:
            self._let_go(name)

    def _let_go(self, name: str) -> None:
        stay = self._stays.pop(name, None)
        if stay is not None:
            self.when_let_go(name)
            stay.end()
            self._closing.add(stay.task)
            stay.task.add_done_callback(self._closing.discard)


def _tell_nobody(_name: str) -> None:
    """Do nothing."""
