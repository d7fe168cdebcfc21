"""Hide products that are sold and not in the products file: nobody could show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.data.catalogue import ALWAYS_FROM, Catalogue
from models.data.events import DAY, PURCHASE
from training.errors import InputError
from training.reading.duckdb import Workspace
from training.reading.file_tables import FileTable
from training.reading.numbering import Numbering
from training.reading.options import Unlisted
from training.reading.products import ProductTable

MONTH: Final = 30 * DAY
LARGEST_HIDDEN_SHARE: Final = 0.5  # of the last month's sales
EXAMPLES: Final = 3


def hide_unlisted(
    workspace: Workspace,
    numbering: Numbering,
    products: ProductTable,
    lines: Mapping[str, NDArray[Any]],
    files: Sequence[FileTable],
) -> tuple[Numbering, ProductTable]:
    """Hide products that neither file nor store list, unless they are wanted; and count them.

    Nothing is hidden without a products file. `lines`: `item`, `kind` and `time`.
    """
    wanted = files[0].options.unlisted if files else "show"
    if wanted == "show":
        return numbering, products
    rows = workspace.connection.to_pyarrow(products.table.select("product_id"))
    catalogue = numbering.catalogue
    unlisted = find_unlisted(catalogue, rows["product_id"].to_pylist())
    if not unlisted.any():
        return numbering, products
    examples = check_unlisted(lines, catalogue, unlisted, wanted, files[0].label)
    products.problems.add("not_listed", int(unlisted.sum()), examples)
    return replace(numbering, catalogue=hide(catalogue, unlisted)), products


def find_unlisted(catalogue: Catalogue, listed: list[str]) -> NDArray[np.bool_]:
    """Return which products are not among the listed ids: bool (n,)."""
    unlisted = np.ones(len(catalogue), np.bool_)
    unlisted[catalogue.ids.find_all(listed)] = False
    return unlisted


def hide(catalogue: Catalogue, hidden: NDArray[np.bool_]) -> Catalogue:
    """Return a catalogue in which these products, bool (n,), are never available."""
    until = np.where(hidden, ALWAYS_FROM, catalogue.available_until)
    return replace(catalogue, available_until=until)


def check_unlisted(
    lines: Mapping[str, NDArray[Any]],
    catalogue: Catalogue,
    unlisted: NDArray[np.bool_],
    wanted: Unlisted | None,
    file: str,
) -> str:
    """Return examples of unlisted products, those that sell most first.

    `lines`: `item`, `kind` and `time`. Raises InputError where most of what the shop sold in the
    last month would be hidden, and nobody said that it is `wanted`.
    """
    sold = lines["kind"] == PURCHASE
    newest = lines["time"][sold].max(initial=0)
    recent = lines["item"][sold & (lines["time"] > newest - MONTH)]
    sales = np.bincount(lines["item"][sold], minlength=len(catalogue)) * unlisted
    # Also those that nobody bought are unlisted, if somebody looked at them.
    order = np.argsort(-(sales + 0.5 * unlisted), kind="stable")[: min(EXAMPLES, unlisted.sum())]
    examples = ", ".join(repr(catalogue.ids[item]) for item in order.tolist())
    hidden = int(unlisted[recent].sum())
    if wanted is None and hidden > LARGEST_HIDDEN_SHARE * len(recent):
        raise InputError(
            f"{file} lacks {int(unlisted.sum()):,} products that are sold, such as {examples}, "
            f"with {hidden:,} of {len(recent):,} sales of the last 30 days: it is probably not the "
            "whole catalogue. Say by --show-unlisted or --hide-unlisted whether they are shown."
        )
    return examples
