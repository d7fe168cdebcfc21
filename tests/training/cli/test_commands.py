"""The command line as a shop's engineer types it: what it does, says, and ends with."""

import argparse
import csv
import json
import os
import pty
import shutil
import sys
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from enum import Enum
from functools import partial
from pathlib import Path
from subprocess import Popen
from subprocess import run as start

import pyarrow.parquet as pq
import pytest

from models.artifact import files
from models.artifact.registry import Registry
from models.recommender import Recommender
from models.slate import SlateRequest
from service.store import erasure
from service.store.store import Store
from tests.support.corner_shop import (
    NOW,
    SETTINGS,
    UPSIDE_DOWN,
    arguments,
    rows,
    run,
    settings,
    train,
    write,
)
from tests.support.shop import names, open_shop
from training.cli.commands import build_parser

pytestmark = pytest.mark.slow

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corner")
    assert train(folder) == 0
    return folder


@pytest.fixture
def folder(trained: Path, tmp_path: Path) -> Path:
    """A trained corner shop of one's own."""
    return Path(shutil.copytree(trained, tmp_path / "corner"))


def registry(folder: Path) -> Registry:
    return Registry(folder / "registry")


def at(folder: Path) -> tuple[str, Path]:
    return "--registry", folder / "registry"


def last_weeks(folder: Path) -> tuple[str | Path, ...]:
    """Return the options that measure on the last two weeks."""
    purchases, config = folder / "orders.csv", folder / "shop.toml"
    return "--purchases", purchases, "--config", config, "--test-days", "14"


def versions(folder: Path) -> list[str]:
    return [manifest.version for manifest in registry(folder).versions()]


def again(folder: Path, minutes: int) -> str:
    """The active version once more, as if it had been trained later."""
    shop = open_shop(registry(folder))
    return (
        registry(folder)
        .publish(shop.model, replace(shop.manifest, created=NOW + 60 * minutes))
        .version
    )


def test_training_publishes_a_version_and_tells_what_was_read_learned_and_scored(
    tmp_path: Path, capsys: Capture
) -> None:
    assert train(tmp_path) == 0
    out, err = capsys.readouterr()
    (version,) = versions(tmp_path)
    assert f"Published {version}, now active in {tmp_path / 'registry'}" in err
    assert "Test twin: slates" in err
    headings = ("What was read", "What was learned", "Next purchases, all: 30 customers")
    assert [out.count(heading) for heading in headings] == [1] * 3
    assert sorted(headings, key=out.index) == list(headings)
    assert not any(heading in err for heading in headings)
    counts = open_shop(registry(tmp_path)).manifest.counts
    learned = out[out.index("What was learned") : out.index("Next purchases")]
    cells = [
        [cell.strip() for cell in line.split("│")[1:3]]
        for line in learned.splitlines()
        if line.count("│") == 3
    ]
    assert cells == [
        ["products bought often enough to learn from", "6"],
        ["factors of each", "8"],
        ["neighbours", f"{counts['neighbours']:,}"],
        ["pairs for bundles", f"{counts['bundle_pairs']:,}"],
        ["days of sales", "105"],
    ]


def test_programs_read_the_results_of_training_as_json(tmp_path: Path, capsys: Capture) -> None:
    assert train(tmp_path, "--json") == 0
    result = json.loads(capsys.readouterr().out)
    (version,) = versions(tmp_path)
    assert result["published"]["version"] == version
    assert result["refusals"] == []
    assert result["evaluation"]["scores"]["all"]["served"]["recall"]["value"] > 0
    assert result["reading"]["read"]["customers"] == 30
    assert run("versions", *at(tmp_path), "--json") == 0
    (listed,) = json.loads(capsys.readouterr().out)["versions"]
    assert (listed["version"], listed["active"]) == (version, True)
    assert listed["data_as_of"].startswith("2025-08-13T")


def test_versions_are_listed_where_the_temporary_folder_cannot_be_swept(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(folder / "nowhere"))
    assert run("versions", "--registry", folder / "registry") == 0


def test_versions_come_and_go(folder: Path, capsys: Capture) -> None:
    assert train(folder, now=NOW + 60) == 0
    second, first = versions(folder)
    assert registry(folder).active() == second
    assert run("activate", first, *at(folder)) == 0
    assert registry(folder).active() == first
    assert run("rollback", *at(folder)) == 0
    assert registry(folder).active() == second
    capsys.readouterr()
    assert run("versions", *at(folder)) == 0
    told = capsys.readouterr().out
    assert told.index("active") < told.index(second) < told.index(first)


