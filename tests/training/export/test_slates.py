"""Slates in a file, for systems that load one."""

import csv
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.artifact.files import read_manifest
from models.artifact.registry import Registry
from models.data.customers import NEVER_ASKED, NO, PERSONALIZE_EMAIL, YES
from models.data.segments import CustomerGroups, Segment
from models.mail.mailings import MAILINGS, CustomerMail, MailKind
from models.recommender import Recommender
from models.rules.filters import Repeat
from models.rules.shop_rules import PinRule, ProductSelector
from models.slate import SlateRequest, Strategy
from tests.support.segments import figures_of
from tests.support.shop import DAYS, NEVER_BOUGHT, NO_EMAIL, moment, names
from tests.support.training_shop import small_shop, small_shop_purchases, trained
from training.export.columns import ExportOptions, Layout
from training.export.current_model import CurrentModel
from training.export.recipients import ExportRecipient
from training.export.resume import Parts, Tally, open_parts
from training.export.slates import SlateExport, export_slates
from training.export.store_snapshot import empty_snapshot
from training.progress import ignore

CUSTOMERS = ("c07", "stranger", "c00", "monthly")


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    registry = small_shop(tmp_path_factory.mktemp("registry"))
    version = registry.active()
    assert version is not None
    return registry.path(version)


@pytest.fixture(scope="module")
def recommender(directory: Path) -> Recommender:
    return Recommender.load(directory)


def export(
    directory: Path,
    output: Path,
    options: ExportOptions,
    recipients: Sequence[ExportRecipient] = tuple(map(ExportRecipient, CUSTOMERS)),
) -> Tally:
    with parts_of(directory, output) as parts:
        export = SlateExport(
            directory, directory.parent, options, unasked=YES, began=0, processes=1
        )
        return export_slates(export, recipients, parts, ignore)


@contextmanager
def parts_of(directory: Path, output: Path, *, resume: bool = False) -> Iterator[Parts]:
    """Those of a shop without a store."""
    with open_parts(output, resume=resume) as parts:
        if not parts.begun:
            parts.snapshot.mkdir()
            empty_snapshot(read_manifest(directory)).save(parts.snapshot)
        yield parts


