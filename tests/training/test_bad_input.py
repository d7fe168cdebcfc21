"""Wrong input, and accidents while training runs: one sentence, and nothing is published."""

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from threading import Thread

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.artifact import files
from models.artifact.registry import Registry
from tests.support.corner_shop import (
    ENDLESS,
    HEADER,
    NOW,
    SETTINGS,
    arguments,
    rows,
    run,
    settings,
    train,
    unmeasured,
    write,
)
from tests.support.shop import open_shop
from training.reading.purchases import read_purchases

pytestmark = pytest.mark.slow

Capture = pytest.CaptureFixture[str]
DAYS = [f"2025-{1 + day // 28:02}-{1 + day % 28:02}" for day in range(300)]
FEW = rows()[:90]  # of four customers: too few to be measured


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop of 300 customers, each with one purchase."""
    folder = tmp_path_factory.mktemp("trained")
    assert (
        train(
            folder,
            lines=[f"c{number:04},p{number},{DAYS[0]},{number},1,1" for number in range(300)],
        )
        == 0
    )
    return folder


def sentence(capsys: Capture) -> str:
    """The last message, which must be about an error."""
    *_, last = capsys.readouterr().err.splitlines()
    assert last.startswith("Error: ")
    return last.removeprefix("Error: ")


def published(folder: Path) -> list[str]:
    return [manifest.version for manifest in Registry(folder / "registry").versions()]


@pytest.mark.parametrize(
    ("header", "lines", "message"),
    [
        (
            "customer_id,sku,timestamp",
            ["a,p,2025-01-01"],
            "orders.csv lacks 1 required column: product_id",
        ),
        (HEADER, [], "orders.csv has column names but no rows (0 rows)"),
        (
            HEADER,
            ["a,p,soon,1,1,1"] * 3,
            "orders.csv: none of 3 rows is left after cleaning (2 duplicate_row, 1 bad_timestamp)",
        ),
        (HEADER, ["a,p,2026-02-01,1,1,1"], "(1 timestamp_in_future)"),
        (HEADER, ["a,p,1969-12-31,1,1,1"], "(1 timestamp_out_of_range)"),
        (
            HEADER,
            ["a,p,2025-01-01,1,0,1", "a,p,2025-01-01,1,NaN,1", "a,p,2025-01-01,1,1e99,1"],
            "(1 bad_quantity, 1 zero_quantity, 1 quantity_out_of_range)",
        ),
        (
            HEADER,
            ["a,p,2025-01-01,1,1,-1", "a,p,2025-01-01,1,1,nan", "a,p,2025-01-01,1,1,1e99"],
            "(2 bad_price, 1 price_out_of_range)",
        ),
        (HEADER, ["a,p,2025-01-01,1,-1,1", "b,p,2025-01-02,2,-1,1"], "(2 return_without_purchase)"),
        (
            HEADER + ",kind",
            ["a,p,2025-01-01,1,1,1,view"],
            "None of the 1 lines that were read is a purchase",
        ),
    ],
    ids=[
        "column",
        "no rows",
        "no time",
        "future",
        "past",
        "quantities",
        "prices",
        "only returns",
        "only views",
    ],
)
def test_purchases_that_teach_nothing_are_refused_with_file_reason_and_count(
    tmp_path: Path, capsys: Capture, header: str, lines: Sequence[str], message: str
) -> None:
    orders = write(tmp_path, lines, header=header)
    assert run("train", "--purchases", orders, "--registry", tmp_path / "registry") == 2
    assert message in sentence(capsys)
    assert not (tmp_path / "registry").exists()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("orders.csv", b"", "orders.csv is empty (0 rows)"),
        (
            "orders.parquet",
            b"customer_id,product_id,timestamp\n",
            "orders.parquet cannot be read as Parquet",
        ),
        ("orders.xlsx", b"PK", "orders.xlsx: not a kind of file that can be read"),
    ],
)
def test_files_that_cannot_be_read_are_named(
    tmp_path: Path, capsys: Capture, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    assert run("train", "--purchases", tmp_path / name, "--registry", tmp_path / "registry") == 2
    assert message in sentence(capsys)
    assert not (tmp_path / "registry").exists()


def read_refused(folder: Path, capsys: Capture, *options: str | Path) -> str:
    orders = write(folder, FEW)
    assert run("train", "--purchases", orders, "--registry", folder / "registry", *options) == 2
    assert not (folder / "registry").exists()
    return sentence(capsys)


def test_more_columns_than_can_be_read_are_counted(tmp_path: Path, capsys: Capture) -> None:
    wide = write(tmp_path, [], header=",".join(f"x{n}" for n in range(10_000)), name="wide.csv")
    assert read_refused(tmp_path, capsys, "--products", wide) == (
        f"{wide} has 10,000 columns, and at most 2,000 are read; "
        "leave out those that are not needed."
    )


def test_a_thousand_columns_beside_those_that_are_read_are_in_nobodys_way(tmp_path: Path) -> None:
    header = HEADER + "".join(f",x{number}" for number in range(1000))
    orders = write(tmp_path, [row + "," * 1000 for row in FEW], header=header, name="wide.csv")
    assert len(read_purchases([orders], now=NOW)) == len(FEW)


@pytest.mark.parametrize("option", ["--purchases", "--products"])
def test_damaged_pages_of_a_parquet_file_are_named(
    tmp_path: Path, capsys: Capture, option: str
) -> None:
    damaged = tmp_path / "damaged.parquet"
    cells = [f"p{number}" for number in range(5_000)]
    table = pa.table(dict.fromkeys(HEADER.split(","), cells))
    pq.write_table(table, damaged, use_dictionary=False)
    content = bytearray(damaged.read_bytes())
    content[4 : len(content) // 2] = bytes(byte ^ 255 for byte in content[4 : len(content) // 2])
    damaged.write_bytes(content)
    assert f"{damaged} cannot be read: " in read_refused(tmp_path, capsys, option, damaged)


def test_deeply_nested_settings_are_refused(tmp_path: Path, capsys: Capture) -> None:
    deep = settings(tmp_path, "a = " + "[" * 20_000 + "]" * 20_000)
    problem = read_refused(tmp_path, capsys, "--config", deep)
    assert problem == f"{deep}: its values are nested too deeply"


@pytest.mark.parametrize("name", [b"caf\xe9.csv", b"caf\xe9/orders.csv"])
def test_a_file_name_that_is_not_utf_8_is_read(tmp_path: Path, name: bytes) -> None:
    path = Path(os.fsdecode(bytes(tmp_path) + b"/" + name))
    write(path.parent, FEW, name=path.name)
    for place in (path, path.parent):
        assert len(read_purchases([place], now=NOW)) == len(FEW)


@pytest.mark.parametrize(
    "lines",
    [
        ["anna,milk,2025-01-01,1,1,1"],
        [f"anna,p{number % 5},{day},{number},1,1" for number, day in enumerate(DAYS)],
        [f"c{number % 40},milk,{day},{number},1,1" for number, day in enumerate(DAYS)],
        [f"c{number},p{number % 7},{day},{number},1,1" for number, day in enumerate(DAYS)],
        [f"c{number % 30},p{number},{day},{number},1,1" for number, day in enumerate(DAYS)],
        [f",p{number % 5},{day},{number // 3},1,1" for number, day in enumerate(DAYS)],
        [f"anna,milk,{day},{day},{quantity},1" for day in DAYS[:9] for quantity in (1, -1)],
        [",".join((*row.split(",")[:3], "", "1", "1")) for row in rows()],
        ["anna,milk,1970-01-02,1,1,1", *rows()],
        [f"anna,p{number},2025-01-01,1,1,1" for number in range(1500)],
    ],
    ids=[
        "one line",
        "one customer",
        "one product",
        "each customer one purchase",
        "each product once",
        "guests alone",
        "all returned",
        "no order ids",
        "a line of 1970",
        "one order of 1,500 products",
    ],
)  # fmt: skip
def test_the_strangest_shops_are_trained_published_and_exported(
    tmp_path: Path, lines: list[str]
) -> None:
    windows = tmp_path / "windows.toml"
    windows.write_text(SETTINGS.replace("windows = 0", "windows = 3"))
    assert train(tmp_path, "--config", windows, lines=lines) == 0
    (version,) = published(tmp_path)
    files.verify_artifact(Registry(tmp_path / "registry").path(version))
    mailing = write(tmp_path, ["anna", "c1", "stranger"], header="customer_id", name="mailing.csv")
    options = ("--recipients", mailing, "--layout", "wide", "--output", tmp_path / "slates.parquet")
    assert run("export", "--registry", tmp_path / "registry", *options) == 0
    assert pq.read_table(tmp_path / "slates.parquet")["customer_id"].to_pylist() == [
        "anna",
        "c1",
        "stranger",
    ]


def test_duplicate_lines_are_counted_and_learned_from_once(tmp_path: Path, capsys: Capture) -> None:
    assert train(tmp_path, lines=FEW * 2) == 0
    assert f"dropped: duplicate_row                  │ {len(FEW):>24}" in capsys.readouterr().out
    assert open_shop(Registry(tmp_path / "registry")).manifest.counts["lines"] == len(FEW)


def test_good_lines_among_bad_ones_are_learned_from(tmp_path: Path, capsys: Capture) -> None:
    bad = [
        "a,p,2025-01-01,1,many,1",
        "a,p,2025-01-01,2,-inf,1",
        "a,p,2025-01-01,3,1,NaN",
        "a,p,1812-01-01,4,1,1",
    ]
    zoned = ["c00,p0,2025-08-01T01:30:00+02:00,z,1,1"]  # 23:30 of 31 July in UTC
    assert train(tmp_path, "--until", "2025-08-01", lines=[*FEW, *bad, *zoned]) == 0
    told = capsys.readouterr().out
    assert all(
        f"dropped: {reason} " in told
        for reason in ("bad_quantity", "bad_price", "timestamp_out_of_range")
    )
    assert open_shop(Registry(tmp_path / "registry")).manifest.data_as_of == 1_754_004_600


AWKWARD = (
    "007",
    "7",
    "a/b c",
    "..",
    "🧦",
    "Ünïcode",
    "x" * 500,
    '"quoted"',
    "new\nline",
    " padded ",
    "1e5",
)


def test_ids_of_every_kind_survive_from_the_file_to_the_export(tmp_path: Path) -> None:
    quoted = ['"' + name.replace('"', '""') + '"' for name in AWKWARD]
    lines = [f"{name},{name},{day},{day},1,1" for name in quoted for day in DAYS[:3]]
    assert train(tmp_path, lines=lines) == 0
    mailing = write(tmp_path, quoted, header="customer_id", name="mailing.csv")
    for ending in ("csv", "parquet"):
        output = tmp_path / f"slates.{ending}"
        options = ("--recipients", mailing, "--repeat", "include", "-n", "1", "--output", output)
        assert run("export", "--registry", tmp_path / "registry", *options) == 0
    assert pq.read_table(tmp_path / "slates.parquet").select(
        ["customer_id", "product_id"]
    ).to_pylist() == [{"customer_id": name, "product_id": name} for name in AWKWARD]


def test_a_setting_that_does_not_exist_is_named_before_anything_is_read(
    tmp_path: Path, capsys: Capture
) -> None:
    typo = settings(tmp_path, "[model.factors]\nfactor = 8\n")
    assert (
        run(
            "train",
            "--purchases",
            "nowhere.csv",
            "--registry",
            tmp_path / "registry",
            "--config",
            typo,
        )
        == 2
    )
    assert sentence(capsys) == f"{typo}: model.factors.factor: there is no such setting"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--until", "soon"], "--until soon: expected a date such as 2025-12-31"),
        (["--until", "1990-01-01"], "rows is left after cleaning ("),
        (["--column", "product_id=sku"], "--column product_id=sku: no file has a column 'sku'"),
        (["--products", "nowhere.csv"], "nowhere.csv: no such file"),
    ],
)
def test_options_that_cannot_be_followed_are_named(
    tmp_path: Path, capsys: Capture, options: list[str], message: str
) -> None:
    assert train(tmp_path, *options) == 2
    assert message in sentence(capsys)
    assert published(tmp_path) == []


@pytest.mark.parametrize(
    ("command", "option"), [("train", "--report"), ("evaluate", "--report"), ("evaluate", "--json")]
)
@pytest.mark.parametrize(
    ("output", "message"),
    [("orders.csv/out", "orders.csv is a file, expected a folder"), (".", "expected a file")],
)
def test_results_that_could_not_be_written_are_refused_before_the_work(
    tmp_path: Path, capsys: Capture, command: str, option: str, output: str, message: str
) -> None:
    where = ["--registry", tmp_path / "registry"] if command == "train" else []
    assert run(command, "--purchases", write(tmp_path, FEW), *where, option, tmp_path / output) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"Error: {option} {tmp_path / output}: ")
    assert err.endswith(f"{message}\n")
    assert published(tmp_path) == []


def test_what_was_published_stands_without_a_report(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "registry").mkdir()
    (tmp_path / "registry" / "reports").write_text("a shopping list")
    assert train(tmp_path, lines=FEW) == 0
    (version,) = published(tmp_path)
    err = capsys.readouterr().err
    assert (
        f"The report {tmp_path / 'registry' / 'reports' / version}.html cannot be written: " in err
    )
    assert err.endswith(f"Published {version}, now active in {tmp_path / 'registry'}\n")


@pytest.mark.parametrize("days", ["0", "-1", "366"])
def test_a_test_window_of_no_length_is_refused(tmp_path: Path, capsys: Capture, days: str) -> None:
    assert run("evaluate", "--purchases", write(tmp_path, rows()), f"--test-days={days}") == 2
    assert sentence(capsys) == f"--test-days {days}: expected 1 to 365"


@pytest.mark.parametrize(
    "command", [["versions"], ["rollback"], ["activate", "v"], ["export", "--output", "x.csv"]]
)
def test_a_registry_that_is_not_there_is_named(
    tmp_path: Path, capsys: Capture, command: list[str]
) -> None:
    assert run(*command, "--registry", tmp_path / "registry") == 2
    assert (
        sentence(capsys)
        == f"--registry {tmp_path / 'registry'}: no such folder; the first training makes it"
    )


def test_a_registry_that_is_a_file_is_refused_before_the_work(
    tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "registry").write_text("a shopping list")
    assert train(tmp_path) == 2
    err = capsys.readouterr().err
    assert f"--registry {tmp_path / 'registry'}: is a file, expected a folder" in err
    assert "Reading" not in err
    assert (tmp_path / "registry").read_text() == "a shopping list"


def test_a_damaged_pointer_is_named_before_the_work(tmp_path: Path, capsys: Capture) -> None:
    assert train(tmp_path, lines=FEW) == 0
    before = published(tmp_path)
    (tmp_path / "registry" / "active").write_bytes(b"../elsewhere\n")
    capsys.readouterr()
    assert train(tmp_path, now=NOW + 60) == 2
    err = capsys.readouterr().err
    assert f"{tmp_path / 'registry' / 'active'}: names no version" in err
    assert "Reading" not in err
    assert published(tmp_path) == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--output", "slates.xlsx"],
            "--output slates.xlsx: expected a name ending in .parquet, .csv, .ndjson",
        ),
        (
            ["--output", "nowhere/slates.csv"],
            "--output nowhere/slates.csv: the folder nowhere does not exist",
        ),
        (["--output", "slates.csv", "-n", "101"], "-n 101: expected 1 to 100"),
        (["--output", "slates.csv", "--recipients", "nowhere.csv"], "nowhere.csv: no such file"),
    ],
)
def test_exports_that_cannot_be_written_are_refused(
    trained: Path, capsys: Capture, options: list[str], message: str
) -> None:
    capsys.readouterr()
    assert run("export", "--registry", trained / "registry", *options) == 2
    assert sentence(capsys).startswith(message)


def begin(command: list[str], **environment: str) -> "subprocess.Popen[str]":
    whole = [sys.executable, "-m", "training", *command]
    names = unmeasured() | environment
    return subprocess.Popen(
        whole, stderr=subprocess.PIPE, text=True, start_new_session=True, env=names
    )


def wait_for(training: "subprocess.Popen[str]", words: str) -> None:
    assert training.stderr is not None
    assert any(words in line for line in training.stderr)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_or_a_supervisor_ends_it_with_one_sentence_and_leaves_no_data_of_customers_behind(
    tmp_path: Path, number: signal.Signals
) -> None:
    command, scratch = arguments(tmp_path), tmp_path / "scratch"
    scratch.mkdir()
    settings(tmp_path, ENDLESS)
    with begin(command, TMPDIR=f"{scratch}") as training:
        wait_for(training, "Reading purchases: ")
        while training.poll() is None and not list(scratch.iterdir()):
            time.sleep(0.1)
        training.send_signal(number)
        _, err = training.communicate()
    assert training.returncode == 130
    assert "Traceback" not in err
    told = "Stopped; nothing was published; the same command goes on from here\n"
    assert err.endswith(told)
    assert published(tmp_path) == []
    assert list(scratch.iterdir()) == []


def test_ctrl_c_after_a_version_was_published_says_so(tmp_path: Path) -> None:
    with begin(arguments(tmp_path, "--report", tmp_path / "report.html", lines=FEW)) as training:
        # Whoever writes to it waits for a reader.
        os.mkfifo(tmp_path / f".report.html.{training.pid}")
        wait_for(training, "Publishing: ")
        training.send_signal(signal.SIGINT)
        _, err = training.communicate()
    assert training.returncode == 130
    (version,) = published(tmp_path)
    assert err.endswith(f"Stopped; {version} was published and is active\n")


def test_a_killed_training_leaves_the_registry_whole_and_the_next_one_works(tmp_path: Path) -> None:
    assert train(tmp_path, lines=FEW) == 0
    before = published(tmp_path)
    command = arguments(tmp_path)
    settings(tmp_path, ENDLESS)
    with begin(command) as training:
        wait_for(training, "Reading purchases: ")
        training.kill()
    assert training.returncode == -signal.SIGKILL
    assert published(tmp_path) == before
    files.verify_artifact(Registry(tmp_path / "registry").path(before[0]))
    assert train(tmp_path, now=NOW + 60) == 0
    assert list((tmp_path / "registry").glob("staging-*")) == []


def test_what_a_killed_training_left_of_customers_goes_with_the_next_command(
    tmp_path: Path,
) -> None:
    assert train(tmp_path, lines=FEW) == 0
    command, scratch = arguments(tmp_path), tmp_path / "scratch"
    scratch.mkdir()
    settings(tmp_path, ENDLESS)
    look = ["versions", "--registry", str(tmp_path / "registry")]
    with begin(command, TMPDIR=f"{scratch}") as training:
        wait_for(training, "Reading purchases: ")
        while training.poll() is None and not list(scratch.iterdir()):
            time.sleep(0.1)
        with begin(look, TMPDIR=f"{scratch}") as beside:
            beside.communicate()
        assert len(list(scratch.iterdir())) == 1  # it is still needed
        training.kill()
    assert len(list(scratch.iterdir())) == 1
    with begin(look, TMPDIR=f"{scratch}") as after:
        after.communicate()
    assert (beside.returncode, after.returncode) == (0, 0)
    assert list(scratch.iterdir()) == []


def test_two_trainings_at_once_both_publish(tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    commands = [arguments(folder, "--registry", tmp_path / "registry", lines=FEW[number:])
                for number, folder in enumerate(folders)]  # fmt: skip
    both = [begin(command) for command in commands]
    readers = [Thread(target=training.communicate) for training in both]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert [training.returncode for training in both] == [0, 0]
    versions = published(tmp_path)
    assert len(versions) == 2
    assert Registry(tmp_path / "registry").active() in versions
    for version in versions:
        files.verify_artifact(Registry(tmp_path / "registry").path(version))


def with_little_room(command: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    """Run on a disk that takes files of 4 KB, without coverage, which would write larger ones."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")
    }
    return subprocess.run(
        [sys.executable, "-m", "training", *command],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)),
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_purchases_that_do_not_fit_into_memory_or_the_disk_are_refused_in_one_sentence(
    tmp_path: Path, capsys: Capture
) -> None:
    command = arguments(
        tmp_path, lines=[f"c{number},p{number},2025-01-01,{number},1,1" for number in range(9_000)]
    )
    settings(tmp_path, 'memory_limit = "1MB"\n')
    assert run(*command) == 2
    assert sentence(capsys).startswith(
        "There is no room to read in, with memory_limit 1MB and what is free in "
    )
    assert published(tmp_path) == []


