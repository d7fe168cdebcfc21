"""Versions come and go whole, whoever is killed and however full the disk is."""

import multiprocessing
import resource
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from models.artifact import files
from models.artifact.files import Manifest
from models.artifact.locks import lock
from models.artifact.registry import Registry
from models.artifact.reports import report_path
from models.errors import ArtifactError, UnreadableError

DAY = 86_400


@dataclass(frozen=True, eq=False)
class Shelf:
    price: NDArray[np.float64]


SHELF = Shelf(np.arange(1000.0))


def manifest(day: int) -> Manifest:
    return Manifest(created=day * DAY, data_from=0, data_as_of=day * DAY)


def publish(root: Path, *days: int) -> list[str]:
    return [Registry(root).publish(SHELF, manifest(day)).version for day in days]


def test_an_empty_registry_has_no_active_version(tmp_path: Path) -> None:
    assert Registry(tmp_path / "nowhere").active() is None
    assert Registry(tmp_path / "nowhere").versions() == []


def test_the_newest_published_version_is_active(tmp_path: Path) -> None:
    first, second = publish(tmp_path, 1, 2)
    assert Registry(tmp_path).active() == second
    assert [entry.version for entry in Registry(tmp_path).versions()] == [second, first]


def test_rollback_goes_to_the_version_that_was_active_before(tmp_path: Path) -> None:
    first, second, third = publish(tmp_path, 1, 2, 3)
    registry = Registry(tmp_path)
    registry.activate(first)
    assert registry.rollback() == third
    assert registry.rollback() == second
    assert registry.active() == second
    with pytest.raises(ArtifactError, match="no earlier version"):
        registry.rollback()


def test_a_damaged_version_cannot_be_made_active(tmp_path: Path) -> None:
    first, second = publish(tmp_path, 1, 2)
    damaged = Registry(tmp_path).path(first) / "price.npy"
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"!")
    with pytest.raises(ArtifactError, match=r"price\.npy"):
        Registry(tmp_path).activate(first)
    with pytest.raises(ArtifactError, match="no earlier version"):
        Registry(tmp_path).rollback()
    assert Registry(tmp_path).active() == second


def test_rollback_goes_past_a_damaged_version_to_a_whole_one(tmp_path: Path) -> None:
    first, second, _ = publish(tmp_path, 1, 2, 3)
    (Registry(tmp_path).path(second) / "manifest.json").write_text("{")
    assert Registry(tmp_path).rollback() == first


@pytest.mark.skipif(sys.platform != "linux", reason="a file that gives EIO is Linux's")
def test_rollback_does_not_go_past_a_version_that_a_disk_does_not_give_just_now(
    tmp_path: Path,
) -> None:
    _, second, third = publish(tmp_path, 1, 2, 3)
    array = Registry(tmp_path).path(second) / "price.npy"
    array.rename(tmp_path / "kept")
    array.symlink_to("/proc/self/mem")  # whose first byte cannot be read
    with pytest.raises(UnreadableError, match=r"price\.npy: Input/output error"):
        Registry(tmp_path).rollback()
    assert Registry(tmp_path).active() == third
    (tmp_path / "kept").rename(array)
    assert Registry(tmp_path).rollback() == second


def test_a_damaged_version_is_named_and_hides_no_other(tmp_path: Path) -> None:
    first, second = publish(tmp_path, 1, 2)
    (Registry(tmp_path).path(second) / "manifest.json").write_text("{")
    registry = Registry(tmp_path)
    assert [entry.version for entry in registry.versions()] == [first]
    assert [second in str(error) for error in registry.damaged()] == [True]
    assert registry.prune(now=100 * DAY, keep=1, max_age_days=30) == [first]


@pytest.mark.parametrize(
    "content", [None, b"short", bytes(8_128)], ids=["missing", "short", "other bytes"]
)
def test_a_version_of_which_a_file_is_damaged_is_named(
    tmp_path: Path, content: bytes | None
) -> None:
    first, _ = publish(tmp_path, 1, 2)
    file = Registry(tmp_path).path(first) / "price.npy"
    assert file.stat().st_size == 8_128
    file.unlink()
    if content is not None:
        file.write_bytes(content)
    (error,) = Registry(tmp_path).damaged()
    assert str(error).startswith(f"{file}: ")


def test_a_manifest_nested_without_end_is_damaged_and_no_more(tmp_path: Path) -> None:
    first, second = publish(tmp_path, 1, 2)
    (Registry(tmp_path).path(second) / "manifest.json").write_text("[" * 100_000)
    assert [entry.version for entry in Registry(tmp_path).versions()] == [first]


