"""The weights of the blend: what a shop's customers chose among their candidates."""

import numpy as np
import pytest

from models.ranking.features import BLENDED
from models.ranking.ranker import BOUGHT, NEW, VISIT
from training.ranker.weights import Choices, learn_weights

AFFINITY, SALES = BLENDED.index("affinity"), BLENDED.index("recent_sales")
RANDOM = np.random.default_rng(7)


def choices(count: int, taste: dict[int, float], kind: int = NEW, products: int = 20) -> Choices:
    """Customers who choose one product of many, by weights of its features and by chance."""
    rows = count * products
    values = np.zeros((rows, len(BLENDED)), np.float32)
    for feature in (AFFINITY, SALES):
        values[:, feature] = RANDOM.normal(0, 1, rows)
    example = np.repeat(np.arange(count), products).astype(np.int32)
    likes = sum(weight * values[:, feature] for feature, weight in taste.items())
    likes = (likes + RANDOM.gumbel(0, 1, rows)).reshape(count, products)
    hit = np.zeros(rows, np.bool_)
    hit[np.argmax(likes, axis=1) + products * np.arange(count)] = True
    return Choices(values, np.full(rows, kind), hit, np.ones(rows, np.float32), example)


def prior(**weights: float) -> np.ndarray:
    every_kind = np.zeros((3, len(BLENDED)), np.float32)
    for name, weight in weights.items():
        every_kind[:, BLENDED.index(name)] = weight
    return every_kind


def test_a_shop_with_many_customers_teaches_what_they_go_by() -> None:
    weights = learn_weights(
        choices(4_000, {AFFINITY: 2.0, SALES: -1.0}), prior(affinity=0.5, recent_sales=0.5), 10
    )
    assert weights[NEW, AFFINITY] == pytest.approx(2.0, abs=0.15)
    assert weights[NEW, SALES] == pytest.approx(-1.0, abs=0.15)


def test_a_shop_with_few_customers_keeps_what_is_usual() -> None:
    usual = prior(affinity=0.5, recent_sales=0.5)
    few = choices(3, {AFFINITY: 0.0, SALES: -3.0})
    few_taught = learn_weights(few, usual, 10)
    assert few_taught[NEW, SALES] > -0.5
    many_taught = learn_weights(choices(3_000, {AFFINITY: 0.0, SALES: -3.0}), usual, 10)
    assert many_taught[NEW, SALES] < -2.5


def test_without_purchases_the_weights_stay_what_they_were() -> None:
    usual = prior(affinity=0.5)
    nothing = choices(5, {AFFINITY: 1.0})
    nothing = nothing._replace(hit=np.zeros_like(nothing.hit))
    assert learn_weights(nothing, usual, 10).tolist() == usual.tolist()


def test_visits_teach_nothing_about_customers() -> None:
    usual = prior(affinity=0.5, recent_sales=0.5)
    weights = learn_weights(choices(500, {SALES: 3.0}, kind=VISIT), usual, 10)
    assert weights[[NEW, BOUGHT]].tolist() == usual[[NEW, BOUGHT]].tolist()
    assert weights[VISIT, SALES] > 2 > weights[VISIT, AFFINITY]


def test_a_candidate_that_stands_for_five_counts_five_times() -> None:
    """Of the products that were not bought, a fifth was kept: the weights are about the same."""
    everything = choices(2_000, {AFFINITY: 1.5}, products=200)
    kept = everything.hit | (RANDOM.random(len(everything.hit)) < 0.2)
    weight = np.where(everything.hit, 1, 5).astype(np.float32)
    part = Choices(*(column[kept] for column in everything._replace(weight=weight)))
    usual = prior(affinity=1.0)
    whole, sampled = (learn_weights(rows, usual, 10)[NEW, AFFINITY] for rows in (everything, part))
    assert sampled == pytest.approx(whole, abs=0.2)
