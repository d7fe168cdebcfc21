"""Contents of a training report.

A part that is None or empty was not measured, and the page says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from training.evaluation.gate import GateComparison
from training.evaluation.metrics import Mean
from training.evaluation.results import (
    Bin,
    CandidateFigures,
    CustomerGroup,
    Daring,
    Diversity,
    NewProducts,
    Role,
)
from training.ranker.choice import MethodTrial
from training.reading.purchases import ReadingReport


class RunVerdict(StrEnum):
    """Tell what came of a run."""

    PUBLISHED = "published"
    REFUSED = "refused"
    MEASURED = "measured"  # nothing was to be published


@dataclass(frozen=True)
class MethodRow:
    """Hold the figures of one way to fill a slate, mean over the customers of a task."""

    name: str
    role: Role
    recall: Mean
    ndcg: Mean
    hits: float  # products of the slate that the customer bought in the test window


@dataclass(frozen=True)
class TaskFigures:
    """Hold the figures of one task: "all" products, or "discovery" of those never bought before."""

    name: str
    customers: int
    methods: tuple[MethodRow, ...]
    coverage: float  # share of countable products in anyone's slate
    novelty: float  # mean of -log2(share of lines) of what was shown
    filled: float  # share of slots
    by_length: tuple[CustomerGroup, ...] = ()  # by purchase lines before the cut
    by_activity: tuple[CustomerGroup, ...] = ()  # by orders in the 28 days before the cut
    candidates: CandidateFigures | None = None
    calibration: tuple[Bin, ...] = ()

    @property
    def best_first(self) -> list[MethodRow]:
        return sorted(self.methods, key=lambda method: -method.recall.value)

    @property
    def served(self) -> MethodRow:
        return next(method for method in self.methods if method.role is Role.SERVED)

    @property
    def best_baseline(self) -> MethodRow | None:
        """Return the simple method of the highest Recall."""
        baselines = [method for method in self.methods if method.role is Role.BASELINE]
        return max(baselines, key=lambda method: method.recall.value, default=None)


@dataclass(frozen=True)
class Importance:
    feature: str
    gain: float  # share of what all splits of the ranker gained


@dataclass(frozen=True)
class BundleMethodFigures:
    """Hold the hit rates at k of one way to complete an order."""

    name: str
    role: Role
    basket: float  # mean over orders
    one_product: float
    basket_per_product: float  # mean over hidden products, in which large orders weigh more
    one_product_per_product: float


@dataclass(frozen=True)
class BundleFigures:
    orders: int
    methods: tuple[BundleMethodFigures, ...]

    @property
    def served(self) -> BundleMethodFigures:
        return next(method for method in self.methods if method.role is Role.SERVED)


@dataclass(frozen=True)
class ExampleProduct:
    product_id: str
    title: str | None = None
    picture: str | None = None  # its address


@dataclass(frozen=True)
class ExampleUnit:
    """Hold products bought together, with the figures that the service tells of them."""

    products: tuple[ExampleProduct, ...]
    orders: int
    confidence: float
    lift: float


@dataclass(frozen=True)
class Anchor:
    """Hold a product and what would stand beside it."""

    product: ExampleProduct
    similar: tuple[ExampleSlot, ...]
    seen_next: tuple[ExampleSlot, ...]  # what a visitor is shown who has looked at it
    units: tuple[ExampleUnit, ...]

    @property
    def pictures(self) -> bool:
        """Tell whether any of the products has a picture."""
        slots = (*self.similar, *self.seen_next)
        products = [self.product, *(slot.product for slot in slots)]
        return any(product.picture for product in products)


@dataclass(frozen=True)
class OwnedProduct:
    """Hold a product of a customer's history."""

    product: ExampleProduct
    lines: int
    days_since: float  # last bought, before the cut


@dataclass(frozen=True)
class ExampleSlot:
    """Hold a slot of a customer's slate."""

    product: ExampleProduct
    reason: str
    source: str


@dataclass(frozen=True)
class ExampleCustomer:
    """Hold a real customer before and after the cut."""

    customer_id: str
    history: tuple[OwnedProduct, ...]  # in the order to be shown
    slate: tuple[ExampleSlot, ...]
    bought: tuple[ExampleProduct, ...]  # in the test window

    @property
    def targets(self) -> frozenset[str]:
        return frozenset(product.product_id for product in self.bought)

    @property
    def shown(self) -> frozenset[str]:
        return frozenset(slot.product.product_id for slot in self.slate)

    @property
    def hits(self) -> int:
        return len(self.shown & self.targets)


@dataclass(frozen=True)
class Report:
    """Hold all that the page shows; times in seconds since 1970, UTC."""

    verdict: RunVerdict
    version: str | None  # what was published
    created: int
    data_from: int
    cut: int  # where the test window begins
    data_as_of: int
    k: int
    test_days: int
    reading: ReadingReport
    tasks: tuple[TaskFigures, ...] = ()
    comparisons: tuple[GateComparison, ...] = ()
    trials: tuple[MethodTrial, ...] = ()  # of methods on the newest windows
    importance: tuple[Importance, ...] = ()  # most first
    bundles: BundleFigures | None = None
    new_products: NewProducts | None = None
    diversity: tuple[Diversity, ...] = ()
    daring: tuple[Daring, ...] = ()
    customers: tuple[ExampleCustomer, ...] = ()
    anchors: tuple[Anchor, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)  # nested
    seconds: Mapping[str, float] = field(default_factory=dict)  # step -> how long it took
    notes: tuple[str, ...] = ()  # what else a reader should know, such as why the blend serves
