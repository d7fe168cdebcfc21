"""What is refused before Spark is started."""

from pathlib import Path

import pytest

from tests.support.corner_shop import run, settings
from tests.support.spark import ON_SPARK, needs_spark
from training.errors import InputError
from training.spark import SparkMaster, find_java

Capture = pytest.CaptureFixture[str]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--master", "local[2]"), "--master local[2]: is for --engine spark"),
        (("--engine", "spark"), "--engine spark: needs --master, such as local[2]"),
        (
            ("--engine", "spark", "--master", "local[2]"),
            "processes = 1 of the settings: is not for --engine spark",
        ),
    ],
)
def test_options_that_spark_cannot_honour_are_refused_by_name(
    tmp_path: Path, capsys: Capture, options: tuple[str, ...], sentence: str
) -> None:
    config = settings(tmp_path, "processes = 1\n")
    export = ("export", "--registry", tmp_path, "--config", config, "--output", tmp_path / "a.csv")
    assert run(*export, *options) == 2
    assert sentence in capsys.readouterr().err


@needs_spark
def test_codes_are_given_by_one_machine(tmp_path: Path, capsys: Capture) -> None:
    export = ("export", "--registry", tmp_path, "--output", tmp_path / "a.csv", "--offers")
    assert run(*export, *ON_SPARK) == 2
    assert "--offers: is not for --engine spark" in capsys.readouterr().err


def test_a_machine_without_java_is_told_which_one_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pyspark")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert find_java() is None
    with pytest.raises(InputError, match="needs Java 17 or newer"):
        SparkMaster("local[2]").check()
    SparkMaster("sc://spark.example").check()  # whose Java is elsewhere