def test_old_versions_are_removed_on_request_and_the_active_one_stays(
    folder: Path, capsys: Capture
) -> None:
    for minutes in range(1, 4):
        again(folder, minutes)
    oldest = versions(folder)[-1]
    assert run("activate", oldest, *at(folder)) == 0
    config = folder / "one.toml"
    config.write_text("[registry]\nkeep = 1\n")
    assert run("versions", "--prune", *at(folder), "--config", config) == 0
    newest, active = versions(folder)
    assert active == oldest == registry(folder).active()
    assert f"Removed {newest}" not in capsys.readouterr().err


@pytest.mark.parametrize("ending", ["csv", "ndjson", "parquet"])
def test_slates_are_exported_for_everyone_in_any_format(folder: Path, ending: str) -> None:
    output = folder / f"slates.{ending}"
    assert run("export", *at(folder), "-n", "3", "--repeat", "include", "--output", output) == 0
    shop = open_shop(registry(folder))
    if ending == "parquet":
        rows_written = pq.read_table(output).to_pylist()
    elif ending == "csv":
        rows_written = list(csv.DictReader(output.read_text("utf-8").splitlines()))
    else:
        rows_written = [json.loads(line) for line in output.read_text("utf-8").splitlines()]
    assert len(rows_written) == 30 * 3
    assert [row["customer_id"] for row in rows_written[::3]] == list(shop.model.customers.ids)
    # What c07 buys every week comes first.
    assert next(row["product_id"] for row in rows_written if row["customer_id"] == "c07") == "p1"


def test_a_mailing_gets_its_slates_in_its_own_order_and_strangers_get_what_is_popular(
    folder: Path,
) -> None:
    mailing = write(
        folder,
        ["c09,2025-08-20", "nobody,", "c01,", "c20,2025-07-01T08:00:00+02:00"],
        header="customer_id,as_of",
    )
    output = folder / "slates.csv"
    options = ("--recipients", mailing, "--layout", "wide", "-n", "4", "--output", output)
    assert run("export", *at(folder), *options) == 0
    shop = open_shop(registry(folder))
    moments = [datetime(2025, 8, 20, tzinfo=UTC), None, None, datetime(2025, 7, 1, 6, tzinfo=UTC)]
    rows_written = list(csv.reader(output.read_text("utf-8").splitlines()))[1:]
    assert [row[0] for row in rows_written] == ["c09", "nobody", "c01", "c20"]
    for (customer, *products), moment in zip(rows_written, moments, strict=True):
        as_of = None if moment is None else int(moment.timestamp())
        slate = shop.recommend(customer, SlateRequest(n=4, as_of=as_of))
        assert [name for name in products if name] == names(shop, slate)
    assert shop.recommend("nobody", SlateRequest()).strategy == "popular"


def test_a_registry_with_a_store_is_trained_with_it_and_nobody_is_back(
    folder: Path, capsys: Capture
) -> None:
    registry(folder).root.joinpath("run").mkdir()
    store = Store(f"sqlite:///{registry(folder).root}/store.db", registry(folder).root / "run")
    store.write(partial(erasure.erase, customer_id="c03", time=NOW)).result(10)
    store.close()
    assert "c03" in open_shop(registry(folder)).model.customers.ids
    assert train(folder, now=NOW + 60) == 0
    assert f"{registry(folder).root / 'store.db'} is read too" in capsys.readouterr().err
    model = open_shop(registry(folder)).model
    assert (model.customers.ids.find("c03"), len(model.customers)) == (-1, 29)


def test_training_says_loudly_that_a_store_was_left_out(folder: Path, capsys: Capture) -> None:
    shop = open_shop(registry(folder))
    learned = replace(shop.manifest, created=NOW + 60, event_position=7)
    registry(folder).publish(shop.model, learned)
    assert train(folder, now=NOW + 120) == 0
    assert "Warning: the active version has learned from the service's store" in (
        capsys.readouterr().err
    )


def test_an_evaluation_writes_every_figure_and_publishes_nothing(
    folder: Path, capsys: Capture
) -> None:
    before = versions(folder)
    figures = folder / "figures.json"
    report = folder / "report.html"
    assert run("evaluate", *last_weeks(folder), "--json", figures, "--report", report) == 0
    assert "<title>" in report.read_text()
    assert "Customer <bdi>" not in report.read_text()
    content = json.loads(figures.read_text())
    assert content["customers"]["all"] == 30
    recall = content["scores"]["all"]["served"]["recall"]["value"]
    assert f"served                  │ {recall:.4f}" in capsys.readouterr().out
    newest = datetime(2025, 5, 1, tzinfo=UTC).timestamp() + (98 + 6) * 86_400
    assert content["cut"] == newest - 14 * 86_400
    assert versions(folder) == before


