"""Keys are shown once, stored as hashes, and known to every worker as soon as they change."""

import asyncio
import time
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import select, text

from service.errors import StoreUnavailable
from service.http.api_keys import ApiKeys, NewKey, create_key
from service.http.authorization import Scope
from service.store import audit
from service.store import keys as table
from service.store.store import Store
from service.store.tables import keys

pytestmark = pytest.mark.slow


def make_key(store: Store, *scopes: Scope, calls_a_minute: int | None = None) -> NewKey:
    key = create_key("the mailer", scopes or (Scope.READ,), calls_a_minute, 1_800_000_000)
    store.write(partial(table.add, key=key.stored, actor="test")).result()
    return key


def revoke(store: Store, key_id: str) -> bool:
    return store.write(
        partial(table.revoke, key_id=key_id, actor="test", time=1_800_000_100)
    ).result()


def test_a_key_opens_what_it_was_made_for(store: Store) -> None:
    key = make_key(store, Scope.WRITE, Scope.READ, calls_a_minute=60)
    caller = asyncio.run(ApiKeys(store).find(key.text.encode()))
    assert caller is not None
    assert (caller.key_id, caller.scopes, caller.calls_a_minute) == (
        key.stored.key_id,
        {"read", "write"},
        60,
    )


def test_no_two_keys_are_alike(store: Store) -> None:
    texts = [create_key("n", [Scope.READ], None, 0).text for _ in range(100)]
    _, key_ids, secrets = zip(*(text.split("_", 2) for text in texts), strict=True)
    assert len(set(key_ids)) == len(set(secrets)) == 100
    assert {len(secret) for secret in secrets} == {43}


def test_a_key_that_is_nearly_right_opens_nothing(store: Store) -> None:
    text = make_key(store).text
    api_keys = ApiKeys(store)
    changed = [text[:index] + "~" + text[index + 1 :] for index in range(len(text))]
    changed += [text[:-1], text + "x", text.upper(), text.replace("_", "-")]

    async def find_all() -> None:
        for wrong in (*changed, "", "regulars__", "regulars", "é"):
            assert await api_keys.find(wrong.encode()) is None
        assert await api_keys.find(text.encode()) is not None

    asyncio.run(find_all())


def test_the_store_does_not_hold_the_key(store: Store) -> None:
    _, key_id, secret = make_key(store).text.split("_", 2)
    rows = store.read(
        lambda connection: [
            *connection.execute(select(keys)),
            *audit.list_newest(connection, 9, None),
        ]
    )
    assert key_id in str(rows)
    assert secret not in str(rows)


def test_a_revoked_key_is_refused_in_the_next_call_of_every_worker(
    store: Store, store_url: str, tmp_path: Path
) -> None:
    other = Store(store_url, tmp_path / "run")

    async def work() -> None:
        first, second = ApiKeys(store), ApiKeys(other)
        for _ in range(50):
            key = make_key(store)
            credentials = key.text.encode()
            assert await first.find(credentials)
            assert await second.find(credentials)
            assert await asyncio.to_thread(revoke, store, key.stored.key_id)
            assert await second.find(credentials) is None
            assert await first.find(credentials) is None

    try:
        asyncio.run(work())
    finally:
        other.close()


def test_calls_at_once_read_the_table_once_and_all_see_it(store: Store) -> None:
    credentials = make_key(store).text.encode()
    api_keys = ApiKeys(store)

    async def all_at_once() -> list[object]:
        return await asyncio.gather(*(api_keys.find(credentials) for _ in range(100)))

    assert None not in asyncio.run(all_at_once())


def test_revoking_the_last_key_does_not_open_the_door(store: Store) -> None:
    async def work() -> None:
        api_keys = ApiKeys(store)
        assert not await api_keys.exist()
        key = make_key(store)
        assert await api_keys.exist()
        revoke(store, key.stored.key_id)
        assert await api_keys.exist()

    asyncio.run(work())


def test_what_nobody_made_cannot_be_revoked_and_twice_changes_nothing(store: Store) -> None:
    key = make_key(store)
    assert not revoke(store, "nobody")
    assert revoke(store, key.stored.key_id)
    assert revoke(store, key.stored.key_id)
    (listed,) = store.read(table.list_all)
    assert (listed.name, listed.scopes, listed.revoked) == ("the mailer", ("read",), 1_800_000_100)
    noted = store.read(partial(audit.list_newest, limit=10, below=None))
    assert [(note["action"], note["subject"]) for note in noted] == [
        ("key revoked", key.stored.key_id),
        ("key created", key.stored.key_id),
    ]
    assert key.text.rpartition("_")[2] not in str(noted)


def test_while_the_store_is_away_the_keys_that_were_known_hold(store: Store) -> None:
    credentials = make_key(store).text.encode()
    api_keys = ApiKeys(store)

    async def work() -> None:
        assert await api_keys.find(credentials)
        make_key(store)  # keys have changed, and now the table cannot be read
        store.write(
            lambda change: change.connection.execute(text("ALTER TABLE keys RENAME TO gone"))
        ).result()
        started = time.monotonic()
        assert await api_keys.find(credentials)
        assert await api_keys.find(credentials)
        assert time.monotonic() - started < 1

    asyncio.run(work())


def test_while_it_is_not_known_whether_there_are_keys_the_door_is_closed(store: Store) -> None:
    store.write(
        lambda change: change.connection.execute(text("ALTER TABLE keys RENAME TO gone"))
    ).result()
    with pytest.raises(StoreUnavailable):
        asyncio.run(ApiKeys(store).exist())
