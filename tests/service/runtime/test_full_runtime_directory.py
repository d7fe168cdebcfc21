"""A runtime directory without room: the service starts, answers and keeps what it acknowledges."""

import json
import sys
import time
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from tests.support.full_directory import FILLER, fill, small_disk
from tests.support.service_shop import Shop, process, status, wait_until
from tests.support.store_clients import Caller, event

pytestmark = pytest.mark.slow

DISK_BYTES = 16 << 20
ROOM_FOR_ONE_WORKER = 2 << 20


def report(port: int, names: list[str]) -> None:
    for name in names:
        with closing(Caller(port)) as caller:
            sent = event(name, "view", int(time.time()), name, "bread")
            assert caller("POST", "/v1/events", {"events": [sent]})[0] == 202


def count_listening(port: int) -> int:
    return sum(
        connection.status == psutil.CONN_LISTEN and connection.laddr[1] == port
        for connection in psutil.net_connections("tcp")
    )


def messages(log: Path) -> list[str]:
    return [json.loads(line)["message"] for line in log.read_text().splitlines()]


@pytest.mark.parametrize(
    ("workers", "left_bytes"), [(1, 0), (2, 0), (2, 8192), (2, ROOM_FOR_ONE_WORKER)]
)
def test_without_room_for_what_workers_share_each_goes_on_alone(
    own_shop: Shop, tmp_path: Path, workers: int, left_bytes: int
) -> None:
    with small_disk(tmp_path / "run", DISK_BYTES) as runtime:
        fill(runtime, left_bytes)
        with process(own_shop.root, runtime, workers=workers) as port:
            wait_until(lambda: count_listening(port) == workers)
            report(port, [f"c{number:02}" for number in range(40)])
            for _ in range(20):
                assert status(port, "/v1/popular") == 200
                assert status(port, "/metrics") == 200
            # Another worker follows within half a second.
            wait_until(lambda: all(sees(port, "c00", "bread") for _ in range(8)))
    said = messages(tmp_path / "service.log")
    assert any("no room for what workers share" in message for message in said)
    assert not any("is replaced" in message for message in said)


def sees(port: int, customer_id: str, product_id: str) -> bool:
    with closing(Caller(port)) as caller:
        status, profile = caller("GET", f"/v1/customers/{customer_id}/profile")
    return status == 200 and product_id in json.dumps(profile)


def test_a_directory_that_fills_up_later_stops_nothing(own_shop: Shop, tmp_path: Path) -> None:
    with small_disk(tmp_path / "run", DISK_BYTES) as runtime:
        with process(own_shop.root, runtime, workers=2) as port:
            wait_until(lambda: count_listening(port) == 2)
            fill(runtime)
            report(port, [f"c{number:02}" for number in range(40)])
            for path in ("/v1/popular", "/metrics", "/v1/models", "/healthz", "/nowhere"):
                assert status(port, path) in (200, 404)
            assert sees(port, "c00", "bread")
        (runtime / FILLER).unlink()
    assert not any("is replaced" in message for message in messages(tmp_path / "service.log"))


@pytest.mark.skipif(sys.platform != "linux", reason="only there the room of a file is known")
def test_every_file_that_workers_map_has_its_room(own_shop: Shop, tmp_path: Path) -> None:
    with process(own_shop.root, tmp_path / "run", workers=2) as port:
        wait_until(lambda: count_listening(port) == 2)
        report(port, ["c00"])
        status(port, "/v1/popular")
        mapped = [path for path in (tmp_path / "run").rglob("*") if path.is_file()]
        assert len([path for path in mapped if path.suffix == ".db"]) == 10
        for path in mapped:
            assert path.stat().st_blocks * 512 >= path.stat().st_size, path
