"""Item factors: what `implicit` itself would say of a customer is what our fold-in says."""

import warnings

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from models.settings import FactorSettings
from models.sources.als import FactorScores
from training.fitting.als import fit_item_factors

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from implicit.cpu.als import AlternatingLeastSquares

SETTINGS = FactorSettings(factors=16, regularization=2.0, iterations=4)


def confidences(users: int = 60, items: int = 40) -> csr_matrix:
    random = np.random.default_rng(1)
    shown = random.random((users, items)) < 0.15
    return csr_matrix(np.where(shown, 1 + 6 * random.random((users, items)), 0).astype(np.float32))


def test_a_customer_folded_in_is_the_customer_that_implicit_computes() -> None:
    confidence = confidences()
    ours = fit_item_factors(confidence, np.arange(40, dtype=np.int32), SETTINGS, seed=3)
    oracle = AlternatingLeastSquares(
        factors=16, regularization=2.0, iterations=4, alpha=1.0, random_state=3, num_threads=1
    )
    oracle.fit(confidence, show_progress=False)
    np.testing.assert_allclose(ours.factors.T, oracle.item_factors, rtol=1e-5, atol=1e-7)
    for user in range(60):
        row = confidence[user]
        mine = ours.observed(row.indices, row.data).folded_in()
        theirs = oracle.recalculate_user(user, row)
        assert np.linalg.norm(mine - theirs) <= 1e-4 * np.linalg.norm(theirs)


def test_products_that_are_not_learned_from_have_no_factors_and_say_nothing() -> None:
    items = np.array([1, 4, 5], np.int32)
    factors = fit_item_factors(confidences(), items, SETTINGS, seed=0)
    assert factors.factors.shape == (16, 3)
    assert factors.row.tolist()[:7] == [-1, 0, -1, -1, 1, 2, -1]
    scores = FactorScores(factors, np.ones(16, np.float32)).of(np.arange(len(factors.row)))
    assert np.flatnonzero(scores).tolist() == [1, 4, 5]


def test_the_same_seed_gives_the_same_bytes_on_one_thread_and_on_two() -> None:
    items = np.arange(40, dtype=np.int32)
    factors = []
    for threads in (1, 2):
        with threadpool_limits(limits=threads, user_api="openmp"):
            factors.append(
                fit_item_factors(confidences(), items, SETTINGS, seed=7).factors.tobytes()
            )
    assert factors[0] == factors[1]
    assert fit_item_factors(confidences(), items, SETTINGS, seed=8).factors.tobytes() != factors[0]


@pytest.mark.parametrize(("users", "items"), [(0, 3), (3, 0), (1, 1)])
def test_a_shop_with_nobody_or_nothing_in_it_has_factors_too(users: int, items: int) -> None:
    factors = fit_item_factors(
        confidences(users, items), np.arange(items, dtype=np.int32), SETTINGS, seed=0
    )
    assert factors.factors.shape == (16, items)
    assert np.isfinite(factors.gram).all()


def test_progress_counts_iterations() -> None:
    told: list[tuple[int, int]] = []
    items = np.arange(40, dtype=np.int32)
    fit_item_factors(
        confidences(), items, SETTINGS, seed=0, on_progress=lambda *step: told.append(step)
    )
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
