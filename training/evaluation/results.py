"""Results of an evaluation besides the figures of the slates themselves."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from training.evaluation.metrics import Mean


class Role(StrEnum):
    """Tell what a method is in a comparison."""

    SERVED = "served"  # what customers get; one a task
    BASELINE = "baseline"  # a simple method
    OTHER = "other"  # another model, a variant, a source alone


@dataclass(frozen=True)
class CustomerGroup:
    """Hold how good slates are for some customers of a task."""

    name: str  # "5 to 19 lines", "2 orders"
    customers: int
    recall: Mean


@dataclass(frozen=True)
class SourceHits:
    """Hold what one source proposes.

    A target is a product that a customer bought in the test window.
    """

    name: str
    candidates: float  # a customer
    recall: float  # share of the targets among its candidates
    unique: float  # share of the targets among its candidates and nobody else's


@dataclass(frozen=True)
class CandidateFigures:
    """Hold what the ranker may choose from."""

    sources: tuple[SourceHits, ...]
    per_customer: float  # different products of all sources together
    recall: float  # share of the targets among them: no ranker can find more


@dataclass(frozen=True)
class Bin:
    """Hold candidates of about the same score."""

    predicted: float  # mean probability, 0 to 1
    bought: float  # share of them that were bought
    candidates: int


@dataclass(frozen=True)
class NewProducts:
    """Hold how products first sold in the test window are ranked by their attributes alone."""

    products: int
    customers: int  # who bought one of them, and something before
    targets: int  # their purchases of them
    caught: float  # share of those targets among the first k of them, by category, brand and price
    by_chance: float  # the same by lot


@dataclass(frozen=True)
class Daring:
    """Hold what one degree of daring shows of the shop, and finds, of products new to customers."""

    daring: float
    role: Role
    recall: Mean
    rare_recall: Mean  # of products outside the best sellers
    coverage: float  # share of countable products that at least three customers are shown
    reaches: bool = False  # products rank higher that hardly anyone would be shown


@dataclass(frozen=True)
class Diversity:
    """Hold what one degree of diversity costs and gains."""

    name: str  # "none", "at most 2 a category"
    role: Role
    ndcg: Mean
    coverage: float
    categories: float  # different ones in a slate, mean
