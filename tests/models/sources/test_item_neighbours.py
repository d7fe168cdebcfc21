"""Products of the same customers, against a sum that is written out."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.settings import NeighbourSettings
from models.sources.item_neighbours import ItemNeighbours
from tests.support.literal_fit import fit_item_neighbours

# Product 0 is tied to 1 (0.5) and 3 (0.25), 1 to 0 (1.0), 2 to nothing, 3 to 0 (0.125) and 1 (2.0).
TIES = {(0, 1): 0.5, (0, 3): 0.25, (1, 0): 1.0, (3, 0): 0.125, (3, 1): 2.0}
NEIGHBOURS = ItemNeighbours(
    np.array([0, 2, 3, 3, 5], np.int64),
    np.array([other for _, other in TIES], np.int32),
    np.array(list(TIES.values()), np.float32),
)


def scores(history: dict[int, float]) -> list[float]:
    scores_of_all = NEIGHBOURS.scores(
        np.array(list(history), np.int32), np.array(list(history.values()), np.float32)
    )
    return scores_of_all.of(np.arange(4)).tolist()


def test_every_product_of_the_history_speaks_for_its_neighbours() -> None:
    assert scores({0: 2, 3: 1}) == [0.125, 3, 0, 0.5]


def test_an_empty_history_speaks_for_nothing() -> None:
    assert scores({}) == [0, 0, 0, 0]


def test_what_is_like_one_product_is_its_own_row() -> None:
    assert NEIGHBOURS.similar(3).tolist() == [0.125, 2, 0, 0]
    assert NEIGHBOURS.similar(2).tolist() == [0, 0, 0, 0]


@given(st.dictionaries(st.integers(0, 3), st.floats(0, 100, width=32)))
def test_a_score_is_the_sum_over_the_history(history: dict[int, float]) -> None:
    expected = [
        sum(weight * TIES.get((item, other), 0) for item, weight in history.items())
        for other in range(4)
    ]
    assert scores(history) == pytest.approx(expected, rel=1e-5)


def test_the_heaviest_tie_times_its_weight_is_named_first() -> None:
    def evidence(history: dict[int, float]) -> list[int]:
        item = np.array(list(history), np.int32)
        weight = np.array(list(history.values()), np.float32)
        (rows,) = NEIGHBOURS.evidence(item, weight, [1])
        return [int(item[row]) for row in rows]

    assert evidence({0: 1.0, 2: 5.0, 3: 1.0}) == [3, 0]  # product 2 is nobody's neighbour
    assert evidence({0: 9.0, 3: 1.0}) == [0, 3]
    assert evidence({0: 4.0, 3: 1.0}) == [0, 3]  # equal: the first


def neighbours_of(interest: np.ndarray, settings: NeighbourSettings) -> ItemNeighbours:
    observed = {
        (user, item): float(interest[user, item]) for user, item in np.argwhere(interest).tolist()
    }
    return fit_item_neighbours(observed, interest.shape[1], settings)


def test_similarity_is_what_the_formula_says() -> None:
    settings = NeighbourSettings(
        min_customers=1, power=0.5, customer_norm=1.0, item_norm=0.75, neighbour_norm=0.5
    )
    interest = np.array([[4, 1, 0], [1, 0, 9], [1, 4, 0], [0, 16, 0]], np.float32)
    neighbours = neighbours_of(interest, settings)
    weight = interest**0.5
    size, square = weight.sum(axis=1), (weight**2).sum(axis=0)
    for item, other in itertools.permutations(range(3), 2):
        together = sum(weight[user, item] * weight[user, other] / size[user] for user in range(4))
        expected = together / square[item] ** 0.75 / square[other] ** 0.5
        assert neighbours.similar(item)[other] == pytest.approx(expected, rel=1e-5)


def test_no_product_is_its_own_neighbour_and_strangers_are_none() -> None:
    neighbours = neighbours_of(
        np.array([[1, 1, 0], [0, 0, 1]], np.float32), NeighbourSettings(min_customers=1)
    )
    assert [np.flatnonzero(neighbours.similar(item)).tolist() for item in range(3)] == [
        [1],
        [0],
        [],
    ]


def test_only_the_nearest_are_kept_in_the_order_of_the_products() -> None:
    bought = np.array([[1, 1, 1, 1], [1, 0, 1, 1], [1, 0, 1, 0], [0, 1, 0, 0]], np.float32)
    neighbours = neighbours_of(bought, NeighbourSettings(min_customers=1, neighbours=2))
    assert neighbours.item[neighbours.indptr[0] : neighbours.indptr[1]].tolist() == [2, 3]
