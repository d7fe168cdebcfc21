"""Who was erased stays so where a store went back."""

from functools import partial
from pathlib import Path

from sqlalchemy import Connection, select

from service.store.erasure import bury_again
from service.store.store import Store
from service.store.tables import erased
from service.store.tombstones import make_tombstone, read_tombstone_key
from tests.support.store_server import new_store


def read_tombstones(connection: Connection) -> list[bytes]:
    return list(map(bytes, connection.execute(select(erased.c.customer)).scalars()))


def test_only_tombstones_of_the_same_store_are_put_back(tmp_path: Path) -> None:
    store = Store(new_store("sqlite", tmp_path), tmp_path / "run")
    own_key = store.read(read_tombstone_key)
    lost = make_tombstone(own_key, "anna")
    for key, expected in ((b"of another store", []), (own_key, [lost]), (own_key, [lost])):
        work = partial(bury_again, key=key, tombstones={lost}, time=1)
        store.write(work).result(10)
        assert store.read(read_tombstones) == expected
    store.close()
