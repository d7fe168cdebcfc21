"""A column of the customers file decides who is in an audience, and who gets what in a file."""

import csv
import shutil
from functools import partial
from pathlib import Path

import pytest

from models.artifact.insights import read_insight
from models.artifact.registry import Registry
from models.data.events import DAY, VIEW
from models.data.timestamps import format_timestamp
from models.recommender import Recommender
from service.store.events import Event, EventLine
from service.store.events import write as write_events
from service.store.experiments import EXPERIMENTS
from service.store.offers import OFFERS
from service.store.store import Store
from tests.support.corner_shop import SETTINGS, run, train, write
from tests.support.store_server import new_store

pytestmark = pytest.mark.slow

Capture = pytest.CaptureFixture[str]
COLUMNS = 'columns = ["Tier", "country"]'
PEOPLE = [
    "c01,gold,SE,,",
    "c02, silver ,SE,,",
    "c03,gold,SE,no,",  # may not be learned from
    "c04,gold,SE,,no",  # nor be mailed to personally
    "c05,,SE,,",
    "c01,gold,NO,,",  # the last row counts
]


def train_with(folder: Path, columns: str, people: list[str]) -> int:
    listed = write(
        folder, people, header="customer_id,tier,country,train,personalize_email", name="people.csv"
    )
    settings = folder / "tiers.toml"
    settings.write_text(f"{SETTINGS}[customers]\n{columns}\n", encoding="utf-8")
    return train(folder, "--customers", listed, "--config", settings)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiers")
    assert train_with(folder, COLUMNS, PEOPLE) == 0
    return folder


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_model_holds_the_columns_of_whoever_it_may_learn_from(shop: Path) -> None:
    registry = Registry(shop / "registry")
    version = registry.active()
    assert version is not None
    model = Recommender.load(registry.path(version))
    said = {who: dict(model.find_columns(who)) for who in ("c01", "c02", "c03", "c05", "x")}
    assert said == {
        "c01": {"Tier": "gold", "country": "NO"},
        "c02": {"Tier": "silver", "country": "SE"},
        "c03": {},
        "c05": {"country": "SE"},
        "x": {},
    }
    assert model.model.customers.columns.values_of("Tier") == ["gold", "silver"]
    stored = b"".join(path.read_bytes() for path in registry.path(version).glob("*columns*"))
    assert b"Tier" in stored


def test_an_audience_is_of_those_with_a_value_who_allow_it(
    shop: Path, tmp_path: Path, capsys: Capture
) -> None:
    output = tmp_path / "slates.csv"
    export = ("export", "--registry", shop / "registry", "--output", output, "--layout", "wide")
    assert run(*export, "--audience", "column:Tier=gold") == 0
    assert [row["customer_id"] for row in rows_of(output)] == ["c01"]
    for asked, told in (
        ("column:Tier=iron", "is the Tier of nobody; known are gold, silver"),
        ("column:size=L", "the model knows no such column; [customers] columns named: Tier"),
        ("column:Tier", "expected a column of the customers file and a value"),
    ):
        assert run(*export, "--audience", asked) == 2
        assert told in capsys.readouterr().err


def test_an_offer_to_a_tier_stands_in_a_file_for_it_alone(shop: Path, tmp_path: Path) -> None:
    url, output = new_store("sqlite", tmp_path), tmp_path / "slates.csv"
    store = Store(url, tmp_path / "run")
    document = {"text": {"en": "For you"}, "customers": {"Tier": ["gold"]}, "code": "AU"}
    put = partial(OFFERS.put, name="golden", document=document, time=1, actor="")
    store.write(put).result(10)
    store.close()
    export = ("export", "--registry", shop / "registry", "--store", url, "--offers")
    assert run(*export, "--output", output, "--layout", "wide") == 0
    offered = {row["customer_id"] for row in rows_of(output) if row["offer_code"] == "AU"}
    assert offered == {"c01"}


def test_an_experiment_for_a_tier_is_in_a_file_and_in_its_results(
    shop: Path, tmp_path: Path
) -> None:
    url, output = new_store("sqlite", tmp_path), tmp_path / "slates.csv"
    store, now = Store(url, tmp_path / "run"), 1_900_000_000
    document = {
        "id": "golden",
        "by": "customer",
        "layer": "main",
        "layer_from": 0.0,
        "layer_to": 1.0,
        "starts": format_timestamp(now - 30 * DAY),
        "ends": "2999-01-01T00:00:00Z",
        "variants": [{"name": "all", "share": 1.0}, {"name": "none", "share": 0.0}],
        "customers": {"Tier": ["gold"]},
    }
    put = partial(EXPERIMENTS.put, name="golden", document=document, time=1, actor="")
    store.write(put).result(10)
    view = Event("e", VIEW, now - DAY, (EventLine("p1"),), customer_id="c01")
    store.write(lambda change: write_events(change, [view])).result(10)
    store.close()
    registry = shop / "registry"
    export = ("export", "--registry", registry, "--store", url, "--output", output)
    assert run(*export, now=now) == 0
    assert {row["customer_id"] for row in rows_of(output) if row["experiment"]} == {"c01"}
    bought = [f"c{number:02},bread,{format_timestamp(now - 40 * DAY)}" for number in range(1, 6)]
    orders = write(tmp_path, bought, header="customer_id,product_id,timestamp")
    results = ("experiments", "results", "--purchases", orders, url)
    assert run(*results, "--registry", registry, now=now) == 0
    told = (read_insight(registry, "experiments") or {})["experiments"]["golden"]
    counted = sum(variant["customers"] for variant in told["variants"])
    assert counted == 2  # c04, who takes part on pages, too


@pytest.mark.parametrize(
    ("columns", "people", "told"),
    [
        ('columns = ["teir"]', PEOPLE, "has a column 'teir' (did you mean 'tier'?)"),
        ('columns = ["market"]', PEOPLE, "'market' is read already"),
        (
            'columns = ["tier"]',
            [f"c{number:02},t{number},SE,," for number in range(101)],
            "'tier' has 101 different values, and 100 are allowed",
        ),
        ('columns = ["tier"]', ["c01," + "x" * 101 + ",SE,,"], "values of 101 characters"),
        ('columns = ["a", "b", "c", "d", "e", "f"]', PEOPLE, "customers.columns"),
    ],
)
def test_columns_that_sort_nobody_into_groups_are_refused(
    shop: Path, tmp_path: Path, capsys: Capture, columns: str, people: list[str], told: str
) -> None:
    assert train_with(tmp_path, columns, people) == 2
    assert told in capsys.readouterr().err
    shutil.rmtree(tmp_path)