def test_a_pruned_link_to_a_version_elsewhere_is_removed_and_the_version_stays(
    tmp_path: Path,
) -> None:
    first, _ = publish(tmp_path / "registry", 1, 2)
    registry, elsewhere = Registry(tmp_path / "registry"), tmp_path / "elsewhere"
    registry.path(first).rename(elsewhere)
    registry.path(first).symlink_to(elsewhere)
    (registry.root / "staging-left").symlink_to(elsewhere)
    assert registry.prune(now=2 * DAY, keep=1, max_age_days=30) == [first]
    assert not registry.path(first).is_symlink()
    assert sorted(file.name for file in elsewhere.iterdir()) == ["manifest.json", "price.npy"]
    publish(registry.root, 3)
    assert list(registry.root.glob("staging-*")) == []


def test_a_report_goes_with_its_version(tmp_path: Path) -> None:
    versions = publish(tmp_path, 1, 40, 50, 60)
    registry = Registry(tmp_path)
    gone = "20200101T000000Z-0123456789ab"  # its report outlived it
    names = (*versions, gone, "refused")
    for name in names:
        report_path(tmp_path, name).parent.mkdir(exist_ok=True)
        report_path(tmp_path, name).write_text("<html>")
    assert registry.prune(now=61 * DAY, keep=2, max_age_days=30) == [versions[1], versions[0]]
    kept = {name for name in names if report_path(tmp_path, name).exists()}
    assert kept == {versions[2], versions[3], "refused"}


def test_a_name_whose_digits_are_no_moment_is_no_version(tmp_path: Path) -> None:
    (first,) = publish(tmp_path, 1)
    (tmp_path / "versions" / "20251399T999999Z-0123456789ab").mkdir()
    assert Registry(tmp_path).names() == [first]
    assert Registry(tmp_path).prune(now=2 * DAY, keep=1, max_age_days=30) == []


def test_an_unknown_version_cannot_be_made_active(tmp_path: Path) -> None:
    publish(tmp_path, 1)
    with pytest.raises(ArtifactError, match="holds no version"):
        Registry(tmp_path).activate("../../etc")


@pytest.mark.parametrize("content", [b"", b"\n", b"../elsewhere\n", b"\xff\xfe"])
def test_a_pointer_that_names_nothing_is_refused(tmp_path: Path, content: bytes) -> None:
    publish(tmp_path, 1)
    (tmp_path / "active").write_bytes(content)
    with pytest.raises(ArtifactError, match="active"):
        Registry(tmp_path).active()


@pytest.mark.parametrize("content", [b"", b"../elsewhere\n", b"\xff\xfe"])
def test_a_damaged_pointer_is_mended_by_naming_the_version_that_shall_be_active(
    tmp_path: Path, content: bytes
) -> None:
    first, second = publish(tmp_path, 1, 2)
    (tmp_path / "active").write_bytes(content)
    Registry(tmp_path).activate(first)
    assert Registry(tmp_path).pointers() == [first]
    Registry(tmp_path).activate(second)
    assert Registry(tmp_path).rollback() == first


def test_old_versions_are_pruned_and_the_active_one_stays(tmp_path: Path) -> None:
    versions = publish(tmp_path, 1, 40, 50, 60)
    registry = Registry(tmp_path)
    registry.activate(versions[0])
    assert registry.prune(now=61 * DAY, keep=2, max_age_days=30) == [versions[1]]
    assert registry.prune(now=85 * DAY, keep=3, max_age_days=30) == [versions[2]]
    assert [entry.version for entry in registry.versions()] == [versions[3], versions[0]]
    files.verify_artifact(registry.path(versions[0]))


WRITER = textwrap.dedent("""
    import os, sys, signal
    from pathlib import Path
    import numpy as np
    from dataclasses import dataclass
    from models.artifact.files import Manifest
    from models.artifact.registry import Registry

    @dataclass(frozen=True)
    class Shelf:
        price: np.ndarray

    class Slow:  # tells that writing has begun, and then waits to be killed
        def __array__(self, dtype=None, copy=None):
            print("writing", flush=True)
            signal.pause()

    @dataclass(frozen=True)
    class Half:
        price: np.ndarray
        rest: Slow
    Registry(Path(sys.argv[1])).publish(Half(np.arange(1000.0), Slow()), Manifest(1, 0, 1))
""")


