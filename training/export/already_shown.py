"""Find the products that mails have shown, so that a file shows none of them again."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson
import pyarrow as pa
from sqlalchemy import Select, or_, select

from models.mail.mailings import shown_products
from training.errors import InputError
from training.export.formats import undo_spreadsheet_safe
from training.reading.duckdb import Workspace, open_workspace
from training.reading.file_tables import FileTable, open_file_tables, read_whole
from training.reading.service_store import StoreReader, campaigns, slates

SHOWN_TYPES: Final = {"customer_id": "string", "product_id": "string"}
RECORD_TYPES: Final = {"customer_id": "string", "campaign_id": "string", "document": "string"}
JSON_LINES: Final = (".ndjson", ".jsonl")
PRODUCT_COLUMN: Final = re.compile(r"product_id|rec_[0-9]+_id")  # of both layouts of a file
HOUR: Final = 3600  # seconds


class ShownRecord(NamedTuple):
    """A mail that the service rendered."""

    customer_id: str
    campaign_id: str
    document: str  # JSON


@dataclass(frozen=True)
class AlreadyShown:
    """A choice of mails that count: earlier files, and each customer's last campaigns.

    The campaigns are those of the service's store.
    """

    files: Sequence[Path] = ()
    campaigns: int = 0
    campaign: str = ""  # for which a file is made
    clock: int = 0  # seconds since 1970

    def in_files(self) -> pa.Table:
        """Return customers and products as the files tell them: SHOWN_TYPES.

        Raises InputError for a file that has no such columns, or cannot be read whole.
        """
        files = [path for path in self.files if not _is_empty_json_lines(path)]
        if not files:
            return _shown_table([], [])
        with open_workspace() as workspace:
            parts: list[pa.Table] = []
            for source in open_file_tables(workspace, files, {}, whole=True):
                parts += _shown_in(workspace, source)
            return pa.concat_tables(parts)

    def in_store(self, store: StoreReader) -> pa.Table:
        """Return customers and products as the records of mails tell them: SHOWN_TYPES."""
        if not self.campaigns:
            return _shown_table([], [])
        customers: list[str] = []
        products: list[str] = []
        records = _records(store, self._records_that_count())
        for customer_id, own_records in groupby(records, attrgetter("customer_id")):
            shown = list(self._last_products(own_records))
            customers += [customer_id] * len(shown)
            products += shown
        return _shown_table(customers, products)

    def _records_that_count(self) -> Select[Any]:
        """Select records, newest first.

        What this campaign shows now does not count; what it showed before does.
        """
        window_begins = self.clock - campaigns.c.window_hours * HOUR
        return (
            select(*[slates.c[name] for name in RECORD_TYPES])
            .select_from(slates.join(campaigns, campaigns.c.campaign_id == slates.c.campaign_id))
            .where(or_(slates.c.campaign_id != self.campaign, slates.c.time <= window_begins))
            .order_by(slates.c.customer_id, slates.c.time.desc(), slates.c.ref)
        )

    def _last_products(self, records: Iterable[ShownRecord]) -> Iterator[str]:
        """Yield the products of a customer's last campaigns, from records with the newest first."""
        counted: set[str] = set()
        for record in records:
            if record.campaign_id not in counted and len(counted) == self.campaigns:
                continue  # an older record may still be of a campaign that counts
            counted.add(record.campaign_id)
            yield from shown_products(orjson.loads(record.document))


NOTHING_SHOWN: Final = AlreadyShown()


def _is_empty_json_lines(path: Path) -> bool:
    """JSON lines have no header: a file for an audience that nobody meets is empty."""
    return path.suffix.lower() in JSON_LINES and path.is_file() and path.stat().st_size == 0


def _shown_in(workspace: Workspace, source: FileTable) -> Iterator[pa.Table]:
    product_columns = [name for name in source.columns if PRODUCT_COLUMN.fullmatch(name)]
    if "customer_id" not in source.columns or not product_columns:
        raise InputError(
            f"{source.label}: has no customer_id with product_id or rec_1_id, "
            "as files of slates have"
        )
    for name in product_columns:
        cells = source.table.select("customer_id", product_id=source.table[name])
        shown = read_whole(workspace, source, cells.drop_null())
        yield shown
        # Whether a file was made safe for spreadsheets is not written in it.
        as_it_was = undo_spreadsheet_safe(shown)
        if as_it_was != shown:
            yield as_it_was


def _records(store: StoreReader, statement: Select[Any]) -> Iterator[ShownRecord]:
    for table in store.fetch(statement, RECORD_TYPES):
        columns = table.to_pydict()
        yield from map(ShownRecord, *[columns[name] for name in ShownRecord._fields])


def _shown_table(customers: Sequence[str], products: Sequence[str]) -> pa.Table:
    columns = [pa.array(customers, pa.string()), pa.array(products, pa.string())]
    return pa.table(columns, list(SHOWN_TYPES))
