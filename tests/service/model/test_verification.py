"""Every byte is read once per host and version, and again when a file was touched."""

import os
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from models.artifact.locks import lock
from models.artifact.registry import Registry
from models.errors import ArtifactError
from service.model.verification import VERIFIED, marker_of, signature_of, verify_once
from tests.support.service_shop import Shop, damage


@pytest.fixture
def directory(own_shop: Shop) -> Path:
    version = Registry(own_shop.root).active()
    assert version is not None
    return Registry(own_shop.root).path(version)


def flip_unseen(directory: Path) -> None:
    """Damage a file and set its time back."""
    path = max(directory.glob("*.npy"), key=lambda path: path.stat().st_size)
    before = path.stat()
    with path.open("r+b") as stream:
        stream.seek(-1, os.SEEK_END)
        last = stream.read(1)
        stream.seek(-1, os.SEEK_END)
        stream.write(bytes([last[0] ^ 1]))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_a_damaged_file_is_named(own_shop: Shop, directory: Path, tmp_path: Path) -> None:
    name = damage(own_shop.root, directory.name)
    with pytest.raises(ArtifactError, match=name):
        verify_once(directory, tmp_path / "run")
    with pytest.raises(ArtifactError, match=name):
        verify_once(directory, tmp_path / "run")


def bytes_read() -> int:
    """Return how many bytes this process has read from files so far."""
    return int(Path("/proc/self/io").read_text().split()[1])


@pytest.mark.skipif(sys.platform != "linux", reason="only there is it counted")
def test_what_was_read_is_not_read_again(directory: Path, tmp_path: Path) -> None:
    whole = sum(path.stat().st_size for path in directory.iterdir())
    before = bytes_read()
    verify_once(directory, tmp_path / "run")
    first = bytes_read()
    verify_once(directory, tmp_path / "run")
    assert bytes_read() - first < whole < first - before


def test_a_file_whose_time_was_set_back_is_read_again(directory: Path, tmp_path: Path) -> None:
    verify_once(directory, tmp_path / "run")
    flip_unseen(directory)
    with pytest.raises(ArtifactError, match=r"\.npy: damaged"):
        verify_once(directory, tmp_path / "run")


def test_a_file_that_was_touched_is_read_again(
    own_shop: Shop, directory: Path, tmp_path: Path
) -> None:
    verify_once(directory, tmp_path / "run")
    name = damage(own_shop.root, directory.name)
    with pytest.raises(ArtifactError, match=name):
        verify_once(directory, tmp_path / "run")


def test_the_markers_are_nobody_elses_business(directory: Path, tmp_path: Path) -> None:
    verify_once(directory, tmp_path / "run")
    assert (tmp_path / "run").stat().st_mode & 0o777 == 0o700


def test_a_directory_that_others_may_write_to_is_not_believed(
    directory: Path, tmp_path: Path
) -> None:
    verify_once(directory, tmp_path / "run")
    flip_unseen(directory)
    (tmp_path / "run").chmod(0o777)
    with pytest.raises(ArtifactError):
        verify_once(directory, tmp_path / "run")


def test_a_disk_without_room_for_a_marker_means_reading_again(
    directory: Path, tmp_path: Path
) -> None:
    (tmp_path / "run").mkdir(mode=0o700)
    (tmp_path / "run" / marker_of(directory)).symlink_to("/dev/full")
    verify_once(directory, tmp_path / "run")
    flip_unseen(directory)
    with pytest.raises(ArtifactError):
        verify_once(directory, tmp_path / "run")


def test_a_marker_that_cannot_be_opened_means_reading(directory: Path, tmp_path: Path) -> None:
    (tmp_path / "run" / marker_of(directory)).mkdir(mode=0o700, parents=True)
    (tmp_path / "run").chmod(0o700)
    verify_once(directory, tmp_path / "run")
    flip_unseen(directory)
    with pytest.raises(ArtifactError):
        verify_once(directory, tmp_path / "run")


def test_where_no_directory_for_markers_can_be_made_it_is_read_every_time(
    directory: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    verify_once(directory, tmp_path / "file" / "run")
    flip_unseen(directory)
    with pytest.raises(ArtifactError):
        verify_once(directory, tmp_path / "file" / "run")


def test_a_worker_waits_for_the_one_that_reads_and_does_not_read_too(
    directory: Path, tmp_path: Path
) -> None:
    (tmp_path / "run").mkdir(mode=0o700)
    with ThreadPoolExecutor(1) as threads:
        with (tmp_path / "run" / marker_of(directory)).open("wb") as marker, lock(marker):
            waiting = threads.submit(verify_once, directory, tmp_path / "run")
            with pytest.raises(TimeoutError):
                waiting.result(0.2)
            marker.write(VERIFIED)
            marker.flush()
        waiting.result(10)


def test_a_version_that_is_gone_has_no_signature(directory: Path) -> None:
    assert signature_of(directory)
    shutil.rmtree(directory)
    assert signature_of(directory) == ()
