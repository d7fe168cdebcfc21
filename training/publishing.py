"""From a fitted model to a version on disk."""

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
    """For this run: it need not outlast a power cut."""
    registry, manifest = Registry(folder), build_manifest(purchases, model, settings, {}, 0)
    return registry.path(publish(registry, model, manifest, durable=False).version)


def publish(
    registry: Registry, model: Model, manifest: Manifest, *, durable: bool = True
) -> Manifest:
    """Raises InputError naming the folder where the disk is full or may not be written to."""
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
    counts = {
        "customers": len(purchases.customer_ids),
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
        data_as_of=int(purchases.time.max()),
        counts=counts,
        config=asdict(settings),
        metrics=metrics,
        event_position=purchases.event_position,
    )
