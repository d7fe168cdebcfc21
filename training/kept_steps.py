"""Results of a training's steps, kept in a folder until it has ended.

STEP.npz    the result of a step that has ended
STEP/…      those of the steps within it, until it has
"""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import GenericAlias
from typing import Any, Final, TypeVar

import numpy as np
from pydantic import ConfigDict, TypeAdapter

from models.artifact.array_tree import Array
from models.artifact.atomic import atomic_write

TREE: Final = "tree"  # of a result: all of it but the arrays, as JSON
ARRAY: Final = "array"  # in a tree, beside the number of one
ARRAYS_ALLOWED: Final = ConfigDict(arbitrary_types_allowed=True)
# What a file that is cut off, changed or of another kind raises when it is read
DAMAGE: Final = (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile)
T = TypeVar("T")
Say = Callable[[str], None]


def ignore_text(text: str) -> None:
    """Do nothing, where nothing is kept."""


class KeptSteps:
    """Keep the results of steps in a folder; without one, keep nothing."""

    def __init__(self, folder: Path | None = None, say: Say = ignore_text) -> None:
        self._folder = folder
        self._say = say
        self._within: list[str] = []  # the steps that are under way

    def keep(self, name: str, kind: type[T], work: Callable[[], T]) -> T:
        """Return the kept result of a step, or else that of `work`, which is kept.

        A result is a tree of dataclasses, mappings, sequences and arrays that `kind` describes.
        Where it cannot be written, nothing is kept from then on.
        """
        if self._folder is None:
            return work()
        path = self._folder.joinpath(*self._within, f"{name}.npz")
        try:
            result = _read(path, kind)
            self._say(f"{name}: taken over")
            return result
        except FileNotFoundError:
            pass
        except DAMAGE as error:
            self._say(f"{name}: done again, as {path} is damaged ({error})")
        self._within.append(name)
        try:
            result = work()
        finally:
            self._within.pop()
        arrays: list[Array] = []
        tree = take_arrays(result, arrays)
        self._write(path, tree, arrays)
        # Built anew, as from a file: what follows from it is the same to the bit
        return _build(kind, tree, _by_number(arrays))

    def _write(self, path: Path, tree: Any, arrays: list[Array]) -> None:
        if self._folder is None:  # since the step began
            return
        text = np.frombuffer(json.dumps(tree).encode(), np.uint8)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(path, durable=False) as stream:
                np.savez(stream, **{TREE: text, **_by_number(arrays)})
        except OSError as error:
            problem = error.strerror or error
            self._say(f"Warning: {path}: {problem}; the results of steps are not kept any more.")
            self.clear()
            self._folder = None
        shutil.rmtree(path.with_suffix(""), ignore_errors=True)

    def clear(self) -> None:
        """Remove everything that was kept."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


def take_arrays(value: Any, arrays: list[Array]) -> Any:
    """Return a value ready for JSON; its arrays go to the end of a list, and their numbers stay."""
    if is_dataclass(value):
        parts = {field.name: getattr(value, field.name) for field in fields(value)}
        return take_arrays(parts, arrays)
    if isinstance(value, Mapping):
        return {name: take_arrays(part, arrays) for name, part in value.items()}
    if isinstance(value, tuple | list):
        return [take_arrays(part, arrays) for part in value]
    if isinstance(value, np.ndarray):
        arrays.append(value if value.flags.forc else np.ascontiguousarray(value))
        return {ARRAY: len(arrays) - 1}
    return value.item() if isinstance(value, np.generic) else value


def _read(path: Path, kind: type[T]) -> T:
    """Read a result. Raises FileNotFoundError, or one of DAMAGE."""
    with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    return _build(kind, json.loads(arrays.pop(TREE).tobytes()), arrays)


def _by_number(arrays: list[Array]) -> dict[str, Any]:
    return {str(number): array for number, array in enumerate(arrays)}


def _build(kind: type[T], tree: Any, arrays: Mapping[str, Array]) -> T:
    # In a tuple, as pydantic takes no settings beside a dataclass
    boxed: Any = GenericAlias(tuple, (kind,))
    adapter: TypeAdapter[tuple[T]] = TypeAdapter(boxed, config=ARRAYS_ALLOWED)
    return adapter.validate_python((_put_arrays(tree, arrays),))[0]


def _put_arrays(tree: Any, arrays: Mapping[str, Array]) -> Any:
    if isinstance(tree, dict):
        if tree.keys() == {ARRAY}:
            return arrays[str(tree[ARRAY])]
        return {name: _put_arrays(part, arrays) for name, part in tree.items()}
    if isinstance(tree, list):
        return [_put_arrays(part, arrays) for part in tree]
    return tree
