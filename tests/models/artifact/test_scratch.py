"""A scratch directory exists no longer than the process that made it."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from models.artifact.scratch import scratch_directory


def test_those_that_begin_and_end_at_once_are_in_nobodys_way(tmp_path: Path) -> None:
    def again_and_again(_: int) -> bool:
        for _ in range(100):
            with scratch_directory(tmp_path, "mine-") as directory:
                (directory / "note").write_text("here")
                if not (directory / "note").exists():
                    return False
        return True

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(again_and_again, range(4)))
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_goes_and_what_a_link_leads_to_stays(tmp_path: Path) -> None:
    elsewhere, parent = tmp_path / "elsewhere", tmp_path / "parent"
    elsewhere.mkdir()
    parent.mkdir()
    (parent / "mine-link").symlink_to(elsewhere)
    killed = "import os, sys; from pathlib import Path\n"
    killed += "from models.artifact.scratch import scratch_directory\n"
    killed += "with scratch_directory(Path(sys.argv[1]), 'mine-'): os.kill(os.getpid(), 9)"
    assert subprocess.run([sys.executable, "-c", killed, str(parent)], check=False).returncode == -9
    assert len(list(parent.iterdir())) == 1
    with scratch_directory(parent, "mine-") as directory:
        assert list(parent.iterdir()) == [directory]
    assert elsewhere.is_dir()
