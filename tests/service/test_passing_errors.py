"""A service that runs out of descriptors goes on with what it has, and is whole again after it."""

import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from models.artifact.registry import Registry
from tests.support.descriptors import no_descriptors_left
from tests.support.expected_answers import another_version
from tests.support.service_shop import Shop, started, wait_until
from tests.support.store_clients import Caller, event
from tests.support.store_server import KINDS, new_store

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="limits of another process are Linux's"),
]
SLATE = "/v1/customers/c00/recommendations"


def report(caller: Caller, name: str) -> int:
    told = event(name, "view", int(time.time()), "c00", "bread")
    return caller("POST", "/v1/events", {"events": [told]})[0]


@pytest.mark.parametrize("kind", KINDS)
def test_a_version_published_while_descriptors_run_out_is_served_once_there_are_some(
    own_shop: Shop, tmp_path: Path, kind: str
) -> None:
    later = another_version(own_shop.root)
    url = new_store(kind, tmp_path)
    with (
        started(own_shop.root, tmp_path / "run", database_url=url, poll_seconds=0.1) as (
            port,
            service,
        ),
        closing(Caller(port)) as caller,  # connected before
    ):
        assert report(caller, "before") == 202
        with no_descriptors_left(service.pid):
            Registry(own_shop.root).activate(later)
            wait_until(lambda: caller("GET", "/readyz")[1]["refused"] is not None)
            refused = caller("GET", "/readyz")[1]["refused"]
            assert "Too many open files" in refused["reason"]
            assert "damaged" not in refused["reason"]
            status, slate = caller("GET", SLATE)
            assert (status, slate["model_version"]) == (200, own_shop.model.version)
            status, problem = caller("POST", f"/v1/models/{later}/activate")
            assert (status, problem["type"]) == (503, "urn:regulars:problem:unreadable")
            assert report(caller, "meanwhile") in (202, 503)
        wait_until(lambda: caller("GET", SLATE)[1]["model_version"] == later)
        wait_until(lambda: report(caller, "after") == 202)
        status, ready = caller("GET", "/readyz")
        assert (status, ready["refused"], ready["ready"]) == (200, None, True)
