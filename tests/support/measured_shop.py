"""A report of a shop with everything measured, and of one too young to be: figures a reader can
find again.
"""

import random
from collections import Counter
from dataclasses import replace

from tests.support.shop import moment
from training.evaluation.gate import GateComparison
from training.evaluation.metrics import Mean
from training.evaluation.results import (
    Bin,
    CandidateFigures,
    CustomerGroup,
    Diversity,
    NewProducts,
    Role,
    SourceHits,
)
from training.reading.problems import Problems
from training.reading.purchases import ReadingReport
from training.report.data import (
    BundleFigures,
    BundleMethodFigures,
    ExampleCustomer,
    ExampleProduct,
    ExampleSlot,
    Importance,
    MethodRow,
    OwnedProduct,
    Report,
    RunVerdict,
    TaskFigures,
)

ACTIVE = "the active version's settings"
SHELF = [
    ExampleProduct(f"{number:06}", f"{style} {thing}")
    for number, (style, thing) in enumerate(
        (style, thing)
        for style in ("Organic", "Private label", "Family size", "Fresh", "Classic")
        for thing in (
            "oat flakes, 500 g",
            "whole milk, 1 l",
            "bananas",
            "ground coffee",
            "tomatoes on the vine",
            "bread",
        )
    )
]


def near(value: float, half: float = 0.012) -> Mean:
    return Mean(value, max(value - half, 0.0), value + half)


def method(name: str, role: Role, recall: float, ndcg: float) -> MethodRow:
    return MethodRow(name, role, near(recall), near(ndcg), 8.4 * recall)


EVERYTHING = TaskFigures(
    name="all",
    customers=1983,
    methods=(
        method("popularity", Role.BASELINE, 0.121, 0.154),
        method("popularity, 28 days", Role.BASELINE, 0.140, 0.167),
        method("own purchases, decayed", Role.BASELINE, 0.374, 0.409),
        method("ranker", Role.SERVED, 0.401, 0.440),
        method("ranker, model 7 days older", Role.OTHER, 0.394, 0.431),
        method("blend", Role.OTHER, 0.386, 0.422),
        method("ALS", Role.OTHER, 0.240, 0.262),
        method("EASE", Role.OTHER, 0.344, 0.374),
        method("item neighbours", Role.OTHER, 0.311, 0.340),
        method("TIFU-KNN", Role.OTHER, 0.381, 0.415),
        method("source: recent sales", Role.OTHER, 0.139, 0.165),
        method("source: bought together", Role.OTHER, 0.201, 0.214),
    ),
    coverage=0.214,
    novelty=9.5,
    filled=0.013,
    by_length=(
        CustomerGroup("1 to 4 lines", 61, near(0.18, 0.06)),
        CustomerGroup("5 to 19 lines", 240, near(0.27, 0.04)),
        CustomerGroup("20 to 99 lines", 702, near(0.38, 0.02)),
        CustomerGroup("100 lines and more", 980, near(0.44, 0.015)),
    ),
    by_activity=(
        CustomerGroup("no order", 210, near(0.21, 0.04)),
        CustomerGroup("1 order", 350, near(0.33, 0.03)),
        CustomerGroup("2 to 4 orders", 680, near(0.41, 0.02)),
        CustomerGroup("5 orders and more", 743, near(0.45, 0.02)),
    ),
    candidates=CandidateFigures(
        (
            SourceHits("own purchases", 74, 0.612, 0.207),
            SourceHits("factors", 150, 0.481, 0.034),
            SourceHits("neighbours", 100, 0.442, 0.022),
            SourceHits("bought together", 60, 0.313, 0.011),
            SourceHits("category", 60, 0.297, 0.018),
            SourceHits("popular", 50, 0.205, 0.006),
            SourceHits("due again", 12, 0.164, 0.0),
            SourceHits("new", 20, 0.012, 0.009),
        ),
        per_customer=312,
        recall=0.791,
    ),
    calibration=tuple(
        Bin(predicted, predicted * skew, candidates)
        for predicted, skew, candidates in (
            (0.0006, 0, 9_000),
            (0.0021, 1.15, 190_000),
            (0.006, 0.94, 120_000),
            (0.014, 1.02, 81_000),
            (0.031, 0.97, 44_000),
            (0.07, 1.04, 21_000),
            (0.15, 1.0, 9_100),
            (0.29, 0.96, 4_000),
            (0.51, 0.93, 1_400),
            (0.74, 0.9, 310),
        )
    ),
)
DISCOVERY = replace(
    EVERYTHING,
    name="discovery",
    customers=1948,
    methods=tuple(
        method(each.name, each.role, recall, recall + 0.003)
        for each, recall in zip(
            EVERYTHING.methods,
            (0.033, 0.041, 0.002, 0.060, 0.058, 0.051, 0.047, 0.048, 0.046, 0.039, 0.040, 0.044),
            strict=True,
        )
    ),
    coverage=0.118,
    novelty=8.1,
)


