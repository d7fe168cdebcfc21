"""The ranker's lesson: learned from what customers bought after earlier moments, and from nothing
that came later.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from io import StringIO
from math import log
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit

from models.artifact.array_tree import flatten
from models.data.customers import NO
from models.data.events import DAY
from models.model import LearnedRanker
from models.ranking.features import FEATURES
from models.ranking.ranker import Ranker
from models.recommender import Recommender
from models.rules.filters import Repeat
from models.settings import FactorSettings, ModelSettings, RankerSettings, TreeSettings
from models.slate import SlateRequest
from tests.support.shop import SMALL, Line, moment
from tests.support.training_shop import small_purchases, trained
from training.parallel import map_with_recommender
from training.progress import Reporter
from training.ranker.basket_examples import BasketExample, BasketRows, draw_basket_examples
from training.ranker.learning import fit_logistic
from training.ranker.rows import LeakError, RankerRows, build_ranker_rows, value_purchases
from training.ranker.train_ranker import (
    RankerTraining,
    build_window_basket_rows,
    fit_before,
    train_ranker,
)
from training.ranker.windows import (
    Example,
    Window,
    draw_examples,
    draw_visit_examples,
    place_windows,
)
from training.reading.purchases import Purchases, read_purchases
from training.synthetic.write import write_shop

pytestmark = pytest.mark.slow

NOW = 1_767_225_600  # 1 January 2026, a day after the year of the synthetic shop
RANKER = RankerSettings(
    windows=2,
    lags_days=(0, 7),
    customers=250,
    examples=0,
    visits=100,
    trees_prior=0.0,
    bought_share=0.5,
    new_share=0.5,
    trees=TreeSettings(trees=15, patience=5, min_rows=20, learning_rate=0.2),
)
SETTINGS = ModelSettings(
    factors=FactorSettings(factors=4, regularization=1.0, iterations=2), ranker=RANKER
)
EVERY_ROW = RankerSettings(bought_share=1.0, new_share=1.0)


def quiet() -> Reporter:
    return Reporter(StringIO())


def lesson_of(training: RankerTraining) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in flatten(training.lesson)}


def equal(one: RankerRows | BasketRows, other: RankerRows | BasketRows) -> bool:
    """Bit for bit."""
    return all(
        getattr(one, name).tobytes() == getattr(other, name).tobytes()
        for name in one.__dataclass_fields__
    )


def rows_before(
    purchases: Purchases, window: Window, settings: ModelSettings, examples: Sequence[Example]
) -> RankerRows:
    with fit_before(purchases, window, settings, quiet(), name="test") as directory:
        return build_ranker_rows(window, settings, Recommender.load(directory), examples)


def with_ranker(**changes: object) -> ModelSettings:
    return replace(SETTINGS, ranker=replace(RANKER, **changes))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("synthetic")
    write_shop(folder, customers=250, products=60, purchases=10_000, seed=4)
    return folder


def read(files: Path, until: int | None = None) -> Purchases:
    products, customers = files / "products.parquet", files / "customers.parquet"
    return read_purchases(
        [files / "purchases.parquet"], products=products, customers=customers, now=NOW, until=until
    )


@pytest.fixture(scope="module")
def shop(files: Path) -> Purchases:
    return read(files)


@pytest.fixture(scope="module")
def training(shop: Purchases) -> RankerTraining:
    return train_ranker(shop, SETTINGS, quiet(), processes=1)


def windows_of(shop: Purchases, ranker: RankerSettings = RANKER) -> list[Window]:
    return place_windows(int(shop.time.min()), int(shop.time.max()) + 1, ranker)


def any_rows(
    window: Window,
    settings: ModelSettings,
    recommender: Recommender,
    examples: Sequence[Example | BasketExample],
) -> RankerRows | BasketRows:
    """Of slates or of baskets, whichever is asked about."""
    if isinstance(examples[0], Example):
        return build_ranker_rows(window, settings, recommender, examples)  # type: ignore[arg-type]
    return build_window_basket_rows(window, recommender, examples)  # type: ignore[arg-type]


def test_a_shop_with_a_year_of_history_teaches_a_ranker(training: RankerTraining) -> None:
    assert training.note is None
    assert training.lesson.learned
    assert 0 < len(training.lesson.trees) <= 15
    assert len(training.lesson.baskets) > 0
    assert len(training.windows) == 2
    assert training.rows > 1_000
    # The better the blend, the likelier the purchase, of new products and of bought ones.
    assert (training.lesson.slope > 0).all()
    assert training.importance is not None
    assert list(training.importance) == list(FEATURES)
    assert sum(training.importance.values()) == pytest.approx(1)


def test_no_more_customers_teach_than_are_allowed(
    shop: Purchases, training: RankerTraining
) -> None:
    windows = windows_of(shop)
    assert sum(len(draw_examples(shop, window, seed=0)) for window in windows) > 250
    orders = [draw_visit_examples(shop, window, 50, seed=0) for window in windows]
    assert training.examples == 250 + sum(map(len, orders)) <= 250 + RANKER.visits


def test_the_same_purchases_and_seed_teach_the_same(
    shop: Purchases, training: RankerTraining
) -> None:
    again = train_ranker(shop, SETTINGS, quiet(), processes=1)
    assert lesson_of(again) == lesson_of(training)
    assert (again.importance, again.examples, again.rows) == (
        training.importance,
        training.examples,
        training.rows,
    )


def test_two_processes_find_what_one_finds(shop: Purchases) -> None:
    window = windows_of(shop)[0]
    examples = [
        *draw_examples(shop, window, seed=0)[:60],
        *draw_basket_examples(shop, window, 60, seed=0),
    ]
    work = partial(any_rows, window, SETTINGS)
    with fit_before(shop, window, SETTINGS, quiet(), name="test") as directory:
        one, two = (
            list(map_with_recommender(directory, work, examples, chunk=20, processes=processes))
            for processes in (1, 2)
        )
    assert [type(part) for part in one] == [RankerRows] * 3 + [BasketRows] * (len(one) - 3)
    assert len(one) > 5
    assert [equal(*both) for both in zip(one, two, strict=True)] == [True] * len(one)


def test_another_seed_teaches_something_else(shop: Purchases, training: RankerTraining) -> None:
    other = train_ranker(shop, replace(with_ranker(windows=1), seed=1), quiet(), processes=1)
    assert other.lesson.learned
    assert lesson_of(other) != lesson_of(training)


def test_a_customer_who_said_no_to_training_teaches_nothing(shop: Purchases) -> None:
    refused = set(np.flatnonzero(shop.consent[:, 0] == NO).tolist())
    assert refused
    for window in windows_of(shop):
        examples = {example.user for example in draw_examples(shop, window, seed=0)}
        assert len(examples) > 50
        assert examples.isdisjoint(refused)


def test_what_is_told_of_a_window_is_the_same_whatever_came_after_it(
    files: Path, shop: Purchases
) -> None:
    """Sources, features and the price of a purchase: bit for bit, from files with and without the
    later lines.
    """
    settings = with_ranker(objective="revenue")
    for window in windows_of(shop):
        examples = draw_examples(shop, window, seed=0)[::5]
        past = read(files, until=window.until)
        assert len(past) < len(shop)
        now, then = (rows_before(lines, window, settings, examples) for lines in (shop, past))
        assert equal(now, then)
        assert len(now.hit) > 100


def test_a_planted_leak_is_caught(shop: Purchases) -> None:
    """A model of everything, asked about a moment that it has long seen."""
    window = windows_of(shop)[0]
    everything = trained(shop, SETTINGS)
    examples = draw_examples(shop, window, seed=0)[:1]
    with pytest.raises(
        LeakError, match=f"until {everything.manifest.data_as_of}, and its window begins at"
    ):
        build_ranker_rows(window, SETTINGS, everything, examples)
    with pytest.raises(
        LeakError, match=f"until {everything.manifest.data_as_of}, and its window begins at"
    ):
        build_window_basket_rows(window, everything, draw_basket_examples(shop, window, 1, seed=0))


def test_one_line_of_the_first_second_of_a_window_is_a_leak_and_one_of_the_second_before_is_not() -> (
    None
):
    shop = trained(small_purchases([Line("anna", "milk", day) for day in range(4)]))
    window, example = (
        Window(moment(3), (moment(4),), 7 * DAY),
        Example(0, moment(4), frozenset({0})),
    )
    with pytest.raises(LeakError):
        build_ranker_rows(window, SMALL, shop, [example])
    assert build_ranker_rows(
        replace(window, until=moment(3) + 1), SMALL, shop, [example]
    ).hit.tolist() == [True]


# What customers c0 to c9 have bought until day 20: milk each, and one of them honey, jam and
# pearls.
CORNER = [
    *(Line(f"c{number}", "milk", day, price=2.0) for number in range(10) for day in (0, 10, 20)),
    *(Line("c0", "honey", day, price=8.0) for day in (1, 11, 19)),
    *(Line("c0", "jam", day) for day in (1, 11, 19)),
    *(Line("c0", "pearls", day, price=2_000.0) for day in (1, 11, 19)),
    *(Line("c0", "string", day, price=0.002) for day in (1, 11, 19)),
]
AFTER = Window(moment(21), (moment(21),), 7 * DAY)


def corner(ranker: RankerSettings, *targets: str) -> tuple[Recommender, RankerRows]:
    """The rows of c0, who bought all there is, when they bought these products again."""
    shop = trained(small_purchases(CORNER), replace(SMALL, ranker=ranker))
    bought = frozenset(shop.catalogue.ids.find(name) for name in targets)
    return shop, build_ranker_rows(AFTER, shop.settings, shop, [Example(0, moment(21), bought)])


def test_the_rows_are_the_candidates_and_what_the_customer_then_bought_of_them_are_hits() -> None:
    shop, rows = corner(EVERY_ROW, "milk", "honey")
    assert rows.values.shape == (5, len(FEATURES))
    assert (rows.bought.all(), rows.hit.sum(), set(rows.user.tolist())) == (True, 2, {0})
    assert rows.weight.tolist() == [1] * 5
    scores = Ranker(shop.settings.blend, LearnedRanker.none()).score(rows.values, rows.bought)
    assert scores.tolist() == sorted(scores.tolist(), reverse=True)


def test_a_part_of_what_was_not_bought_stands_for_all_of_it() -> None:
    lines = [
        Line(f"c{number:02}", f"p{place:03}", place % 60)
        for number in range(8)
        for place in range(200)
    ]
    shop = trained(
        small_purchases(lines), replace(SMALL, ranker=replace(EVERY_ROW, bought_share=0.25))
    )
    window = Window(moment(61), (moment(61),), 7 * DAY)
    examples = [Example(user, moment(61), frozenset({1, 2})) for user in range(8)]
    rows = build_ranker_rows(window, shop.settings, shop, examples)
    assert rows.hit.sum() == 16
    assert set(rows.weight[rows.hit].tolist()) == {1}
    assert set(rows.weight[~rows.hit].tolist()) == {4}
    assert 0.75 < rows.weight[~rows.hit].sum() / (8 * 198) < 1.25
    one = build_ranker_rows(window, shop.settings, shop, examples[3:4])
    # Whose rows are kept does not hang on who else is asked about.
    assert one.values.tobytes() == rows.values[rows.user == 3].tobytes()


def test_a_purchase_weighs_its_price_where_revenue_is_wanted_and_no_price_more_than_ten_times_the_usual() -> (
    None
):
    _, rows = corner(
        replace(EVERY_ROW, objective="revenue"), "milk", "honey", "jam", "pearls", "string"
    )
    price = np.exp(rows.values[:, FEATURES.index("price")])
    # 0.002, 2, 8 and 2,000 are known: the usual one lies in the middle of 2 and 8.
    expected = {"milk": 0.5, "honey": 2, "jam": 1, "pearls": 10, "string": 0.1}
    assert sorted(rows.weight.tolist()) == pytest.approx(sorted(expected.values()))
    assert rows.weight.tolist() == pytest.approx(np.clip(price, 0.1, 10).tolist())
    assert rows.hit.all()


def test_a_purchase_weighs_what_the_shop_keeps_of_its_price_where_margin_is_wanted() -> None:
    shop = trained(small_purchases(CORNER), replace(SMALL, ranker=EVERY_ROW))
    names = ("milk", "honey", "jam", "pearls", "string")
    # Milk earns 1 of 2, honey 2 of 8, pearls nearly all of 2,000; string is sold at a loss
    cost = {"milk": 1.0, "honey": 6.0, "pearls": 1.0, "string": 1.0}
    ids = list(shop.catalogue.ids)
    catalogue = replace(
        shop.catalogue,
        price=np.array([{"jam": 4.0, "string": 0.002, "milk": 2.0}.get(name, 8.0) for name in ids]),
        cost=np.array([cost.get(name, np.nan) for name in ids]),
    )
    margin = replace(EVERY_ROW, objective="margin")
    shop = Recommender(
        shop.manifest, replace(shop.model, catalogue=catalogue), replace(SMALL, ranker=margin)
    )
    value = value_purchases(shop.model, "margin")
    usual = np.exp(shop.model.traits.log_price) * catalogue.margin
    middle = np.median(usual[usual > 0])
    for name in ("milk", "honey"):
        item = ids.index(name)
        assert value[item] == pytest.approx(usual[item] / middle, rel=1e-5)
    assert (value[ids.index("pearls")], value[ids.index("jam")]) == (10, 0)
    assert value[ids.index("string")] == pytest.approx(0.1)
    bought = frozenset(ids.index(name) for name in names)
    rows = build_ranker_rows(AFTER, shop.settings, shop, [Example(0, moment(21), bought)])
    assert (len(rows.hit), rows.hit.all()) == (4, True)  # of jam nobody knows what it earns


def test_what_was_not_bought_has_no_price() -> None:
    _, rows = corner(replace(EVERY_ROW, objective="revenue"), "pearls")
    assert rows.weight.tolist() == pytest.approx([10 if hit else 1 for hit in rows.hit.tolist()])


def test_a_ranker_that_learns_from_revenue_shows_dearer_products(
    shop: Purchases, training: RankerTraining
) -> None:
    dear = train_ranker(shop, with_ranker(objective="revenue"), quiet(), processes=1)
    served = trained(shop, SETTINGS)
    price = np.exp(served.model.traits.log_price)

    def shown(lesson: LearnedRanker) -> list[float]:
        ranked = Recommender(served.manifest, replace(served.model, lesson=lesson), SETTINGS)
        slates = [
            ranked.recommend(customer, SlateRequest(n=5))
            for customer in list(ranked.model.customers.ids)[::2]
        ]
        return [float(price[slot.item]) for slate in slates for slot in slate.slots]

    assert np.mean(shown(dear.lesson)) > 1.02 * np.mean(shown(training.lesson))


def test_in_a_shop_of_strict_habits_they_come_first_and_nothing_new_is_promised() -> None:
    """Everyone buys the same three products every week, tried three others once, and never anything
    else.
    """
    lines = [
        Line(f"c{number:02}", f"p{(number + place) % 20:02}", day)
        for number in range(60)
        for place in range(6)
        for day in (range(0, 190, 7) if place < 3 else (3,))
    ]
    purchases, settings = small_purchases(lines), replace(SMALL, ranker=replace(RANKER, windows=3))
    training = train_ranker(purchases, settings, quiet(), processes=1)
    assert training.lesson.learned
    unranked = trained(purchases, settings)
    served = Recommender(
        unranked.manifest, replace(unranked.model, lesson=training.lesson), settings
    )
    slots = served.recommend("c05", SlateRequest(as_of=moment(193), repeat=Repeat.INCLUDE)).slots
    assert {served.catalogue.ids[slot.item] for slot in slots[:3]} == {"p05", "p06", "p07"}
    assert min(slot.score for slot in slots[:3]) > 0.9
    assert max(slot.score for slot in slots[3:]) < 0.05


def test_the_windows_are_told_while_they_are_learned_from(shop: Purchases) -> None:
    stream = StringIO()
    few = with_ranker(windows=1, trees=TreeSettings(trees=1))
    train_ranker(shop, few, Reporter(stream), processes=1)
    steps = [line.rpartition(":")[0].strip() for line in stream.getvalue().splitlines()]
    of_window = ("factors", "neighbours", "bundles", "substitutes", "repeats")
    of_window = (*of_window, "slates", "baskets")
    assert steps == [
        *(f"Window 1 of 1: {step}" for step in of_window),
        "Ranker",
        "Choice",
        "Variety",
        "Basket ranker",
    ]


@pytest.mark.parametrize(
    ("days", "customers", "products", "note"),
    [
        (140, 3, 3, "18 hits of 3 customers"),
        (140, 3, 90, "540 hits of 3 customers"),
        (140, 19, 15, "570 hits of 19 customers"),
    ],
)
def test_where_there_is_too_little_for_trees_the_learned_blend_ranks_and_says_why(
    days: int, customers: int, products: int, note: str
) -> None:
    """Everyone buys everything every week, and is asked about once in each of two windows."""
    lines = [
        Line(f"c{customer:02}", f"p{product:02}", day)
        for customer in range(customers)
        for product in range(products)
        for day in range(0, days + 1, 7)
    ]
    two = replace(SMALL, ranker=RankerSettings(windows=2, visits=0))
    training = train_ranker(small_purchases(lines), two, quiet(), processes=1)
    assert training.note == f"No trees were learned: {note} are too few."
    assert training.lesson.learned
    assert len(training.lesson.trees) == 0


def test_a_history_of_four_days_is_ranked_by_the_blend_of_the_settings_and_says_why() -> None:
    lines = [Line(f"c{number:02}", "milk", day) for number in range(30) for day in range(5)]
    training = train_ranker(small_purchases(lines), SMALL, quiet(), processes=1)
    assert training.note == (
        "The blend ranks alone: the history is too short for windows to learn from."
    )
    assert lesson_of(training) == lesson_of(RankerTraining(LearnedRanker.none()))


def test_a_shop_whose_orders_hold_one_product_each_learns_of_slates_and_nothing_of_baskets() -> (
    None
):
    lines = [
        Line(f"c{customer:02}", f"p{product:02}", day, f"{product} {day}")
        for customer in range(20)
        for product in range(15)
        for day in range(0, 141, 7)
    ]
    settings = replace(SMALL, ranker=RankerSettings(windows=2, trees=TreeSettings(trees=1)))
    training = train_ranker(small_purchases(lines), settings, quiet(), processes=1)
    assert (training.note, len(training.lesson.baskets)) == (None, 0)


def test_a_shop_whose_visits_were_counted_before_and_after_it_sold_learns_from_the_days_on_which_it_sold() -> (
    None
):
    sold = [
        Line(f"c{customer:02}", f"p{product:02}", day)
        for customer in range(20)
        for product in range(15)
        for day in range(300, 441, 7)
    ]
    visits = [
        Line(f"c{customer:02}", "p00", day, kind="view")
        for customer in range(20)
        for day in range(0, 600, 20)
    ]
    settings = replace(SMALL, ranker=RankerSettings(windows=9, trees=TreeSettings(trees=1)))
    training = train_ranker(small_purchases([*visits, *sold]), settings, quiet(), processes=1)
    assert (
        training.windows
        == train_ranker(small_purchases(sold), settings, quiet(), processes=1).windows
    )
    assert training.lesson.learned


def test_a_ranker_without_windows_learns_nothing_and_says_so(shop: Purchases) -> None:
    training = train_ranker(shop, with_ranker(windows=0), quiet(), processes=1)
    assert (training.lesson.learned, training.note) == (
        False,
        "The blend ranks alone: no windows are set.",
    )


def test_scores_become_the_log_odds_that_were_counted_and_half_a_hit_and_half_a_miss_on_either_side() -> (
    None
):
    """Of products with score 0 one in four was bought, of those with score 2 three in four."""
    scores = np.float32([0, 0, 0, 0, 2, 2, 2, 2])
    hit = np.array([1, 0, 0, 0, 1, 1, 1, 0], bool)
    slope, level = fit_logistic(scores, hit, np.ones(8, np.float32))
    assert (level, level + 2 * slope) == pytest.approx((log(1.5 / 3.5), log(3.5 / 1.5)), abs=1e-4)
    # A purchase that counts twice.
    weight = np.float32([2, 1, 1, 1, 1, 1, 1, 1])
    slope, level = fit_logistic(scores, hit, weight)
    assert (level, level + 2 * slope) == pytest.approx((log(2.5 / 3.5), log(3.5 / 1.5)), abs=1e-4)


def sampled(
    scale: float, shift: float, tails: float
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    random = np.random.default_rng(5)
    shape = random.standard_t(tails, 2_000)
    return np.float32(shape * scale + shift), random.random(2_000) < expit(2 * shape - 2)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("shift", [0.0, -50.0, 50.0])
@pytest.mark.parametrize("tails", [1.5, 50.0], ids=["outliers", "no outliers"])
def test_what_is_expected_adds_up_to_what_was_bought_whatever_the_size_of_scores(
    scale: float, shift: float, tails: float
) -> None:
    """What the likeliest slope and level fulfil: Σ w (hit - p) and Σ w (hit - p) z vanish but for
    the two rows more.
    """
    scores, hit = sampled(scale, shift * scale, tails)
    weight = np.where(hit, 1, 3).astype(np.float32)
    slope, level = fit_logistic(scores, hit, weight)
    exact = scores.astype(np.float64)
    error, z = weight * (hit - expit(slope * exact + level)), (exact - exact.mean()) / exact.std()
    more = 0.5 - expit(slope * (exact.mean() + np.array([-1, 1]) * exact.std()) + level)
    assert error.sum() + more.sum() == pytest.approx(0, abs=0.01)
    assert error @ z + more @ [-1, 1] == pytest.approx(0, abs=0.01)


def test_where_all_or_nothing_was_bought_the_order_stays_and_the_level_is_that_of_half_a_hit_more() -> (
    None
):
    scores, weight = np.float32([1, 2, 3]), np.float32([1, 10, 10])
    assert fit_logistic(scores, np.zeros(3, bool), weight) == pytest.approx(
        (1, log(0.5 / 21.5) - 2)
    )
    assert fit_logistic(scores, np.ones(3, bool), weight) == pytest.approx((1, log(21.5 / 0.5) - 2))
    assert fit_logistic(scores[:0], np.zeros(0, bool), weight[:0]) == (1, 0)


def test_equal_scores_tell_nothing_and_the_level_is_what_is_usual() -> None:
    hit = np.arange(1_000) < 200
    slope, level = fit_logistic(np.full(1_000, 7, np.float32), hit, np.ones(1_000, np.float32))
    assert slope == pytest.approx(0, abs=0.01)
    assert 7 * slope + level == pytest.approx(log(201 / 801), abs=0.01)


def test_scores_that_tell_every_hit_do_not_make_them_certain() -> None:
    scores = np.linspace(-1, 1, 100, dtype=np.float32)
    slope, level = fit_logistic(scores, scores > 0, np.ones(100, np.float32))
    assert 5 < slope < 20
    assert level == pytest.approx(0, abs=0.01)


def test_a_shop_that_sells_each_product_once_learns_nothing_and_says_so() -> None:
    lines = [Line(f"c{n}", f"p{n}-{time}", 5 * time) for n in range(40) for time in range(30)]
    nothing = train_ranker(small_purchases(lines), SETTINGS, quiet(), processes=1)
    assert nothing.lesson.learned is False
    assert "no candidate was bought" in nothing.note
