"""The best of each source, and everything bought before."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.candidates import Evidence, best, candidates, gather
from models.history import Interactions, interactions, pair_starts, with_session
from models.sales import Popularity
from models.settings import HistorySettings
from tests.shop import SMALL, Line, moment, small_purchases, trained
from training.counts import histories

BREAD, BUTTER, JAM, MILK, TEA = range(5)
ALL = np.ones(5, np.bool_)


def floats(**scores: float) -> np.ndarray:
    found = np.zeros(5, np.float32)
    for name, score in scores.items():
        found[["bread", "butter", "jam", "milk", "tea"].index(name)] = score
    return found


def evidence(affinity: np.ndarray, neighbours: np.ndarray, basket: np.ndarray, recent: np.ndarray) -> Evidence:
    return Evidence(affinity, neighbours, basket, Popularity(recent, recent))


def owning(*names: str) -> Interactions:
    everything = [Line("zoe", name, 0) for name in ("bread", "butter", "jam", "milk", "tea")]
    purchases = small_purchases([*everything, *(Line("ann", name, 1) for name in names)], customers=())
    events = histories(purchases).of(0) if names else histories(purchases).none()
    return interactions(events, pair_starts(events), moment(2), HistorySettings())


def test_each_source_proposes_its_best_and_what_was_bought_before_is_always_there() -> None:
    sources = evidence(floats(butter=1, jam=2), floats(milk=3), floats(jam=9), floats(tea=1, milk=0.5))
    assert candidates(sources, owning("bread"), ALL, 1).tolist() == [BREAD, JAM, MILK, TEA]


def test_what_the_rules_removed_is_no_candidate_and_the_next_best_takes_its_place() -> None:
    allowed = ALL.copy()
    allowed[[BREAD, JAM]] = False
    sources = evidence(floats(butter=1, jam=2), floats(), floats(), floats())
    assert candidates(sources, owning("bread"), allowed, 1).tolist() == [BUTTER]


def test_a_product_bought_before_takes_no_place_of_a_new_one() -> None:
    sources = evidence(floats(bread=9, butter=1), floats(), floats(), floats())
    assert candidates(sources, owning("bread"), ALL, 1).tolist() == [BREAD, BUTTER]


def test_a_product_of_this_visit_was_not_bought_before() -> None:
    pairs = with_session(owning(), np.array([TEA], np.int32))
    assert candidates(evidence(*[floats()] * 4), pairs, ALL, 9).tolist() == []


def test_without_evidence_there_is_no_candidate() -> None:
    assert candidates(evidence(*[floats()] * 4), owning(), ALL, 9).tolist() == []


def test_equal_scores_stand_in_the_order_of_the_product_ids() -> None:
    assert best(floats(tea=1, bread=1, milk=2, jam=1), 3).tolist() == [MILK, BREAD, JAM]


@given(st.lists(st.integers(-2, 3), max_size=30), st.integers(1, 12))
def test_the_best_are_those_of_a_full_sort(scores: list[int], n: int) -> None:
    expected = sorted((item for item, score in enumerate(scores) if score > 0), key=lambda item: (-scores[item], item))
    assert best(np.array(scores, np.float32), n).tolist() == expected[:n]


@pytest.mark.parametrize("n", [1, 10, 100])
@pytest.mark.parametrize("kinds", [2, 50, 100_000])
@pytest.mark.parametrize("share", [0.001, 0.1, 1.0])
def test_the_best_of_a_large_shop_are_those_of_a_full_sort(n: int, kinds: int, share: float) -> None:
    random = np.random.default_rng(7)
    scores = np.where(random.random(30_000) < share, random.integers(-1, kinds, 30_000), 0).astype(np.float32)
    positive = np.flatnonzero(scores > 0)
    expected = positive[np.lexsort((positive, -scores[positive]))][:n]
    assert best(scores, n).tolist() == expected.tolist()


def test_every_source_is_asked_about_every_product() -> None:
    together = [Line(f"c{n}", name, n, "once") for n in range(6) for name in ("bread", "butter")]
    others = [Line(f"d{n}", name, n, f"{name} alone") for n in range(6) for name in ("milk", "tea", "jam")]
    recommender = trained(small_purchases([*together, *others, Line("ann", "bread", 5)]))
    model = recommender.model
    events = model.histories.of(0)
    pairs = interactions(events, pair_starts(events), moment(5), SMALL.history)
    popularity = model.sales.popularity(moment(5), 5, SMALL.popular)
    found = gather(pairs, [MILK], popularity, model.factors, model.neighbours, model.orders, SMALL)
    assert found.affinity.min() >= 0
    assert found.affinity[BUTTER] > found.affinity[MILK]
    assert np.flatnonzero(found.neighbours).tolist() == [BUTTER]
    assert found.basket.tolist() == [0] * 5  # milk was always bought alone
    assert found.popularity.total.tolist() == [7, 6, 6, 6, 6]
