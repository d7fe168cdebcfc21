"""`export` as a shop's engineer types it: a whole audience, killed, continued and refused."""

import csv
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from models.data.customers import NO, PERSONALIZE_EMAIL
from models.data.events import KINDS
from service.store import consents, erasure
from service.store.events import Event, EventLine
from service.store.events import write as write_events
from service.store.store import Store
from tests.support.corner_shop import NOW, SETTINGS, run, settings, train, unmeasured, write
from tests.support.store_server import new_store

pytestmark = pytest.mark.slow

Capture = pytest.CaptureFixture[str]
PEOPLE = [f"c{number % 60:02}{number // 60 or ''}" for number in range(4_000)]  # eight parts
NUMBERS = count()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained corner shop with a long list of recipients."""
    folder = tmp_path_factory.mktemp("corner")
    assert train(folder) == 0
    write(folder, PEOPLE, header="customer_id", name="all.csv")
    return folder


class Till:
    """The store of the shop's service."""

    def __init__(self, folder: Path, url: str = "") -> None:
        self.url = url or new_store("sqlite", folder)
        self.store = Store(self.url, folder / "run")

    def hears_no(self, customer: str) -> None:
        values = {PERSONALIZE_EMAIL: NO}
        self.store.write(
            lambda change: consents.give(change, customer, values, int(time.time()))
        ).result(10)

    def forgets(self, customer: str) -> None:
        self.store.write(lambda change: erasure.erase(change, customer, NOW)).result(10)

    def sells(self, customer: str, product: str) -> None:
        event = Event(
            f"e{next(NUMBERS)}",
            KINDS.index("purchase"),
            NOW,
            (EventLine(product),),
            customer_id=customer,
        )
        self.store.write(lambda change: write_events(change, [event])).result(10)


@pytest.fixture
def till(tmp_path: Path) -> Iterator[Till]:
    """With a newcomer, who has bought after the training."""
    opened = Till(tmp_path)
    opened.sells("c35", "p1")
    yield opened
    opened.store.close()


def export(shop: Path, output: Path, *more: object) -> list[str]:
    """Of six products there are never eight."""
    options = (
        "--registry",
        shop / "registry",
        "--config",
        shop / "shop.toml",
        "-n",
        8,
        "--layout",
        "wide",
    )
    return [str(word) for word in ("export", *options, "--output", output, *more)]


def rows_of(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def last_line(capsys: Capture) -> str:
    return capsys.readouterr().err.splitlines()[-1]


def stopped(command: list[str], part: Path, how: signal.Signals) -> tuple[int, str]:
    """Run a command until a part is written: its exit status, and its messages."""
    whole = [sys.executable, "-m", "training", *command]
    with subprocess.Popen(whole, stderr=subprocess.PIPE, text=True, env=unmeasured()) as process:
        deadline = time.monotonic() + 60
        while not part.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.002)
        process.send_signal(how)
        _, message = process.communicate()
    return process.returncode, message


@pytest.mark.parametrize("ending", ["csv", "ndjson", "parquet"])
def test_a_killed_export_that_goes_on_writes_the_file_of_one_that_nothing_happened_to(
    shop: Path, till: Till, tmp_path: Path, capsys: Capture, ending: str
) -> None:
    options = ("--recipients", shop / "all.csv", "--cards", "--store", till.url)
    folder = tmp_path / "files"
    folder.mkdir()
    output, undisturbed = folder / f"slates.{ending}", tmp_path / f"undisturbed.{ending}"
    assert run(*export(shop, undisturbed, *options)) == 0
    output.write_text("yesterday's")
    part = folder / f".slates.{ending}.parts" / "000001"
    assert stopped(export(shop, output, *options), part, signal.SIGKILL)[0] == -signal.SIGKILL
    assert output.read_text() == "yesterday's"
    # What is sold meanwhile is in the next file.
    for product in ("p2", "p3"):
        till.sells("c59", product)
    assert run(*export(shop, output, *options, "--resume"), now=NOW + 3600) == 0
    assert "of 4,000 recipients are done" in capsys.readouterr().err
    if ending == "parquet":
        assert pq.read_table(output).equals(pq.read_table(undisturbed))
    else:
        assert output.read_bytes() == undisturbed.read_bytes()
    assert [path.name for path in folder.iterdir()] == [output.name]


