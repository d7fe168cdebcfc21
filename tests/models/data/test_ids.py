from hypothesis import given
from hypothesis import strategies as st

from models.data.ids import Ids, Strings, find_known

awkward = ["", "007", "7", "a/b", "a b", "Ünïcode", "🧦", "x" * 500]


def test_strings_come_back_as_they_went_in() -> None:
    assert list(Strings.of(awkward)) == awkward


def test_a_leading_zero_makes_another_product() -> None:
    ids = Ids.of(sorted(awkward, key=str.encode))
    assert ids.find("007") != ids.find("7")
    assert [ids[index] for index in ids.find_all(awkward)] == awkward


def test_an_unknown_id_is_minus_one() -> None:
    ids = Ids.of(["b", "d"])
    assert [ids.find(name) for name in ("a", "c", "e", "", "\ud800")] == [-1, -1, -1, -1, -1]


def test_the_first_product_of_a_catalogue_is_known_like_any_other() -> None:
    assert find_known(Ids.of(["b", "d"]), ["d", "c", "b", "d", ""]) == [1, 0, 1]


@given(st.sets(st.text(max_size=12), min_size=1), st.lists(st.text(max_size=12)))
def test_many_ids_are_found_as_one_by_one(names: set[str], others: list[str]) -> None:
    ids = Ids.of(sorted({name for name in names if "\ud800" not in name}, key=str.encode))
    asked = [*names, *others, *(f"{name}\0" for name in names), "", "x" * 60] * 100
    assert ids.find_all(asked).tolist() == [ids.find(name) for name in asked]


def test_ids_that_differ_by_zeros_at_their_end_are_different_products() -> None:
    names = ["", "\0", "\0\0", "0", "00"] * 4
    assert Ids.of(names[:5]).find_all(names).tolist() == [0, 1, 2, 3, 4] * 4


@given(st.sets(st.text()), st.text())
def test_every_id_is_found_and_no_other(names: set[str], other: str) -> None:
    valid = {name for name in names if "\ud800" not in name}
    ordered = sorted(valid, key=str.encode)
    ids = Ids.of(ordered)
    assert ids.find_all(ordered).tolist() == list(range(len(ordered)))
    assert (ids.find(other) >= 0) == (other in valid)
