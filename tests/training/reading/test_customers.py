from __future__ import annotations

from pathlib import Path

import pytest

from models.data.customers import NEVER_ASKED, NO, PURPOSES, YES
from training.errors import InputError
from training.reading.customers import CustomerTable, read_customers
from training.reading.duckdb import open_workspace
from training.reading.file_tables import open_file_tables

NOW = 1_767_225_600  # midnight of 1 January 2026, UTC


def read(folder: Path, *lines: str) -> tuple[dict[str, tuple[int, ...]], CustomerTable]:
    path = folder / "people.csv"
    path.write_text("\n".join(lines) + "\n")
    return customers_of(path)


def customers_of(path: Path) -> tuple[dict[str, tuple[int, ...]], CustomerTable]:
    with open_workspace() as workspace:
        files = open_file_tables(workspace, [path], {}, whole=True)
        customers = read_customers(workspace, files, now=NOW)
        rows = workspace.connection.to_pyarrow(customers.table).to_pylist()
    return {
        row["customer_id"]: tuple(row[purpose] for purpose in PURPOSES) for row in rows
    }, customers


def test_consent_is_read_in_any_usual_spelling(tmp_path: Path) -> None:
    header = "customer_id,train,personalize_web,personalize_email,measure"
    rows = ("anna,true,YES,1,y", "bert,False,no,0,n", "carl,,  ,,")
    consents, customers = read(tmp_path, header, *rows)
    assert consents == {"anna": (YES,) * 4, "bert": (NO,) * 4, "carl": (NEVER_ASKED,) * 4}
    assert (customers.rows, customers.problems.counts) == (3, {})


def test_a_consent_that_cannot_be_read_is_a_no_and_counted(tmp_path: Path) -> None:
    consents, customers = read(
        tmp_path, "customer_id,train,personalize_web", "anna,perhaps,maybe", "bert,true,true"
    )
    assert consents == {"anna": (NO, NO, 0, 0), "bert": (YES, YES, 0, 0)}
    assert customers.problems.counts == {"bad_consent": 2}


def test_the_last_row_of_a_customer_wins(tmp_path: Path) -> None:
    consents, customers = read(
        tmp_path, "customer_id,train", "anna,true", "bert,true", "anna,false"
    )
    assert consents == {"anna": (NO, 0, 0, 0), "bert": (YES, 0, 0, 0)}
    assert customers.problems.counts == {"duplicate_customer": 1}


def test_rows_without_a_usable_id_are_left_out_by_name(tmp_path: Path) -> None:
    rows = (",true", f"{'x' * 501},true", "a\0b,true", "bert,1")
    consents, customers = read(tmp_path, "customer_id,train", *rows)
    assert list(consents) == ["bert"]
    assert customers.problems.counts == {"missing_customer_id": 1, "id_too_long": 1, "bad_id": 1}
    assert customers.rows == 4


def test_where_somebodys_no_may_be_lost_the_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"people\.csv, line 3: .*; 1 of its lines cannot be read"):
        read(tmp_path, "customer_id,personalize_web", "anna,yes", "bert,Bertil,no")
    torn = tmp_path / "people.ndjson"
    torn.write_text(
        '{"customer_id": "anna", "personalize_web": true}\n{"customer_id": "bert", "train": fal\n'
    )
    with pytest.raises(InputError, match=r"people\.ndjson"):
        customers_of(torn)


def test_a_yes_whose_date_cannot_be_read_has_none_and_is_counted(tmp_path: Path) -> None:
    header = "customer_id,train,train_time,personalize_web_time,consent_time"
    consents, customers = read(
        tmp_path, header, "anna,true,soon,2025-01-01,", "bert,true,,,2025-01-01"
    )
    assert consents == {"anna": (YES, 0, 0, 0), "bert": (YES, 0, 0, 0)}
    assert customers.problems.counts == {"bad_consent_time": 1}


def test_no_yes_is_dated_ahead_and_a_no_is_dated_no_later_than_it_was_read(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    lines = (
        "customer_id,train,personalize_web,personalize_email,train_time,consent_time",
        "anna,yes,no,,2099-01-01,2026-01-03",  # both answers are dated ahead
        "bert,yes,perhaps,no,2026-01-01T00:00:01Z,2026-01-01",  # the yes alone, by a second
        "carl,yes,yes,no,,",
    )
    path.write_text("\n".join(lines) + "\n")
    with open_workspace() as workspace:
        files = open_file_tables(workspace, [path], {}, whole=True)
        customers = read_customers(workspace, files, now=NOW)
        rows = workspace.connection.to_pyarrow(customers.table).to_pylist()
    times = {row["customer_id"]: tuple(row[f"{name}_time"] for name in PURPOSES) for row in rows}
    assert times == {
        "anna": (None, NOW, None, None),
        "bert": (None, NOW, NOW, NOW),
        "carl": (None,) * 4,
    }
    assert customers.problems.counts == {"bad_consent": 1, "consent_time_ahead": 3}


def test_a_customers_file_without_ids_is_refused(tmp_path: Path) -> None:
    told = r"people\.csv lacks 1 required column: customer_id.* it has 2: customer, train \("
    with pytest.raises(InputError, match=told):
        read(tmp_path, "customer,train", "anna,true")


def test_preferences_that_cannot_be_read_are_counted_and_the_row_stays(tmp_path: Path) -> None:
    cells = (
        '{"likes": [{"attribute": "size", "values": [42, "M"]}]}',
        "{}",
        "",
        "vegan",
        '{"likes": [{"attribute": "size", "values": []}]}',
        '{"hates": []}',
        "[]",
    )
    lines = []
    for number, cell in enumerate(cells):
        quoted = cell.replace('"', '""')
        lines.append(f'c{number},true,"{quoted}"')
    consents, customers = read(tmp_path, "customer_id,train,preferences", *lines)
    assert consents == {f"c{number}": (YES, 0, 0, 0) for number in range(len(cells))}
    assert customers.problems.counts == {"bad_preferences": 4}
    assert "write JSON" in customers.problems.explain("bad_preferences")
