"""A history that is a stump of the one that was learned from is told from a whole one."""

from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest

from models.artifact.registry import Registry
from models.data.events import DAY
from tests.support.shop import SMALL, Line, moment
from tests.support.training_shop import small_purchases
from training.evaluation.extent import Extent, find_losses, measure_purchases, measure_version
from training.fitting.fit import fit
from training.progress import Reporter
from training.publishing import build_manifest

FIRST = moment(0) // DAY
ACTIVE = Extent(customers=800, products=60, lines=18_952, first_day=FIRST, last_day=FIRST + 364)


@pytest.mark.parametrize(
    ("history", "losses"),
    [
        (ACTIVE, []),
        (replace(ACTIVE, customers=400, products=30, lines=9_476), []),
        (replace(ACTIVE, customers=399), ["399 customers (800)"]),
        (replace(ACTIVE, products=29), ["29 products (60)"]),
        (replace(ACTIVE, lines=9_475), ["9,475 lines (18,952)"]),
        (replace(ACTIVE, first_day=FIRST + 183), ["182 days (365)"]),
        (replace(ACTIVE, last_day=FIRST + 357), []),
        (replace(ACTIVE, last_day=FIRST + 356), ["the newest sale of 2025-12-23 (2025-12-31)"]),
        (
            Extent(307, 60, 1_709, FIRST, FIRST + 303),
            ["307 customers (800)", "1,709 lines (18,952)", "the newest sale of 2025-10-31 (2025-12-31)"],
        ),
    ],
)  # fmt: skip
def test_less_than_half_of_anything_or_a_week_without_sales_is_a_loss(
    history: Extent, losses: list[str]
) -> None:
    assert find_losses(history, ACTIVE, until=None) == losses


def test_what_until_leaves_out_is_no_loss() -> None:
    first_tenth = Extent(200, 25, 1_000, FIRST, FIRST + 35)
    assert find_losses(first_tenth, ACTIVE, until=moment(36)) == []
    assert find_losses(first_tenth, ACTIVE, until=moment(60)) == [
        "the newest sale of 2025-02-05 (2025-03-01)"
    ]
    assert find_losses(first_tenth, ACTIVE, until=moment(365)) != []


def test_views_are_no_sales_and_a_version_is_measured_like_its_purchases(tmp_path: Path) -> None:
    lines = [Line("anna", "milk", 1), Line("ben", "bread", 5), Line("ben", "milk", 9, kind="view")]
    purchases = small_purchases(lines)
    model = fit(purchases, SMALL, Reporter(StringIO()), name="test")
    registry = Registry(tmp_path)
    manifest = registry.publish(model, build_manifest(purchases, model, SMALL, {}, 0))
    extent = Extent(customers=2, products=2, lines=3, first_day=FIRST + 1, last_day=FIRST + 5)
    assert measure_purchases(purchases) == extent
    assert measure_version(registry.path(manifest.version)) == extent
