"""Every figure of an evaluation against a slow and literal count over what customers would be shown."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from models.recommender import Recommender
from models.slate import Repeat, SlateRequest, Source
from tests.shop import SMALL, Line, Product, moment, small_purchases, small_shop_purchases, trained
from training.config import EvaluationConfig
from training.evaluation import Evaluation, evaluate
from training.methods import BLEND
from training.progress import ignore
from training.purchases import Purchases
from training.split import Split, split
from training.train import write_twin

CONFIG = EvaluationConfig(test_days=28, k=5)
REPEATS = {"all": Repeat.INCLUDE, "discovery": Repeat.EXCLUDE}
Evaluated = Callable[..., Evaluation]


def parts_of(purchases: Purchases, config: EvaluationConfig = CONFIG) -> Split:
    parts = split(purchases, config)
    assert parts is not None
    return parts


@pytest.fixture(scope="module")
def shop() -> tuple[Split, Recommender]:
    parts = parts_of(small_shop_purchases())
    return parts, trained(parts.past)


@pytest.fixture(scope="module")
def twin(shop: tuple[Split, Recommender], tmp_path_factory: pytest.TempPathFactory) -> Path:
    parts, recommender = shop
    return write_twin(tmp_path_factory.mktemp("twin"), recommender.model, parts.past, SMALL)


@pytest.fixture(scope="module")
def evaluated(shop: tuple[Split, Recommender], twin: Path) -> Evaluation:
    return evaluate(twin, shop[0], CONFIG, bundles={}, processes=1, on_progress=ignore)


def shown(shop: tuple[Split, Recommender], task: str) -> list[tuple[int, list[int], frozenset[int], int]]:
    """(user, slate, targets, filled) of everyone who is asked about in a task."""
    parts, recommender = shop
    request = SlateRequest(n=5, as_of=parts.cut, repeat=REPEATS[task])
    wanted = parts.targets if task == "all" else parts.discoveries
    found = []
    for user, targets in zip(parts.users.tolist(), wanted, strict=True):
        slots = recommender.slate(recommender.case(user, request), request).slots
        if targets:
            filled = sum(slot.source is Source.FILL for slot in slots)
            found.append((user, [slot.item for slot in slots], targets, filled))
    return found


@pytest.mark.parametrize("task", ["all", "discovery"])
def test_recall_and_ndcg_are_the_literal_ones(
    shop: tuple[Split, Recommender], evaluated: Evaluation, task: str
) -> None:
    recalls, gains = [], []
    for _, slate, targets, _ in shown(shop, task):
        hits = [rank for rank, item in enumerate(slate, 1) if item in targets]
        best = min(5, len(targets))
        recalls.append(len(hits) / best)
        gains.append(
            sum(1 / math.log2(rank + 1) for rank in hits) / sum(1 / math.log2(rank + 1) for rank in range(1, best + 1))
        )
    scores = evaluated.scores[task][BLEND]
    assert 0 < scores["recall"].value == pytest.approx(sum(recalls) / len(recalls))
    assert 0 < scores["ndcg"].value == pytest.approx(sum(gains) / len(gains))
    assert evaluated.values[task][BLEND][:, 0].tolist() == pytest.approx(recalls)
    assert evaluated.customers(task) == len(recalls)


@pytest.mark.parametrize("task", ["all", "discovery"])
def test_coverage_novelty_and_fills_are_the_literal_ones(
    shop: tuple[Split, Recommender], evaluated: Evaluation, task: str
) -> None:
    parts, _ = shop
    lines = [0] * len(parts.countable)
    for item, kind in zip(parts.past.item.tolist(), parts.past.kind.tolist(), strict=True):
        lines[item] += kind == 0
    slates = shown(shop, task)
    every = [item for _, slate, _, _ in slates for item in slate]
    # One line more for each product, so that a product without a line surprises most and not without end.
    surprise = [-math.log2((lines[item] + 1) / (sum(lines) + len(lines))) for item in every]
    assert evaluated.coverage[task] == len(set(every)) / sum(parts.countable.tolist())
    assert evaluated.novelty[task] == pytest.approx(sum(surprise) / len(surprise))
    assert evaluated.filled[task] == pytest.approx(sum(filled for *_, filled in slates) / len(every))


def test_customers_are_grouped_by_how_much_they_bought_before_the_cut(
    shop: tuple[Split, Recommender], evaluated: Evaluation
) -> None:
    parts, _ = shop
    groups: dict[str, list[float]] = {}
    for (user, *_), recall in zip(shown(shop, "all"), evaluated.values["all"][BLEND][:, 0].tolist(), strict=True):
        lines = int(((parts.past.user == user) & (parts.past.kind == 0)).sum())
        name = next(
            name for low, name in ((20, "20 to 99 lines"), (5, "5 to 19 lines"), (1, "1 to 4 lines")) if lines >= low
        )
        groups.setdefault(name, []).append(recall)
    several = {name: np.mean(recalls) for name, recalls in groups.items() if len(recalls) > 1}
    assert {name: mean.value for name, mean in evaluated.by_length["all"].items()} == pytest.approx(several)


def test_two_processes_count_what_one_counts(
    shop: tuple[Split, Recommender], twin: Path, evaluated: Evaluation
) -> None:
    parts, _ = shop
    many = np.tile(np.arange(len(parts.users)), 3)  # everyone three times, so that there is work for two
    threefold = Split(
        parts.cut,
        parts.past,
        parts.future,
        parts.countable,
        parts.users[many],
        [parts.targets[place] for place in many],
        [parts.discoveries[place] for place in many],
    )
    steps: list[tuple[int, int]] = []
    both = evaluate(twin, threefold, CONFIG, bundles={}, processes=2, on_progress=lambda *step: steps.append(step))
    for task, methods in evaluated.values.items():
        for method, values in methods.items():
            np.testing.assert_array_equal(both.values[task][method], np.tile(values, (3, 1)))
    assert steps[-1] == (len(many), len(many))
    assert len(steps) == math.ceil(len(many) / 64)


def test_a_model_that_is_a_week_old_is_measured_at_the_later_moment(
    shop: tuple[Split, Recommender], twin: Path, evaluated: Evaluation
) -> None:
    later = shop[0].cut + 7 * 86_400
    stale = evaluate(twin, shop[0], CONFIG, bundles={}, processes=1, on_progress=ignore, as_of=later)
    assert (stale.as_of, stale.cut) == (later, shop[0].cut)
    assert stale.customers("all") == evaluated.customers("all")


def loyal_shop(in_stock: bool = True, until_day: float | None = None) -> Purchases:
    """Twenty-five customers who buy the same product, each their own, every ten days."""
    lines = [Line(f"c{number:02}", f"p{number:02}", 10 * time) for number in range(25) for time in range(11)]
    products = [Product(f"p{number:02}", in_stock=in_stock, until_day=until_day) for number in range(25)]
    return small_purchases(lines, products)


def measured(purchases: Purchases, root: Path) -> Evaluation:
    parts = parts_of(purchases)
    twin = write_twin(root, trained(parts.past).model, parts.past, SMALL)
    return evaluate(twin, parts, CONFIG, bundles={}, processes=1, on_progress=ignore)


def test_customers_who_buy_nothing_new_make_no_task_of_discovery(tmp_path: Path) -> None:
    evaluation = measured(loyal_shop(), tmp_path)
    assert list(evaluation.scores) == ["all"]
    assert evaluation.scores["all"]["source: own purchases"]["recall"].value == 1
    assert evaluation.scores["all"][BLEND]["recall"].value == 1


def test_a_shop_that_is_sold_out_today_is_measured_as_if_it_were_not(tmp_path: Path) -> None:
    full, empty = (measured(loyal_shop(in_stock), tmp_path / f"{in_stock}") for in_stock in (True, False))
    assert empty.scores == full.scores
    assert empty.scores["all"][BLEND]["recall"].value == 1


def test_a_shop_that_had_closed_before_the_cut_shows_nothing_and_has_figures_all_the_same(tmp_path: Path) -> None:
    evaluation = measured(loyal_shop(until_day=50), tmp_path)
    assert evaluation.scores["all"][BLEND]["recall"].value == 0
    assert (evaluation.coverage, evaluation.novelty, evaluation.filled) == ({"all": 0}, {"all": 0}, {"all": 0})
    assert evaluation.cut == moment(100) - 28 * 86_400