@pytest.mark.parametrize("how", ["no to mails", "erasure"])
def test_an_export_does_not_go_on_past_a_no(
    shop: Path, till: Till, tmp_path: Path, capsys: Capture, how: str
) -> None:
    output = tmp_path / "slates.csv"
    options = ("--recipients", shop / "all.csv", "--cards", "--store", till.url)
    till.hears_no("c06")  # known when it begins
    part = tmp_path / ".slates.csv.parts" / "000001"
    assert stopped(export(shop, output, *options), part, signal.SIGKILL)[0] == -signal.SIGKILL
    till.hears_no("c07") if how == "no to mails" else till.forgets("c07")
    assert run(*export(shop, output, *options, "--resume")) == 2
    told = "--resume: 1 customers said no or were erased since the export began"
    assert told in last_line(capsys)
    assert not output.exists()
    assert run(*export(shop, output, *options)) == 0
    strategies = {row["customer_id"]: row["strategy"] for row in rows_of(output)}
    expected = "not_personalized" if how == "no to mails" else "popular"
    assert (strategies["c06"], strategies["c07"]) == ("not_personalized", expected)


def test_what_was_said_no_to_holds_in_a_file_although_nobody_named_the_store(
    shop: Path, tmp_path: Path, capsys: Capture
) -> None:
    own = Path(shutil.copytree(shop, tmp_path / "own"))
    store = own / "registry" / "store.db"
    till = Till(tmp_path, f"sqlite:///{store}")
    till.hears_no("c01")
    till.forgets("c02")
    till.store.close()
    output = tmp_path / "slates.csv"
    assert run(*export(own, output, "--cards", "--recipients", shop / "all.csv")) == 0
    assert f"{store} is read too" in capsys.readouterr().err
    strategies = [row["strategy"] for row in rows_of(output)[:4]]
    assert strategies == ["personal", "not_personalized", "popular", "personal"]


def test_a_file_for_a_spreadsheet_holds_no_formula(
    shop: Path, tmp_path: Path, capsys: Capture
) -> None:
    output, plain = tmp_path / "slates.csv", tmp_path / "plain.csv"
    ids = ["=HYPERLINK(1)", "-7", "c01"]
    recipients = ("--cards", "--recipients", write(tmp_path, ids, header="customer_id"))
    assert run(*export(shop, plain, *recipients)) == 0
    assert [row["customer_id"] for row in rows_of(plain)] == ids
    assert run(*export(shop, output, *recipients, "--spreadsheet-safe")) == 0
    assert [row["customer_id"] for row in rows_of(output)] == ["'=HYPERLINK(1)", "'-7", "c01"]
    for safe, row in zip(rows_of(output), rows_of(plain), strict=True):
        assert safe | {"customer_id": ""} == row | {"customer_id": ""}
    for ending in ("ndjson", "parquet"):
        other = tmp_path / f"slates.{ending}"
        assert run(*export(shop, other, *recipients, "--spreadsheet-safe")) == 2
        assert "--spreadsheet-safe: is for files that end in .csv" in last_line(capsys)
        assert not other.exists()


def test_what_was_sold_since_the_training_is_in_the_file_of_who_names_the_store(
    shop: Path, till: Till, tmp_path: Path, capsys: Capture
) -> None:
    output, list_ = (
        tmp_path / "slates.csv",
        write(tmp_path, ["c35", "c01", "nobody"], header="customer_id"),
    )
    cards = ("--cards", "--recipients", list_)
    assert run(*export(shop, output, *cards)) == 0
    assert [row["strategy"] for row in rows_of(output)] == ["popular", "personal", "popular"]
    assert run(*export(shop, output, *cards, "--store", till.url)) == 0
    assert [row["strategy"] for row in rows_of(output)] == ["personal", "personal", "popular"]
    err = capsys.readouterr().err
    assert "Reading the store: " in err
    assert err.endswith("; 3 with fewer than 8 products; 1 unknown_customer\n")


def test_cards_are_shown_as_the_shop_asks(shop: Path, tmp_path: Path) -> None:
    output = tmp_path / "slates.csv"
    assert (
        run(
            *export(
                shop, output, "--cards", "--locale", "de-DE", "--shop-url", "https://shop.example"
            )
        )
        == 0
    )
    rows = rows_of(output)
    assert any("Sie kaufen" in row["rec_1_reason"] for row in rows)
    assert run(*export(shop, output, "--wording", tmp_path / "nowhere")) == 2
    assert list(rows[0])[:6] == [
        "customer_id",
        "count",
        "strategy",
        "fallback_reason",
        "rec_1_id",
        "rec_1_title",
    ]
    assert [int(row["count"]) for row in rows] == [
        sum(bool(row[f"rec_{k}_id"]) for k in range(1, 9)) for row in rows
    ]