def rows_of(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".parquet":
        return pq.read_table(path).to_pylist()
    if path.suffix == ".ndjson":
        return [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


LONG = ExportOptions(5, Repeat.AUTO, Layout.LONG)
WIDE = ExportOptions(5, Repeat.AUTO, Layout.WIDE)
ENDINGS = pytest.mark.parametrize("ending", [".parquet", ".csv", ".ndjson"])


@ENDINGS
def test_every_row_is_a_slot_of_the_slate_that_would_be_served(
    directory: Path, recommender: Recommender, tmp_path: Path, ending: str
) -> None:
    tally = export(directory, tmp_path / f"slates{ending}", LONG)
    expected = [
        (
            customer,
            rank,
            recommender.catalogue.ids[slot.item],
            slot.source.value,
            pytest.approx(slot.score, rel=1e-6),
        )
        for customer in CUSTOMERS
        for rank, slot in enumerate(recommender.recommend(customer, SlateRequest(n=5)).slots, 1)
    ]
    exported_rows = [
        (
            row["customer_id"],
            int(row["rank"]),
            row["product_id"],
            row["source"],
            float(row["score"]),
        )
        for row in rows_of(tmp_path / f"slates{ending}")
    ]
    assert exported_rows == expected
    assert tally.rows == len(expected) == 4 * 5


@ENDINGS
def test_a_wide_row_is_a_customer(
    directory: Path, recommender: Recommender, tmp_path: Path, ending: str
) -> None:
    assert export(directory, tmp_path / f"slates{ending}", WIDE).rows == len(CUSTOMERS)
    rows = rows_of(tmp_path / f"slates{ending}")
    assert [row["customer_id"] for row in rows] == list(CUSTOMERS)
    for row in rows:
        slots = recommender.recommend(row["customer_id"], SlateRequest(n=5)).slots
        assert list(row.values())[1:-2] == [recommender.catalogue.ids[slot.item] for slot in slots]
    assert list(rows[0]) == [
        "customer_id",
        "rec_1_id",
        "rec_2_id",
        "rec_3_id",
        "rec_4_id",
        "rec_5_id",
        "experiment",
        "variant",
    ]


def test_columns_of_parquet_have_the_types_of_their_meaning(
    directory: Path, tmp_path: Path
) -> None:
    export(directory, tmp_path / "slates.parquet", LONG)
    schema = pq.read_schema(tmp_path / "slates.parquet")
    names = [("customer_id", pa.string()), ("rank", pa.int32()), ("product_id", pa.string())]
    names += [("score", pa.float32()), ("source", pa.string())]
    assert schema == pa.schema([*names, ("experiment", pa.string()), ("variant", pa.string())])


def test_fewer_products_than_asked_for_leave_cells_empty(directory: Path, tmp_path: Path) -> None:
    export(
        directory,
        tmp_path / "slates.parquet",
        ExportOptions(100, Repeat.AUTO, Layout.WIDE),
        [ExportRecipient("stranger")],
    )
    (row,) = rows_of(tmp_path / "slates.parquet")
    shown = [value for value in list(row.values())[1:] if value is not None]
    assert 20 < len(shown) < 40
    assert list(row.values())[1 + len(shown) :] == [None] * (102 - len(shown))


def test_a_stranger_gets_what_is_popular(
    directory: Path, recommender: Recommender, tmp_path: Path
) -> None:
    export(directory, tmp_path / "slates.ndjson", LONG, [ExportRecipient("stranger")])
    popular = recommender.popular(SlateRequest(n=5)).slots
    rows = rows_of(tmp_path / "slates.ndjson")
    assert [(row["product_id"], row["source"]) for row in rows] == [
        (recommender.catalogue.ids[slot.item], "popular") for slot in popular
    ]


def test_what_was_bought_before_is_left_out_or_let_in(directory: Path, tmp_path: Path) -> None:
    shown = {}
    for repeat in (Repeat.INCLUDE, Repeat.EXCLUDE):
        export(
            directory,
            tmp_path / "slates.csv",
            ExportOptions(3, repeat, Layout.LONG),
            [ExportRecipient("monthly")],
        )
        shown[repeat] = [row["product_id"] for row in rows_of(tmp_path / "slates.csv")]
    assert shown[Repeat.INCLUDE][0] == "decaf"
    assert "decaf" not in shown[Repeat.EXCLUDE]


def test_a_mail_that_goes_out_later_finds_the_customer_later(
    directory: Path, recommender: Recommender, tmp_path: Path
) -> None:
    for day in (60, 200):
        recipient = ExportRecipient("c03", moment(day))
        export(directory, tmp_path / "slates.ndjson", LONG, [recipient])
        expected = recommender.recommend("c03", SlateRequest(n=5, as_of=moment(day))).slots
        rows = rows_of(tmp_path / "slates.ndjson")
        assert [row["score"] for row in rows] == pytest.approx([slot.score for slot in expected])
        assert [row["product_id"] for row in rows] == [
            recommender.catalogue.ids[slot.item] for slot in expected
        ]


def test_more_recipients_than_one_worker_takes_at_a_time_keep_their_order(
    directory: Path, tmp_path: Path
) -> None:
    recipients = [ExportRecipient(f"nobody-{number * 37 % 1200:04}") for number in range(1200)]
    steps: list[tuple[int, int]] = []
    with parts_of(directory, tmp_path / "slates.parquet") as parts:
        export = SlateExport(directory, directory.parent, WIDE, unasked=YES, began=0, processes=2)
        export_slates(export, recipients, parts, lambda *step: steps.append(step))
    written = pq.read_table(tmp_path / "slates.parquet")
    assert written["customer_id"].to_pylist() == [recipient.customer_id for recipient in recipients]
    assert steps == [(500, 1200), (1000, 1200), (1200, 1200)]
    assert [path.name for path in tmp_path.iterdir()] == ["slates.parquet"]


def test_it_is_counted_who_got_less_than_a_slate_of_their_own(
    directory: Path, tmp_path: Path
) -> None:
    recipients = [ExportRecipient(name) for name in ("c00", "stranger", NO_EMAIL, NEVER_BOUGHT)]
    tally = export(
        directory, tmp_path / "slates.csv", ExportOptions(100, Repeat.AUTO, Layout.WIDE), recipients
    )
    why = {"unknown_customer": 1, "no_consent": 1, "no_history": 1}
    assert tally == Tally(rows=4, recipients=4, short=4, not_due=0, fallbacks=why)


def test_nobody_is_a_file_without_rows(directory: Path, tmp_path: Path) -> None:
    assert export(directory, tmp_path / "slates.csv", WIDE, []) == Tally()
    assert (
        (tmp_path / "slates.csv").read_text()
        == '"customer_id","rec_1_id","rec_2_id","rec_3_id","rec_4_id","rec_5_id","experiment","variant"\n'
    )
    assert export(directory, tmp_path / "slates.parquet", WIDE, []) == Tally()
    assert pq.read_schema(tmp_path / "slates.parquet") == WIDE.schema


@pytest.mark.parametrize("mailing", [MailKind.REPLENISHMENT, MailKind.WIN_BACK])
def test_a_file_of_a_mailing_holds_those_for_whom_it_is_due_why_and_until_when(
    directory: Path, recommender: Recommender, tmp_path: Path, mailing: MailKind
) -> None:
    everyone = [
        ExportRecipient(name, moment(DAYS + 20)) for name in recommender.model.customers.ids
    ]
    request = SlateRequest(
        n=3, as_of=moment(DAYS + 20), placement="email", purpose=PERSONALIZE_EMAIL
    )
    mails = [
        CustomerMail(recommender, MAILINGS[mailing], recipient.customer_id, request)
        for recipient in everyone
    ]
    due = {mail.customer_id: (mail.slate, mail.occasion) for mail in mails if mail.occasion}
    assert 0 < len(due) < len(everyone)
    tally = export(
        directory,
        tmp_path / "slates.ndjson",
        ExportOptions(3, Repeat.AUTO, Layout.WIDE, None, mailing),
        everyone,
    )
    rows = rows_of(tmp_path / "slates.ndjson")
    assert [tuple(row.values())[:-2] for row in rows] == [  # without experiment and variant
        (
            name,
            why.text,
            f"{datetime.fromtimestamp(why.until, UTC):%Y-%m-%dT%H:%M:%SZ}",
            *names(recommender, slate),
        )
        for name, (slate, why) in due.items()
    ]
    assert (tally.recipients, tally.not_due) == (len(due), len(everyone) - len(due))


@pytest.fixture(scope="module")
def consented(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small shop, where c00 allows the web alone and c01 mails alone."""
    purchases = small_shop_purchases()
    consent = purchases.consent.copy()
    consent[purchases.customer_ids.find("c00")] = (YES, YES, NO, NEVER_ASKED)
    consent[purchases.customer_ids.find("c01")] = (YES, NO, YES, NEVER_ASKED)
    shop = trained(replace(purchases, consent=consent))
    registry = Registry(tmp_path_factory.mktemp("consented"))
    return registry.path(registry.publish(shop.model, shop.manifest).version)


def exported(directory: Path, output: Path, customer: str) -> list[tuple[str, str]]:
    export(directory, output, LONG, [ExportRecipient(customer)])
    return [(row["product_id"], row["source"]) for row in rows_of(output)]


def test_who_said_no_to_mails_gets_what_is_popular_in_the_file_though_the_web_is_personal(
    consented: Path, tmp_path: Path
) -> None:
    shop = Recommender.load(consented)
    at_home = shop.at_home(shop.model.customers.ids.find("c00"), SlateRequest(n=5))
    popular = shop.popular(at_home)
    assert exported(consented, tmp_path / "slates.csv", "c00") == [
        (name, "popular") for name in names(shop, popular)
    ]
    on_the_web = shop.recommend("c00", SlateRequest(n=5))
    assert on_the_web.strategy is Strategy.PERSONAL
    assert names(shop, on_the_web) != names(shop, popular)


def test_who_said_yes_to_mails_gets_their_own_slate_in_the_file_though_the_web_is_not(
    consented: Path, tmp_path: Path
) -> None:
    shop = Recommender.load(consented)
    assert shop.recommend("c01", SlateRequest(n=5)).strategy is Strategy.NOT_PERSONALIZED
    mail = shop.recommend("c01", SlateRequest(n=5, purpose=PERSONALIZE_EMAIL))
    assert mail.strategy is Strategy.PERSONAL
    expected = [
        (name, slot.source.value) for name, slot in zip(names(shop, mail), mail.slots, strict=True)
    ]
    exported_rows = exported(consented, tmp_path / "slates.csv", "c01")
    assert exported_rows == expected
    assert "own_purchases" in {source for _, source in exported_rows}


@ENDINGS
def test_an_export_that_fails_leaves_the_file_of_yesterday(
    directory: Path, tmp_path: Path, ending: str
) -> None:
    output = tmp_path / f"slates{ending}"
    output.write_text("yesterday's")
    far_too_late = ExportRecipient("c00", 1 << 70)  # no moment an array can hold
    with pytest.raises(OverflowError):
        export(directory, output, LONG, [*[ExportRecipient("c00")] * 10, far_too_late])
    assert output.read_text() == "yesterday's"
    assert list(tmp_path.iterdir()) == [output]


def test_a_rule_for_a_segment_holds_in_files_for_those_who_allow_it(
    directory: Path, recommender: Recommender
) -> None:
    pin = PinRule("rake", ProductSelector(product_ids=("rake",)), position=1, segments=("lapsed",))
    snapshot = empty_snapshot(read_manifest(directory))
    bare = replace(CurrentModel.of(recommender, snapshot, YES), rules=(pin,))
    assert bare.with_figures(directory).figures is None
    figures = figures_of({"c07": Segment.LAPSED, "c00": Segment.NEW, NO_EMAIL: Segment.LAPSED})
    current = replace(bare, figures=figures)

    def segment_of(customer_id: str) -> Segment | None:
        return current.find_groups(customer_id, current.update_of(customer_id)).segment

    customers = ("c07", "c00", "stranger", NO_EMAIL)
    assert list(map(segment_of, customers)) == [Segment.LAPSED, Segment.NEW, None, None]
    for customer_id in customers:
        segment = segment_of(customer_id)
        request = SlateRequest(n=5, rules=current.rules, groups=CustomerGroups(segment))
        first = recommender.recommend(customer_id, request).slots[0].item
        assert (recommender.catalogue.ids[first] == "rake") is (segment is Segment.LAPSED)