def test_a_killed_training_leaves_the_registry_whole_and_the_next_one_cleans_up(
    tmp_path: Path,
) -> None:
    (first,) = publish(tmp_path, 1)
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, tmp_path], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "writing\n"
        assert len(list(tmp_path.glob("staging-*"))) == 1
        publish(tmp_path, 1)  # another training meanwhile does not disturb the one that is writing
        assert len(list(tmp_path.glob("staging-*"))) == 1
        writer.send_signal(signal.SIGKILL)
    registry = Registry(tmp_path)
    assert registry.active() == first
    files.verify_artifact(registry.path(first))
    publish(tmp_path, 2)
    assert list(tmp_path.glob("staging-*")) == []


def _publish_with_little_room(root: Path, answer: "multiprocessing.SimpleQueue[str]") -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        publish(root, 2)
    except OSError as error:
        answer.put(type(error).__name__)
    resource.setrlimit(
        resource.RLIMIT_FSIZE, before
    )  # what measures coverage writes a file at the end


def test_a_full_disk_publishes_nothing(tmp_path: Path) -> None:
    (first,) = publish(tmp_path, 1)
    context = multiprocessing.get_context("spawn")
    answer = context.SimpleQueue()
    process = context.Process(target=_publish_with_little_room, args=(tmp_path, answer))
    process.start()
    process.join()
    assert answer.get() == "OSError"
    assert [entry.version for entry in Registry(tmp_path).versions()] == [first]
    assert Registry(tmp_path).active() == first
    assert list(tmp_path.glob("staging-*")) == []


def _publish_many(root: Path, start: int) -> None:
    for day in range(start, start + 10):
        Registry(root).publish(replace(SHELF), manifest(day))


def test_two_trainings_at_once_publish_both_and_readers_always_see_a_whole_version(
    tmp_path: Path,
) -> None:
    publish(tmp_path, 1)
    context = multiprocessing.get_context("spawn")
    writers = [
        context.Process(target=_publish_many, args=(tmp_path, start)) for start in (100, 200)
    ]
    for writer in writers:
        writer.start()
    registry, deadline = Registry(tmp_path), time.monotonic() + 60
    while any(writer.is_alive() for writer in writers) and time.monotonic() < deadline:
        active = registry.active()
        assert active is not None
        files.verify_artifact(registry.path(active))
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert len(registry.versions()) == 21


def test_a_version_that_mails_are_made_from_is_kept_until_they_are_sent(tmp_path: Path) -> None:
    first, second, third = publish(tmp_path, 1, 2, 3)
    registry = Registry(tmp_path)
    registry.pin(first, 400 * DAY, now=300 * DAY)  # by a clock that was ahead
    assert registry.pinned(first, now=DAY) == 0
    registry.pin(first, 10 * DAY, now=DAY)
    registry.pin(first, 5 * DAY, now=DAY)
    registry.pin("../versions", 5 * DAY, now=DAY)
    assert registry.pinned(first, now=DAY) == 10 * DAY
    assert registry.prune(now=9 * DAY, keep=1, max_age_days=30) == [second]
    assert registry.prune(now=10 * DAY, keep=1, max_age_days=30) == [first]
    assert registry.names() == [third]
    assert registry.pinned(first, now=DAY) == 0


@pytest.mark.parametrize("change", ["publish", "activate", "rollback", "prune", "remove"])
def test_a_change_of_the_registry_waits_for_the_one_that_is_being_made(
    tmp_path: Path, change: str
) -> None:
    first, second = publish(tmp_path, 1, 2)
    registry = Registry(tmp_path)
    changes: dict[str, Callable[[], object]] = {
        "publish": lambda: publish(tmp_path, 3),
        "activate": lambda: registry.activate(first),
        "rollback": registry.rollback,
        "prune": lambda: registry.prune(now=100 * DAY, keep=1, max_age_days=30),
        "remove": lambda: registry.remove(first),
    }
    with ThreadPoolExecutor(1) as threads:
        with (tmp_path / ".lock").open("w") as file, lock(file):
            changing = threads.submit(changes[change])
            with pytest.raises(TimeoutError):
                changing.result(0.2)
            assert registry.names() == [second, first]
            assert registry.active() == second
        changing.result(10)
    assert (registry.names(), registry.active()) != ([second, first], second)


def test_no_version_of_a_registry_that_is_not_there_can_be_made_active(tmp_path: Path) -> None:
    (version,) = publish(tmp_path / "registry", 1)
    with pytest.raises(ArtifactError, match="mistyped: no such registry"):
        Registry(tmp_path / "mistyped").activate(version)
    assert not (tmp_path / "mistyped").exists()