def test_a_file_shows_nothing_of_the_files_before_it(
    shop: Path, tmp_path: Path, capsys: Capture
) -> None:
    list_ = write(tmp_path, ["c01", "c02", "nobody"], header="customer_id")
    names = ("monday.csv", "tuesday.csv", "wednesday.csv")
    before: list[object] = []
    seen: dict[str, list[str]] = {}
    for output in (tmp_path / name for name in names):
        assert run(*export(shop, output, "--recipients", list_, *before, "-n", 2)) == 0
        before += ["--not-again", output]
        for row in rows_of(output):
            seen.setdefault(row["customer_id"], []).extend(
                filter(None, (row["rec_1_id"], row["rec_2_id"]))
            )
    assert {name: len(products) for name, products in seen.items()} == {
        "c01": 6,
        "c02": 6,
        "nobody": 6,
    }
    assert all(len(set(products)) == 6 for products in seen.values())
    assert run(*export(shop, tmp_path / "again.csv", "--not-again", list_)) == 2
    assert "orders.csv: has no customer_id with product_id or rec_1_id" in last_line(capsys)


def test_a_file_is_for_those_who_meet_every_filter(
    shop: Path, tmp_path: Path, capsys: Capture
) -> None:
    output = tmp_path / "slates.csv"
    filters = ("--audience", "bought:1", "--audience", "consent:email")
    assert run(*export(shop, output, *filters)) == 0
    newest = {row["customer_id"] for row in rows_of(output)}
    assert 0 < len(newest) < 30
    assert f"{len(newest)} rows for {len(newest)} customers" in capsys.readouterr().err


def test_a_file_shows_what_meets_its_filter_alone(shop: Path, tmp_path: Path) -> None:
    output = tmp_path / "slates.csv"
    assert run(*export(shop, output, "--filter", 'product.id in ["p1", "p3"]')) == 0
    shown = {row[name] for row in rows_of(output) for name in row if name.endswith("_id")}
    products = {name for name in shown if name.startswith("p")}
    assert products
    assert products <= {"p1", "p3"}


def test_a_mailing_tells_who_it_is_not_due_for(shop: Path, tmp_path: Path, capsys: Capture) -> None:
    output = tmp_path / "slates.csv"
    later = [f"c{number:02},{'2025-10-10' if number < 10 else ''}" for number in range(30)]
    list_ = write(tmp_path, later, header="customer_id,as_of")
    assert run(*export(shop, output, "--audience", "win_back", "--recipients", list_)) == 0
    rows = rows_of(output)
    assert rows
    assert {row["customer_id"] for row in rows} <= {f"c{number:02}" for number in range(10)}
    assert last_line(capsys).endswith(f"; not due for {30 - len(rows)}")
    assert all(row["occasion_text"] and row["occasion_until"] for row in rows)


def test_a_newsletter_is_for_all(shop: Path, tmp_path: Path, capsys: Capture) -> None:
    newsletter, ordinary = tmp_path / "newsletter.csv", tmp_path / "ordinary.csv"
    assert run(*export(shop, newsletter, "--audience", "newsletter", "--audience", "bought:9")) == 0
    assert run(*export(shop, ordinary, "--audience", "bought:9")) == 0
    assert len(rows_of(newsletter)) > 0
    assert newsletter.read_bytes() == ordinary.read_bytes()
    assert run(*export(shop, newsletter, "--audience", "newsletter", "--audience", "win_back")) == 2
    assert "a file is for one kind of mail, and these are newsletter and win_back" in last_line(
        capsys
    )


def test_nothing_of_the_order_that_a_mail_is_about_is_shown(shop: Path, tmp_path: Path) -> None:
    output, shown = tmp_path / "slates.csv", []
    for order in ("", "1-98"):  # of p1 and p2
        list_ = write(tmp_path, [f"c01,{order}"], header="customer_id,order_id")
        assert (
            run(
                *export(
                    shop, output, "--recipients", list_, "--repeat", "include", "--layout", "long"
                )
            )
            == 0
        )
        shown.append({row["product_id"] for row in rows_of(output)})
    assert shown == [{"p0", "p1", "p2", "p3", "p4", "p5"}, {"p0", "p3", "p4", "p5"}]


