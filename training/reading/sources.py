"""Open the files of a shop and find the address of its store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from training.errors import InputError
from training.reading.columns import REQUIRED_OF_PURCHASES, check_mapping, require_columns
from training.reading.duckdb import Workspace
from training.reading.file_tables import FileTable, open_file_tables
from training.reading.options import AUTO, OWN, ReadingOptions
from training.reading.service_store import is_store
from training.reading.vendor_files import read_vendor_files


@dataclass(frozen=True, eq=False)
class Sources:
    """Hold opened files with mapped columns, and the address of a store."""

    purchases: list[FileTable]
    products: list[FileTable]
    customers: list[FileTable]
    store_url: str | None
    taken_for: Mapping[str, str]  # label of a file -> the vendor's export that it is


def open_sources(
    workspace: Workspace,
    purchases: Sequence[str | Path],
    products: Path | None,
    customers: Path | None,
    columns: Mapping[str, str],
    options: ReadingOptions,
) -> Sources:
    """Open what a shop names. `columns`: our name -> theirs. Raises InputError."""
    options = replace(options, format=options.format or (OWN if columns else AUTO))
    urls = [str(name) for name in purchases if is_store(name)]
    paths = [name for name in purchases if not is_store(name)]
    opened = {
        "purchases": open_file_tables(workspace, paths, columns, options=options),
        "products": (
            open_file_tables(workspace, [products], columns, options=options) if products else []
        ),
        "customers": (
            open_file_tables(workspace, [customers], columns, options=options, whole=True)
            if customers
            else []
        ),
    }
    existing: list[str] = []
    for tables in opened.values():
        for table in tables:
            existing += table.columns
    check_mapping(columns, existing)
    listed = read_vendor_files(workspace, opened["products"], "products")
    sold = read_vendor_files(workspace, opened["purchases"], "purchases", listed.names)
    known = read_vendor_files(workspace, opened["customers"], "customers")
    for source in sold.tables:
        require_columns(source.label, REQUIRED_OF_PURCHASES, source.names, source.columns)
    if len(urls) > 1:
        raise InputError(
            f"--purchases: {len(urls)} stores are named; the position of one can be kept."
        )
    return Sources(
        purchases=sold.tables,
        products=listed.tables,
        customers=known.tables,
        store_url=urls[0] if urls else None,
        taken_for=sold.taken_for | listed.taken_for | known.taken_for,
    )
