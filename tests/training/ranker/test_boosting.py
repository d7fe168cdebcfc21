"""What LightGBM itself would say of a candidate is what our trees say."""

from dataclasses import replace
from typing import Any

import lightgbm
import numpy as np
import pytest
from numpy.typing import NDArray

from models.settings import TreeSettings
from training.ranker.boosting import BoostedTrees, TreeRows, convert_trees, fit_trees

SETTINGS = TreeSettings(trees=20, leaves=15, min_rows=20, learning_rate=0.1)
NAMES = ("own_long", "own_short", "affinity", "price", "shelf", "constant")


def windows(
    candidates: int = 3000, seed: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Candidates with tied, skewed and constant features, and which of them were bought."""
    random = np.random.default_rng(seed)
    rows = np.asfortranarray(random.normal(size=(candidates, len(NAMES))).astype(np.float32))
    rows[:, 0] = np.where(random.random(candidates) < 0.7, 0, rows[:, 0])
    rows[:, 3] = np.exp(3 * rows[:, 3])
    rows[:, 4] = random.integers(0, 5, candidates)
    rows[:, 5] = 1
    bought = (
        rows[:, 0]
        + rows[:, 1] * rows[:, 2]
        + 0.5 * (rows[:, 4] == 3)
        + random.normal(size=candidates)
        > 1
    )
    return rows, bought.astype(np.float32)


def boosted(**changes: Any) -> BoostedTrees:
    """Trees of the windows above, with some of the rows or of the arguments of `fit_trees` changed."""
    values, labels = windows()
    content = {"values": values, "labels": labels}
    for name in TreeRows.__dataclass_fields__:
        if name in changes:
            content[name] = changes.pop(name)
    arguments = {"settings": SETTINGS, "names": NAMES, "seed": 0, "threads": 1, **changes}
    return fit_trees(TreeRows(**content), **arguments)


def lightgbm_trees(
    rows: NDArray[np.float32], labels: NDArray[np.float32], **changes: Any
) -> lightgbm.Booster:
    parameters = {
        "objective": "binary",
        "num_threads": 1,
        "verbosity": -1,
        "use_missing": False,
        **changes,
    }
    return lightgbm.train(
        parameters, lightgbm.Dataset(rows, labels, params=parameters), num_boost_round=30
    )


@pytest.mark.parametrize("leaves", [2, 8, 16, 31, 64])
def test_trees_score_as_lightgbm_does_on_candidates_it_never_saw(leaves: int) -> None:
    booster = lightgbm_trees(*windows(), num_leaves=leaves)
    rows, _ = windows(seed=1)
    trees = convert_trees(booster)
    assert trees.leaves.shape == (30, leaves)
    np.testing.assert_allclose(
        trees.scores(rows), booster.predict(rows, raw_score=True), rtol=0, atol=1e-5
    )
    early = booster.predict(rows, raw_score=True, num_iteration=7)
    np.testing.assert_allclose(trees.first(7).scores(rows), early, rtol=0, atol=1e-5)


def test_trees_score_as_lightgbm_does_on_every_threshold_and_beside_it() -> None:
    booster = lightgbm_trees(*windows())
    trees = convert_trees(booster)
    cuts = trees.thresholds[np.isfinite(trees.thresholds)]
    numbers = np.concatenate(
        [cuts, np.nextafter(cuts, np.float32(-np.inf)), np.nextafter(cuts, np.float32(np.inf))]
    )
    numbers[np.abs(numbers) < 2e-35] = 0  # LightGBM takes -1e-35, a threshold of its own, for 0
    rows = np.repeat(numbers[:, None], len(NAMES), axis=1)
    np.testing.assert_allclose(
        trees.scores(rows), booster.predict(rows, raw_score=True), rtol=0, atol=1e-5
    )


def test_where_no_feature_tells_anything_everyone_gets_the_weighted_odds_of_what_was_bought() -> (
    None
):
    rows, labels = np.ones((400, 6), np.float32), np.repeat(np.float32([0, 1]), [300, 100])
    flat = boosted(values=rows, labels=labels)
    np.testing.assert_allclose(flat.trees.scores(rows[:2]), np.log(100 / 300), atol=1e-5)
    assert set(flat.importance.values()) == {0.0}
    weighted = boosted(values=rows, labels=labels, weight=1 + labels)
    np.testing.assert_allclose(weighted.trees.scores(rows[:2]), np.log(200 / 300), atol=1e-5)


def test_what_was_bought_scores_higher_than_what_was_not() -> None:
    rows, bought = windows(seed=1)
    scores = boosted().trees.scores(rows)
    assert scores[bought == 1].mean() > scores[bought == 0].mean() + 0.9


def test_the_features_that_tell_share_the_gain() -> None:
    share = boosted().importance
    assert tuple(share) == NAMES
    assert sum(share.values()) == pytest.approx(1)
    assert share["constant"] == 0
    assert min(share["own_long"], share["own_short"], share["affinity"]) > share["price"]


def test_trees_add_to_what_was_known_before_them() -> None:
    """Half the candidates are known to be bought nine times as often: nothing is left for trees to
    say of them.
    """
    random = np.random.default_rng(1)
    rows = np.repeat(np.float32([0, 1]), 2000)[:, None]
    start = np.where(rows[:, 0] == 1, np.log(0.45 / 0.55), np.log(0.05 / 0.95)).astype(np.float32)
    labels = random.random(4000) < 1 / (1 + np.exp(-start))
    given = {"values": rows, "labels": labels, "names": ("promoted",)}
    informed, ignorant = boosted(**given, start=start).trees, boosted(**given).trees
    ends = np.float32([[0], [1]])
    assert np.abs(informed.scores(ends)).max() < 0.2
    assert np.ptp(ignorant.scores(ends)) > 1


def halved(seed: int = 5) -> NDArray[np.bool_]:
    """Half the candidates of `windows`, which are not learned from."""
    return np.random.default_rng(seed).random(3000) < 0.5


def test_nothing_is_learned_from_rows_that_are_held_back() -> None:
    """Neither what they are nor whether they were bought is told to a tree, only how many trees
    there are.
    """
    held_back = halved()
    shop, other = windows(), windows(seed=9)
    rows, labels = (
        np.where(held_back.reshape(-1, *[1] * (mine.ndim - 1)), theirs, mine)
        for mine, theirs in zip(shop, other, strict=True)
    )
    one, two = (
        boosted(held_back=held_back).trees,
        boosted(values=rows, labels=labels, held_back=held_back).trees,
    )
    shared = min(len(one), len(two))
    assert shared > 10
    assert one.first(shared).leaves.tobytes() == two.first(shared).leaves.tobytes()


def test_trees_after_the_one_that_predicts_the_held_back_rows_best_are_left_out() -> None:
    rows, labels = windows()
    held_back = halved()
    patient = TreeSettings(trees=300, leaves=15, min_rows=20, learning_rate=0.2, patience=10)
    kept = boosted(held_back=held_back, settings=patient).trees
    assert 1 < len(kept) < 290
    every = boosted(
        held_back=held_back, settings=replace(patient, patience=300, trees=len(kept) + 10)
    ).trees
    assert every.leaves.tobytes() == kept.leaves.tobytes()
    losses = [
        loss(kept.first(trees).scores(rows[held_back]), labels[held_back])
        for trees in range(1, len(kept) + 1)
    ]
    assert int(np.argmin(losses)) == len(kept) - 1


def loss(odds: NDArray[np.float32], labels: NDArray[np.float32]) -> float:
    """Log loss, without the level that LightGBM begins with."""
    return float(np.mean(np.logaddexp(0, odds) - labels * odds))


def test_where_the_held_back_rows_say_that_trees_only_learn_noise_few_are_kept() -> None:
    noise = np.random.default_rng(2).permutation(windows()[1])
    settings = TreeSettings(trees=300, leaves=15, min_rows=20, patience=10)
    assert len(boosted(labels=noise, held_back=halved(), settings=settings).trees) < 15
    assert len(boosted(held_back=halved(), settings=settings).trees) > 30


def test_the_same_seed_gives_the_same_trees_on_one_thread_and_on_two() -> None:
    random = np.random.default_rng(3)
    own = random.normal(size=(60_000, 5)).astype(np.float32)
    own[:, :2] *= random.random((60_000, 2)) >= 0.7
    # Features in the order of others: splits on either gain the same, but for how the sums were
    # rounded
    rows = np.hstack([own, np.exp(own), own**3, np.round(own * 3)])[:, random.permutation(20)]
    labels = own[:, 0] + own[:, 2] * own[:, 3] + random.normal(size=60_000) > 1
    weights = random.random(60_000).astype(np.float32)
    given = {
        "values": rows,
        "labels": labels,
        "weight": weights,
        "names": tuple(map(str, range(20))),
    }
    given["settings"] = TreeSettings(trees=5, leaves=64)
    one, two, other = (
        boosted(**given, seed=seed, threads=threads) for seed, threads in ((3, 1), (3, 2), (4, 1))
    )
    for name in ("feature", "indptr", "thresholds", "masks", "leaves"):
        assert getattr(one.trees, name).tobytes() == getattr(two.trees, name).tobytes(), name
    assert one.importance == two.importance
    assert one.trees.leaves.tobytes() != other.trees.leaves.tobytes()


def test_progress_counts_the_trees() -> None:
    told: list[tuple[int, int]] = []
    boosted(on_progress=lambda done, total: told.append((done, total)))
    assert told == [(tree, 20) for tree in range(1, 21)]


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_a_feature_that_is_not_a_finite_number_is_refused_by_name(number: float) -> None:
    rows, labels = windows()
    rows[7, 3] = number
    with pytest.raises(ValueError, match="are not: price"):
        boosted(values=rows, labels=labels)


def test_more_leaves_than_can_be_evaluated_are_refused_before_anything_is_learned() -> None:
    with pytest.raises(ValueError, match="leaves is 65, at most 64"):
        boosted(settings=TreeSettings(leaves=65))


def test_learning_says_nothing_on_the_console(capfd: pytest.CaptureFixture[str]) -> None:
    boosted(values=np.ones((10, 6), np.float32), labels=np.zeros(10, np.float32))
    boosted()
    assert capfd.readouterr() == ("", "")
