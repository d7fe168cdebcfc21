"""Making and ending shops, for the API and the command line alike."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from sqlalchemy import text

from models.artifact.locks import lock_directory
from models.artifact.shops import FOLDER, registry_of, schema_of
from service.http.api_keys import create_key
from service.http.authorization import Scope
from service.settings import Settings
from service.shops.erasure import erase_everything
from service.shops.shop_settings import settings_of, signing_key_of
from service.store import keys as key_table
from service.store import shops as table
from service.store.database import connect, lift_time_limits, migrate, writing
from service.store.shops import ShopRecord
from service.store.store import Store

EVERY_SCOPE_OF_A_SHOP: Final = (Scope.ADMIN,)
FIRST_KEY: Final = "made with the shop"
GONE_TEXT: Final = (
    "Everything of the shop is gone: its store with its keys, its models and its reports. Not "
    "here, and yours to erase: files that were read for training, exports, logs, copies of the "
    "store."
)


@dataclass(frozen=True)
class MadeShop:
    """A shop that was made or changed."""

    record: ShopRecord
    key: str | None  # its first key, None where it has one
    signing_key: str


def make_shop(
    deployment: Settings, store: Store, name: str, own: Mapping[str, Any], *, time: int, actor: str
) -> MadeShop:
    """Make a shop with its registry, store and first key, or replace its settings.

    `store`: that of the main shop. What was begun and not finished is finished the next time.
    Raises StoreDownError, and OSError where the registry cannot be made.
    """
    put = partial(table.put, name=name, settings=own, time=time, actor=actor)
    with _one_at_a_time(deployment):
        return _finish_making(store.write(put).result(), deployment, time, actor)


@contextmanager
def _one_at_a_time(deployment: Settings) -> Iterator[None]:
    """Hold the lock of whoever makes or ends a shop on this host."""
    folder = deployment.registry / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    with lock_directory(folder):
        yield


def _finish_making(record: ShopRecord, deployment: Settings, time: int, actor: str) -> MadeShop:
    if record.ending is not None:
        return MadeShop(record, None, "")
    settings = settings_of(record, deployment)
    prepare_shop(record.name, settings)
    key = create_key(FIRST_KEY, EVERY_SCOPE_OF_A_SHOP, None, time, shop=record.name)
    with opened_store(settings) as own_store:
        if own_store.read(key_table.list_all):
            return MadeShop(record, None, signing_key_of(record, deployment))
        own_store.write(partial(key_table.add, key=key.stored, actor=actor)).result()
    return MadeShop(record, key.text, signing_key_of(record, deployment))


def prepare_shop(name: str, settings: Settings) -> None:
    """Make what a shop lives in where it is not there, of this version. Raises StoreDownError.

    `settings`: of the shop.
    """
    settings.registry.mkdir(parents=True, exist_ok=True)
    engine = connect(settings.store_url())
    try:
        if engine.dialect.name == "postgresql":
            with writing(engine) as connection:
                connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {schema_of(name)}"))
        migrate(engine)
    finally:
        engine.dispose()


def end_shop(
    deployment: Settings, store: Store, record: ShopRecord, *, time: int, actor: str
) -> dict[str, Any] | None:
    """Erase everything of a shop that answers no more; return the receipt.

    `store`: that of the main shop. Where it fails the shop stays on the list, to be ended again;
    None where somebody else has ended it meanwhile. Raises StoreDownError and OSError.
    """
    with _one_at_a_time(deployment):
        listed = store.read(table.list_all).get(record.name)
        if listed is None or listed.secret != record.secret:
            return None
        return _erase(deployment, store, record, time=time, actor=actor)


def _erase(
    deployment: Settings, store: Store, record: ShopRecord, *, time: int, actor: str
) -> dict[str, Any]:
    settings = settings_of(record, deployment)
    prepare_shop(record.name, settings)
    with opened_store(settings) as own_store:
        receipt = erase_everything(settings, own_store, actor, time)
        own_store.forget_shared()
    if not settings.store_url().startswith("sqlite"):
        _drop_schema(record.name, settings)
    shutil.rmtree(registry_of(record.name, deployment.registry))
    store.write(partial(table.remove, name=record.name, time=time, actor=actor)).result()
    kept = ("store", "versions", "reports")
    return {
        "name": record.name,
        "ended": receipt["erased"],
        **{name: receipt[name] for name in kept},
        "text": GONE_TEXT,
    }


def _drop_schema(name: str, settings: Settings) -> None:
    engine = connect(settings.store_url())
    try:
        with writing(engine) as connection:
            lift_time_limits(connection)
            connection.execute(text(f"DROP SCHEMA {schema_of(name)} CASCADE"))
    finally:
        engine.dispose()


@contextmanager
def opened_store(settings: Settings) -> Iterator[Store]:
    """Open a store for one piece of work."""
    refusals = settings.refusals_directory()
    store = Store(settings.store_url(), settings.runtime_directory(), refusals=refusals)
    try:
        yield store
    finally:
        store.close()
