"""Changes of the code that no test notices are found."""

import subprocess
from pathlib import Path

import pytest

from benchmarks.mutations import Mutation, draw, mutations_of, run

TILL = """
import threading

LOCK = threading.Lock()
prices: dict[str, int] = {}


def discount(total: int, is_regular: bool = False) -> int:
    if total < 0:
        raise ValueError(total)
    if total >= 100 and is_regular:
        return min(divmod(total, 10)[0], 50)
    with LOCK:
        prices.update(total=total)
    return 0
"""
TESTS = """
import pytest
from models.till import discount


def test_a_regular_gets_a_tenth_and_at_most_50() -> None:
    assert [discount(total, True) for total in (0, 99, 100, 900)] == [0, 0, 10, 50]
    assert discount(900) == 0
    with pytest.raises(ValueError):
        discount(-1)
"""


def changes(kind: str) -> list[tuple[str, str]]:
    found = mutations_of("models/till.py", TILL)
    return [(one.before, one.after) for one in found if one.kind == kind]


def test_each_kind_of_change_is_made_in_code_and_none_in_types_and_words() -> None:
    assert changes("bound") == [("total < 0", "total <= 0"), ("total >= 100", "total > 100")]
    assert changes("comparison") == [("total < 0", "total >= 0"), ("total >= 100", "total < 100")]
    assert changes("and, or") == [
        ("total >= 100 and is_regular", "total >= 100 or is_regular"),
    ]
    assert changes("early return") == [
        (
            "if total >= 100 and is_regular: return min(divmod(total, 10)[0], 50)",
            "if False: return min(divmod(total, 10)[0], 50)",
        )
    ]
    assert changes("raise removed") == [("raise ValueError(total)", "pass")]
    assert changes("with removed") == [("with LOCK", "(none)")]
    assert changes("extreme") == [
        ("min(divmod(total, 10)[0], 50)", "max(divmod(total, 10)[0], 50)")
    ]
    assert changes("argument dropped") == [("prices.update(total=total)", "prices.update()")]
    assert changes("arguments swapped") == [("divmod(total, 10)", "divmod(10, total)")]
    assert ("False", "True") in changes("constant")


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    for name, text in (("models/till.py", TILL), ("tests/models/test_till.py", TESTS)):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    return tmp_path


def drawn(shop: Path, seed: int, count: int) -> list[tuple[str, str, str]]:
    return [(one.kind, one.before, one.after) for one in draw(shop, ["models"], seed, count)]


def test_the_same_seed_draws_the_same_changes_also_after_an_edit_elsewhere(shop: Path) -> None:
    first = drawn(shop, 1, 9)
    assert drawn(shop, 2, 9) != first
    (shop / "models/till.py").write_text("FIRST = 'a new line'\n" + TILL)
    (shop / "models/bag.py").write_text("def bag(size: int) -> bool:\n    return size < 3\n")
    assert len({*first} - {*drawn(shop, 1, 9)}) <= 2


def test_what_is_equivalent_is_not_drawn(shop: Path) -> None:
    first = draw(shop, ["models"], seed=1, count=9)
    gone = first[0]
    (shop / "benchmarks").mkdir()
    (shop / "benchmarks/equivalent_mutations.toml").write_text(
        f"[[equivalent]]\npath = {gone.path!r}\nbefore = {gone.before!r}\nafter = {gone.after!r}\n"
    )
    assert gone not in draw(shop, ["models"], seed=1, count=100)


@pytest.mark.slow
def test_a_lock_that_no_test_needs_survives_and_a_bound_that_one_counts_does_not(
    shop: Path,
) -> None:
    found = {(one.kind, one.before): one for one in mutations_of("models/till.py", TILL)}
    chosen: list[Mutation] = [found["with removed", "with LOCK"], found["bound", "total >= 100"]]
    lock, bound = run(shop, chosen, stages=1, jobs=1, limit_seconds=60)
    assert (lock.outcome, bound.outcome) == ("SURVIVED", "noticed")
    assert "test_a_regular_gets_a_tenth" in str(bound)
    assert (shop / "models/till.py").read_text() == TILL


@pytest.mark.slow
def test_a_loop_without_an_end_is_noticed_at_the_test_that_began_it(shop: Path) -> None:
    till = (
        "def pay(coins: int) -> int:\n    while True:\n        if coins >= 3:\n            break\n"
    )
    till += "        coins += 1\n    return coins\n"
    (shop / "models/till.py").write_text(till)
    tests = (
        "from models.till import pay\n\ndef test_three_coins() -> None:\n    assert pay(1) == 3\n"
    )
    (shop / "tests/models/test_till.py").write_text(tests)
    endless = [one for one in mutations_of("models/till.py", till) if one.kind == "early return"]
    (verdict,) = run(shop, endless, stages=1, jobs=1, limit_seconds=15)
    assert verdict.outcome == "too long"
    assert "test_three_coins" in str(verdict)
