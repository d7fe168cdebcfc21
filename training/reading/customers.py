"""Read consents and markets of customers from the customers file and the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import ibis

from models.data.customers import MAX_VALUES, NEVER_ASKED, NO, PURPOSES, YES
from models.data.words import plain_name, read_consent
from models.rules.preferences import check_preferences
from training.errors import InputError
from training.reading.cells import read_cells
from training.reading.cleaning import has_nul, is_too_long
from training.reading.columns import did_you_mean, require_columns
from training.reading.duckdb import Workspace, reading_errors
from training.reading.file_tables import FileTable, require_whole
from training.reading.problems import Problems, count_problems, lost_column
from training.reading.service_store import StoreTables
from training.reading.styles import with_styles

CONSENT_TIMES: Final = tuple(f"{purpose}_time" for purpose in PURPOSES)
READ_ANYWAY: Final = ("customer_id", "market", "preferences", *PURPOSES)
LONGEST_VALUE: Final = 100  # characters
DATE_COLUMNS: Final = ("consent_time", *CONSENT_TIMES)
# Of cells in a row that stays.
CELL_PROBLEMS: Final[Mapping[str, tuple[str, ...]]] = {
    "bad_consent": PURPOSES,
    "bad_consent_time": CONSENT_TIMES,
    "consent_time_ahead": CONSENT_TIMES,
    "bad_preferences": ("preferences",),
}
Unasked = Literal["allow", "refuse"]  # whether to learn from customers who never answered


@dataclass(frozen=True, eq=False)
class CustomerTable:
    """Hold the customers that files and a store describe."""

    # One row a customer: customer_id, market, for each purpose a consent code and its time, and
    # `preferences` as JSON (all NULL where unknown).
    table: Any
    # (customer_id, value_0, value_1, …) of the columns that were asked for; None: of none
    columns: Any
    column_names: tuple[str, ...]
    rows: int  # that were read
    problems: Problems  # rows left out and cells not understood


def read_customers(
    workspace: Workspace,
    sources: Sequence[FileTable],
    store: StoreTables | None = None,
    columns: Sequence[str] = (),
    *,
    now: int,
) -> CustomerTable:
    """Read the customers of files and of a store, with some more columns of the files.

    The last row of a customer wins. A consent that cannot be read is a no, and counted as
    bad_consent. Of a file and the store the later consent wins, for each purpose; one without a
    date is older than any with one. What customers said to the service stands before what a file
    tells of it. No date after `now` (seconds since 1970) is believed, and each is counted as
    consent_time_ahead; one that nobody can read as bad_consent_time: a no is then of this moment, a
    yes has no date. Raises InputError for one of the `columns` that no file has or that has too
    many values, and for a line that cannot be taken apart: it may hold a no, and nobody could tell
    whose.
    """
    for name in columns:
        _require_customer_column(name, sources)
    nobody = CustomerTable(_empty_table(), None, (), 0, Problems())
    customers = _read_files(workspace, sources, store, tuple(columns), now) if sources else nobody
    table = customers.table
    if store:
        table = workspace.keep("later_consents", _later_consents(table, store.consents))
        table = _newer_preferences(table, store.preferences)
    return replace(customers, table=workspace.keep("customers", table))


def _require_customer_column(name: str, sources: Sequence[FileTable]) -> None:
    if name in READ_ANYWAY:
        raise InputError(f"[customers] columns: {name!r} is read already; name one such as 'tier'")
    if all(_find_column(source, name) is None for source in sources):
        known = sorted({column for source in sources for column in source.columns})
        raise InputError(
            f"[customers] columns: no customers file has a column {name!r}"
            f"{did_you_mean(name, known)}"
        )


def _find_column(source: FileTable, name: str) -> str | None:
    """Return the column of a file that has this name, in whatever case."""
    if name in source.columns:
        return name
    plain = {plain_name(column): column for column in source.columns}
    return plain.get(plain_name(name))


def _cells_of(source: FileTable, name: str) -> Any:
    column = _find_column(source, name)
    return ibis.null("string") if column is None else source.table[column].strip().nullif("")


def _check_values(workspace: Workspace, table: Any, names: Sequence[str]) -> None:
    """Raise InputError for a column that has too many values to be a condition, or long ones."""
    for index, name in enumerate(names):
        values = table[f"value_{index}"]
        found = workspace.connection.to_pyarrow(
            table.agg(count=values.nunique(), longest=values.length().max())
        ).to_pylist()[0]
        if found["count"] > MAX_VALUES:
            raise InputError(
                f"[customers] columns: {name!r} has {found['count']:,} different values, and "
                f"{MAX_VALUES} are allowed; name a column that sorts customers into groups"
            )
        if (found["longest"] or 0) > LONGEST_VALUE:
            raise InputError(
                f"[customers] columns: {name!r} has values of {found['longest']:,} characters, "
                f"and {LONGEST_VALUE} are allowed"
            )


def _read_files(
    workspace: Workspace,
    sources: Sequence[FileTable],
    store: StoreTables | None,
    columns: tuple[str, ...],
    now: int,
) -> CustomerTable:
    for source in sources:
        require_columns(source.label, ["customer_id"], source.names, source.columns)
    workspace.in_file_order(True)
    sources = [with_styles(workspace, source, (), DATE_COLUMNS) for source in sources]
    tables = [_parse_cells(source, columns, now) for source in sources]
    with reading_errors(sources[0].label):
        every = ibis.union(*tables) if len(tables) > 1 else tables[0]
        rows = workspace.keep("customer_rows", every)
        rows = workspace.keep("customer_order", rows.mutate(position=ibis.row_number()))
    for source in sources:
        require_whole(workspace, source)
    workspace.in_file_order(False)
    if store:
        is_erased = rows.customer_id.isin(store.erased_of(workspace, rows).customer_id)
        problem = ibis.ifelse(rows.problem.isnull() & is_erased, "erased_customer", rows.problem)
        rows = workspace.keep("customers_left", rows.mutate(problem=problem))
    usable = rows.filter(rows.problem.isnull())
    last = usable.group_by("customer_id").agg(position=usable.position.max())
    usable = usable.semi_join(last, "position")
    table = workspace.keep("listed_customers", usable.select(*_empty_table().columns))
    values = None
    if columns:
        names = [f"value_{index}" for index in range(len(columns))]
        values = workspace.keep("customer_values", usable.select("customer_id", *names))
        _check_values(workspace, values, columns)
    problems = count_problems(workspace, rows, table, CELL_PROBLEMS, "duplicate_customer", sources)
    return CustomerTable(table, values, columns, workspace.count(rows), problems)


def _empty_table() -> Any:
    columns = {"customer_id": "string", "market": "string", "preferences": "string"}
    columns |= dict.fromkeys(PURPOSES, "uint8") | dict.fromkeys(CONSENT_TIMES, "int64")
    return ibis.memtable(ibis.schema(columns).to_pyarrow().empty_table())


def _parse_cells(source: FileTable, columns: Sequence[str], now: int) -> Any:
    """Return typed cells, the texts of CELL_PROBLEMS, and the `problem` of a row, NULL for none."""
    customer_id = source.text("customer_id")
    consents = {purpose: _parse_consent(source.text(purpose)) for purpose in PURPOSES}
    time_texts = {name: _time_text(source, name) for name in CONSENT_TIMES}
    times = {name: _times(source, name) for name in CONSENT_TIMES}
    lost: dict[str, Any] = {}
    for purpose, time_name in zip(PURPOSES, CONSENT_TIMES, strict=True):
        text, time_text, time = source.text(purpose), time_texts[time_name], times[time_name]
        lost[lost_column("bad_consent", purpose)] = _where(consents[purpose].isnull(), text)
        consent = consents[purpose] = consents[purpose].fill_null(NO).cast("uint8")
        is_ahead = (time > now).fill_null(False)
        is_unread = time_text.notnull() & time.isnull()
        times[time_name] = ibis.ifelse(is_ahead | is_unread, _time_of_reading(consent, now), time)
        lost[lost_column("bad_consent_time", time_name)] = _where(is_unread, time_text)
        is_told = is_ahead & (consent != NEVER_ASKED)
        lost[lost_column("consent_time_ahead", time_name)] = _where(is_told, time_text)
    written = source.text("preferences").strip().nullif("")
    preferences = read_cells(written, check_preferences, "string")
    lost[lost_column("bad_preferences", "preferences")] = _where(preferences.isnull(), written)
    return source.table.select(
        customer_id,
        source.text("market"),
        preferences=preferences,
        **consents,
        **times,
        **lost,
        **{f"value_{index}": _cells_of(source, name) for index, name in enumerate(columns)},
        problem=ibis.cases(
            (customer_id.isnull(), "missing_customer_id"),
            (is_too_long(customer_id), "id_too_long"),
            (has_nul(customer_id), "bad_id"),
            else_=ibis.null("string"),
        ),
    )


def _time_text(source: FileTable, name: str) -> Any:
    """Return the cells of this column, or else of `consent_time`; NULL where both are empty."""
    own, shared = source.text(name), source.text("consent_time")
    return ibis.coalesce(own.strip().nullif(""), shared.strip().nullif(""))


def _times(source: FileTable, name: str) -> Any:
    """Return the cells of this column, or else of `consent_time`, in seconds since 1970."""
    is_own = source.text(name).strip().nullif("").notnull()
    return ibis.ifelse(is_own, source.times(name), source.times("consent_time"))


def _time_of_reading(consent: Any, now: int) -> Any:
    """Return what stands for a date ahead, or one that nobody can read.

    It is `now` for a no, NULL for any other answer: a yes dated `now` would be later at every
    training than a no that was given before it.
    """
    return ibis.ifelse(consent == NO, ibis.literal(now, "int64"), ibis.null("int64"))


def _where(condition: Any, text: Any) -> Any:
    return ibis.ifelse(condition, text, ibis.null("string"))


def _parse_consent(text: Any) -> Any:
    """Return YES, NO or NEVER_ASKED; NULL for a text that is not understood."""
    answer = read_cells(text.strip().nullif(""), read_consent, "boolean")
    return ibis.cases(
        (text.strip().nullif("").isnull(), NEVER_ASKED),
        (answer, YES),
        (~answer, NO),
        else_=ibis.null("int8"),
    )


def _later_consents(files: Any, store: Any) -> Any:
    """Return everyone in either, with the later consent of the two for each purpose."""
    both = files.outer_join(store, "customer_id", rname="{name}_stored")
    cells = {}
    for purpose, time in zip(PURPOSES, CONSENT_TIMES, strict=True):
        consent, stored = both[purpose].fill_null(NEVER_ASKED), both[f"{purpose}_stored"]
        stored_time = both[f"{time}_stored"]
        is_older = (consent == NEVER_ASKED) | both[time].isnull() | (both[time] <= stored_time)
        is_replaced = stored.notnull() & is_older
        cells[purpose] = ibis.ifelse(is_replaced, stored, consent).cast("uint8")
        cells[time] = ibis.ifelse(is_replaced, stored_time, both[time])
    customer_id = ibis.coalesce(both.customer_id, both.customer_id_stored)
    return both.select("market", "preferences", customer_id=customer_id, **cells)


def _newer_preferences(customers: Any, store: Any) -> Any:
    """Return everyone in either, with what they said to the service, else what a file tells."""
    both = customers.outer_join(store, "customer_id", rname="{name}_stored")
    cells = {purpose: both[purpose].fill_null(NEVER_ASKED).cast("uint8") for purpose in PURPOSES}
    return both.select(
        "market",
        *CONSENT_TIMES,
        customer_id=ibis.coalesce(both.customer_id, both.customer_id_stored),
        preferences=ibis.coalesce(both.document, both.preferences),
        **cells,
    )
