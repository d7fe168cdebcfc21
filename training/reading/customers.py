"""The customers file: who may be trained on, who may be recommended to where, and the market of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import ibis

from models.data.customers import NEVER_ASKED, NO, YES
from training.reading.cleaning import has_nul, too_long
from training.reading.columns import require
from training.reading.duckdb import Workspace, reading
from training.reading.file_tables import FileTable, require_whole
from training.reading.service_store import StoreTables
from training.reading.timestamps import timestamp_cells

PURPOSES: Final = (
    "train",
    "personalize_web",
    "personalize_email",
)  # the columns of models.customers.Customers.consent
CONSENT_TIMES: Final = tuple(f"{purpose}_time" for purpose in PURPOSES)
BAD: Final = ("bad_consent", "bad_consent_time")  # cells of a row that stays
Unasked = Literal["allow", "refuse"]  # whether to learn from customers who never answered


@dataclass(frozen=True, eq=False)
class CustomerTable:
    """`table`: customer_id (unique), market (NULL unknown) and a consent code for each purpose. `problems` by name."""

    table: Any
    rows: int
    problems: dict[str, int]


def read_customers(
    workspace: Workspace, sources: Sequence[FileTable], store: StoreTables | None = None
) -> CustomerTable:
    """The last row of a customer wins. A consent that cannot be read is a no, and counted as bad_consent.

    InputError for a line that cannot be taken apart: it may hold a no, and nobody could tell whose.
    Of a file and the store the later consent wins, for each purpose; one without a date is older than any with one.
    """
    people = _of_files(workspace, sources, store) if sources else CustomerTable(_nobody(), 0, {})
    table = _later(people.table, store.consents) if store else people.table
    return replace(people, table=workspace.keep("customers", table))


def _of_files(
    workspace: Workspace, sources: Sequence[FileTable], store: StoreTables | None
) -> CustomerTable:
    for source in sources:
        require(source.label, ["customer_id"], source.names, source.columns)
    workspace.in_file_order(True)
    typed = [_typed(source) for source in sources]
    with reading(sources[0].label):
        every = workspace.keep("customer_rows", ibis.union(*typed) if len(typed) > 1 else typed[0])
        every = workspace.keep("customer_order", every.mutate(position=ibis.row_number()))
    for source in sources:
        require_whole(workspace, source)
    workspace.in_file_order(False)
    if store:
        erased = every.customer_id.isin(store.erased_of(workspace, every).customer_id)
        problem = ibis.ifelse(every.problem.isnull() & erased, "erased_customer", every.problem)
        every = workspace.keep("customers_left", every.mutate(problem=problem))
    good = every.filter(every.problem.isnull())
    last = good.group_by("customer_id").agg(position=good.position.max())
    table = workspace.keep(
        "customers_told", good.semi_join(last, "position").drop("position", "problem", *BAD)
    )
    return CustomerTable(table, workspace.count(every), _problems(workspace, every, table))


def _nobody() -> Any:
    columns = {"customer_id": "string", "market": "string"}
    columns |= dict.fromkeys(PURPOSES, "uint8") | dict.fromkeys(CONSENT_TIMES, "int64")
    return ibis.memtable(ibis.schema(columns).to_pyarrow().empty_table())


def _typed(source: FileTable) -> Any:
    customer = source.text("customer_id")
    consents = {purpose: _consent(source.text(purpose)) for purpose in PURPOSES}
    stamps = {
        time: _either(source.text(time), source.text("consent_time")) for time in CONSENT_TIMES
    }
    bad = [consents[purpose].isnull() for purpose in PURPOSES]
    undated = [stamp.notnull() & timestamp_cells(stamp).isnull() for stamp in stamps.values()]
    return source.table.select(
        customer,
        source.text("market"),
        **{purpose: consent.fill_null(NO).cast("uint8") for purpose, consent in consents.items()},
        **{name: timestamp_cells(stamp) for name, stamp in stamps.items()},
        bad_consent=_count(bad),
        bad_consent_time=_count(undated),
        problem=ibis.cases(
            (customer.isnull(), "missing_customer_id"),
            (too_long(customer), "id_too_long"),
            (has_nul(customer), "bad_id"),
            else_=ibis.null("string"),
        ),
    )


def _either(text: Any, other: Any) -> Any:
    return ibis.coalesce(text.strip().nullif(""), other.strip().nullif(""))


def _count(flags: list[Any]) -> Any:
    return sum((one.cast("int64") for one in flags[1:]), flags[0].cast("int64"))


def _later(files: Any, store: Any) -> Any:
    """Everyone in either, with the later consent of the two for each purpose."""
    both = files.outer_join(store, "customer_id", rname="{name}_stored")
    cells = {}
    for purpose, time in zip(PURPOSES, CONSENT_TIMES, strict=True):
        code, stored = both[purpose].fill_null(NEVER_ASKED), both[f"{purpose}_stored"]
        older = (code == NEVER_ASKED) | both[time].isnull() | (both[time] <= both[f"{time}_stored"])
        told = stored.notnull() & older
        cells[purpose] = ibis.ifelse(told, stored, code).cast("uint8")
        cells[time] = ibis.ifelse(told, both[f"{time}_stored"], both[time])
    return both.select(
        "market", customer_id=ibis.coalesce(both.customer_id, both.customer_id_stored), **cells
    )


def _consent(text: Any) -> Any:
    word = text.strip().lower()
    return ibis.cases(
        (word.isnull() | (word == ""), NEVER_ASKED),
        (word.isin(("true", "1", "yes")), YES),
        (word.isin(("false", "0", "no")), NO),
        else_=ibis.null("int8"),
    )


def _problems(workspace: Workspace, every: Any, kept: Any) -> dict[str, int]:
    counts = every.group_by("problem").agg(
        rows=every.count(), **{name: every[name].sum() for name in BAD}
    )
    problems: Counter[str] = Counter()
    for row in workspace.connection.to_pyarrow(counts).to_pylist():
        if row["problem"] is None:
            problems.update({name: row[name] for name in BAD})
            problems["duplicate_customer"] = row["rows"] - workspace.count(kept)
        else:
            problems[row["problem"]] = row["rows"]
    return {name: count for name, count in problems.items() if count}
