"""Show products and slots as the examples of a report do."""

from __future__ import annotations

from collections.abc import Sequence

from models.recommender import Recommender
from models.slate import Slot
from training.report.data import ExampleProduct, ExampleSlot


def show_product(recommender: Recommender, item: int) -> ExampleProduct:
    """Return a product with its title, and its picture where the shop has an address of one."""
    catalogue = recommender.catalogue
    image = catalogue.image_url[item]
    picture = image if image.startswith(("https://", "http://")) else None
    return ExampleProduct(catalogue.ids[item], catalogue.title[item] or None, picture)


def show_slots(recommender: Recommender, slots: Sequence[Slot]) -> tuple[ExampleSlot, ...]:
    """Return the products of a slate, each with its reason and source."""
    shown = []
    for slot in slots:
        product = show_product(recommender, slot.item)
        shown.append(ExampleSlot(product, slot.reason.text, slot.source))
    return tuple(shown)
