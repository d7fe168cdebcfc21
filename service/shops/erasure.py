"""Erasure of the whole shop, wherever the service keeps something of it, with a receipt."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any, Final

from redis.exceptions import RedisError

from models.artifact.registry import Registry
from models.artifact.reports import REPORTS
from models.data.timestamps import format_timestamp
from service.cache.redis import delete_answers
from service.settings import Settings
from service.store.shop_erasure import count_rows, erase_shop, read_requests
from service.store.store import Store

NOT_YET: Final = (
    "Nothing was erased. 'regulars erase-shop --yes' erases all of it, for ever: stop every "
    "service and training of this shop before, and keep a copy of what you must keep by law."
)
ERASED_TEXT: Final = (
    "Erased for ever. A service that still runs holds its model in memory until it is stopped. "
    "Kept are API keys, and hashes of customers who were erased or said no before, so that it "
    "holds where a copy is restored. "
    "Not here, and yours to erase: files that were read for training, exports, logs, copies of "
    "the store."
)
NO_REDIS: Final = (
    " Redis did not answer: cached answers in it are used by nobody, and end after {} seconds."
)


def describe_everything(settings: Settings, store: Store) -> dict[str, Any]:
    """Return what is kept of the shop, and who asked for its erasure. Raises StoreDownError."""
    registry = Registry(settings.registry)
    return {
        "asked": _asked(store),
        "store": store.read(count_rows),
        "versions": registry.names(),
        "reports": _count_reports(registry),
        "text": NOT_YET,
    }


def erase_everything(settings: Settings, store: Store, actor: str, now: int) -> dict[str, Any]:
    """Erase what is kept of the shop; return the receipt. Raises StoreDownError and OSError.

    The store comes last: where something before it fails, the request to erase is still there.
    """
    registry = Registry(settings.registry)
    asked, reports = _asked(store), _count_reports(registry)
    versions = registry.erase()
    cached_answers, text = None, ERASED_TEXT
    if settings.redis_url is not None:
        try:
            cached_answers = asyncio.run(delete_answers(settings.redis_url.get_secret_value()))
        except (RedisError, OSError):
            text += NO_REDIS.format(settings.cache_ttl_seconds)
    counts = store.write(partial(erase_shop, actor=actor, time=now)).result()
    return {
        "asked": asked,
        "erased": format_timestamp(now),
        "store": counts,
        "versions": versions,
        "reports": reports,
        "cached_answers": cached_answers,
        "text": text,
    }


def _asked(store: Store) -> dict[str, str]:
    return {shop: format_timestamp(time) for shop, time in store.read(read_requests).items()}


def _count_reports(registry: Registry) -> int:
    return sum(1 for _ in registry.root.glob(f"{REPORTS}/*"))
