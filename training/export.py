"""Slates for many customers in a file, for systems that load one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any, Final, Self

import orjson
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from models.customers import PERSONALIZE_EMAIL
from models.recommender import Recommender
from models.slate import Repeat, SlateRequest
from training.errors import InputError
from training.progress import Advance
from training.recipients import Recipient
from training.workers import spread

CHUNK: Final = 256  # recipients a worker takes at a time


class Layout(StrEnum):
    LONG = "long"  # a row a product: customer_id, rank, product_id, score, source
    WIDE = "wide"  # a row a customer: customer_id, rec_1_id, … rec_n_id


@dataclass(frozen=True)
class Order:
    """What every slate of an export has in common."""

    n: int
    repeat: Repeat
    layout: Layout

    @property
    def schema(self) -> pa.Schema:
        if self.layout is Layout.WIDE:
            return pa.schema([("customer_id", pa.string()), *((f"rec_{rank}_id", pa.string()) for rank in self.ranks)])
        columns = {"customer_id": pa.string(), "rank": pa.int32(), "product_id": pa.string()}
        return pa.schema({**columns, "score": pa.float32(), "source": pa.string()})

    @property
    def ranks(self) -> range:
        return range(1, self.n + 1)


def export_slates(
    directory: Path,
    recipients: Sequence[Recipient],
    order: Order,
    output: Path,
    *,
    processes: int,
    on_progress: Advance,
) -> int:
    """Write a slate for each recipient, in their order; returns the number of rows. Raises InputError.

    The file appears whole or not at all.
    """
    if output.suffix not in WRITERS:
        raise InputError(f"--output {output}: expected a name ending in {', '.join(WRITERS)}")
    if not output.parent.is_dir():
        raise InputError(f"--output {output}: the folder {output.parent} does not exist")
    beside = output.with_name(f".{output.name}.part")
    tables = spread(directory, partial(_slates, order), recipients, chunk=CHUNK, processes=processes)
    rows = 0
    try:
        with WRITERS[output.suffix](beside, order.schema) as writer:
            for part, table in enumerate(tables, 1):
                writer.write_table(table)
                rows += table.num_rows
                on_progress(min(part * CHUNK, len(recipients)), len(recipients))
        beside.replace(output)
    except OSError as error:
        raise InputError(f"--output {output} cannot be written: {error.strerror or error}") from error
    finally:
        beside.unlink(missing_ok=True)
    return rows


class JsonLines:
    """One JSON object a row."""

    def __init__(self, path: Path, _schema: pa.Schema) -> None:
        self.stream = path.open("wb")

    def write_table(self, table: pa.Table) -> None:
        self.stream.writelines(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in table.to_pylist())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stream.close()


WRITERS: Final = {".parquet": pq.ParquetWriter, ".csv": pa_csv.CSVWriter, ".ndjson": JsonLines}


def _slates(order: Order, recommender: Recommender, recipients: Sequence[Recipient]) -> pa.Table:
    rows: list[dict[str, Any]] = []
    ids = recommender.catalogue.ids
    for recipient in recipients:
        # A file is made for mails, so the consent for mails decides.
        request = SlateRequest(n=order.n, as_of=recipient.as_of, repeat=order.repeat, purpose=PERSONALIZE_EMAIL)
        slots = recommender.recommend(recipient.customer_id, request).slots
        if order.layout is Layout.WIDE:
            shown = {f"rec_{rank}_id": ids[slot.item] for rank, slot in enumerate(slots, 1)}
            rows.append({"customer_id": recipient.customer_id, **shown})
            continue
        rows += [
            {
                "customer_id": recipient.customer_id,
                "rank": rank,
                "product_id": ids[slot.item],
                "score": slot.score,
                "source": slot.source.value,
            }
            for rank, slot in enumerate(slots, 1)
        ]
    return pa.Table.from_pylist(rows, schema=order.schema)
