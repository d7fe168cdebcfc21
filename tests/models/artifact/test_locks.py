"""A lock has one holder, and ends with the block, with an error or with the process."""

import subprocess
import sys
from pathlib import Path

import pytest

from models.artifact.locks import lock, lock_directory

HOLDER = """
import sys, time
from pathlib import Path
from models.artifact.locks import lock_directory

with lock_directory(Path(sys.argv[1])):
    print("locked", flush=True)
    time.sleep(60)
"""


def is_free(directory: Path) -> bool:
    try:
        with lock_directory(directory, wait=False):
            return True
    except BlockingIOError:
        return False


def test_a_locked_directory_is_nobody_elses_until_the_block_ends(tmp_path: Path) -> None:
    with lock_directory(tmp_path):
        assert not is_free(tmp_path)
    assert is_free(tmp_path)


def test_a_lock_ends_with_an_error(tmp_path: Path) -> None:
    def fail() -> None:
        with lock_directory(tmp_path):
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    assert is_free(tmp_path)


def test_a_lock_ends_with_the_process_that_holds_it(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "locked\n"
        assert not is_free(tmp_path)
        holder.kill()
        holder.wait()
    assert is_free(tmp_path)


def test_a_locked_directory_may_be_removed(tmp_path: Path) -> None:
    directory = tmp_path / "parts"
    directory.mkdir()
    with lock_directory(directory):
        directory.rmdir()
    assert not directory.exists()


def test_a_file_is_locked_again_and_again_while_it_stays_open(tmp_path: Path) -> None:
    path = tmp_path / "turn"
    with path.open("ab") as mine, path.open("ab") as theirs:
        for _ in range(2):
            with lock(mine), pytest.raises(BlockingIOError), lock(theirs, wait=False):
                pass
            with lock(theirs, wait=False):
                pass
