"""A customer folded in from their history is the customer that training would have learned."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.settings import FactorSettings
from models.sources.als import FactorScores, ItemFactors
from tests.support.literal_fit import fit_item_factors, solve_factors

N_ITEMS = 30
LEARNED = np.arange(0, N_ITEMS, 2, dtype=np.int32)
SETTINGS = FactorSettings(factors=6, regularization=2.0, iterations=3)


def learn(seed: int = 0) -> ItemFactors:
    random = np.random.default_rng(5)
    shape, learned = (50, N_ITEMS), set(LEARNED.tolist())
    confidence = np.where(random.random(shape) < 0.2, 1 + random.exponential(6, shape), 0)
    observed = {
        (user, item): float(confidence[user, item])
        for user, item in np.argwhere(confidence).tolist()
        if item in learned
    }
    return fit_item_factors(observed, shape, learned, SETTINGS, seed)


FACTORS = learn()


def scores(factors: ItemFactors, vector: np.ndarray) -> np.ndarray:
    return FactorScores(factors, vector).of(np.arange(N_ITEMS))


@given(
    st.dictionaries(
        st.sampled_from(LEARNED.tolist()),
        st.floats(1, 200, width=32),
        min_size=1,
        max_size=len(LEARNED),
    )
)
def test_fold_in_solves_the_equations_of_training(history: dict[int, float]) -> None:
    item, confidence = list(history), list(history.values())
    vector = FACTORS.observed(
        np.array(item, np.int32), np.array(confidence, np.float32)
    ).folded_in()
    observed = dict(zip(FACTORS.row[item].tolist(), confidence, strict=True))
    factors = FACTORS.factors.T.astype(np.float64)
    (exact,) = solve_factors([observed], factors, SETTINGS.regularization)
    np.testing.assert_allclose(vector, exact, rtol=1e-4, atol=1e-4)


@given(
    st.dictionaries(
        st.integers(0, N_ITEMS - 1), st.floats(1, 200, width=32), min_size=1, max_size=8
    ).filter(lambda history: any(item % 2 == 0 for item in history))
)
def test_what_adds_most_to_a_score_is_named_first_and_never_the_product_itself(
    history: dict[int, float],
) -> None:
    item, confidence = (
        np.array(list(history), np.int32),
        np.array(list(history.values()), np.float32),
    )
    observed = FACTORS.observed(item, confidence)
    affinity = scores(FACTORS, observed.folded_in())
    wanted = np.flatnonzero(affinity > 1e-3)
    known = [
        (i, c, FACTORS.factors[:, FACTORS.row[i]].astype(float))
        for i, c in history.items()
        if i % 2 == 0
    ]
    left = FACTORS.gram.astype(float) + sum((c - 1) * np.outer(y, y) for _, c, y in known)
    for evidence, other in zip(observed.evidence(wanted), wanted, strict=True):
        projected = np.linalg.inv(left) @ FACTORS.factors[:, FACTORS.row[other]].astype(float)
        parts = {i: c * float(y @ projected) for i, c, y in known}
        assert sum(parts.values()) == pytest.approx(affinity[other], abs=1e-4)
        named = list(evidence)
        assert other not in named
        parts.pop(int(other), None)
        expected = sorted((part for part in parts.values() if part > 1e-4), reverse=True)
        added = [parts[item] for item in named]
        assert added[: len(expected)] == pytest.approx(expected, abs=1e-4)


def test_a_product_that_nothing_was_learned_about_changes_nobodys_taste() -> None:
    known, both = (np.array(items, np.int32) for items in ([4], [4, 5]))
    alone = FACTORS.observed(known, np.array([7.0], np.float32)).folded_in()
    assert (
        FACTORS.observed(both, np.array([7.0, 9.0], np.float32)).folded_in().tolist()
        == alone.tolist()
    )


@pytest.mark.parametrize("item", [[], [1, 3, 5]])
def test_who_bought_nothing_that_is_known_has_no_taste(item: list[int]) -> None:
    vector = FACTORS.observed(np.array(item, np.int32), np.ones(len(item), np.float32)).folded_in()
    assert vector.tolist() == [0] * 6
    assert scores(FACTORS, vector).tolist() == [0] * N_ITEMS
    assert (
        FactorScores(FACTORS.longest_first(), vector).best(np.ones(N_ITEMS, np.bool_), 5).tolist()
        == []
    )


def test_a_score_is_the_inner_product_never_below_0_and_0_where_nothing_was_learned() -> None:
    for vector in (np.arange(6, dtype=np.float32), -np.arange(6, dtype=np.float32)):
        affinity = scores(FACTORS, vector)
        product = sum(a * b for a, b in zip(FACTORS.factors[:, 2], vector, strict=True))
        assert affinity[4] == pytest.approx(max(product, 0), rel=1e-5)
        assert affinity[1::2].tolist() == [0] * (N_ITEMS // 2)


def test_the_longest_factors_come_first_and_belong_to_the_same_products() -> None:
    longest = FACTORS.longest_first()
    assert longest.length.tolist() == sorted(longest.length.tolist(), reverse=True)
    for item in LEARNED.tolist():
        assert (
            longest.factors[:, longest.row[item]].tolist()
            == FACTORS.factors[:, FACTORS.row[item]].tolist()
        )
        assert longest.item[longest.row[item]] == item
    assert longest.row[1::2].tolist() == [-1] * (N_ITEMS // 2)


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize(
    ("n", "share"), [(1, 1.0), (50, 1.0), (50, 0.2), (50, 0.001), (20_000, 1.0)]
)
def test_the_best_of_a_large_shop_are_those_of_everything(
    ordered: bool, n: int, share: float
) -> None:
    """A few factors are far longer than most, every third is there twice, most need no score."""
    random = np.random.default_rng(3)
    factors = random.normal(size=(8, 12_000)).astype(np.float32) * random.pareto(2, 12_000).astype(
        np.float32
    )
    factors[:, 1::3] = factors[:, ::3]
    everything = np.arange(12_000, dtype=np.int32)
    large = ItemFactors(factors, np.eye(8, dtype=np.float32), everything, everything)
    taste = FactorScores(
        large.longest_first() if ordered else large, random.normal(size=8).astype(np.float32)
    )
    allowed = random.random(12_000) < share
    preference = taste.of(everything.astype(np.int64))
    expected = np.lexsort((everything, -np.where(allowed, preference, 0)))
    expected = expected[allowed[expected] & (preference[expected] > 0)][:n]
    best = taste.best(allowed, n)
    assert preference[best].tolist() == pytest.approx(preference[expected].tolist(), rel=1e-5)
    assert sorted(best.tolist()) == sorted(set(best.tolist()))
    assert taste.highest == pytest.approx(preference.max(), rel=1e-5)


def test_the_tastes_of_many_are_those_of_each() -> None:
    """Some customers need scores of more products than are scored for all at once."""
    random = np.random.default_rng(4)
    everything = np.arange(9_000, dtype=np.int32)
    large = ItemFactors(
        random.normal(size=(8, 9_000)).astype(np.float32),
        np.eye(8, dtype=np.float32),
        everything,
        everything,
    ).longest_first()
    vectors = [*random.normal(size=(5, 8)).astype(np.float32), np.zeros(8, np.float32)]
    for taste, vector in zip(FactorScores.each(large, vectors), vectors, strict=True):
        alone = FactorScores(large, vector)
        for n in (3, 50, 5_000):
            allowed = random.random(9_000) < 0.7
            best = alone.of(taste.best(allowed, n))
            expected = alone.of(alone.best(allowed, n))
            assert best.tolist() == pytest.approx(expected.tolist(), rel=1e-5)
        assert taste.highest == pytest.approx(alone.highest, rel=1e-6)
    assert FactorScores.each(large, []) == []


def test_the_gram_matrix_belongs_to_the_factors() -> None:
    expected = FACTORS.factors @ FACTORS.factors.T + 2 * np.eye(6)
    np.testing.assert_allclose(FACTORS.gram, expected, rtol=1e-5)
