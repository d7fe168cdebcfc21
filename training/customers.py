"""The customers file: who may be trained on, who may be recommended to where, and the market of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import ibis

from models.customers import NEVER_ASKED, NO, YES
from training.cleaning import has_nul, too_long
from training.columns import require
from training.sources import Source, unreadable_rows
from training.workspace import Workspace, reading

PURPOSES: Final = ("train", "personalize_web", "personalize_email")  # the columns of models.customers.Customers.consent


@dataclass(frozen=True, eq=False)
class Customers:
    """`table`: customer_id (unique), market (NULL unknown) and a consent code for each purpose. `problems` by name."""

    table: Any
    rows: int
    problems: dict[str, int]


def read_customers(workspace: Workspace, sources: Sequence[Source]) -> Customers:
    """The last row of a customer wins. A consent that cannot be read is a no, and counted as bad_consent."""
    if not sources:
        return Customers(workspace.keep("customers", _nobody()), 0, {})
    for source in sources:
        require(source.label, ["customer_id"], source.names, source.columns)
    workspace.in_file_order(True)
    typed = [_typed(source) for source in sources]
    with reading(sources[0].label):
        every = workspace.keep("customer_rows", ibis.union(*typed) if len(typed) > 1 else typed[0])
        every = workspace.keep("customer_order", every.mutate(position=ibis.row_number()))
    workspace.in_file_order(False)
    good = every.filter(every.problem.isnull())
    last = good.group_by("customer_id").agg(position=good.position.max())
    table = workspace.keep("customers", good.semi_join(last, "position").drop("position", "problem", "bad_consent"))
    problems = _problems(workspace, every, table, unreadable_rows(workspace, sources))
    return Customers(table, workspace.count(every) + problems.get("unreadable_row", 0), problems)


def _nobody() -> Any:
    columns = {"customer_id": "string", "market": "string"} | dict.fromkeys(PURPOSES, "uint8")
    return ibis.memtable(ibis.schema(columns).to_pyarrow().empty_table())


def _typed(source: Source) -> Any:
    customer = source.text("customer_id")
    consents = {purpose: _consent(source.text(purpose)) for purpose in PURPOSES}
    bad = [consents[purpose].isnull() for purpose in PURPOSES]
    return source.table.select(
        customer,
        source.text("market"),
        **{purpose: consent.fill_null(NO).cast("uint8") for purpose, consent in consents.items()},
        bad_consent=sum((one.cast("int64") for one in bad[1:]), bad[0].cast("int64")),
        problem=ibis.cases(
            (customer.isnull(), "missing_customer_id"),
            (too_long(customer), "id_too_long"),
            (has_nul(customer), "bad_id"),
            else_=ibis.null("string"),
        ),
    )


def _consent(text: Any) -> Any:
    word = text.strip().lower()
    return ibis.cases(
        (word.isnull() | (word == ""), NEVER_ASKED),
        (word.isin(("true", "1", "yes")), YES),
        (word.isin(("false", "0", "no")), NO),
        else_=ibis.null("int8"),
    )


def _problems(workspace: Workspace, every: Any, kept: Any, unreadable: int) -> dict[str, int]:
    counts = every.group_by("problem").agg(rows=every.count(), bad_consent=every.bad_consent.sum())
    problems: Counter[str] = Counter(unreadable_row=unreadable)
    for row in workspace.connection.to_pyarrow(counts).to_pylist():
        if row["problem"] is None:
            problems["bad_consent"] = row["bad_consent"]
            problems["duplicate_customer"] = row["rows"] - workspace.count(kept)
        else:
            problems[row["problem"]] = row["rows"]
    return {name: count for name, count in problems.items() if count}
