"""Every array of a model has a name, and the names lead back to the model."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.typing import NDArray

from models.artifact.array_tree import build, flatten
from models.data.ids import Ids, StoredIds


@dataclass(frozen=True, eq=False)
class Shelf:
    ids: Ids
    price: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Store:
    shelf: Shelf
    floor: NDArray[np.int32]


STORE = Store(Shelf(Ids.of(["apple", "pear"]), np.array([1.29, 0.8])), np.array([3], np.int32))


def test_an_array_is_named_by_its_path() -> None:
    assert [name for name, _ in flatten(STORE)] == [
        "shelf.ids.blob",
        "shelf.ids.offsets",
        "shelf.price",
        "floor",
    ]


def test_named_arrays_become_the_same_store_again() -> None:
    store = build(Store, dict(flatten(STORE)))
    assert type(store.shelf.ids) is Ids
    assert list(store.shelf.ids) == ["apple", "pear"]
    assert (store.shelf.price.tolist(), store.floor.tolist()) == ([1.29, 0.8], [3])


def test_a_missing_array_is_named() -> None:
    arrays = {name: array for name, array in flatten(STORE) if name != "shelf.ids.blob"}
    with pytest.raises(KeyError, match=r"shelf\.ids\.blob"):
        build(Store, arrays)


def test_an_array_that_older_artifacts_do_not_have_is_its_default() -> None:
    @dataclass(frozen=True, eq=False)
    class Grown:
        floor: NDArray[np.int32]
        ceiling: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))

    assert build(Grown, {"floor": np.array([3], np.int32)}).ceiling.tolist() == []


def test_a_part_that_older_artifacts_do_not_have_is_its_default_and_never_half_of_it() -> None:
    @dataclass(frozen=True, eq=False)
    class Grown:
        floor: NDArray[np.int32]
        shelf: Shelf = field(default_factory=lambda: Shelf(Ids.of(()), np.zeros(0)))

    arrays = {"floor": np.array([3], np.int32), "shelf_life": np.array([9])}
    assert len(build(Grown, arrays).shelf.ids) == 0
    with pytest.raises(KeyError, match=r"shelf\.ids\.blob"):
        build(Grown, {**arrays, "shelf.price": np.zeros(1)})


def test_a_field_that_is_read_through_a_protocol_is_built_as_the_class_it_names() -> None:
    @dataclass(frozen=True, eq=False)
    class Labels:
        name: StoredIds

    labels = build(Labels, dict(flatten(Labels(Ids.of(["a", "b"])))))
    assert type(labels.name) is Ids
    assert labels.name.find("b") == 1


def test_what_is_no_array_is_not_written() -> None:
    @dataclass(frozen=True, eq=False)
    class Listed:
        names: list[str]

    with pytest.raises(TypeError, match="names: list has no arrays"):
        list(flatten(Listed(["apple"])))
