"""List the exports of all vendors, and know one by its names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from models.data.words import plain_name
from models.vendors import ga4, google, klaviyo, magento, segment, shopify, woocommerce
from models.vendors.vendor import Kind, Shape

SHAPES: Final[tuple[Shape, ...]] = (
    *shopify.SHAPES,
    *woocommerce.SHAPES,
    *magento.SHAPES,
    *google.SHAPES,
    *ga4.SHAPES,
    *segment.SHAPES,
    *klaviyo.SHAPES,
)
VENDORS: Final = tuple(dict.fromkeys(shape.vendor for shape in SHAPES))


def find_shape(
    names: Iterable[str],
    *,
    is_table: bool | None = None,
    vendor: str | None = None,
    kind: Kind | None = None,
) -> Shape | None:
    """Return the export that has these names of columns, or of a JSON object; None for none.

    `vendor`, `kind` and `is_table`: of which it must be. Of several the one that most names tell
    is returned.
    """
    plain = set(map(plain_name, names))
    known = [
        shape
        for shape in SHAPES
        if vendor in (None, shape.vendor)
        and kind in (None, shape.kind)
        and is_table in (None, shape.is_table)
        and (plain.issuperset(shape.told_by) or is_answer(plain, shape))
    ]
    return max(known, key=lambda shape: len(plain & set(shape.told_by)), default=None)


def is_answer(names: set[str], shape: Shape) -> bool:
    """Return whether an object with these names is an answer that holds records of a shape."""
    return bool(shape.answered_in) and names.issuperset(shape.answered_in)