def test_a_full_disk_publishes_nothing_and_leaves_what_was_there(tmp_path: Path) -> None:
    assert train(tmp_path, lines=rows()[:9]) == 0
    before = published(tmp_path)
    # Nine lines are too few to be measured, so that the first thing written is the version itself.
    lines = [f"c{number},p{number},2025-01-01,{number},1,1" for number in range(2000)]
    done = with_little_room(arguments(tmp_path, "--accept-smaller", lines=lines))
    assert done.returncode == 2
    problem = f"{tmp_path / 'registry'} cannot be written to: File too large; nothing was published"
    assert done.stderr.splitlines()[-1] == f"Error: {problem}"
    assert "Traceback" not in done.stderr
    assert published(tmp_path) == before == [Registry(tmp_path / "registry").active()]
    assert list((tmp_path / "registry").glob("staging-*")) == []


@pytest.mark.parametrize("ending", ["csv", "ndjson", "parquet"])
def test_an_export_that_does_not_fit_on_the_disk_leaves_the_file_of_yesterday(
    trained: Path, tmp_path: Path, ending: str
) -> None:
    output = tmp_path / f"slates.{ending}"
    output.write_text("yesterday's")
    done = with_little_room(
        ["export", "--registry", f"{trained / 'registry'}", "--output", f"{output}"]
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f"Error: --output {output} cannot be written: ")
    assert "File too large" in done.stderr
    assert output.read_text() == "yesterday's"
    assert list(tmp_path.glob(".slates*")) == []


def test_a_parquet_file_without_columns_is_refused_in_a_sentence(
    tmp_path: Path, capsys: Capture
) -> None:
    path = tmp_path / "empty.parquet"
    pq.write_table(pa.table({}), path)
    problem = read_refused(tmp_path, capsys, "--purchases", path)
    assert problem.startswith(f"{path} cannot be read: ")
