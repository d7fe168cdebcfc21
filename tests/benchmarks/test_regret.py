"""Regret of shops whose best method is known, and what of it is chance."""

import numpy as np
import pytest

from benchmarks.regret import (
    MIN_CUSTOMERS,
    SERVED,
    Cell,
    draw_weights,
    find_losses,
    halve,
    measure_cell,
    measure_regret,
    pool_small,
)


def cell(recalls: dict[str, float], customers: int = 400, seed: int = 0, task: str = "all") -> Cell:
    """Customers of whom each method finds a product with a chance of its own."""
    random = np.random.default_rng(seed)
    columns = [random.random(customers) < chance for chance in recalls.values()]
    ids = tuple(f"shop {seed}/{number}" for number in range(customers))
    recall = np.stack(columns, axis=1).astype(np.float64)
    return Cell(f"shop {seed}", task, ids, tuple(recalls), recall)


def certain(recalls: dict[str, float], customers: int = 400, seed: int = 0) -> Cell:
    """Customers of whom each method finds the same share."""
    found = cell(recalls, customers, seed)
    recall = np.tile(np.array(list(recalls.values())), (customers, 1))
    return Cell(found.shop, found.task, found.ids, found.methods, recall)


def test_a_shop_that_serves_a_fifth_less_than_a_list_regrets_a_fifth() -> None:
    regret, against_best = measure_cell(certain({SERVED: 0.4, "popularity": 0.5, "EASE": 0.3}))
    assert regret.tolist() == against_best.tolist() == pytest.approx([0.2])


def test_a_shop_that_serves_the_best_regrets_nothing_however_far_ahead_it_is() -> None:
    regret, against_best = measure_cell(certain({SERVED: 0.5, "popularity": 0.4}))
    assert regret.tolist() == [0]
    assert against_best.tolist() == pytest.approx([-0.2])


def test_of_twelve_equal_methods_none_is_regretted() -> None:
    """In hindsight the best of them is 4 to 13 % ahead."""
    equal = {SERVED: 0.3} | {f"method {number}": 0.3 for number in range(11)}
    cells = [cell(equal, seed=seed) for seed in range(40)]
    hindsight = [found.means[found.best] / found.means[SERVED] - 1 for found in cells]
    assert np.mean(hindsight) > 0.1
    assert abs(np.mean([measure_cell(found)[0][0] for found in cells])) < 0.03


def test_halves_are_told_by_the_ids_alone_and_differ_from_hash_to_hash() -> None:
    ids = [f"c{number}" for number in range(1_000)]
    halves = [halve(ids, number) for number in range(5)]
    assert all(400 < half.sum() < 600 for half in halves)
    assert halve(ids[::-1], 0).tolist() == halves[0][::-1].tolist()
    assert len({tuple(half.tolist()) for half in halves}) == 5


def test_cells_of_few_customers_are_pooled_by_task() -> None:
    few = {SERVED: 0.2, "popularity": 0.3}
    small = [cell(few | {"EASE": 0.1}, MIN_CUSTOMERS - 1, 1), cell(few, 60, 2)]
    visits = cell(few, 20, 3, "visit")
    large = cell(few, MIN_CUSTOMERS, 4)
    kept, both, alone = pool_small([*small, visits, large])
    assert kept is large
    assert (len(both.ids), both.methods) == (MIN_CUSTOMERS + 59, (SERVED, "popularity"))
    assert both.recall[:, 1].mean() == pytest.approx(
        np.concatenate([part.recall[:, 1] for part in small]).mean()
    )
    assert (alone.task, len(alone.ids)) == ("visit", 20)


def test_a_customer_is_drawn_alike_wherever_they_are() -> None:
    one, other = draw_weights(["ann", "ben"], 50), draw_weights(["zoe", "ben"], 50)
    assert one[:, 1].tolist() == other[:, 1].tolist()
    assert one[0].tolist() == [1, 1]
    assert draw_weights([str(number) for number in range(500)], 40)[1:].mean() == pytest.approx(
        1, abs=0.03
    )


def test_a_clear_loss_is_named_and_one_that_chance_explains_is_not() -> None:
    clear = cell({SERVED: 0.2, "popularity": 0.5}, seed=1)
    chance = cell({SERVED: 0.30, "popularity": 0.33}, seed=2)
    (loss,) = find_losses([clear, chance])
    assert (loss.shop, loss.method) == ("shop 1", "popularity")
    assert loss.chance < 1e-6


def test_one_cell_among_many_is_held_to_a_stricter_bound() -> None:
    near = cell({SERVED: 0.30, "popularity": 0.385}, seed=6)
    others = [cell({SERVED: 0.5, "popularity": 0.3}, seed=seed) for seed in range(10, 60)]
    assert len(find_losses([near])) == 1
    assert find_losses([near, *others]) == []


def test_the_rows_of_one_customer_count_as_one() -> None:
    """Each of ten customers makes forty visits that all end alike."""
    found = cell({SERVED: 0.3, "popularity": 0.5}, customers=10)
    recall = np.repeat(found.recall, 40, axis=0)
    own = tuple(f"{number}" for number in range(400))
    shared = tuple(np.repeat(found.ids, 40).tolist())
    assert len(find_losses([Cell("shop", "visit", own, found.methods, recall)])) == 1
    assert find_losses([Cell("shop", "visit", shared, found.methods, recall)]) == []


def test_the_rule_holds_where_the_best_is_served_everywhere_and_not_where_a_list_is_ahead() -> None:
    served = [certain({SERVED: 0.5, "popularity": 0.45}, seed=seed) for seed in range(3)]
    assert measure_regret(served).holds
    lost = measure_regret([*served, certain({SERVED: 0.3, "popularity": 0.6}, seed=9)])
    assert not lost.holds
    assert lost.mean == pytest.approx(0.5 / 4)
    assert lost.against_best == pytest.approx((0.5 - 3 * 0.1) / 4)
