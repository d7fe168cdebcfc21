"""The store knows of every event whether the shop reported it, or somebody with a token."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text

from models.data.events import Standing
from service.store.database import connect, migrate, reading, writing
from service.store.tables import events
from tests.support.keyed_service import ANNA, BERT, open_keyed_service
from tests.support.service_shop import Shop
from tests.support.store_server import KINDS, empty_database

HASH = "0123456789abcdef" * 2
CLICK, VIEW = 8, 2


@pytest.mark.parametrize("kind", KINDS)
def test_what_tokens_reported_before_an_upgrade_is_known_by_its_hashed_id(
    kind: str, tmp_path: Path
) -> None:
    engine = connect(empty_database(kind, tmp_path))
    migrate(engine, "0004")
    rows: list[tuple[str, int, str | None, str | None, Standing]] = [
        ("order-1001", VIEW, "c1", None, Standing.SHOP),
        (HASH.upper(), VIEW, "c1", None, Standing.SHOP),
        (HASH[:-1], VIEW, "c1", None, Standing.SHOP),
        (HASH, VIEW, "c1", None, Standing.CUSTOMER),
        (HASH[::-1], VIEW, None, "s1", Standing.CUSTOMER),
        (HASH.replace("0", "1"), VIEW, None, None, Standing.SHOP),  # a token names somebody
        (f"click-{HASH}", CLICK, None, None, Standing.CUSTOMER),
        ("click-1", VIEW, "c1", None, Standing.SHOP),
    ]
    insert = text(
        "INSERT INTO events (number, event_id, line, kind, time, customer_id, session_id, product_id)"
        " VALUES (:number, :event_id, 0, :kind, 0, :customer_id, :session_id, 'p')"
    )
    with writing(engine) as connection:
        for number, (event_id, event_kind, customer_id, session_id, _) in enumerate(rows):
            values = {"number": number, "event_id": event_id, "kind": event_kind}
            connection.execute(
                insert, values | {"customer_id": customer_id, "session_id": session_id}
            )
    migrate(engine)
    with reading(engine) as connection:
        query = select(events.c.standing).order_by(events.c.number)
        assert list(connection.execute(query).scalars()) == [row[-1] for row in rows]
        view = text("SELECT standing FROM training_events ORDER BY number")
        assert list(connection.execute(view).scalars()) == [row[-1] for row in rows]
    engine.dispose()


@pytest.mark.parametrize(
    ("who", "expected"),
    [
        ("write", Standing.SHOP),
        ("first", Standing.SHOP),
        ("token", Standing.CUSTOMER),
        ("visit", Standing.CUSTOMER),
    ],
)
def test_the_store_knows_whether_a_key_or_a_token_reported_an_event(
    shop: Shop, tmp_path: Path, who: str, expected: Standing
) -> None:
    view: dict[str, Any] = {"event_id": "e", "kind": "view", "time": "2026-01-01T00:00:00Z"}
    view |= {"product_id": "bread"}
    if expected is Standing.SHOP:
        view["customer_id"] = BERT
    with open_keyed_service(shop, tmp_path) as service:
        status = service.call("POST", "/v1/events", who, customer=ANNA, json={"events": [view]})
        assert status == 202
        standing = service.store.read(
            lambda read: read.execute(select(events.c.standing)).scalars().all()
        )
    assert standing == [expected]