def test_an_evaluation_tells_what_the_rules_of_the_shop_cost(folder: Path, capsys: Capture) -> None:
    files = ("--report", folder / "report.html", "--json", folder / "figures.json")
    rules = folder / "rules.json"
    rules.write_text(
        '[{"id": "no p1", "kind": "exclude", "which": {"product_ids": ["p1"]}, '
        '"placements": ["home"]}]'
    )
    assert (
        run("evaluate", *last_weeks(folder), *files, "--rules", rules, "--example-customers") == 0
    )
    assert (folder / "report.html").read_text().count("Customer <bdi>") == 20
    assert "served, with the shop's" in capsys.readouterr().out
    scores = json.loads((folder / "figures.json").read_text())["scores"]["all"]
    assert (
        scores["served, with the shop's rules"]["recall"]["value"]
        < scores["served"]["recall"]["value"]
    )
    rules.write_text('[{"id": "no p1", "kind": "hide"}]')
    assert run("evaluate", *last_weeks(folder), "--rules", rules) == 2
    assert (
        f"Error: {rules}: rule 1: `kind` is 'hide'; it should be one of filter"
        in capsys.readouterr().err
    )


def test_a_worse_model_is_refused_with_exit_status_1_and_what_was_active_stays(
    folder: Path, capsys: Capture
) -> None:
    before = versions(folder)
    worse = folder / "worse.toml"
    worse.write_text(SETTINGS + UPSIDE_DOWN)
    assert train(folder, "--config", worse) == 1
    out, err = capsys.readouterr()
    assert "Refused, " in err
    assert "below the active version's settings (interval of the difference -" in err
    assert out.index("What was read") < out.index("Next purchases, all")
    assert "What was learned" not in out
    assert err.endswith("Nothing was published; what was active stays active.\n")
    assert versions(folder) == before == [registry(folder).active()]


def test_half_a_file_is_refused_with_exit_status_1_where_the_whole_one_was_measured(
    folder: Path, capsys: Capture
) -> None:
    before = versions(folder)
    assert train(folder, "--accept-smaller", lines=rows()[:9], now=NOW + 60) == 1
    out, err = capsys.readouterr()
    assert "What was read" in out
    assert "though they sufficed for the active version: is the history complete?\n" in err
    assert err.endswith("Nothing was published; what was active stays active.\n")
    assert versions(folder) == before == [registry(folder).active()]


def test_a_first_version_may_be_too_small_to_be_measured_and_so_may_the_next(
    tmp_path: Path, capsys: Capture
) -> None:
    for minute in range(2):
        assert train(tmp_path, lines=rows()[:9], now=NOW + 60 * minute) == 0
        out, err = capsys.readouterr()
        assert "Published without figures" in " ".join(err.split())
        assert out.index("What was read") < out.index("What was learned")
        assert "Next purchases" not in out
    assert len(versions(tmp_path)) == 2


def test_damaged_versions_are_named_below_the_others(folder: Path, capsys: Capture) -> None:
    again(folder, 1)
    newest, oldest = versions(folder)
    manifest = registry(folder).path(oldest) / files.MANIFEST
    manifest.write_text("{")
    capsys.readouterr()
    assert run("versions", *at(folder)) == 0
    out, err = capsys.readouterr()
    assert err.splitlines()[-1].startswith(f"Damaged: {manifest}")
    assert out.count(newest) == 1
    assert oldest not in out
    config = folder / "one.toml"
    config.write_text("[registry]\nkeep = 1\n")
    assert run("versions", "--prune", *at(folder), "--config", config) == 0
    err = capsys.readouterr().err
    assert f"Removed {oldest}" in err
    assert "Damaged" not in err
    assert registry(folder).names() == [newest]


def test_columns_may_be_named_in_the_settings_and_on_the_command_line(tmp_path: Path) -> None:
    header = "household,sku,sold,order_id,quantity,unit_price"
    orders = write(tmp_path, rows(), header=header)
    named = settings(
        tmp_path, SETTINGS + '[columns]\ncustomer_id = "household"\nproduct_id = "wrong"\n'
    )
    command = ("train", "--purchases", orders, *at(tmp_path), "--config", named)
    assert run(*command, "--column", "product_id=sku", "--column", "timestamp=sold") == 0
    assert open_shop(registry(tmp_path)).manifest.counts["customers"] == 30


def test_settings_of_the_file_reach_the_model(folder: Path) -> None:
    settings = open_shop(registry(folder)).settings
    assert (
        settings.factors.factors,
        settings.factors.regularization,
        settings.factors.iterations,
    ) == (8, 1.0, 2)


def test_what_happened_on_a_day_and_after_can_be_left_out(tmp_path: Path) -> None:
    assert train(tmp_path, "--until", "2025-06-01") == 0
    shop: Recommender = open_shop(registry(tmp_path))
    assert shop.manifest.data_as_of < datetime(2025, 6, 1, tzinfo=UTC).timestamp()
    assert shop.manifest.data_as_of >= datetime(2025, 5, 31, tzinfo=UTC).timestamp()


