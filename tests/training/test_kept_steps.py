"""Results of steps, kept in a folder and taken over from there."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from training.kept_steps import KeptSteps


class Size(StrEnum):
    SMALL = "small"


@dataclass(frozen=True, eq=False)
class Part:
    values: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Result:
    part: Part
    named: dict[str, Part]
    sizes: tuple[Size, ...]
    share: float
    note: str | None = None
    nothing: NDArray[np.int32] = field(default_factory=lambda: np.zeros((0, 3), np.int32))


def make() -> Result:
    grid = np.arange(12, dtype=np.float32).reshape(3, 4)
    named = {"turned": Part(np.asfortranarray(grid)), "with gaps": Part(grid[:, ::2])}
    return Result(Part(grid), named, (Size.SMALL,), float("nan"), "süß")


def refuse() -> Result:
    raise AssertionError("a kept step is not done again")


def keep(folder: Path, work: Callable[[], Result] = make) -> tuple[Result, list[str]]:
    said: list[str] = []
    return KeptSteps(folder, said.append).keep("Window 1: slates", Result, work), said


def arrays_of(result: Result) -> list[NDArray[np.float32]]:
    return [result.part.values, *(part.values for part in result.named.values())]


def test_a_kept_result_is_the_one_that_was_made_to_the_byte_and_the_order_in_memory(
    tmp_path: Path,
) -> None:
    made, said = keep(tmp_path)
    assert said == []
    again, said = keep(tmp_path, refuse)
    assert said == ["Window 1: slates: taken over"]
    for ours, kept in zip(arrays_of(made), arrays_of(again), strict=True):
        assert (ours.dtype, ours.shape, ours.strides) == (kept.dtype, kept.shape, kept.strides)
        assert ours.tobytes() == kept.tobytes()
    assert again.nothing.shape == (0, 3)
    assert again.sizes == (Size.SMALL,)
    assert again.share != again.share
    assert again.note == "süß"


def test_a_step_that_failed_leaves_what_was_kept_within_it_and_one_that_ended_does_not(
    tmp_path: Path,
) -> None:
    kept = KeptSteps(tmp_path)

    def fail() -> Result:
        kept.keep("factors", Result, make)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        kept.keep("Window 1", Result, fail)
    kept.keep("factors", Result, make)  # of another step: a name of its own
    within = tmp_path / "Window 1" / "factors.npz"
    assert within.exists()
    kept.keep("Window 1", Result, lambda: kept.keep("factors", Result, refuse))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["Window 1.npz", "factors.npz"]


@pytest.mark.parametrize("damage", ["empty", "cut off", "changed", "another"])
def test_a_damaged_result_is_made_again(tmp_path: Path, damage: str) -> None:
    keep(tmp_path)
    (file,) = tmp_path.iterdir()
    content = bytearray(file.read_bytes())
    if damage == "empty":
        content.clear()
    elif damage == "cut off":
        del content[len(content) // 2 :]
    elif damage == "changed":
        content[content.index(np.float32(7).tobytes())] ^= 1
    else:
        np.savez(file, other=np.zeros(3))
        content = bytearray(file.read_bytes())
    file.write_bytes(content)
    result, (told,) = keep(tmp_path)
    assert told.startswith(f"Window 1: slates: done again, as {file} is damaged (")
    assert arrays_of(result)[0].tobytes() == make().part.values.tobytes()
    assert keep(tmp_path, refuse)[1] == ["Window 1: slates: taken over"]


def test_where_results_cannot_be_written_the_work_is_done_and_nothing_stays(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "unfinished"
    said: list[str] = []
    kept = KeptSteps(folder, said.append)
    kept.keep("first", Result, make)
    (folder / "second").write_bytes(b"")  # where the folder of a step should be
    kept.keep("second", Result, lambda: kept.keep("within", Result, make))
    assert said[-1].endswith("; the results of steps are not kept any more.")
    assert not folder.exists()
    kept.keep("third", Result, make)
    assert not folder.exists()
