from __future__ import annotations

import duckdb
import ibis
import pyarrow as pa
import pytest

from training.errors import InputError
from training.reading.duckdb import open_workspace, reading_errors


def test_the_scratch_folder_goes_with_the_workspace() -> None:
    with open_workspace("500MB") as workspace:
        assert workspace.folder.is_dir()
    assert not workspace.folder.exists()


def test_no_extension_is_ever_downloaded() -> None:
    with open_workspace() as workspace:
        for setting in ("autoinstall_known_extensions", "autoload_known_extensions"):
            assert workspace.connection.settings[setting] == "false"


def test_the_sum_of_nothing_is_zero() -> None:
    with open_workspace() as workspace:
        table = workspace.keep(
            "numbers", ibis.memtable(pa.table({"number": pa.array([], pa.int64())}))
        )
        assert (workspace.total(table.number), workspace.count(table)) == (0, 0)


def test_what_duckdb_says_becomes_one_line() -> None:
    with (
        pytest.raises(InputError, match=r"^a\.csv cannot be read: bad news$"),
        reading_errors("a.csv"),
    ):
        raise duckdb.IOException("bad news\n\nLINE 1: SELECT")
