"""What nobody had bought before the cut is new, whoever had looked at it."""

from dataclasses import replace
from pathlib import Path

from tests.support.shop import DAYS, NEVER_SOLD, SMALL, Line, Product, small_shop_records
from tests.support.training_shop import read_records, trained
from training.config import EvaluationConfig
from training.evaluation.new_products import evaluate_new_products
from training.evaluation.split import split_history
from training.publishing import write_twin

CONFIG = EvaluationConfig(test_days=20, k=5)
SAMOVAR = Product("samovar", category="coffee", brand="Ashby")


def test_new_is_what_was_first_bought_after_the_cut_and_known_is_who_had_bought_before(
    tmp_path: Path,
) -> None:
    records = small_shop_records(
        Line("c02", NEVER_SOLD, 100, kind="view"),
        Line("looker", "mug", 100, kind="view"),
        Line("c02", NEVER_SOLD, DAYS - 5),
        Line("c07", NEVER_SOLD, DAYS - 5),
        Line("looker", NEVER_SOLD, DAYS - 5),
        Line("", NEVER_SOLD, DAYS - 5, "guest"),
        Line("c12", NEVER_SOLD, DAYS - 5, kind="view"),
        Line("c02", SAMOVAR.id, DAYS - 5, kind="view"),
    )
    purchases = read_records(replace(records, products=[*records.products, SAMOVAR]))
    split = split_history(purchases, CONFIG)
    assert split is not None
    twin = write_twin(tmp_path, trained(split.past).model, split.past, SMALL)
    found = evaluate_new_products(twin, split, CONFIG)
    assert found is not None
    assert (found.products, found.customers, found.targets) == (1, 2, 2)
    assert (found.caught, found.by_chance) == (1.0, 1.0)
