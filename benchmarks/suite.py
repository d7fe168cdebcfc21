"""The shops that "any shop" is measured on: two long histories, six others, six invented ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks.datasets import complete_journey, online_retail_ii
from training.synthetic.write import write_shop

# A history ends before each of these days, and once where the data end
ENDS: Final = {
    "complete_journey": ("2017-06-01", "2017-08-15", "2017-10-15"),
    "online_retail_ii": ("2010-12-10", "2011-04-01", "2011-08-01"),
}
FOLDERS: Final = (
    "northwind",
    "home-garden-ru",
    "retail-rocket",
    "bigbasket",
    "lazada-ph-2013",
    "adventureworks",
)


@dataclass(frozen=True)
class ShapeSize:
    """Hold how large an invented shop is."""

    customers: int
    products: int
    purchases: int


SHAPES: Final = {
    "no-repeats": ShapeSize(3_000, 800, 24_000),
    "only-repeats": ShapeSize(600, 300, 30_000),
    "three-weeks": ShapeSize(1_500, 400, 9_000),
    "one-product": ShapeSize(2_000, 300, 16_000),
    "strong-season": ShapeSize(2_000, 600, 40_000),
    "replaced-range": ShapeSize(2_000, 600, 30_000),
}


@dataclass(frozen=True)
class SuiteShop:
    """A shop of the suite, up to one day."""

    name: str
    data: str  # the name of what it is a part of, alike for all its ends
    prepare: Callable[[Path], Path]  # folder for what is made -> folder with the shop's files
    until: str | None = None


def list_shops(data: Path) -> list[SuiteShop]:
    """Return the shops of the suite, the small ones first."""
    shops = [SuiteShop(name, name, partial(_find, data / "shops" / name)) for name in FOLDERS]
    shops += [SuiteShop(shape, shape, partial(_invent, shape)) for shape in SHAPES]
    source = data / "online_retail_ii.parquet"
    prepared: dict[str, Callable[[Path], Path]] = {
        "online_retail_ii": partial(
            _prepare, "online_retail_ii", partial(online_retail_ii, source)
        ),
        "complete_journey": partial(_prepare, "complete_journey", complete_journey),
    }
    for name, prepare in prepared.items():
        for until in (*ENDS[name], None):
            title = name if until is None else f"{name} until {until}"
            shops.append(SuiteShop(title, name, prepare, until))
    return shops


def _find(folder: Path, made: Path) -> Path:
    del made
    return folder


def _invent(shape: str, made: Path) -> Path:
    size = asdict(SHAPES[shape])
    return _prepare(shape, partial(write_shop, **size, shape=shape), made)


def _prepare(name: str, write: Callable[[Path], object], made: Path) -> Path:
    """Write a shop's files once."""
    folder = made / name
    if not (folder / "products.parquet").exists():
        write(folder)
    return folder
