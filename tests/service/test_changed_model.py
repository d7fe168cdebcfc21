"""Files of the model change under a running service: answers stay good, or say what they are."""

import http.client
import json
import shutil
import signal
import time
from pathlib import Path

import pytest

from models.artifact.registry import Registry
from tests.support.expected_answers import another_version
from tests.support.service_shop import Browse, Shop, process, wait_until

pytestmark = pytest.mark.slow

SLATE = "/v1/customers/c00/recommendations"


def truncate(path: Path) -> None:
    with path.open("r+b") as stream:
        stream.truncate(0)


def overwrite(path: Path) -> None:
    """Write other numbers, as many bytes."""
    with path.open("r+b") as stream:
        size = stream.seek(0, 2)
        stream.seek(min(128, size // 2))
        stream.write(b"\xfe" * (size - stream.tell()))


def arrays(directory: Path, prefix: str = "") -> list[Path]:
    return sorted(directory.glob(f"{prefix}*.npy"))


def ask(port: int, path: str) -> tuple[int, dict[str, object]]:
    """Return status and body; status 0 where the connection broke with its worker."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    except (OSError, http.client.HTTPException):
        return 0, {}
    finally:
        connection.close()


def slate_of(port: int) -> dict[str, object]:
    """Return the slate of one of the workers, {} where it broke."""
    return ask(port, SLATE)[1]


@pytest.mark.parametrize("has_earlier", [True, False])
def test_a_model_whose_files_are_cut_off_is_given_up(
    own_shop: Shop, tmp_path: Path, has_earlier: bool
) -> None:
    registry = Registry(own_shop.root)
    first, version = own_shop.model.version, own_shop.model.version
    if has_earlier:
        version = another_version(own_shop.root)
        registry.activate(version)
    settings = {"workers": 2, "poll_seconds": 0.2, "deadline_ms": 10_000}
    with process(own_shop.root, tmp_path / "run", **settings) as port:
        assert slate_of(port)["model_version"] == version
        for path in arrays(registry.path(version), "histories."):
            truncate(path)

        def goes_on() -> bool:
            slates = [slate_of(port) for _ in range(8)]
            if has_earlier:
                return all(slate.get("model_version") == first for slate in slates)
            return all(slate.get("fallback_reason") == "model_damaged" for slate in slates)

        wait_until(goes_on, 120)
        for _ in range(20):
            status, slate = ask(port, f"{SLATE}?n=5")
            assert (status, slate["strategy"]) == (200, "personal" if has_earlier else "popular")
            assert slate["count"] == 5
        status, ready = ask(port, "/readyz")
        assert status == 200
        assert "histories." in ready["refused"]["reason"]  # type: ignore[index]
    log = [json.loads(line) for line in (tmp_path / "service.log").read_text().splitlines()]
    ended = [line["message"] for line in log if f"status {-signal.SIGBUS}" in line["message"]]
    assert len(ended) <= 2  # each worker once at most


def test_answers_in_the_moment_of_the_change_are_no_500(own_shop: Shop, browse: Browse) -> None:
    client = browse(own_shop.root, poll_seconds=3600, cache_bytes=0)
    directory = Registry(own_shop.root).path(own_shop.model.version)
    for path in arrays(directory, "neighbours.item") + arrays(directory, "histories.events.item"):
        overwrite(path)
    for number in range(30):
        answer = client.get(f"/v1/customers/c{number:02}/recommendations")
        assert answer.status_code == 200
    slate = client.get(SLATE).json()
    assert (slate["strategy"], slate["fallback_reason"]) == ("popular", "model_damaged")


def test_a_model_that_is_overwritten_gives_way_to_the_one_before(
    own_shop: Shop, browse: Browse
) -> None:
    registry = Registry(own_shop.root)
    later = another_version(own_shop.root)
    registry.activate(later)
    client = browse(own_shop.root, poll_seconds=0.1, cache_bytes=0)
    assert client.get(SLATE).json()["model_version"] == later
    for path in arrays(registry.path(later), "histories."):
        overwrite(path)
    wait_until(lambda: client.get(SLATE).json()["model_version"] == own_shop.model.version)
    assert client.get(SLATE).json()["strategy"] == "personal"
    wait_until(lambda: client.get("/readyz").json()["refused"] is not None)
    assert "histories." in client.get("/readyz").json()["refused"]["reason"]


def test_a_damaged_model_gives_the_popular_slates_of_a_whole_one(
    own_shop: Shop, browse: Browse, tmp_path: Path
) -> None:
    shutil.copytree(own_shop.root, tmp_path / "damaged")
    registry = Registry(tmp_path / "damaged")
    directory = registry.path(own_shop.model.version)
    needed = ("catalogue.", "sales.", "customers.market_names.")
    for path in arrays(directory):
        if not path.name.startswith(needed):
            path.unlink()
    whole = browse(own_shop.root)
    damaged = browse(tmp_path / "damaged", runtime_dir=tmp_path / "other")
    for options in ("n=20", "n=3&market=north", "n=5&category=dairy"):
        (first, second) = (
            client.get(f"/v1/popular?{options}&fields=ids").json() for client in (whole, damaged)
        )
        assert first["recommendations"] == second["recommendations"] != []
        assert second["fallback_reason"] == "model_damaged"
    assert damaged.get(SLATE).status_code == 200
    assert damaged.get("/v1/customers/c00/profile").status_code == 503


def test_without_what_popular_slates_need_it_says_which_file_is_missing(
    own_shop: Shop, browse: Browse
) -> None:
    directory = Registry(own_shop.root).path(own_shop.model.version)
    (directory / "catalogue.ids.blob.npy").unlink()
    answer = browse(own_shop.root).get(SLATE)
    assert answer.status_code == 503
    assert "catalogue.ids.blob.npy: No such file" in answer.json()["detail"]


def test_a_model_that_is_removed_is_served_on_and_named(own_shop: Shop, browse: Browse) -> None:
    client = browse(own_shop.root, poll_seconds=0.1, cache_bytes=0)
    before = client.get(SLATE).json()
    shutil.rmtree(Registry(own_shop.root).path(own_shop.model.version))
    wait_until(lambda: client.get("/readyz").json()["refused"] is not None)
    assert client.get(SLATE).json()["recommendations"] == before["recommendations"]


def test_files_that_were_only_touched_are_no_news(own_shop: Shop, browse: Browse) -> None:
    client = browse(own_shop.root, poll_seconds=0.1, cache_bytes=0)
    before = client.get(SLATE).json()
    for path in arrays(Registry(own_shop.root).path(own_shop.model.version)):
        path.touch()
    time.sleep(0.5)
    assert client.get(SLATE).json() == before
    assert client.get("/readyz").json()["refused"] is None
