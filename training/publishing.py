"""Write a fitted model to disk as a version."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from models.artifact.files import Manifest
from models.artifact.registry import Registry
from models.model import Model
from models.settings import ModelSettings
from training.errors import InputError
from training.reading.purchases import Purchases


def write_twin(folder: Path, model: Model, purchases: Purchases, settings: ModelSettings) -> Path:
    """Write a version that serves this run alone, and need not outlast a power cut."""
    registry = Registry(folder)
    manifest = build_manifest(purchases, model, settings, metrics={}, now=0)
    return registry.path(publish(registry, model, manifest, durable=False).version)


def publish(
    registry: Registry, model: Model, manifest: Manifest, *, durable: bool = True
) -> Manifest:
    """Publish a version and make it the active one.

    Raises InputError naming the folder where the disk is full or may not be written to.
    """
    try:
        return registry.publish(model, manifest, durable=durable)
    except OSError as error:
        problem = error.strerror or error
        raise InputError(
            f"{registry.root} cannot be written to: {problem}; nothing was published"
        ) from error


def build_manifest(
    purchases: Purchases, model: Model, settings: ModelSettings, metrics: dict[str, Any], now: int
) -> Manifest:
    """Describe a model: its data, counts, settings and figures."""
    counts = {
        "customers": len(model.customers),
        "products": len(purchases.product_ids),
        "lines": len(purchases.time),
        "orders": int(purchases.order.max(initial=-1)) + 1,
        "learned_products": len(model.factors.item),
        "neighbours": len(model.neighbours.item),
        "bundle_pairs": len(model.orders.item),
        "days_of_sales": len(model.sales.indptr) - 1,
    }
    return Manifest(
        created=now,
        data_from=int(purchases.time.min()),
        data_as_of=purchases.shop_time,
        counts=counts,
        config=asdict(settings),
        metrics=metrics,
        event_position=purchases.event_position,
        event_mark=purchases.event_mark,
    )
