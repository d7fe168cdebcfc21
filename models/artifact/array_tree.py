"""A tree of frozen dataclasses with arrays at its leaves, as named arrays and back.

The name of an array is its path through the tree: `catalogue.title.blob`.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
T = TypeVar("T")


def flatten(tree: Any, prefix: str = "") -> Iterator[tuple[str, Array]]:
    """Every array of the tree with its name, in the order of the fields."""
    for field in dataclasses.fields(tree):
        leaf = getattr(tree, field.name)
        if dataclasses.is_dataclass(leaf):
            yield from flatten(leaf, f"{prefix}{field.name}.")
        else:
            yield prefix + field.name, np.asarray(leaf)


def build(kind: type[T], arrays: Mapping[str, Array], prefix: str = "") -> T:
    """The inverse of `flatten`; a missing array raises KeyError with its name, unless its field has a default."""
    hints = typing.get_type_hints(kind)
    parts: dict[str, Any] = {}
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        name, hint = prefix + field.name, hints[field.name]
        nested = isinstance(hint, type) and dataclasses.is_dataclass(hint)
        if nested or name in arrays or field.default_factory is dataclasses.MISSING:
            parts[field.name] = build(hint, arrays, f"{name}.") if nested else arrays[name]
    return kind(**parts)
