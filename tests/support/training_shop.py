"""Shops made by hand, as training reads them, and models that training fits to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np

from models.artifact.registry import Registry
from models.model import LearnedRanker
from models.recommender import Recommender
from models.settings import ModelSettings
from tests.support.shop import (
    DAYS,
    SMALL,
    Customer,
    Line,
    Product,
    ShopRecords,
    moment,
    small_shop_records,
)
from training.fitting.fit import fit
from training.progress import Reporter
from training.publishing import build_manifest
from training.reading.problems import Problems
from training.reading.purchases import ARRAY_TYPES, Purchases, ReadingReport


def small_purchases(
    lines: Sequence[Line], products: Sequence[Product] = (), customers: Sequence[Customer] = ()
) -> Purchases:
    """Return what reading files with these rows would give."""
    return read_records(ShopRecords(lines, products, customers))


def small_shop_purchases(*more: Line) -> Purchases:
    return read_records(small_shop_records(*more))


def read_records(records: ShopRecords) -> Purchases:
    rows, customers = records.coded_lines, records.build_customers()
    arrays: dict[str, Any] = {
        name: np.array([getattr(row, name) for row in rows], dtype)
        for name, dtype in ARRAY_TYPES.items()
    }
    return Purchases(
        customer_ids=customers.ids,
        product_ids=records.product_ids,
        market_names=customers.market_names,
        consent=customers.consent,
        consent_time=customers.consent_time,
        customer_market=customers.market,
        catalogue=records.catalogue,
        report=_report(records),
        **arrays,
    )


def _report(records: ShopRecords) -> ReadingReport:
    rows = records.coded_lines
    times = [row.time for row in rows]
    return ReadingReport(
        rows=len(rows),
        lines=len(rows),
        merged_rows=0,
        dropped=Problems(),
        customers=len(records.customer_ids),
        products=len(records.product_ids),
        orders=1 + max(row.order for row in rows),
        guest_lines=sum(row.user < 0 for row in rows),
        first_time=min(times),
        last_time=max(times),
        product_rows=len(records.all_products),
        product_problems=Problems(),
        customer_rows=len(records.customers),
        customer_problems=Problems(),
    )


def trained(
    purchases: Purchases, settings: ModelSettings = SMALL, lesson: LearnedRanker | None = None
) -> Recommender:
    """Fit a model to these purchases, never written to disk."""
    model = fit(purchases, settings, Reporter(StringIO()), name="test", lesson=lesson)
    return Recommender(build_manifest(purchases, model, settings, {}, 0), model, settings)


def small_shop(root: Path) -> Registry:
    """Publish the small shop to a registry in `root` as its one, active version."""
    recommender = trained(small_shop_purchases())
    registry = Registry(root)
    registry.publish(recommender.model, replace(recommender.manifest, created=moment(DAYS)))
    return registry