def test_a_synthetic_shop_can_be_written_and_a_shop_of_nothing_cannot(
    tmp_path: Path, capsys: Capture
) -> None:
    size = ("--customers", "5", "--products", "4", "--output", tmp_path / "shop")
    assert run("synthetic", *size, "--purchases", "20") == 0
    assert pq.read_metadata(tmp_path / "shop" / "purchases.parquet").num_rows == 20
    assert run("synthetic", *size, "--purchases", "20", "--shape", "three-weeks") == 0
    times = pq.read_table(tmp_path / "shop" / "purchases.parquet")["timestamp"].to_pylist()
    assert (max(times) - min(times)).days < 21
    assert run("synthetic", *size, "--purchases", "0") == 2
    assert "Error: a shop needs at least 1 purchase, not 0" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [[], ["tarin"], ["train"], ["export", "--registry", "r", "--layout", "tall"]]
)
def test_a_mistyped_command_ends_with_2_and_how_it_is_used(
    arguments: list[str], capsys: Capture
) -> None:
    with pytest.raises(SystemExit) as ended:
        run(*arguments)
    assert ended.value.code == 2
    assert "usage: python -m training" in capsys.readouterr().err


def commands() -> dict[str, argparse.ArgumentParser]:
    (choices,) = (
        action.choices
        for action in build_parser()._actions
        if isinstance(action, argparse._SubParsersAction)
    )
    return choices


@pytest.mark.parametrize("command", commands().values(), ids=list(commands()))
def test_help_tells_of_every_option_what_it_means_and_its_default(
    command: argparse.ArgumentParser,
) -> None:
    assert command.description is not None
    assert command.description.endswith(".")
    for action in command._actions:
        if isinstance(action, argparse._HelpAction):
            continue
        help_ = action.help or ""
        assert help_.endswith("."), action.dest
        if action.option_strings:
            if isinstance(action.type, type) and issubclass(action.type, Enum):
                assert action.choices == list(action.type), action.dest
            ending = "Required" if action.required else "Default: "
            assert ending in help_, action.dest
            if isinstance(action.default, int | str) and action.nargs != 0:
                assert help_.endswith(f"Default: {action.default}."), action.dest


def test_a_pipe_gets_plain_lines(tmp_path: Path) -> None:
    done = start(
        [sys.executable, "-m", "training", *arguments(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    assert "\x1b" not in done.stdout + done.stderr
    steps = [line.split(":")[0] for line in done.stderr.splitlines() if line.endswith(" s")]
    assert steps[0] == "Reading purchases"
    assert steps[-1] == "Publishing"


def test_a_terminal_shows_live_progress_and_ends_with_a_table(tmp_path: Path) -> None:
    terminal, program_side = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "120"}
    command = [sys.executable, "-m", "training", *arguments(tmp_path)]
    with Popen(
        command, stdin=program_side, stdout=program_side, stderr=program_side, env=environment
    ) as training:
        os.close(program_side)
        screen = b"".join(iter(lambda: _read(terminal), b"")).decode()
    os.close(terminal)
    assert training.returncode == 0
    assert "\x1b[?25l" in screen  # the cursor is hidden while a step is drawn
    assert "━" in screen
    assert "What was read" in screen
    assert "Next purchases, all: 30 customers" in screen
    assert f"Published {versions(tmp_path)[0]}" in screen


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux says so when the other side is closed
        return b""


def test_everything_that_is_published_is_whole(folder: Path) -> None:
    for version in versions(folder):
        files.verify_artifact(registry(folder).path(version))


def test_a_history_without_its_end_is_refused_unless_it_was_asked_for(
    folder: Path, capsys: Capture
) -> None:
    first = registry(folder).active()
    stump = [row for row in rows() if row.split(",")[2] < "2025-06-01"]
    assert train(folder, lines=stump, now=NOW + 60) == 1
    told = " ".join(capsys.readouterr().err.split())
    assert f"Refused, much less was read than the active version {first} has learned from" in told
    assert f"{len(stump)} lines ({len(rows())})" in told
    assert "the newest sale of 2025-05-31 (2025-08-13)" in told
    assert "Nothing was published; what was active stays active." in told
    assert registry(folder).active() == first
    half = [row for row in rows() if row.split(",")[2] < "2025-08-01"]
    assert train(folder, lines=half, now=NOW + 120) == 1
    assert "the newest sale of 2025-07-31 (2025-08-13)" in capsys.readouterr().err
    assert train(folder, "--accept-smaller", lines=half, now=NOW + 120) == 0
    assert registry(folder).active() != first
    capsys.readouterr()
    assert train(folder, "--until", "2025-06-01", now=NOW + 180) == 0
    assert "much less" not in capsys.readouterr().err
