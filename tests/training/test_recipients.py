"""Who an export is for."""

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.strings import Ids
from training.errors import InputError
from training.recipients import Recipient, everyone, read_recipients

NOON = int(datetime(2025, 12, 1, 12, tzinfo=UTC).timestamp())


def read(folder: Path, text: str) -> list[Recipient]:
    path = folder / "mailing.csv"
    path.write_text(text, "utf-8")
    return read_recipients(path)


def test_recipients_keep_the_order_of_the_file(tmp_path: Path) -> None:
    ids = [f"{number * 7919 % 5000:05}" for number in range(5000)]
    assert [one.customer_id for one in read(tmp_path, "\n".join(["customer_id", *ids]))] == ids


def test_a_customer_who_is_named_twice_gets_one_slate(tmp_path: Path) -> None:
    assert read(tmp_path, "customer_id\nanna\nbert\nanna\n") == [Recipient("anna"), Recipient("bert")]


def test_rows_without_a_customer_are_left_out(tmp_path: Path) -> None:
    assert read(tmp_path, 'customer_id,name\nanna,Anna\n"",Nobody\n') == [Recipient("anna")]


@pytest.mark.parametrize(
    "text", ["2025-12-01T12:00:00", "2025-12-01 12:00:00Z", "2025-12-01T13:00:00+01:00", "2025-12-01T07:00-05:00"]
)
def test_a_mail_that_goes_out_later_has_its_own_moment(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, f"customer_id,as_of\nanna,{text}\nbert,\n") == [Recipient("anna", NOON), Recipient("bert")]


def test_moments_in_parquet_may_be_timestamps(tmp_path: Path) -> None:
    moments = pa.array([datetime(2025, 12, 1, 12, tzinfo=UTC), None], pa.timestamp("us", "UTC"))
    path = tmp_path / "mailing.parquet"
    pq.write_table(pa.table({"customer_id": ["anna", "bert"], "as_of": moments}), path)
    assert read_recipients(path) == [Recipient("anna", NOON), Recipient("bert")]


def test_a_moment_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"mailing\.csv: as_of 'tomorrow' is no date"):
        read(tmp_path, "customer_id,as_of\nanna,tomorrow\n")


def test_a_file_without_customers_is_refused_by_name_and_count(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"mailing\.csv lacks 1 required column: customer_id"):
        read(tmp_path, "email\nanna@example.org\n")
    with pytest.raises(InputError, match=r"mailing\.csv: names no customer_id in 2 rows"):
        read(tmp_path, 'customer_id,name\n"",a\n"",b\n')


def test_everyone_is_every_customer_at_the_newest_event() -> None:
    assert everyone(Ids.of(["anna", "bert"])) == [Recipient("anna"), Recipient("bert")]
