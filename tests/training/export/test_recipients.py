"""Who an export is for."""

import pickle
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.artifact.files import Manifest
from models.data.customers import PERSONALIZE_EMAIL, YES
from models.data.ids import Ids
from service.store import consents, erasure
from service.store.store import Store
from service.store.writer import Change
from tests.support.store_server import new_store
from training.errors import InputError
from training.export.recipients import ExportRecipient, everyone, read_recipients
from training.export.store_snapshot import read_store_snapshot

NOON = int(datetime(2025, 12, 1, 12, tzinfo=UTC).timestamp())


def read(folder: Path, text: str) -> list[ExportRecipient]:
    path = folder / "mailing.csv"
    path.write_text(text, "utf-8")
    return list(read_recipients(path))


def test_recipients_keep_the_order_of_the_file(tmp_path: Path) -> None:
    ids = [f"{number * 7919 % 5000:05}" for number in range(5000)]
    assert [
        recipient.customer_id for recipient in read(tmp_path, "\n".join(["customer_id", *ids]))
    ] == ids


def test_a_customer_who_is_named_twice_gets_one_slate(tmp_path: Path) -> None:
    assert read(tmp_path, "customer_id\nanna\nbert\nanna\n") == [
        ExportRecipient("anna"),
        ExportRecipient("bert"),
    ]


def test_rows_without_a_customer_are_left_out(tmp_path: Path) -> None:
    assert read(tmp_path, 'customer_id,name\nanna,Anna\n"",Nobody\n') == [ExportRecipient("anna")]


@pytest.mark.parametrize(
    "text",
    [
        "2025-12-01T12:00:00",
        "2025-12-01 12:00:00Z",
        "2025-12-01T13:00:00+01:00",
        "2025-12-01T07:00-05:00",
    ],
)
def test_a_mail_that_goes_out_later_has_its_own_moment(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, f"customer_id,as_of\nanna,{text}\nbert,\n") == [
        ExportRecipient("anna", NOON),
        ExportRecipient("bert"),
    ]


def test_moments_in_parquet_may_be_timestamps(tmp_path: Path) -> None:
    moments = pa.array([datetime(2025, 12, 1, 12, tzinfo=UTC), None], pa.timestamp("us", "UTC"))
    path = tmp_path / "mailing.parquet"
    pq.write_table(pa.table({"customer_id": ["anna", "bert"], "as_of": moments}), path)
    assert list(read_recipients(path)) == [ExportRecipient("anna", NOON), ExportRecipient("bert")]


def test_a_moment_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"mailing\.csv: as_of 'tomorrow' is no date"):
        read(tmp_path, "customer_id,as_of\nanna,tomorrow\n")


def test_a_file_without_customers_is_refused_by_name_and_count(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"mailing\.csv lacks 1 required column: customer_id"):
        read(tmp_path, "email\nanna@example.org\n")
    with pytest.raises(InputError, match=r"mailing\.csv: names no customer_id in 2 rows"):
        read(tmp_path, 'customer_id,name\n"",a\n"",b\n')


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (
            "customer_id,as_of\nanna\nbert,\n",
            r"mailing\.csv, line 2: .*; 1 of its lines cannot be read",
        ),
        (
            'customer_id\nanna\n"bert\ncleo\ndora\n',
            r"mailing\.csv, line 3: .*; 3 of its lines cannot be read",
        ),
        (
            "customer_id\nanna\nbert,2025-12-01\n",
            r"mailing\.csv, line 3: .*; 1 of its lines cannot be read",
        ),
    ],
)
def test_a_list_of_which_somebody_would_be_lost_is_refused(
    tmp_path: Path, rows: str, sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        read(tmp_path, rows)


def test_a_list_in_json_that_was_cut_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mailing.ndjson"
    path.write_text('{"customer_id": "anna"}\n{"customer_id": "be')
    with pytest.raises(InputError, match=r"mailing\.ndjson cannot be read: "):
        read_recipients(path)


def test_of_a_customer_in_two_rows_the_last_one_counts_at_the_place_of_the_first(
    tmp_path: Path,
) -> None:
    rows = "customer_id,as_of,order_id\nanna,,1\nbert,,\nanna,2025-12-01T12:00:00Z,007\n"
    assert read(tmp_path, rows) == [ExportRecipient("anna", NOON, "007"), ExportRecipient("bert")]


def test_a_part_of_the_recipients_is_small_and_still_the_same_ones(tmp_path: Path) -> None:
    path = tmp_path / "mailing.csv"
    path.write_text(
        "customer_id,order_id\n" + "".join(f"ann{number},o{number}\n" for number in range(5000))
    )
    recipients = read_recipients(path)
    part = recipients[4000:4010]
    assert (len(recipients), len(part)) == (5000, 10)
    assert list(part) == [
        ExportRecipient(f"ann{number}", None, f"o{number}") for number in range(4000, 4010)
    ]
    assert len(pickle.dumps(part)) < 1500
    assert list(recipients[4999:6000]) == [recipients[4999]]
    assert list(recipients.at(np.array([7, 3]))) == [
        ExportRecipient("ann7", None, "o7"),
        ExportRecipient("ann3", None, "o3"),
    ]
    assert list(recipients.at(np.array([], np.int64))) == []


def test_everyone_is_every_customer_at_the_newest_event() -> None:
    assert list(everyone(Ids.of(["anna", "bert"]))) == [
        ExportRecipient("anna"),
        ExportRecipient("bert"),
    ]


def test_everyone_is_who_the_store_knows_too_without_those_who_were_erased(tmp_path: Path) -> None:
    store = Store(new_store("sqlite", tmp_path), tmp_path / "run")

    def happened(change: Change) -> None:
        for name in ("zoé", "bert", "ann"):
            consents.give(change, name, {PERSONALIZE_EMAIL: YES}, NOON)
        erasure.erase(change, "anna", NOON)

    store.write(happened).result(10)
    store.close()
    snapshot = read_store_snapshot(
        f"sqlite:///{next(tmp_path.glob('*.db'))}", Manifest(created=0, data_from=0, data_as_of=0)
    )
    assert [
        recipient.customer_id for recipient in everyone(Ids.of(["anna", "bert", "carl"]), snapshot)
    ] == [
        "ann",
        "bert",
        "carl",
        "zoé",
    ]
