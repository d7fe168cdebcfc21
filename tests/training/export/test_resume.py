"""What an export has finished, and how another one goes on from it."""

from pathlib import Path

import pytest

from training.errors import InputError
from training.export.resume import Tally, open_parts

ABOUT = {"version": "A", "-n": 8, "mail": None}
ONE = Tally(rows=500, recipients=500, short=3, fallbacks={"no_consent": 2})


def interrupted(output: Path) -> None:
    """Two parts are finished, a third is half written."""
    with open_parts(output, resume=False) as parts:
        parts.begin(ABOUT, now=100)
        for number in (0, 1):
            parts.path(number).write_text(f"part {number}\n")
            parts.finish(number, ONE)
        parts.path(2).write_text("half a")


def test_an_export_goes_on_with_what_is_finished_and_by_the_clock_of_its_beginning(
    tmp_path: Path,
) -> None:
    interrupted(tmp_path / "slates.csv")
    with open_parts(tmp_path / "slates.csv", resume=True) as parts:
        assert parts.begun
        assert parts.begin(ABOUT, now=900) == 100
        assert parts.finished() == {0: ONE, 1: ONE}
        assert parts.path(1).read_text() == "part 1\n"


def test_without_resume_it_begins_again_and_sweeps_up(tmp_path: Path) -> None:
    interrupted(tmp_path / "slates.csv")
    with open_parts(tmp_path / "slates.csv", resume=False) as parts:
        assert not parts.begun
        assert list(parts.folder.iterdir()) == []
        assert parts.begin(ABOUT, now=900) == 900
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("-n", 10, "was begun with -n 8 and not with 10; without --resume it begins again"),
        ("version", "B", "was begun with version A and not with B; without"),
        ("mail", "basket", "was begun with mail None and not with basket; without"),
    ],
)
def test_an_export_of_something_else_is_refused_by_the_name_of_what_differs(
    tmp_path: Path, name: str, value: object, sentence: str
) -> None:
    interrupted(tmp_path / "slates.csv")
    with (
        pytest.raises(InputError, match=f"--resume: .*slates.csv {sentence}"),
        open_parts(tmp_path / "slates.csv", resume=True) as parts,
    ):
        parts.begin({**ABOUT, name: value}, now=900)
    # What was finished is still there for who meant the other one.
    with open_parts(tmp_path / "slates.csv", resume=True) as parts:
        assert list(parts.finished()) == [0, 1]


def test_a_line_that_was_cut_off_tells_nothing_and_spoils_no_other(tmp_path: Path) -> None:
    interrupted(tmp_path / "slates.csv")
    journal = tmp_path / ".slates.csv.parts" / "journal"
    journal.write_bytes(journal.read_bytes() + b'\n[2,{"rows":5')
    with open_parts(tmp_path / "slates.csv", resume=True) as parts:
        assert list(parts.finished()) == [0, 1]
        parts.finish(3, ONE)
        assert list(parts.finished()) == [0, 1, 3]


def test_killed_before_anything_was_decided_it_begins_again(tmp_path: Path) -> None:
    folder = tmp_path / ".slates.csv.parts"
    (folder / "snapshot").mkdir(parents=True)
    (folder / "snapshot" / "half.npy").touch()
    with open_parts(tmp_path / "slates.csv", resume=True) as parts:
        assert not parts.begun
        assert not parts.snapshot.exists()


def test_two_exports_do_not_write_the_same_file_at_once(tmp_path: Path) -> None:
    with open_parts(tmp_path / "slates.csv", resume=False) as parts:
        parts.begin(ABOUT, now=100)
        with (
            pytest.raises(
                InputError, match=r"--output .*slates\.csv: another export is writing it"
            ),
            open_parts(tmp_path / "slates.csv", resume=False),
        ):
            pass
        assert parts.begun


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / ".slates.csv.parts").write_text("a file")
    with (
        pytest.raises(InputError, match=r"--output .*slates\.csv cannot be written: File exists"),
        open_parts(tmp_path / "slates.csv", resume=False),
    ):
        pass


def test_a_file_that_is_published_leaves_nothing_beside_it(tmp_path: Path) -> None:
    interrupted(tmp_path / "slates.csv")
    with open_parts(tmp_path / "slates.csv", resume=True) as parts:
        parts.whole.write_text("all rows")
        parts.publish()
    assert [path.name for path in tmp_path.iterdir()] == ["slates.csv"]


def test_tallies_add_up() -> None:
    more = Tally(rows=4, recipients=1, not_due=9, fallbacks={"no_consent": 1, "no_history": 1})
    assert ONE + more == Tally(504, 501, 3, 9, {"no_consent": 3, "no_history": 1})
