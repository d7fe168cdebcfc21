"""What is new and what is bought again are learned apart where there is enough of both."""

from dataclasses import replace

import numpy as np
import pytest

from models.ranking.features import FEATURES
from models.ranking.ranker import BOUGHT, NEW, VISIT
from models.settings import ModelSettings
from training.ranker.learning import MIN_HITS_APART, learn_ranker
from training.ranker.rows import RankerRows

SETTINGS = ModelSettings()
FEW_TREES = replace(
    SETTINGS, ranker=replace(SETTINGS.ranker, trees=replace(SETTINGS.ranker.trees, trees=20))
)
DEARER = FEATURES.index("dearer")


def rows_of(new_hits: int, repeat_hits: int) -> RankerRows:
    """Candidates half of which are bought: new ones if they are cheap, others if they are dear."""
    hits = np.repeat([True, False, True, False], [new_hits, new_hits, repeat_hits, repeat_hits])
    bought = np.arange(len(hits)) >= 2 * new_hits
    random = np.random.default_rng(0)
    values = np.zeros((len(hits), len(FEATURES)), np.float32)
    values[:, FEATURES.index("visits")] = 1
    values[:, DEARER] = np.where(hits == bought, 1, -1) + random.normal(0, 0.1, len(hits))
    order = random.permutation(len(hits))
    numbers = np.arange(len(hits), dtype=np.int32) // 10
    return RankerRows(
        values[order],
        bought[order],
        hits[order],
        np.ones(len(hits), np.float32),
        numbers,
        numbers,
    )


def test_enough_of_both_teach_trees_of_their_own() -> None:
    rows = rows_of(MIN_HITS_APART, 2 * MIN_HITS_APART)
    learned = learn_ranker(rows, FEW_TREES)
    cheap, dear = np.zeros((2, 1, len(FEATURES)), np.float32)
    cheap[:, DEARER], dear[:, DEARER] = -1, 1
    new, repeats = learned.ranker.trees, learned.ranker.repeat_trees
    assert new.scores(cheap)[0] > 0 > new.scores(dear)[0]
    assert repeats.scores(dear)[0] > 0 > repeats.scores(cheap)[0]
    # Each set counts by the purchases that taught it
    share, prior = learned.ranker.share.tolist(), SETTINGS.ranker.trees_prior
    assert share[NEW] == share[VISIT] == pytest.approx(MIN_HITS_APART / (MIN_HITS_APART + prior))
    assert share[BOUGHT] == pytest.approx(2 * MIN_HITS_APART / (2 * MIN_HITS_APART + prior))
    assert learned.importance["dearer"] == pytest.approx(1)


def test_where_one_is_rare_both_teach_the_same_trees() -> None:
    rows = rows_of(MIN_HITS_APART - 1, 2 * MIN_HITS_APART)
    ranker = learn_ranker(rows, FEW_TREES).ranker
    assert len(ranker.trees) > 0
    assert len(ranker.repeat_trees) == 0
    assert len(set(ranker.share.tolist())) == 1
