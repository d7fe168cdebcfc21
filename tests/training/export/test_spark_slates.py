"""The file of an export on Spark is the file of an export without it."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.corner_shop import run, train, unmeasured, write
from tests.support.spark import ON_SPARK, SECONDS, needs_spark, run_apart

pytestmark = [pytest.mark.slow, needs_spark]

PEOPLE = [f"c{number % 60:02}{number // 60 or ''}" for number in range(1_700)]  # four parts


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained corner shop with a list of recipients."""
    folder = tmp_path_factory.mktemp("corner")
    assert train(folder) == 0
    write(folder, PEOPLE, header="customer_id", name="all.csv")
    return folder


def export(shop: Path, output: Path, *more: str) -> list[str]:
    options = ("--registry", shop / "registry", "--recipients", shop / "all.csv", "--cards")
    return [str(word) for word in ("export", *options, "--output", output, *more)]


def test_a_killed_export_on_spark_that_goes_on_writes_the_file_of_one_without_spark(
    shop: Path, tmp_path: Path
) -> None:
    plain, output = tmp_path / "plain.csv", tmp_path / "slates.csv"
    assert run(*export(shop, plain)) == 0
    part = tmp_path / ".slates.csv.parts" / "000000"
    kill_when_written(export(shop, output, *ON_SPARK), part.with_suffix(".tally"))
    assert not output.exists()
    # A part that is written is not made again: what somebody did to it stays.
    lines = part.read_bytes()
    part.write_bytes(lines.replace(b'"p', b'"q'))
    status, message = run_apart(export(shop, output, *ON_SPARK, "--resume"))
    assert status == 0, message
    expected = plain.read_bytes().replace(lines, lines.replace(b'"p', b'"q'))
    assert expected != plain.read_bytes()
    assert output.read_bytes() == expected
    assert sorted(path.name for path in tmp_path.iterdir()) == ["plain.csv", "slates.csv"]


def kill_when_written(command: list[str], file: Path) -> None:
    whole = [sys.executable, "-m", "training", *command]
    with subprocess.Popen(whole, env=unmeasured()) as process:
        deadline = time.monotonic() + SECONDS
        while not file.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert file.exists()


def test_what_an_executor_lacks_is_told_in_a_sentence(shop: Path, tmp_path: Path) -> None:
    output = tmp_path / "slates.parquet"
    status, message = run_apart(export(shop, output, *ON_SPARK), PYSPARK_PYTHON="/no/python")
    assert status == 2
    assert message.splitlines()[-1].startswith("Error: --engine spark: ")
    assert "/no/python" in message.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []
