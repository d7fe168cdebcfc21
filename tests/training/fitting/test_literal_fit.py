"""The fit against the same fit by the definitions, in loops that a reader can follow."""

import random
from collections.abc import Iterator
from dataclasses import replace
from io import StringIO

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from models.artifact.array_tree import flatten
from models.data.customers import NEVER_ASKED, NO, YES
from models.settings import BundleSettings, FactorSettings, ModelSettings, NeighbourSettings
from models.sources.als import ItemFactors
from tests.support import literal_fit
from tests.support.literal_fit import Pair, find_learned, fit_literally, solve_factors, sum_interest
from tests.support.shop import (
    SMALL,
    Customer,
    Line,
    Product,
    ShopRecords,
    small_shop_records,
)
from tests.support.training_shop import read_records
from training.fitting.als import fit_item_factors
from training.fitting.fit import fit
from training.progress import Reporter

pytestmark = pytest.mark.slow

FEW_PARTNERS = replace(
    SMALL,
    neighbours=NeighbourSettings(neighbours=3),
    bundles=BundleSettings(neighbours=3, largest_order=4, substitute_damping=1.0),
)
WORDS = ("rye", "bread", "oat", "milk", "dark", "Käse", "3er", "tea")


def random_shop(seed: int) -> ShopRecords:
    """Build a shop of 25 customers, 16 products, guests and events of every kind."""
    chance = random.Random(seed)
    products = [
        random_product(chance, number, with_categories=seed % 2 == 0) for number in range(16)
    ]
    consents = (NEVER_ASKED, YES, NO)
    customers = [
        Customer(
            f"c{number:02}", chance.choice(["", "north"]), tuple(chance.choices(consents, k=3))
        )
        for number in range(10, 27)
    ]
    return ShopRecords([*random_lines(chance)], products, customers)


def random_product(chance: random.Random, number: int, *, with_categories: bool) -> Product:
    sizes = chance.choice(["", " 2 kg", " 500 g"])
    return Product(
        f"p{number:02}",
        title=" ".join(chance.choices(WORDS, k=2)) + sizes,
        category=chance.choice(["", "food", "garden", "toys"]) if with_categories else "",
        price=chance.choice([float("nan"), 1.5, chance.uniform(1, 90)]),
    )


def random_lines(chance: random.Random) -> Iterator[Line]:
    for number in range(150):
        customer = f"c{chance.randrange(25):02}" if chance.random() < 0.9 else ""
        day, market = chance.uniform(0, 120), chance.choice(["", "north", "south"])
        for _ in range(chance.randint(1, 5)):
            product = f"p{int(chance.expovariate(0.15)) % 15:02}"
            price = chance.choice([float("nan"), chance.uniform(1, 90)])
            order = f"o{number}"
            yield Line(customer, product, day, order, market=market, price=price, quantity=2)
            if customer and chance.random() < 0.1:
                later = day + chance.uniform(0, 9)
                yield Line(customer, product, later, kind="return", quantity=chance.choice([1, 2]))
        if customer:
            kinds = ("view", "cart", "wishlist", "remove_from_cart", "dismiss", "click", "rating")
            seen, stars = f"p{chance.randrange(15):02}", chance.randint(1, 5)
            yield Line(customer, seen, day + 0.1, kind=chance.choice(kinds), stars=stars)


RANDOM_SHOPS = [random_shop(seed) for seed in range(6)]


@pytest.mark.parametrize("settings", [SMALL, FEW_PARTNERS], ids=["all partners", "few partners"])
@pytest.mark.parametrize("records", [small_shop_records(), *RANDOM_SHOPS])
def test_a_model_is_what_the_definitions_say(records: ShopRecords, settings: ModelSettings) -> None:
    fitted = fit(read_records(records), settings, Reporter(StringIO()), name="test")
    literal = dict(flatten(fit_literally(records, settings)))
    arrays = dict(flatten(fitted))
    assert list(arrays) == list(literal)
    for name, array in arrays.items():
        expected = literal[name]
        assert (array.dtype, array.shape) == (expected.dtype, expected.shape), name
        if name.startswith("factors."):
            continue  # implicit takes three steps towards each solution: compared below
        if array.dtype.kind == "f":
            np.testing.assert_allclose(array, expected, rtol=1e-5, atol=1e-5, err_msg=name)
        else:
            np.testing.assert_array_equal(array, expected, err_msg=name)


def confidence_of(records: ShopRecords, settings: FactorSettings) -> dict[Pair, float]:
    rows = records.coded_lines
    as_of, learned = max(row.time for row in rows), find_learned(rows, SMALL.history.min_lines)
    interest = sum_interest(rows, learned, as_of, settings.half_life_days, SMALL.history)
    return {pair: 1 + settings.alpha * value for pair, value in interest.items()}


class FactorProblem:
    """The least-squares problem of one shop, and what a solution of it is worth."""

    def __init__(self, records: ShopRecords, settings: FactorSettings) -> None:
        self.settings = settings
        self.confidence = confidence_of(records, settings)
        self.shape = (len(records.customer_ids), len(records.product_ids))
        self.learned = find_learned(records.coded_lines, SMALL.history.min_lines)

    def solve(self) -> ItemFactors:
        users, items = zip(*self.confidence, strict=True)
        values = np.array(list(self.confidence.values()), np.float32)
        matrix = csr_matrix((values, (users, items)), self.shape)
        learned = np.array(sorted(self.learned), np.int32)
        return fit_item_factors(matrix, learned, self.settings, seed=0)

    def solve_exactly(self) -> ItemFactors:
        return literal_fit.fit_item_factors(
            self.confidence, self.shape, self.learned, self.settings, 0
        )

    def fold_in(self, factors: ItemFactors) -> np.ndarray:
        """Return every customer's vector."""
        observed: list[dict[int, float]] = [{} for _ in range(self.shape[0])]
        for (user, item), value in self.confidence.items():
            observed[user][int(factors.row[item])] = value
        y = factors.factors.T.astype(np.float64)
        return solve_factors(observed, y, self.settings.regularization)

    def scores(self, factors: ItemFactors) -> np.ndarray:
        return self.fold_in(factors) @ factors.factors

    def objective(self, factors: ItemFactors) -> float:
        """Return Σ c_ui (p_ui - x_u · y_i)² + λ (Σ |x_u|² + Σ |y_i|²), equation 3 of the paper."""
        scores = self.scores(factors)
        loss = float((scores**2).sum())
        for (user, item), confidence in self.confidence.items():
            score = scores[user, factors.row[item]]
            loss += confidence * (1 - score) ** 2 - score**2
        squares = float((self.fold_in(factors) ** 2).sum() + (factors.factors**2).sum())
        return loss + self.settings.regularization * squares


@pytest.mark.parametrize("iterations", [1, 3, 10])
@pytest.mark.parametrize("records", [small_shop_records(), *RANDOM_SHOPS])
def test_factors_are_as_good_as_those_of_exact_least_squares(
    records: ShopRecords, iterations: int
) -> None:
    """One by one they differ: implicit takes three steps towards each solution, not all of them."""
    problem = FactorProblem(records, FactorSettings(8, regularization=10.0, iterations=iterations))
    fitted, exact = problem.solve(), problem.solve_exactly()
    assert (fitted.item.tolist(), fitted.row.tolist()) == (exact.item.tolist(), exact.row.tolist())
    assert problem.objective(fitted) == pytest.approx(problem.objective(exact), rel=0.01)
    gram = fitted.factors @ fitted.factors.T + 10 * np.eye(8)
    np.testing.assert_allclose(fitted.gram, gram, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("records", [small_shop_records(), *RANDOM_SHOPS])
def test_in_the_end_customers_score_products_as_exact_least_squares_would(
    records: ShopRecords,
) -> None:
    """After many iterations both are in the one optimum; factors may be turned, scores may not."""
    problem = FactorProblem(records, FactorSettings(8, regularization=10.0, iterations=100))
    fitted, exact = (
        problem.scores(factors) for factors in (problem.solve(), problem.solve_exactly())
    )
    np.testing.assert_allclose(fitted, exact, atol=1e-3)
