"""A tree of frozen dataclasses with arrays at its leaves, as named arrays and back.

The name of an array is its path through the tree: `catalogue.title.blob`.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
T = TypeVar("T")


def flatten(tree: Any, prefix: str = "") -> Iterator[tuple[str, Array]]:
    """Yield every array of the tree with its name, in the order of the fields.

    Raises TypeError where a part is neither a dataclass nor an array.
    """
    for field in dataclasses.fields(tree):
        name, part = prefix + field.name, getattr(tree, field.name)
        if dataclasses.is_dataclass(part):
            yield from flatten(part, f"{name}.")
        elif hasattr(part, "__array__"):
            yield name, np.asarray(part)
        else:
            raise TypeError(f"{name}: {type(part).__name__} has no arrays that could be written")


def build(kind: type[T], arrays: Mapping[str, Array], prefix: str = "") -> T:
    """Build a tree from what `flatten` yields of one.

    A field `Annotated[Protocol, Class]` is built as the class. A missing array raises KeyError
    with its name, unless its field has a default; a part with a default may be missing as a whole.
    """
    hints = typing.get_type_hints(kind, include_extras=True)
    parts: dict[str, Any] = {}
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        name, part_kind = prefix + field.name, _kind_of(hints[field.name])
        has_default = field.default_factory is not dataclasses.MISSING
        if has_default and not any(f"{key}.".startswith(f"{name}.") for key in arrays):
            continue
        if isinstance(part_kind, type) and dataclasses.is_dataclass(part_kind):
            parts[field.name] = build(part_kind, arrays, f"{name}.")
        else:
            parts[field.name] = arrays[name]
    return kind(**parts)


def _kind_of(hint: Any) -> Any:
    return hint.__metadata__[0] if typing.get_origin(hint) is Annotated else hint
