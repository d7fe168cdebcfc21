"""Nothing that a mail has shown is in the next file, whoever sent that mail."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.data.events import HOUR
from service.store import campaigns
from service.store.campaigns import Campaign, MailRecord
from service.store.store import Store
from tests.support.store_server import KINDS, new_store
from training.errors import InputError
from training.export.already_shown import AlreadyShown
from training.reading.service_store import open_store

Pairs = set[tuple[str, str]]
MONDAY, TUESDAY, WEDNESDAY = (24 * HOUR * day for day in (4, 5, 6))


def pairs(table: pa.Table) -> Pairs:
    assert table.column_names == ["customer_id", "product_id"]
    return {(row["customer_id"], row["product_id"]) for row in table.to_pylist()}


def test_files_of_every_layout_and_format_say_what_they_showed(tmp_path: Path) -> None:
    wide, long, parquet = tmp_path / "wide.csv", tmp_path / "long.ndjson", tmp_path / "wide.parquet"
    wide.write_text(
        '"customer_id","count","rec_1_id","rec_1_title","rec_2_id"\n'
        '"007",1,"1.0","Bread",\n"ann",2,"2","x","3"\n'
    )
    long.write_text(
        json.dumps({"customer_id": "ann", "rank": 1, "product_id": "milk", "score": 0.5}) + "\n"
    )
    pq.write_table(pa.table({"customer_id": ["bob", None], "rec_1_id": ["milk", "milk"]}), parquet)
    showed = {("007", "1.0"), ("ann", "2"), ("ann", "3"), ("ann", "milk"), ("bob", "milk")}
    assert pairs(AlreadyShown([wide, long, parquet]).in_files()) == showed
    assert pairs(AlreadyShown().in_files()) == set()


def test_a_file_that_was_made_safe_for_spreadsheets_says_what_it_showed(tmp_path: Path) -> None:
    path = tmp_path / "safe.csv"
    path.write_text("""customer_id,rec_1_id,rec_2_id\n"'-7","'=1","2"\n"ann","'s","'+3"\n""")
    shown = pairs(AlreadyShown([path]).in_files())
    assert shown >= {("-7", "=1"), ("-7", "2"), ("ann", "'s"), ("ann", "+3")}
    assert shown >= {("'-7", "'=1"), ("ann", "'+3")}  # ids may also be so in a file as it is


@pytest.mark.parametrize(
    "content", ["customer_id,title\nann,Bread\n", "name,rec_1_id\nann,bread\n"]
)
def test_a_file_of_something_else_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "other.csv").write_text(content)
    with pytest.raises(
        InputError, match=r"other\.csv: has no customer_id with product_id or rec_1_id"
    ):
        AlreadyShown([tmp_path / "other.csv"]).in_files()


@pytest.mark.parametrize("name", ["nobody.ndjson", "nobody.jsonl"])
def test_a_file_that_was_made_for_nobody_showed_nothing(tmp_path: Path, name: str) -> None:
    nobody, somebody = tmp_path / name, tmp_path / "somebody.csv"
    nobody.write_bytes(b"")
    somebody.write_text("customer_id,product_id\nann,bread\n")
    assert pairs(AlreadyShown([nobody]).in_files()) == set()
    assert pairs(AlreadyShown([nobody, somebody]).in_files()) == {("ann", "bread")}


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        (
            "monday.csv",
            "customer_id,rec_1_id,rec_2_id\nann,bread,milk\nbob,tea\n",
            r"monday\.csv, line 3: .*; 1 of its",
        ),
        (
            "monday.csv",
            'customer_id,product_id\nann,bread\nann,"tea\nbob,tea\n',
            r"monday\.csv, line 3: .*; 2 of its",
        ),
        (
            "monday.ndjson",
            '{"customer_id": "ann", "product_id": "tea"}\n{"customer_id": "a',
            r"monday\.ndjson cannot be",
        ),
    ],
)
def test_a_file_that_cannot_be_read_whole_is_refused_and_nothing_of_it_is_shown_again(
    tmp_path: Path, name: str, content: str, sentence: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=sentence):
        AlreadyShown([tmp_path / name]).in_files()


@pytest.fixture(scope="module", params=KINDS)
def mailed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A store after three campaigns: ann got all of them, one in two parts; bob the first."""
    folder = tmp_path_factory.mktemp("store")
    url = new_store(request.param, folder)
    store = Store(url, folder / "run")
    sent = [
        ("monday", MONDAY, "ann", ["bread"]),
        ("monday", MONDAY, "bob", ["bread", "milk"]),
        ("tuesday", TUESDAY, "ann", ["milk"]),
        ("tuesday", TUESDAY + 1, "ann", ["soap"]),
        ("wednesday", WEDNESDAY, "ann", ["tea"]),
    ]
    for number, (name, time, customer, products) in enumerate(sent):
        campaign = Campaign(name, "newsletter", "v1", time, time, window_hours=24, not_twice=3)
        cards = [[product, 0.5, "popular", "popular", [], ""] for product in products[:-1]]
        document = json.dumps({"products": cards, "also": products[-1:], "before": ["milk"]})
        record = MailRecord(f"r{number}".encode(), name, customer, time, document)
        store.write(lambda change, campaign=campaign: campaigns.put(change, campaign)).result(10)
        store.write(
            lambda change, record=record: campaigns.record_mail(
                change, record, valid_after=0, erased=0
            )
        ).result(10)
    yield url
    store.close()


def shown(
    url: str, count: int, campaign: str = "", clock: int = WEDNESDAY + 1
) -> dict[str, set[str]]:
    with open_store(url, "--store") as store, store.connection.begin():
        shown_pairs = pairs(
            AlreadyShown(campaigns=count, campaign=campaign, clock=clock).in_store(store)
        )
    return {
        name: {product for customer, product in shown_pairs if customer == name}
        for name in ("ann", "bob")
    }


@pytest.mark.parametrize(
    ("count", "ann", "bob"),
    [
        (0, [], []),
        (1, ["tea"], ["bread", "milk"]),
        (2, ["tea", "milk", "soap"], ["bread", "milk"]),
        (9, ["tea", "milk", "soap", "bread"], ["bread", "milk"]),
    ],
)
def test_the_last_campaigns_are_each_customers_own(
    mailed: str, count: int, ann: Sequence[str], bob: Sequence[str]
) -> None:
    assert shown(mailed, count) == {"ann": set(ann), "bob": set(bob)}


def test_what_this_campaign_shows_now_does_not_count_and_what_it_showed_last_week_does(
    mailed: str,
) -> None:
    assert shown(mailed, 1, "wednesday")["ann"] == {"milk", "soap"}
    assert shown(mailed, 1, "wednesday", WEDNESDAY + 24 * HOUR)["ann"] == {"tea"}
