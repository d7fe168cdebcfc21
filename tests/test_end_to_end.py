"""From the files of a shop to slates in a file: what is exported is what the service would answer."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from models.artifact.registry import Registry
from models.data.customers import PERSONALIZE_EMAIL
from models.recommender import Recommender
from models.slate import SlateRequest
from tests.support.shop import names
from training.cli.commands import main

pytestmark = pytest.mark.slow

NOW = 1_767_225_600  # 1 January 2026, a day after the year of the synthetic shop
SETTINGS = """processes = 1
[model.factors]
factors = 16
regularization = 5.0
iterations = 5
[model.ranker]
windows = 2
[model.ranker.trees]
trees = 50
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A synthetic shop, trained and exported through the command line."""
    root = tmp_path_factory.mktemp("shop")
    (root / "shop.toml").write_text(SETTINGS)
    size = ("--customers", "250", "--products", "200", "--purchases", "12500", "--seed", "1")
    registry, config = ("--registry", f"{root / 'registry'}"), ("--config", f"{root / 'shop.toml'}")
    files = [
        argument
        for name in ("purchases", "products", "customers")
        for argument in (f"--{name}", f"{root / name}.parquet")
    ]
    assert main(["synthetic", *size, "--output", f"{root}"], now=NOW) == 0
    assert main(["train", *files, *registry, *config], now=NOW) == 0
    assert (
        main(["export", *registry, *config, "--output", f"{root / 'slates.parquet'}"], now=NOW) == 0
    )
    return root


@pytest.fixture(scope="module")
def recommender(folder: Path) -> Recommender:
    registry = Registry(folder / "registry")
    version = registry.active()
    assert version is not None
    return Recommender.load(registry.path(version))


def test_an_exported_slate_is_the_slate_that_is_served(
    folder: Path, recommender: Recommender
) -> None:
    exported: dict[str, list[tuple[int, str, float, str]]] = {}
    for row in pq.read_table(folder / "slates.parquet").to_pylist():
        slot = (row["rank"], row["product_id"], row["score"], row["source"])
        exported.setdefault(row["customer_id"], []).append(slot)
    assert list(exported) == list(recommender.model.customers.ids)
    for customer, slots in exported.items():
        slate = recommender.recommend(customer, SlateRequest(n=10, purpose=PERSONALIZE_EMAIL))
        served = zip(names(recommender, slate), slate.slots, strict=True)
        assert slots == [
            (rank, name, pytest.approx(slot.score, rel=1e-6), slot.source.value)
            for rank, (name, slot) in enumerate(served, 1)
        ]


def test_what_is_exported_was_ranked_by_what_was_learned(
    folder: Path, recommender: Recommender
) -> None:
    assert recommender.model.lesson.learned
    rows = pq.read_table(folder / "slates.parquet").to_pylist()
    ranked = [row for row in rows if row["source"] not in ("popular", "fill")]
    assert len(ranked) > 0.8 * len(rows)
    assert all(0 < row["score"] < 1 for row in ranked)


def test_the_consent_for_mails_decides_what_stands_in_the_file(folder: Path) -> None:
    sources: dict[str, set[str]] = {}
    for row in pq.read_table(folder / "slates.parquet").to_pylist():
        sources.setdefault(row["customer_id"], set()).add(row["source"])
    people = {
        row["customer_id"]: row for row in pq.read_table(folder / "customers.parquet").to_pylist()
    }
    no_mails = [
        name for name, row in people.items() if not row["personalize_email"] and name in sources
    ]
    mails_alone = [
        name
        for name, row in people.items()
        if row["train"]
        and row["personalize_email"]
        and not row["personalize_web"]
        and name in sources
    ]
    assert len(no_mails) > 2
    assert all(sources[name] == {"popular"} for name in no_mails)
    assert len(mails_alone) > 2
    assert any("own_purchases" in sources[name] for name in mails_alone)


def test_customers_buy_again_what_they_were_recommended_more_often_than_what_is_popular(
    recommender: Recommender,
) -> None:
    scores = recommender.manifest.metrics["scores"]["all"]
    assert scores["served"]["recall"]["value"] > 1.5 * scores["popularity"]["recall"]["value"]


def test_a_customer_who_said_no_to_training_has_no_history_in_the_model(
    folder: Path, recommender: Recommender
) -> None:
    table = pq.read_table(folder / "customers.parquet").to_pylist()
    refused = [row["customer_id"] for row in table if not row["train"]]
    assert len(refused) > 2
    histories = recommender.model.histories
    for customer in refused:
        assert len(histories.of(recommender.model.customers.ids.find(customer))) == 0
