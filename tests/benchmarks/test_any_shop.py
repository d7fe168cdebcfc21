"""The cells of a shop: whose slates were scored, by which methods, and that figures stay as they are."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.any_shop import (
    cells_of,
    describe,
    keep_servable,
    read_cells,
    result_path,
    write_cells,
)
from benchmarks.regret import SERVED, Cell
from benchmarks.suite import SuiteShop, list_shops
from tests.support.shop import Line
from tests.support.training_shop import small_shop_purchases
from training.config import EvaluationConfig
from training.evaluation.evaluate import Evaluation
from training.evaluation.methods import AUTO
from training.evaluation.split import Split, split_history
from training.ranker.choice import MethodTrial

PURCHASES = small_shop_purchases(
    *(Line("", f"p{number:02}", 99, "a guest's") for number in range(4))
)
SHOP = SuiteShop("corner until May", "corner", Path, "2026-05-01")


@pytest.fixture(scope="module")
def split() -> Split:
    found = split_history(PURCHASES, EvaluationConfig())
    assert found is not None
    return found


def figures(customers: int, methods: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Recall that tells whose it is and by which method: 0, 1, … and .1 for each method."""
    values = {}
    for number, name in enumerate(methods):
        values[name] = np.zeros((customers, 3))
        values[name][:, 0] = np.arange(customers) + number / 10
    return values


def test_a_cell_has_a_row_for_everyone_with_targets_and_a_column_for_every_alternative(
    split: Split,
) -> None:
    counts = [sum(map(bool, targets)) for targets in (split.targets, split.discoveries)]
    assert counts[0] > counts[1] > 0
    values = {
        "all": figures(counts[0], (SERVED, AUTO, "popularity", "EASE")),
        "discovery": figures(counts[1], (SERVED, "popularity")),
    }
    evaluation = Evaluation(split.cut, split.cut, 10, values=values)
    everything, discovery = cells_of(SHOP, PURCHASES, split, evaluation)
    assert everything.methods == (SERVED, "popularity", "EASE")
    assert everything.recall[3].tolist() == pytest.approx([3, 3.2, 3.3])
    new = [
        f"corner/{PURCHASES.customer_ids[user]}"
        for user, targets in zip(split.users.tolist(), split.discoveries, strict=True)
        if targets
    ]
    assert discovery.ids == tuple(new)


def test_visits_that_look_and_visits_with_a_basket_are_cells_of_their_own(split: Split) -> None:
    visits = len(split.visits)
    evaluation = Evaluation(
        split.cut, split.cut, 10, values={"visit": figures(2 * visits, (SERVED, "EASE"))}
    )
    looking, buying = cells_of(SHOP, PURCHASES, split, evaluation)
    assert (looking.task, buying.task) == ("visit, recent", "visit, basket")
    assert looking.recall[:, 0].tolist() == list(range(0, 2 * visits, 2))
    assert buying.recall[:, 0].tolist() == list(range(1, 2 * visits, 2))
    assert looking.ids == buying.ids
    guests = [name for name in looking.ids if "a guest" in name]
    assert len(set(guests)) == len(guests) == sum(visit.user < 0 for visit in split.visits)


def test_of_a_ranking_with_and_without_limits_of_variety_only_the_one_that_obeys_could_serve() -> (
    None
):
    methods = (SERVED, "popularity", "trees", "trees, varied")
    cell = keep_servable(Cell("corner", "all", ("ann", "ben"), methods, np.eye(4)[:2]))
    assert cell.methods == (SERVED, "popularity", "trees, varied")
    assert cell.recall.tolist() == [[1, 0, 0], [0, 1, 0]]


def test_figures_are_read_as_they_were_written(tmp_path: Path) -> None:
    cell = Cell(SHOP.name, "all", ("corner/ann", "corner/ben"), (SERVED, "EASE"), np.eye(2) / 2)
    trials = [
        MethodTrial("customers", "blend", 0.25, 40, serves=False),
        MethodTrial("customers", "all sales", 0.5, 40, serves=True),
    ]
    write_cells(result_path(tmp_path, SHOP), [cell], trials)
    (found,), serves = read_cells(SHOP, tmp_path)
    assert (found.shop, found.task, found.ids, found.methods) == (
        cell.shop,
        cell.task,
        cell.ids,
        cell.methods,
    )
    np.testing.assert_array_equal(found.recall, cell.recall)
    assert serves == {"customers": "all sales"}
    assert describe(found).startswith(".250 / .250 (EASE); 2; ")
    assert [path.name for path in tmp_path.iterdir()] == ["corner_until_May.npz"]


def test_the_suite_has_two_long_shops_at_four_ends_six_others_and_six_invented_ones() -> None:
    shops = list_shops(Path("data"))
    names = [shop.name for shop in shops]
    assert len(set(names)) == len(names) == 20
    for long in ("complete_journey", "online_retail_ii"):
        assert [shop.until is None for shop in shops if shop.data == long] == [False] * 3 + [True]
    assert sum(shop.until is None for shop in shops) == 14
