"""What was learned comes back as it was, and damage is refused by the name of the file."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from models.artifact import files
from models.artifact.files import Manifest
from models.artifact.registry import Registry
from models.data.ids import Ids
from models.errors import ArtifactError


@dataclass(frozen=True, eq=False)
class Shelf:
    ids: Ids
    price: NDArray[np.float64]


SHELF = Shelf(Ids.of(["apple", "pear"]), np.array([1.29, 0.8]))
MANIFEST = Manifest(created=1_700_000_000, data_from=0, data_as_of=9, counts={"products": 2})


@pytest.fixture
def version(tmp_path: Path) -> Path:
    registry = Registry(tmp_path)
    return registry.path(registry.publish(SHELF, MANIFEST).version)


def test_what_was_written_is_read(version: Path) -> None:
    manifest, shelf = files.load_artifact(version, Shelf)
    assert list(shelf.ids) == ["apple", "pear"]
    assert shelf.price.tolist() == [1.29, 0.8]
    assert (manifest.counts, manifest.data_as_of) == ({"products": 2}, 9)


def test_arrays_are_mapped_and_not_copied(version: Path) -> None:
    _, shelf = files.load_artifact(version, Shelf)
    assert isinstance(shelf.price.base, np.memmap)
    assert not shelf.price.flags.writeable


def test_a_shop_without_anything_is_still_an_artifact(tmp_path: Path) -> None:
    empty = Shelf(Ids.of([]), np.zeros(0))
    registry = Registry(tmp_path)
    _, shelf = files.load_artifact(registry.path(registry.publish(empty, MANIFEST).version), Shelf)
    assert len(shelf.ids) == 0


@pytest.mark.parametrize("name", ["price.npy", "ids.blob.npy", "ids.offsets.npy"])
def test_a_flipped_byte_is_found_by_reading_every_byte(version: Path, name: str) -> None:
    content = bytearray((version / name).read_bytes())
    content[-1] ^= 1
    (version / name).write_bytes(content)
    with pytest.raises(ArtifactError, match=name):
        files.verify_artifact(version)


def test_an_undamaged_version_passes(version: Path) -> None:
    files.verify_artifact(version)


def test_a_file_that_was_cut_short_is_refused_without_reading_it(version: Path) -> None:
    (version / "price.npy").write_bytes((version / "price.npy").read_bytes()[:-8])
    with pytest.raises(ArtifactError, match=r"price\.npy: 136 bytes instead of 144"):
        files.load_artifact(version, Shelf)


def test_a_header_that_says_something_else_is_refused(version: Path) -> None:
    np.save(version / "price.npy", np.array([1.29, 0.8]).astype(">f8"))
    with pytest.raises(ArtifactError, match=r"price\.npy: holds"):
        files.load_artifact(version, Shelf)


def test_a_pickle_is_never_opened(version: Path) -> None:
    np.save(version / "price.npy", np.array([{"a": 1}, None], dtype=object), allow_pickle=True)
    with pytest.raises(ArtifactError, match=r"price\.npy"):
        files.load_artifact(version, Shelf)


def test_a_missing_file_is_named(version: Path) -> None:
    (version / "ids.blob.npy").unlink()
    with pytest.raises(ArtifactError, match=r"ids\.blob\.npy: No such file"):
        files.load_artifact(version, Shelf)
    with pytest.raises(ArtifactError, match=r"ids\.blob\.npy: No such file"):
        files.verify_artifact(version)


def test_another_schema_is_refused_with_what_to_do(version: Path) -> None:
    path = version / files.MANIFEST
    path.write_text(path.read_text().replace(f'"schema": {files.SCHEMA}', '"schema": 99'))
    with pytest.raises(ArtifactError, match="schema 99, this version reads schema 3 to 5; train"):
        files.load_artifact(version, Shelf)


def test_a_changed_manifest_is_refused(version: Path) -> None:
    path = version / files.MANIFEST
    path.write_text(path.read_text().replace('"products": 2', '"products": 3'))
    with pytest.raises(ArtifactError, match="changed after training"):
        files.load_artifact(version, Shelf)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"schema": 3}', '{"schema": 3, "files": {"a": 3}}', "\ufeff{}"]
)
def test_a_manifest_that_is_none_is_refused(version: Path, text: str) -> None:
    (version / files.MANIFEST).write_text(text)
    with pytest.raises(ArtifactError, match=r"manifest\.json"):
        files.load_artifact(version, Shelf)


def test_an_artifact_of_another_kind_names_what_it_lacks(version: Path) -> None:
    @dataclass(frozen=True, eq=False)
    class Larger(Shelf):
        weight: NDArray[np.float64]

    Larger.__annotations__ = {"weight": NDArray[np.float64]}
    with pytest.raises(ArtifactError, match=r"names no file weight\.npy"):
        files.load_artifact(version, Larger)
