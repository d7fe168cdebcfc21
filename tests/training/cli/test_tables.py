"""What people are shown and what the manifest keeps."""

from io import StringIO

import numpy as np
from rich.console import Console

from models.artifact.files import Manifest
from tests.support.shop import moment
from tests.support.training_shop import small_shop_purchases
from training.cli.tables import print_evaluation, print_reading, print_versions
from training.evaluation.evaluate import Evaluation
from training.evaluation.figures import figures_as_json
from training.evaluation.methods import POPULARITY, SERVED
from training.evaluation.metrics import Mean
from training.evaluation.results import CustomerGroup

VALUES = {SERVED: np.array([[0.5, 0.25], [1.0, 0.75]]), POPULARITY: np.zeros((2, 2))}
EVALUATION = Evaluation(
    cut=moment(100),
    as_of=moment(100),
    k=10,
    values={"all": VALUES},
    scores={
        "all": {
            SERVED: {"recall": Mean(0.75, 0.5, 1.0), "ndcg": Mean(0.5, 0.25, 0.75)},
            POPULARITY: {"recall": Mean(0, 0, 0), "ndcg": Mean(0, 0, 0)},
        }
    },
    coverage={"all": 0.25},
    novelty={"all": 6.5},
    filled={"all": 0.125},
    by_length={"all": (CustomerGroup("1 to 4 lines", 2, Mean(0.75, 0.5, 1.0)),)},
    by_activity={"all": ()},
    candidates={},
    calibration={},
    diversity=(),
    bundles={"basket": {"per order": 0.25, "per product": 0.3, "orders": 1234}},
)


def printed(*what: object) -> str:
    """What a reader sees, with the runs of blanks and the lines of tables taken out."""
    stream = StringIO()
    show, *arguments = what
    show(Console(file=stream, width=160), *arguments)  # type: ignore[operator]
    return " ".join(word for word in stream.getvalue().split() if word not in "│┃")


def test_what_was_read_is_told_with_every_reason_for_a_dropped_row() -> None:
    purchases = small_shop_purchases()
    purchases.report.dropped.counts["bad_quantity"] = 1234
    text = printed(print_reading, purchases, moment(400))
    assert "dropped: bad_quantity 1,234" in text
    assert f"customers {len(purchases.customer_ids)} products 40" in text
    assert "first and last purchase 2025-01-01 to 2025-06-28" in text


def test_what_was_scored_is_told_by_method_with_intervals() -> None:
    text = printed(print_evaluation, EVALUATION)
    assert "Next purchases, all: 2 customers, 2025-04-11 and after" in text
    assert "served 0.7500 0.500–1.000 0.5000 0.250–0.750" in text
    assert "shown: 25.0% of the products, novelty 6.5 bits, 12.5% of slots filled" in text
    assert "Recall@10 by history: 1 to 4 lines 0.750" in text
    assert (
        "Bundles, given basket: hit@10 0.2500 per order, 0.3000 per product, 1,234 orders" in text
    )


def test_versions_are_listed_with_the_active_one_and_what_they_scored() -> None:
    counts = {"customers": 1000, "products": 20, "lines": 30_000}
    scored = Manifest(moment(1), 0, moment(0), counts, metrics=figures_as_json(EVALUATION))
    unscored = Manifest(moment(2), 0, moment(0), counts)
    text = printed(print_versions, [unscored, scored], unscored.version)
    assert f"active {unscored.version} 2025-01-01 1,000 20 30,000 – –" in text
    assert f"{scored.version} 2025-01-01 1,000 20 30,000 0.7500 –" in text


def test_the_figures_hold_everything_but_the_customers() -> None:
    content = figures_as_json(EVALUATION)
    assert content["scores"]["all"]["served"]["recall"] == {"value": 0.75, "low": 0.5, "high": 1.0}
    assert content["customers"] == {"all": 2}
    assert content["by_length"]["all"][0]["recall"]["value"] == 0.75
    assert content["bundles"] == EVALUATION.bundles
    assert (content["cut"], content["k"], content["coverage"]) == (moment(100), 10, {"all": 0.25})
    assert "values" not in content


def test_without_an_evaluation_there_are_no_figures() -> None:
    assert figures_as_json(None) == {}
