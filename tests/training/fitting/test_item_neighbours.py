"""Item neighbours against their formula, written out slowly."""

import math

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from models.settings import NeighbourSettings
from models.sources.item_neighbours import ItemNeighbours
from training.fitting import item_neighbours
from training.fitting.item_neighbours import fit_item_neighbours


def literal(interest: np.ndarray, settings: NeighbourSettings, i: int, j: int) -> float:
    """sim(i, j) = Σ_u w_ui w_uj / size_u^a / |i|^(2b) / |j|^(2c), with w = interest^power."""
    w = [[value**settings.power if value else 0.0 for value in row] for row in interest.tolist()]
    length = [sum(row[item] ** 2 for row in w) for item in (i, j)]
    shared = sum(row[i] * row[j] / sum(row) ** settings.customer_norm for row in w if sum(row))
    return shared / length[0] ** settings.item_norm / length[1] ** settings.neighbour_norm


def row(neighbours: ItemNeighbours, item: int) -> dict[int, float]:
    here = slice(neighbours.indptr[item], neighbours.indptr[item + 1])
    return dict(
        zip(neighbours.item[here].tolist(), neighbours.similarity[here].tolist(), strict=True)
    )


def random_interest() -> np.ndarray:
    random = np.random.default_rng(3)
    return np.where(random.random((30, 12)) < 0.3, random.random((30, 12)) * 5, 0).astype(
        np.float32
    )


@pytest.mark.parametrize(
    "settings",
    [
        NeighbourSettings(min_customers=1),
        NeighbourSettings(
            min_customers=1, power=1, customer_norm=0.4, item_norm=0.2, neighbour_norm=0.9
        ),
    ],
)
def test_every_similarity_is_the_formula(settings: NeighbourSettings) -> None:
    interest = random_interest()
    neighbours = fit_item_neighbours(csr_matrix(interest), settings)
    for i in range(12):
        wanted = {j: literal(interest, settings, i, j) for j in range(12) if j != i}
        assert row(neighbours, i) == pytest.approx(
            {j: value for j, value in wanted.items() if value > 0}, rel=1e-5
        )


@pytest.mark.parametrize("marks", [1, 36, 1 << 23])  # one, three and all customers at a time
def test_what_fewer_customers_share_is_no_neighbour(
    marks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(item_neighbours, "MARKS", marks)
    interest = random_interest()
    neighbours = fit_item_neighbours(csr_matrix(interest), NeighbourSettings(min_customers=3))
    shared = (interest > 0).T.astype(int) @ (interest > 0)
    assert {1, 2, 3} < set(shared.ravel().tolist())
    for i in range(12):
        assert set(row(neighbours, i)) == set(np.flatnonzero(shared[i] >= 3).tolist()) - {i}


def test_only_the_nearest_are_kept() -> None:
    interest, settings = random_interest(), NeighbourSettings(min_customers=1, neighbours=3)
    neighbours = fit_item_neighbours(csr_matrix(interest), settings)
    for i in range(12):
        wanted = sorted(
            (j for j in range(12) if j != i), key=lambda j: -literal(interest, settings, i, j)
        )
        assert set(row(neighbours, i)) == set(wanted[:3])


def test_of_equal_neighbours_no_more_than_asked_for_are_kept_and_the_same_every_time() -> None:
    everyone_buys_everything = csr_matrix(np.ones((4, 9), np.float32))
    kept = [
        fit_item_neighbours(
            everyone_buys_everything, NeighbourSettings(min_customers=1, neighbours=3)
        )
        for _ in range(2)
    ]
    assert [len(row(kept[0], item)) for item in range(9)] == [3] * 9
    assert kept[0].item.tolist() == kept[1].item.tolist()


def test_products_without_a_common_customer_are_no_neighbours() -> None:
    neighbours = fit_item_neighbours(
        csr_matrix(np.eye(3, dtype=np.float32)), NeighbourSettings(min_customers=1)
    )
    assert [row(neighbours, item) for item in range(3)] == [{}, {}, {}]


def test_two_products_of_one_customer_by_hand() -> None:
    # w = 2 and 3 (roots of 4 and 9); size 5; |i|² = 4, |j|² = 9
    neighbours = fit_item_neighbours(
        csr_matrix(np.array([[4, 9]], np.float32)), NeighbourSettings(min_customers=1)
    )
    assert row(neighbours, 0)[1] == pytest.approx(2 * 3 / 5 / 4**0.75 / math.sqrt(9))


def test_a_shop_without_customers_has_no_neighbours() -> None:
    neighbours = fit_item_neighbours(
        csr_matrix((0, 3), dtype=np.float32), NeighbourSettings(min_customers=1)
    )
    assert neighbours.indptr.tolist() == [0, 0, 0, 0]