def reading_report(
    *,
    rows: int,
    lines: int,
    customers: int,
    products: int,
    orders: int,
    merged_rows: int = 0,
    dropped: dict[str, int] | None = None,
    product_problems: dict[str, int] | None = None,
) -> ReadingReport:
    return ReadingReport(
        rows=rows,
        lines=lines,
        merged_rows=merged_rows,
        dropped=Problems(Counter(dropped or {})),
        customers=customers,
        products=products,
        orders=orders,
        guest_lines=0,
        first_time=moment(0),
        last_time=moment(1),
        product_rows=products,
        product_problems=Problems(Counter(product_problems or {})),
        customer_rows=customers,
        customer_problems=Problems(),
    )


def customer(number: int) -> ExampleCustomer:
    lots = random.Random(number)
    history = lots.sample(SHELF, 4 + number)
    slate = lots.sample(SHELF, 10)
    return ExampleCustomer(
        f"{2000 + number}",
        tuple(
            OwnedProduct(product, lots.randint(1, 20), lots.random() * 90) for product in history
        ),
        tuple(
            ExampleSlot(product, *lots.choice(REASONS))
            if product not in history
            else ExampleSlot(product, "You buy this about every 9 days", "own_purchases")
            for product in slate
        ),
        tuple(dict.fromkeys(lots.sample(slate, lots.randint(0, 5)) + lots.sample(history, 3))),
    )


REASONS = (
    ("Customers who buy Fresh bananas, like you, chose this", "factors"),
    ("Because you bought Classic ground coffee", "neighbours"),
    ("Popular right now", "popular"),
)
SHOP = Report(
    verdict=RunVerdict.PUBLISHED,
    version="20260101T000000Z-60699839cbad",
    created=moment(365),
    data_from=moment(0),
    cut=moment(337),
    data_as_of=moment(364),
    k=10,
    test_days=28,
    reading=reading_report(
        rows=1_469_307,
        lines=1_427_303,
        merged_rows=5_180,
        dropped={"duplicate_row": 30_012, "bad_price": 6_800, "missing_timestamp": 12},
        customers=2_469,
        products=68_509,
        orders=155_848,
        product_problems={"bad_price": 4},
    ),
    tasks=(EVERYTHING, DISCOVERY),
    comparisons=tuple(
        GateComparison(task, against, Mean(difference, difference - 0.006, difference + 0.006))
        for task, rows in (
            ("all", (("popularity", 0.28), ("own purchases, decayed", 0.027), (ACTIVE, 0.004))),
            (
                "discovery",
                (("popularity", 0.027), ("own purchases, decayed", 0.058), (ACTIVE, -0.001)),
            ),
        )
        for against, difference in rows
    ),
    importance=tuple(
        Importance(f"feature_{number}", 0.5**number / 2 + 0.008) for number in range(26)
    ),
    bundles=BundleFigures(
        3000,
        (
            BundleMethodFigures("ranker", Role.SERVED, 0.160, 0.080, 0.171, 0.083),
            BundleMethodFigures("damped lift", Role.OTHER, 0.137, 0.057, 0.142, 0.060),
            BundleMethodFigures("cosine", Role.OTHER, 0.117, 0.044, 0.121, 0.046),
            BundleMethodFigures("pair counts", Role.BASELINE, 0.089, 0.074, 0.093, 0.075),
            BundleMethodFigures("popularity", Role.BASELINE, 0.045, 0.045, 0.047, 0.047),
        ),
    ),
    new_products=NewProducts(412, 370, 1_210, 0.121, 0.024),
    diversity=(
        Diversity("none", Role.OTHER, near(0.441), 0.201, 5.1),
        Diversity("at most 3 a category", Role.SERVED, near(0.440), 0.214, 6.4),
        Diversity("at most 1 a category", Role.OTHER, near(0.392), 0.246, 10.0),
    ),
    customers=tuple(customer(number) for number in range(20)),
    settings={
        "seed": 0,
        "factors": {"factors": 128, "half_life_days": 60.0},
        "ranker": {"trees": 300},
    },
    seconds={"reading": 4.2, "fitting": 31.0, "slates": 22.8},
    notes=("The ranker serves: it learned from 6 windows of 28 days.",),
)
YOUNG = Report(
    verdict=RunVerdict.PUBLISHED,
    version="20260101T000000Z-60699839cbad",
    created=moment(3),
    data_from=moment(0),
    cut=moment(0),
    data_as_of=moment(2),
    k=10,
    test_days=28,
    reading=reading_report(rows=3, lines=3, customers=2, products=1, orders=3),
)
