"""Strings after the shop has changed some and added others."""

from dataclasses import dataclass

import numpy as np
import pytest

from models.artifact.array_tree import flatten
from models.data.ids import IdIndex, Ids, Strings
from models.updates.insertions import Insertions
from models.updates.patched_strings import PatchedIds, PatchedStrings


def with_ids_at_end(ids: IdIndex, *names: str) -> PatchedIds:
    return PatchedIds(ids, names, Insertions.at_end(len(ids), len(names)))


def test_added_ids_are_found_where_they_are() -> None:
    ids = with_ids_at_end(with_ids_at_end(Ids.of(["a", "c"]), "b"), "d", "aa")
    assert list(ids) == ["a", "c", "b", "d", "aa"]
    assert ids.find_all(["aa", "a", "b", "c", "d", "e"]).tolist() == [4, 0, 2, 1, 3, -1]
    assert ids.bytes_at(4) == b"aa"
    assert len(ids) == 5


def test_added_ids_stand_between_those_that_came_before() -> None:
    base = with_ids_at_end(Ids.of(["m"]), "b", "d")
    ids = PatchedIds(base, ["a", "c", "e"], Insertions(np.array([1, 2, 3])))
    assert list(ids) == ["m", "a", "b", "c", "d", "e"]
    assert ids.find_all(["a", "b", "c", "d", "e", "m", "n"]).tolist() == [1, 2, 3, 4, 5, 0, -1]
    assert list(base) == ["m", "b", "d"]


def test_texts_change_in_place_and_go_on() -> None:
    once = PatchedStrings(
        Strings.of(["one", "two"]), ["three"], Insertions.at_end(2, 1), {0: "eins"}
    )
    twice = PatchedStrings(once, [""], Insertions.at_end(3, 1), {2: "drei"})
    assert list(twice) == ["eins", "two", "drei", ""]
    assert list(once) == ["eins", "two", "three"]


def test_changed_texts_move_with_what_is_inserted_before_them() -> None:
    once = PatchedStrings(Strings.of(["one"]), ["three"], Insertions.at_end(1, 1), {})
    twice = PatchedStrings(once, ["two"], Insertions(np.array([1])), {2: "drei"})
    assert list(twice) == ["one", "two", "drei"]


@dataclass(frozen=True, eq=False)
class Shelf:
    title: PatchedStrings


def test_patched_strings_have_no_bytes_that_could_be_taken_for_theirs() -> None:
    titles = PatchedStrings(Strings.of(["one"]), [], Insertions.at_end(1, 0), {0: "eins"})
    assert not hasattr(titles, "blob")
    assert not hasattr(titles, "offsets")
    with pytest.raises(TypeError, match="title: PatchedStrings has no arrays"):
        list(flatten(Shelf(titles)))
