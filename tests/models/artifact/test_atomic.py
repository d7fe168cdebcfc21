"""A file is there whole, or as it was before."""

import subprocess
import sys
from pathlib import Path

import pytest

from models.artifact.atomic import atomic_write, check_writable, durable_rename, sync_file

BOTH = pytest.mark.parametrize("durable", [True, False])


@BOTH
def test_a_file_has_its_name_only_once_it_is_whole(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "slates.csv"
    with atomic_write(path, durable=durable) as stream:
        stream.write(b"all of it")
        assert not path.exists()
    assert path.read_bytes() == b"all of it"
    assert list(tmp_path.iterdir()) == [path]


@BOTH
def test_an_older_file_is_replaced_whole(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "slates.csv"
    path.write_bytes(b"yesterday's, and longer")
    with atomic_write(path, durable=durable) as stream:
        stream.write(b"today's")
        assert path.read_bytes() == b"yesterday's, and longer"
    assert path.read_bytes() == b"today's"


@BOTH
def test_a_file_that_could_not_be_written_to_its_end_is_not_there(
    tmp_path: Path, durable: bool
) -> None:
    def fail() -> None:
        with atomic_write(tmp_path / "slates.csv", durable=durable) as stream:
            stream.write(b"half a" + bytes([1000]))

    with pytest.raises(ValueError, match="bytes must be in range"):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_a_writer_that_is_killed_leaves_the_older_file(tmp_path: Path) -> None:
    path = tmp_path / "slates.csv"
    path.write_bytes(b"yesterday's")
    killed = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from models.artifact.atomic import atomic_write\n"
        "with atomic_write(Path(sys.argv[1]), durable=True) as stream:\n"
        "    stream.write(b'half a')\n"
        "    stream.flush()\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    assert subprocess.run([sys.executable, "-c", killed, str(path)], check=False).returncode == -9
    assert path.read_bytes() == b"yesterday's"


def test_whether_a_file_can_be_written_is_known_beforehand_and_leaves_nothing(
    tmp_path: Path,
) -> None:
    check_writable(tmp_path / "settings.toml")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(FileNotFoundError):
        check_writable(tmp_path / "nowhere" / "settings.toml")


def test_a_folder_is_renamed_with_what_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "staging").mkdir()
    (tmp_path / "staging" / "price.npy").write_bytes(b"1.29")
    durable_rename(tmp_path / "staging", tmp_path / "version")
    assert (tmp_path / "version" / "price.npy").read_bytes() == b"1.29"
    assert not (tmp_path / "staging").exists()


def test_what_python_buffers_is_written_before_the_disk_is_asked(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    with path.open("wb") as stream:
        stream.write(b"{}")
        assert path.read_bytes() == b""
        sync_file(stream)
        assert path.read_bytes() == b"{}"