def test_an_export_goes_on_only_as_what_it_was_begun(
    shop: Path, tmp_path: Path, capsys: Capture
) -> None:
    output = tmp_path / "slates.csv"
    options = ("--recipients", shop / "all.csv")
    part = tmp_path / ".slates.csv.parts" / "000001"
    message = "Stopped; the same command with --resume goes on\n"
    assert stopped(export(shop, output, *options), part, signal.SIGINT) == (130, message)
    for other, named in (
        (("--recipients", shop / "all.csv", "--cards"), "--cards"),
        ((*options, "--spreadsheet-safe"), "--spreadsheet-safe"),
        (("--recipients", write(tmp_path, PEOPLE[1:], header="customer_id")), "recipients"),
        (
            (
                *options,
                "--config",
                settings(tmp_path, SETTINGS + '[training]\nunasked = "refuse"\n'),
            ),
            "[training] unasked",
        ),
    ):
        assert run(*export(shop, output, *other, "--resume")) == 2
        message = last_line(capsys)
        assert message.startswith(f"Error: --resume: {output} was begun with {named} ")
        assert message.endswith("; without --resume it begins again")
    assert run(*export(shop, output, *options, "--resume", "--store", "store.db")) == 2
    assert "--store: the store's address cannot be read" in last_line(capsys)
    assert run(*export(shop, output)) == 0
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_folder_is_no_output_and_that_is_said_before_anything_is_made(
    shop: Path, tmp_path: Path, capsys: Capture
) -> None:
    output = tmp_path / "slates.csv"
    output.mkdir()
    assert run(*export(shop, output)) == 2
    assert capsys.readouterr().err == f"Error: --output {output}: is a folder, expected a file\n"
    assert list(tmp_path.iterdir()) == [output]


def test_a_list_of_which_somebody_would_be_lost_writes_nothing(
    shop: Path, tmp_path: Path, capsys: Capture
) -> None:
    list_ = write(tmp_path, ["c01", '"c02', "c03"], header="customer_id")
    assert run(*export(shop, tmp_path / "slates.csv", "--recipients", list_)) == 2
    assert last_line(capsys).startswith(f"Error: {list_}, line 3: ")
    assert list(tmp_path.iterdir()) == [list_]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--output", "slates.xlsx"],
            "--output slates.xlsx: expected a name ending in .parquet, .csv, .ndjson",
        ),
        (
            ["--output", "slates.csv.gz"],
            "--output slates.csv.gz: expected a name ending in .parquet, .csv, .ndjson",
        ),
        (
            ["--output", "nowhere/slates.csv"],
            "--output nowhere/slates.csv: the folder nowhere does not exist",
        ),
        (["-n", "0"], "-n 0: expected 1 to 100"),
        (["--locale", "xx_YY"], "--locale xx_YY: expected a locale such as en_US or de-DE"),
        (
            ["--shop-url", "shop"],
            "--shop-url shop: expected an address such as https://shop.example",
        ),
        (["--audience", "rich"], "rich"),
        (["--filter", "product.price <"], "--filter product.price <: at character 16: expected"),
        (["--filter", "product.colour"], "--filter product.colour: no product has colour"),
        (["--store", "store.db"], "--store: the store's address cannot be read"),
    ],
)
def test_what_cannot_be_exported_is_refused_in_a_sentence(
    shop: Path, tmp_path: Path, capsys: Capture, options: list[str], message: str
) -> None:
    assert run(*export(shop, tmp_path / "slates.csv"), *options) == 2
    assert message in last_line(capsys)
    assert list(tmp_path.iterdir()) == []


def test_what_a_mail_is_about_may_have_been_shown_before(shop: Path, tmp_path: Path) -> None:
    newsletter, due = tmp_path / "newsletter.csv", tmp_path / "due.csv"
    everyone = ("--repeat", "include", "-n", 4)
    assert run(*export(shop, newsletter, *everyone)) == 0
    seen = {
        row["customer_id"]: {row[f"rec_{rank}_id"] for rank in range(1, 5)}
        for row in rows_of(newsletter)
    }
    assert (
        run(*export(shop, due, "--audience", "replenishment", *everyone, "--not-again", newsletter))
        == 0
    )
    rows = rows_of(due)
    assert any(row["rec_1_id"] in seen[row["customer_id"]] for row in rows)
    assert run(*export(shop, newsletter, *everyone, "--not-again", newsletter)) == 0
    for row in rows_of(newsletter):
        assert seen[row["customer_id"]].isdisjoint(row[f"rec_{rank}_id"] for rank in range(1, 5))
