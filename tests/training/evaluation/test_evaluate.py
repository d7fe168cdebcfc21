"""Every figure of an evaluation against a slow and literal count over what customers would be
shown.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.model import LearnedRanker
from models.ranking.sources import SOURCES, propose_candidates
from models.recommender import Recommender
from models.rules.eligibility import find_allowed
from models.rules.filters import Repeat
from models.rules.shop_rules import ExcludeRule, PinRule, ProductSelector
from models.slate import SlateRequest, Source
from models.trees import Trees
from tests.support.shop import SMALL, Line, Product, moment
from tests.support.training_shop import small_purchases, small_shop_purchases, trained
from training.config import EvaluationConfig
from training.evaluation.evaluate import Evaluation, ExtraMethods, evaluate
from training.evaluation.evaluate_customers import PROPOSERS
from training.evaluation.methods import BLEND, POPULARITY, RULED, SERVED, AddedMethods
from training.evaluation.results import CustomerGroup, Role
from training.evaluation.split import Split, split_history
from training.progress import ignore
from training.publishing import write_twin
from training.reading.purchases import Purchases
from training.report.build import _role
from training.report.example_customers import draw_example_customers

pytestmark = pytest.mark.slow

CONFIG = EvaluationConfig(test_days=28, k=5)
REPEATS = {"all": Repeat.INCLUDE, "discovery": Repeat.EXCLUDE}
Evaluated = Callable[..., Evaluation]


def parts_of(purchases: Purchases, config: EvaluationConfig = CONFIG) -> Split:
    parts = split_history(purchases, config)
    assert parts is not None
    return parts


# Whoever has a score of 6 buys with a chance of one half; the order of the blend stays what it is.
LESSON = LearnedRanker(np.float32([1, 1]), np.float32([-6, -6]), Trees.of([], [[0.0]]))


@pytest.fixture(scope="module")
def shop() -> tuple[Split, Recommender]:
    parts = parts_of(small_shop_purchases())
    untaught = trained(parts.past)
    return parts, Recommender(untaught.manifest, replace(untaught.model, lesson=LESSON), SMALL)


@pytest.fixture(scope="module")
def twin(shop: tuple[Split, Recommender], tmp_path_factory: pytest.TempPathFactory) -> Path:
    parts, recommender = shop
    return write_twin(tmp_path_factory.mktemp("twin"), recommender.model, parts.past, SMALL)


@pytest.fixture(scope="module")
def evaluated(shop: tuple[Split, Recommender], twin: Path) -> Evaluation:
    return evaluate(twin, shop[0], CONFIG, processes=1, on_progress=ignore)


def shown(
    shop: tuple[Split, Recommender], task: str
) -> list[tuple[int, list[int], frozenset[int], int]]:
    """(user, slate, targets, filled) of everyone who is asked about in a task."""
    recommender, found = shop[1], []
    for user, request, targets in asked(shop, task):
        slots = recommender.build_slate(recommender.build_context(user, request), request).slots
        filled = sum(slot.source is Source.FILL for slot in slots)
        found.append((user, [slot.item for slot in slots], targets, filled))
    return found


def asked(
    shop: tuple[Split, Recommender], task: str
) -> list[tuple[int, SlateRequest, frozenset[int]]]:
    """(user, what is asked for them, targets) of everyone with targets in a task."""
    parts, recommender = shop
    request = SlateRequest(n=5, as_of=parts.cut, repeat=REPEATS[task])
    wanted = parts.targets if task == "all" else parts.discoveries
    everyone = zip(parts.users.tolist(), wanted, strict=True)
    return [
        (user, recommender.at_home(user, request), targets) for user, targets in everyone if targets
    ]


def test_what_the_rules_of_the_shop_cost_is_measured_beside_what_is_served_without_them(
    shop: tuple[Split, Recommender], twin: Path, evaluated: Evaluation
) -> None:
    assert RULED not in evaluated.values["all"]
    rules = (
        PinRule("toys", ProductSelector(("kite",)), position=1),
        ExcludeRule("no bread", ProductSelector(category="bakery")),
    )
    ruled = evaluate(
        twin,
        shop[0],
        CONFIG,
        processes=1,
        on_progress=ignore,
        extras=ExtraMethods(added=AddedMethods(rules)),
    )
    recommender = shop[1]
    for task in ("all", "discovery"):
        np.testing.assert_array_equal(ruled.values[task][SERVED], evaluated.values[task][SERVED])
        for row, (user, request, targets) in enumerate(asked(shop, task)):
            slots = recommender.build_slate(
                recommender.build_context(user, request), replace(request, rules=rules)
            ).slots
            hits = len({slot.item for slot in slots} & targets)
            assert ruled.values[task][RULED][row][0] == pytest.approx(hits / min(5, len(targets)))
        recall = {method: ruled.scores[task][method]["recall"].value for method in (SERVED, RULED)}
        assert recall[RULED] < recall[SERVED]


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
            sum(1 / math.log2(rank + 1) for rank in hits)
            / sum(1 / math.log2(rank + 1) for rank in range(1, best + 1))
        )
    scores = evaluated.scores[task][SERVED]
    assert 0 < scores["recall"].value == pytest.approx(sum(recalls) / len(recalls))
    assert 0 < scores["ndcg"].value == pytest.approx(sum(gains) / len(gains))
    assert evaluated.values[task][SERVED][:, 0].tolist() == pytest.approx(recalls)
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
    # One line more for each product, so that a product without a line surprises most and not
    # without end.
    surprise = [-math.log2((lines[item] + 1) / (sum(lines) + len(lines))) for item in every]
    assert evaluated.coverage[task] == len(set(every)) / sum(parts.countable.tolist())
    assert evaluated.novelty[task] == pytest.approx(sum(surprise) / len(surprise))
    assert evaluated.filled[task] == pytest.approx(
        sum(filled for *_, filled in slates) / len(every)
    )


def test_customers_are_grouped_by_how_much_they_bought_before_the_cut(
    shop: tuple[Split, Recommender], evaluated: Evaluation
) -> None:
    past = shop[0].past
    names = {1: "1 to 4 lines", 5: "5 to 19 lines", 20: "20 to 99 lines", 100: "100 lines and more"}
    sizes = {
        user: int(((past.user == user) & (past.kind == 0)).sum()) for user in shop[0].users.tolist()
    }
    check_groups(shop, evaluated, evaluated.by_length["all"], names, sizes)


def test_customers_are_grouped_by_how_many_orders_they_placed_in_the_four_weeks_before_the_cut(
    shop: tuple[Split, Recommender], evaluated: Evaluation
) -> None:
    parts = shop[0]
    names = {
        0: "no orders",
        1: "1 order",
        2: "2 to 3 orders",
        4: "4 to 7 orders",
        8: "8 orders and more",
    }
    lately = (parts.past.kind == 0) & (parts.past.time >= parts.cut - 28 * 86_400)
    sizes = {
        user: len(set(parts.past.order[lately & (parts.past.user == user)]))
        for user in parts.users.tolist()
    }
    assert len(evaluated.by_activity["all"]) > 1
    check_groups(shop, evaluated, evaluated.by_activity["all"], names, sizes)


def check_groups(
    shop: tuple[Split, Recommender],
    evaluated: Evaluation,
    found: tuple[CustomerGroup, ...],
    names: dict[int, str],
    sizes: dict[int, int],
) -> None:
    """The recall of customers by how large they are; `names` of groups begin with the smallest size
    in them.
    """
    groups: dict[str, list[float]] = {name: [] for name in names.values()}
    recalls = evaluated.values["all"][SERVED][:, 0].tolist()
    for (user, *_), recall in zip(asked(shop, "all"), recalls, strict=True):
        groups[names[max(low for low in names if sizes[user] >= low)]].append(recall)
    several = {name: values for name, values in groups.items() if len(values) > 1}
    assert [group.name for group in found] == list(several)
    assert [group.customers for group in found] == [len(values) for values in several.values()]
    assert [group.recall.value for group in found] == pytest.approx(
        [np.mean(values) for values in several.values()]
    )


@pytest.mark.parametrize("task", ["all", "discovery"])
def test_what_each_source_found_is_counted(
    shop: tuple[Split, Recommender], evaluated: Evaluation, task: str
) -> None:
    recommender, customers = shop[1], asked(shop, task)
    rows: dict[str, list[tuple[float, float, float]]] = {name: [] for name in PROPOSERS}
    together = []
    for user, request, targets in customers:
        case = recommender.build_context(user, request)
        proposed = propose_candidates(
            SOURCES, case, find_allowed(recommender.find_removed(case, request))
        )
        sets = {name: set(proposed[name].tolist()) for name in PROPOSERS}
        for name, items in sets.items():
            others = set().union(*(other for at, other in sets.items() if at != name))
            caught, alone = len(items & targets), len((items - others) & targets)
            rows[name].append((len(items), caught / len(targets), alone / len(targets)))
        everything = set().union(*sets.values())
        together.append((len(everything), len(everything & targets) / len(targets)))
    found = evaluated.candidates[task]
    assert [source.name for source in found.sources] == list(PROPOSERS)
    for source in found.sources:
        expected = np.mean(rows[source.name], axis=0).tolist()
        assert [source.candidates, source.recall, source.unique] == pytest.approx(expected), (
            source.name
        )
    assert [found.per_customer, found.recall] == pytest.approx(np.mean(together, axis=0).tolist())
    assert found.recall > 0.5


@pytest.mark.parametrize("task", ["all", "discovery"])
def test_what_was_promised_stands_beside_what_was_bought(
    shop: tuple[Split, Recommender], evaluated: Evaluation, task: str
) -> None:
    recommender = shop[1]
    promised, bought = [], []
    for user, request, targets in asked(shop, task):
        case = recommender.build_context(user, request)
        ranked = recommender.rank(case, recommender.find_removed(case, request))
        promised += (1 / (1 + np.exp(-ranked.scores.astype(np.float64)))).tolist()
        bought += [item in targets for item in ranked.items.tolist()]
    bins = evaluated.calibration[task]
    assert sum(found.candidates for found in bins) == len(promised)
    assert sum(found.candidates * found.predicted for found in bins) == pytest.approx(sum(promised))
    assert sum(found.candidates * found.bought for found in bins) == pytest.approx(sum(bought))
    assert [found.predicted for found in bins] == sorted(found.predicted for found in bins)
    last = [
        (chance, hit) for chance, hit in zip(promised, bought, strict=True) if chance >= 10**-0.2
    ]
    assert bins[-1].candidates == len(last)
    assert bins[-1].bought == pytest.approx(np.mean([hit for _, hit in last]))


def test_a_blend_promises_nothing(tmp_path: Path) -> None:
    assert measured(loyal_shop(), tmp_path).calibration == {"all": ()}


def test_what_a_limit_to_a_category_costs_is_measured_on_slates_that_keep_to_it(
    evaluated: Evaluation,
) -> None:
    free, *limited = evaluated.diversity
    assert free.name == "no limit"
    # With slates of five, at most 5, 3 and 2 of ten are at most 3, 2 and 1 of a category.
    assert [found.name for found in limited] == [
        f"at most {limit} of a category" for limit in (5, 3, 2)
    ]
    assert [found.categories for found in evaluated.diversity] == sorted(
        found.categories for found in evaluated.diversity
    )
    assert free.categories < 3 < limited[-1].categories <= 5
    assert limited[-1].ndcg.value < free.ndcg.value
    assert all(0 < found.coverage <= 1 for found in evaluated.diversity)


def test_the_categories_in_a_slate_are_the_literal_ones(
    shop: tuple[Split, Recommender], evaluated: Evaluation
) -> None:
    category = shop[1].model.traits.category
    assert category.min() == 0  # all products have one, the first product too
    of_slates = [len({*category[slate].tolist()}) for _, slate, *_ in shown(shop, "all")]
    (served,) = (found for found in evaluated.diversity if found.role is Role.SERVED)
    assert served.categories == pytest.approx(np.mean(of_slates))


def test_customers_of_a_hundred_lines_are_the_last_group(tmp_path: Path) -> None:
    lines = [
        Line(f"c{number:02}", f"p{product}", 10 * time)
        for number in range(25)
        for product in range(13)
        for time in range(11)
    ]
    (group,) = measured(small_purchases(lines), tmp_path).by_length["all"]
    assert (group.name, group.customers) == ("100 lines and more", 25)


def test_slates_of_other_methods_are_measured_beside_ours(
    shop: tuple[Split, Recommender], twin: Path, evaluated: Evaluation
) -> None:
    """A clairvoyant shows the first target, a beginner nothing."""
    parts = shop[0]
    clairvoyant = tuple(
        np.array([[min(targets, default=-1), *[-1] * 4] for targets in wanted])
        for wanted in (parts.targets, parts.discoveries)
    )
    nothing = np.full((len(parts.users), 5), -1)
    references = {
        "clairvoyant": {"all": clairvoyant[0], "discovery": clairvoyant[1]},
        "beginner": {"all": nothing, "discovery": nothing},
    }
    found = evaluate(
        twin, parts, CONFIG, processes=1, on_progress=ignore, extras=ExtraMethods(references)
    )
    for task in ("all", "discovery"):
        targets = [wanted for _, _, wanted in asked(shop, task)]
        assert found.values[task]["clairvoyant"][:, 0].tolist() == [
            1 / min(5, len(wanted)) for wanted in targets
        ]
        assert found.scores[task]["clairvoyant"]["hits"].value == pytest.approx(1)
        assert found.values[task]["beginner"].max() == 0
        assert found.scores[task][SERVED] == evaluated.scores[task][SERVED]


def test_two_processes_count_what_one_counts(
    shop: tuple[Split, Recommender], twin: Path, evaluated: Evaluation
) -> None:
    parts, _ = shop
    many = np.tile(
        np.arange(len(parts.users)), 3
    )  # everyone three times, so that there is work for two
    threefold = Split(
        parts.cut,
        parts.past,
        parts.future,
        parts.countable,
        parts.users[many],
        [parts.targets[place] for place in many],
        [parts.discoveries[place] for place in many],
        parts.visits * 3,
        parts.days,
    )
    steps: list[tuple[int, int]] = []
    both = evaluate(
        twin,
        threefold,
        CONFIG,
        processes=2,
        on_progress=lambda *step: steps.append(step),
    )
    for task, methods in evaluated.values.items():
        for method, values in methods.items():
            np.testing.assert_array_equal(both.values[task][method], np.tile(values, (3, 1)))
    visits = len(threefold.visits)
    assert steps[-1] == (len(many) + visits, len(many) + visits)
    assert len(steps) == math.ceil(len(many) / 64) + math.ceil(visits / 64)


def test_a_model_that_is_a_week_old_is_measured_at_the_later_moment(
    shop: tuple[Split, Recommender], twin: Path, evaluated: Evaluation
) -> None:
    later = shop[0].cut + 7 * 86_400
    stale = evaluate(twin, shop[0], CONFIG, processes=1, on_progress=ignore, as_of=later)
    assert (stale.as_of, stale.cut) == (later, shop[0].cut)
    assert stale.customers("all") == evaluated.customers("all")


def loyal_shop(in_stock: bool = True, until_day: float | None = None) -> Purchases:
    """Twenty-five customers who buy the same product, each their own, every ten days."""
    lines = [
        Line(f"c{number:02}", f"p{number:02}", 10 * time)
        for number in range(25)
        for time in range(11)
    ]
    products = [
        Product(f"p{number:02}", in_stock=in_stock, until_day=until_day) for number in range(25)
    ]
    return small_purchases(lines, products)


def measured(purchases: Purchases, root: Path) -> Evaluation:
    parts = parts_of(purchases)
    twin = write_twin(root, trained(parts.past).model, parts.past, SMALL)
    return evaluate(twin, parts, CONFIG, processes=1, on_progress=ignore)


def test_customers_who_buy_nothing_new_make_no_task_of_discovery(tmp_path: Path) -> None:
    evaluation = measured(loyal_shop(), tmp_path)
    assert list(evaluation.scores) == ["all"]
    assert evaluation.scores["all"]["source: own purchases"]["recall"].value == 1
    assert evaluation.scores["all"][SERVED]["recall"].value == 1


def test_a_shop_that_is_sold_out_today_is_measured_as_if_it_were_not(tmp_path: Path) -> None:
    full, empty = (
        measured(loyal_shop(in_stock), tmp_path / f"{in_stock}") for in_stock in (True, False)
    )
    assert empty.scores == full.scores
    assert empty.scores["all"][SERVED]["recall"].value == 1


def test_a_shop_that_had_closed_before_the_cut_shows_nothing_and_has_figures_all_the_same(
    tmp_path: Path,
) -> None:
    evaluation = measured(loyal_shop(until_day=50), tmp_path)
    assert evaluation.scores["all"][SERVED]["recall"].value == 0
    assert (evaluation.coverage, evaluation.novelty, evaluation.filled) == (
        {"all": 0},
        {"all": 0},
        {"all": 0},
    )
    assert evaluation.cut == moment(100) - 20 * 86_400


def test_examples_show_as_many_products_as_are_measured(
    shop: tuple[Split, Recommender], twin: Path
) -> None:
    (example,) = draw_example_customers(twin, shop[0], CONFIG, 1)
    assert len(example.slate) == CONFIG.k


def test_what_is_served_stands_out_from_baselines_and_others() -> None:
    roles = [_role(method) for method in (SERVED, POPULARITY, BLEND)]
    assert roles == [Role.SERVED, Role.BASELINE, Role.OTHER]
