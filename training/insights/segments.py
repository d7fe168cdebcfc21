"""Segments of customers as they were last computed, of those who allow training still."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import ibis
import pyarrow as pa

from models.artifact.insights import MIN_GROUP
from models.data.customer_figures import CustomerFigures
from models.data.customers import TRAIN
from models.data.segments import SEGMENTS
from models.errors import ArtifactError
from training.insights.purpose_consents import PurposeConsents
from training.insights.source import InsightSource
from training.reading.duckdb import Workspace
from training.reading.service_store import BATCH_ROWS, StoreReader

SEGMENT_TYPES: Final = {"customer_id": pa.string(), "segment": pa.string()}


@dataclass(frozen=True)
class CustomerSegments:
    """Hold the table of a registry, and who allows training by now."""

    figures: CustomerFigures | None  # None where nothing was computed yet
    allowing: PurposeConsents

    @classmethod
    def read(cls, store: StoreReader, source: InsightSource) -> Self:
        """Read the table of a registry; one of another version is none."""
        try:
            figures = CustomerFigures.read(source.registry)
        except ArtifactError:
            figures = None
        allowing = PurposeConsents.read(store, source.learned, source.unasked, TRAIN)
        return cls(figures, allowing)

    def tell(self, workspace: Workspace, name: str, customers: Any) -> Any:
        """Hold (customer_id, segment) of those of a table of `customer_id` who are in one.

        `name`: of the table that is held. Segments of fewer than MIN_GROUP of them are left out.
        """
        parts = [pa.schema(list(SEGMENT_TYPES.items())).empty_table()]
        if self.figures is not None:
            everyone = customers.select("customer_id").drop_null().distinct()
            batches = workspace.batches(everyone, BATCH_ROWS)
            parts += [self._find(self.figures, batch[0].to_pylist()) for batch in batches]
        held = workspace.keep(name, ibis.memtable(pa.concat_tables(parts)))
        sizes = held.group_by("segment").agg(customers=held.count())
        return held.semi_join(sizes.filter(sizes.customers >= MIN_GROUP), "segment")

    def _find(self, figures: CustomerFigures, customer_ids: Sequence[str]) -> pa.Table:
        """Return (customer_id, segment) of those who are in one."""
        codes = figures.find_segments(customer_ids)
        inside = [customer_ids[row] for row in (codes >= 0).nonzero()[0].tolist()]
        refused = set(self.allowing.refused(inside))
        pairs = [
            (name, SEGMENTS[code].value)
            for name, code in zip(customer_ids, codes.tolist(), strict=True)
            if code >= 0 and name not in refused
        ]
        columns = [[name for name, _ in pairs], [segment for _, segment in pairs]]
        return pa.table([pa.array(column, pa.string()) for column in columns], list(SEGMENT_TYPES))
