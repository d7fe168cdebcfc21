"""What mails have shown already, so that a file shows nothing of it again."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Final

import orjson
import pyarrow as pa
from sqlalchemy import Connection, text

from models.mail.mailings import products_of
from training.errors import InputError
from training.reading.duckdb import Workspace, open_workspace
from training.reading.file_tables import FileTable, open_sources, read_whole
from training.reading.service_store import fetched

PAIRS: Final = {"customer_id": "string", "product_id": "string"}
JSON_LINES: Final = (".ndjson", ".jsonl")
RANKED: Final = re.compile(r"product_id|rec_[0-9]+_id")  # the columns of both layouts of a file
# Newest first. What this campaign shows now does not count, and what it showed last week does.
RECORDS: Final = text(
    """
    SELECT s.customer_id, s.campaign_id, s.document
    FROM slates s JOIN campaigns c ON c.campaign_id = s.campaign_id
    WHERE s.campaign_id <> :campaign OR s.time <= :clock - c.window_hours * 3600
    ORDER BY s.customer_id, s.time DESC, s.ref
    """
)
RECORD: Final = {"customer_id": "string", "campaign_id": "string", "document": "string"}


@dataclass(frozen=True)
class AlreadyShown:
    """Which mails count: those of earlier files, and of the store those of the last campaigns of each customer."""

    files: Sequence[Path] = ()
    campaigns: int = 0
    campaign: str = ""  # the one that a file is made for
    clock: int = 0  # seconds since 1970

    def in_files(self) -> pa.Table:
        """PAIRS. InputError for a file that says of nobody what was shown, or cannot be read whole."""
        files = [path for path in self.files if not _of_nobody(path)]
        if not files:
            return _pairs([], [])
        with open_workspace() as workspace:
            sources = open_sources(workspace, files, {}, whole=True)
            return pa.concat_tables([part for source in sources for part in _of(workspace, source)])

    def in_store(self, connection: Connection) -> pa.Table:
        """PAIRS, as the records of mails say."""
        if not self.campaigns:
            return _pairs([], [])
        records = fetched(
            connection, RECORDS.bindparams(campaign=self.campaign, clock=self.clock), RECORD
        )
        rows = (row for table in records for row in zip(*table.to_pydict().values(), strict=True))
        customers, products = [], []
        for customer, theirs in groupby(rows, itemgetter(0)):
            for product in self._last(theirs):
                customers.append(customer)
                products.append(product)
        return _pairs(customers, products)

    def _last(self, records: Iterator[tuple[str, str, str]]) -> Iterator[str]:
        """The products of a customer's last campaigns."""
        counted: set[str] = set()
        for _, campaign, document in records:
            if campaign not in counted and len(counted) == self.campaigns:
                continue  # an older record may still be of one that counts
            counted.add(campaign)
            yield from products_of(orjson.loads(document))


NOTHING: Final = AlreadyShown()


def _of_nobody(path: Path) -> bool:
    """JSON lines have no header: a file for an audience that nobody meets is empty."""
    return path.suffix.lower() in JSON_LINES and path.is_file() and path.stat().st_size == 0


def _of(workspace: Workspace, source: FileTable) -> Iterator[pa.Table]:
    ranked = [name for name in source.columns if RANKED.fullmatch(name)]
    if "customer_id" not in source.columns or not ranked:
        raise InputError(
            f"{source.label}: has no customer_id with product_id or rec_1_id, as files of slates have"
        )
    customer = source.table["customer_id"]
    for name in ranked:
        shown = source.table.select(customer_id=customer, product_id=source.table[name]).drop_null()
        yield read_whole(workspace, source, shown)


def _pairs(customers: Sequence[str], products: Sequence[str]) -> pa.Table:
    return pa.table(
        [pa.array(customers, pa.string()), pa.array(products, pa.string())], list(PAIRS)
    )
