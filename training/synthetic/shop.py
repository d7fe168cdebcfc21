"""Draw the products, tastes and prices of a seeded shop."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.synthetic.shapes import LAST_RANGE_DAYS, USUAL, YEAR_DAYS, ShopShape

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

MARKETS: Final = ("north", "south")
SOUTHERN_SHARE: Final = 0.4  # of the customers
FAVOURITES: Final = 3  # categories a customer
REGULARS: Final = FAVOURITES  # products a customer, at most: one from each
CATEGORY_PRODUCTS: Final = 20  # at least, before another category opens
CUSTOMERS_AT_ONCE: Final = 100_000  # part of the seed
END: Final = int(np.datetime64("2026-01-01", "s").astype(np.int64))  # of the data


class Category(NamedTuple):
    """A kind of products."""

    name: str
    titles: str  # of its products, separated by commas
    price: float  # the usual one
    interval_days: int  # 0: not bought again
    peak_day: int  # of the year, in the north; 0: no season


CATEGORIES: Final = (
    Category("Milk and cream", "whole milk, oat drink, single cream, buttermilk", 1.4, 7, 0),
    Category("Bread", "rye loaf, wheat rolls, toast, flatbread", 2.6, 7, 0),
    Category("Fruit", "apples, pears, bananas, grapes", 2.9, 7, 0),
    Category("Vegetables", "carrots, tomatoes, spinach, peppers", 2.2, 7, 0),
    Category("Coffee", "espresso beans, filter coffee, coffee capsules, decaf beans", 8.9, 21, 0),
    Category("Cheese", "mild cheddar, goat cheese, cream cheese, hard cheese", 4.2, 14, 0),
    Category("Breakfast", "oat flakes, crunchy muesli, wheat biscuits, puffed rice", 3.3, 21, 0),
    Category("Pasta and rice", "spaghetti, penne, basmati rice, couscous", 1.9, 28, 0),
    Category("Snacks", "potato crisps, salted nuts, popcorn, rice crackers", 2.4, 14, 0),
    Category("Chocolate", "milk chocolate, dark chocolate, pralines, cocoa", 3.1, 14, 350),
    Category("Water and juice", "mineral water, orange juice, apple juice, iced tea", 1.6, 7, 0),
    Category("Ice cream", "vanilla ice, fruit sorbet, ice lollies, ice sandwiches", 4.8, 14, 196),
    Category("Laundry", "washing powder, wool wash, softener, stain remover", 9.5, 45, 0),
    Category("Cleaning", "dish soap, glass cleaner, bath cleaner, scouring cream", 3.4, 30, 0),
    Category("Paper", "kitchen roll, tissues, toilet paper, napkins", 4.1, 21, 0),
    Category("Hair", "shampoo, conditioner, hair wax, hair oil", 5.6, 45, 0),
    Category("Skin", "hand cream, face wash, body lotion, lip balm", 7.8, 45, 0),
    Category("Sun care", "sun milk, sun spray, after sun, sun stick", 11.5, 0, 182),
    Category("Cats", "cat food, cat treats, cat litter, kitten milk", 6.9, 14, 0),
    Category("Dogs", "dog food, chew sticks, puppy food, dog biscuits", 8.4, 14, 0),
    Category("Baby", "nappies, baby wipes, fruit puree, baby oil", 9.9, 14, 0),
    Category("Tea", "green tea, black tea, mint tea, fruit tea", 4.4, 30, 20),
    Category("Baking", "wheat flour, baking powder, vanilla sugar, icing sugar", 2.1, 30, 340),
    Category("Frozen", "frozen peas, fish fillets, pizza, spring rolls", 4.6, 14, 0),
    Category("Soup", "tomato soup, lentil soup, chicken broth, ramen", 2.7, 21, 15),
    Category("Wine and beer", "red wine, white wine, lager, cider", 7.2, 21, 0),
    Category("Vitamins", "vitamin tablets, magnesium, zinc drops, iron tonic", 12.9, 60, 0),
    Category("Barbecue", "charcoal, marinade, skewers, grill tray", 7.5, 0, 190),
    Category("Garden", "potting soil, flower seeds, plant food, watering can", 8.8, 0, 110),
    Category("Candles", "tea lights, pillar candle, scented candle, lantern", 6.3, 0, 345),
    Category("Kitchenware", "frying pan, chopping board, mixing bowl, peeler", 18.5, 0, 0),
    Category("Tableware", "dinner plate, soup bowl, water glass, teapot", 12.0, 0, 0),
    Category("Towels", "bath towel, hand towel, beach towel, tea towel", 14.0, 0, 0),
    Category("Bedding", "pillow case, duvet cover, fitted sheet, wool blanket", 32.0, 0, 0),
    Category("Storage", "storage box, glass jar, drawer divider, laundry basket", 11.0, 0, 0),
    Category("Stationery", "notebook, ball pen, sketch pad, folder", 4.5, 0, 240),
    Category("Toys", "wooden puzzle, card game, building blocks, soft bear", 17.0, 0, 350),
    Category("Socks and scarves", "wool socks, sports socks, knitted scarf, gloves", 9.0, 0, 5),
    Category("Sports", "yoga mat, drinking bottle, skipping rope, running belt", 16.0, 0, 0),
    Category("Lamps", "desk lamp, light bulbs, night light, torch", 21.0, 0, 0),
)
CLOTHES: Final = (  # winter and summer lie half a year apart
    Category("Coats", "wool coat, parka, quilted coat, duffle coat", 140.0, 0, 15),
    Category("Shorts", "denim shorts, running shorts, cotton shorts, cargo shorts", 29.0, 0, 197),
    Category("Boots", "ankle boots, lined boots, rubber boots, hiking boots", 110.0, 0, 15),
    Category("Sandals", "leather sandals, flip-flops, trekking sandals, clogs", 45.0, 0, 197),
    Category("Gloves", "leather gloves, mittens, knitted gloves, ski gloves", 24.0, 0, 15),
    Category("Swimwear", "swim trunks, swimsuit, bikini, bath robe", 32.0, 0, 197),
    Category("Shirts", "linen shirt, flannel shirt, blouse, polo shirt", 35.0, 0, 0),
    Category("Jeans", "slim jeans, straight jeans, wide jeans, black jeans", 69.0, 0, 0),
    Category("Socks", "ankle socks, knee socks, sports socks, tights", 7.0, 45, 0),
    Category("Belts", "leather belt, woven belt, braces, buckle", 25.0, 0, 0),
)
STYLES: Final = (
    "Classic",
    "Organic",
    "Fine",
    "Family",
    "Little",
    "Country",
    "Everyday",
    "Gentle",
    "Bright",
    "Old town",
)
BRANDS: Final = (
    "Ashby",
    "Brightwell",
    "Corner & Co",
    "Dunmore",
    "Elmfield",
    "Fairlane",
    "Goodday",
    "Hartley",
)


@dataclass(frozen=True, eq=False)
class SyntheticShop:
    """A shop of c customers, p products and k categories, all of which are row numbers."""

    days: int  # of data, to the end of 2025
    categories: tuple[Category, ...]  # (k,)
    peak_day: Ints  # (k,) of the year, in the north; 0: no season
    category: Ints  # (p,)
    interval_days: Ints  # (p,) 0 where it is not bought again
    pair: Ints  # (p,) the complement, -1 where there is none
    price: Floats  # (p,)
    ranked: Ints  # (p,) products by category, then by popularity
    # (p,) probability up to an index of `ranked`; category j fills (j / k, (j + 1) / k]
    cumulative: Floats
    category_share: Floats  # (k,)
    market: Ints  # (c,) position in MARKETS
    favourites: Ints  # (c, 3) categories, the strongest first, different in a shop that has three
    regulars: Ints  # (c, 3) products bought at their interval, -1 for none
    activity: Floats  # (c,) share of all lines
    shape: ShopShape = USUAL

    @classmethod
    def of(
        cls,
        *,
        customers: int,
        products: int,
        seed: int = 0,
        hemispheres: bool = False,
        shape: ShopShape = USUAL,
    ) -> SyntheticShop:
        """Return the shop of a seed.

        It sells everything for a year, or clothes in two `hemispheres` for two years, or has
        another shape. Raises
        ValueError for less than one customer and two products.
        """
        if customers < 1 or products < 2:
            raise ValueError(
                f"a shop needs 1 customer and 2 products, not {customers} and {products}"
            )
        rng = np.random.default_rng([seed, 0])
        all_categories = CLOTHES if hemispheres else CATEGORIES
        categories = all_categories[: max(1, products // CATEGORY_PRODUCTS)]
        prices = np.array([category.price for category in categories])
        intervals = np.array([category.interval_days for category in categories])
        peaks = np.array([category.peak_day for category in categories])
        k = len(categories)
        if shape.seasonal:
            peaks = 1 + np.arange(k) * YEAR_DAYS // k
        ranked = rng.permutation(products)
        start = np.arange(k + 1) * products // k
        category = np.empty(products, np.int64)
        category[ranked] = np.repeat(np.arange(k), np.diff(start))
        interval = np.rint(intervals[category] * rng.uniform(0.8, 1.2, products)).astype(np.int64)
        price = np.round(prices[category] * rng.lognormal(0.0, 0.35, products), 2)
        cumulative, share = _cumulative(start), zipf(k)
        favourites = _favourites(share, customers, rng)
        regulars = pick(favourites, ranked, cumulative, k, rng)
        return cls(
            days=2 * YEAR_DAYS if hemispheres else shape.days,
            categories=categories,
            peak_day=peaks,
            category=category,
            interval_days=interval,
            pair=_pairs(ranked, start),
            price=np.maximum(0.05, price),
            ranked=ranked,
            cumulative=cumulative,
            category_share=share,
            market=(rng.random(customers) < SOUTHERN_SHARE).astype(np.int64),
            favourites=favourites,
            regulars=_bought_again(regulars, (interval > 0) & (peaks[category] == 0)),
            activity=shares(rng.lognormal(0.0, 1.0, customers)),
            shape=shape,
        )

    def choose(self, category: Ints, rng: Generator) -> Ints:
        """Draw a product of each category, by popularity."""
        return pick(category, self.ranked, self.cumulative, len(self.category_share), rng)

    def choose_once(self, visitor: Ints, product: Ints, rng: Generator) -> Ints:
        """Replace what a visitor chose before by something else; lines (n,), while there is any."""
        product, n_products = product.copy(), len(self.category)
        for _ in range(n_products):
            keys = visitor * n_products + product
            first = np.unique(keys, return_index=True)[1]
            again = np.ones(len(keys), np.bool_)
            again[first] = False
            again &= np.bincount(visitor)[visitor] <= n_products
            if not again.any():
                break
            product[again] = rng.integers(0, n_products, np.count_nonzero(again))
        return product

    def choose_from_pantry(self, customer: Ints, rng: Generator) -> Ints:
        """Draw a product of each customer's own: (n,), their first ones more often."""
        slot = np.searchsorted(np.cumsum(zipf(self.shape.pantry)), rng.random(len(customer)))
        slot = np.minimum(slot, self.shape.pantry - 1)
        # What lies in a slot is the same whenever it is drawn: a product of a favourite category
        first = self.favourites[customer, slot % FAVOURITES] * len(self.ranked)
        shelf = first // len(self.category_share) + (customer * 7 + slot * 3) % CATEGORY_PRODUCTS
        return np.asarray(self.ranked[shelf % len(self.ranked)], np.int64)

    def range_at(self, day: Ints) -> Ints:
        """Return the number of the range that is sold on days: 0, 1 and so on."""
        newest = self.days - LAST_RANGE_DAYS
        since = -(-newest // self.shape.range_days) * self.shape.range_days - newest
        return np.asarray((day + since) // self.shape.range_days, np.int64)

    def replaced(self, product: Ints, day: Ints) -> Ints:
        """Return the product that is sold in the place of another on a day: (n,) each."""
        if not self.shape.range_days:
            return product
        ranges = int(self.range_at(np.array(self.days - 1))) + 1
        position = np.empty(len(self.ranked), np.int64)
        position[self.ranked] = np.arange(len(self.ranked))
        place = position[product]
        # Pairs stay pairs: of each 2 · ranges products in the order of the shelf, two are one range
        block = place // (2 * ranges) * (2 * ranges)
        now = block + 2 * self.range_at(day) + place % 2
        return np.asarray(self.ranked[np.minimum(now, len(self.ranked) - 1)], np.int64)


def zipf(n: int) -> Floats:
    """Return shares by Zipf's law, softened at the head: 1 / (r + 3)^0.9 of rank r, from 0."""
    return shares((np.arange(n) + 3.0) ** -0.9)


def shares(weights: NDArray[np.floating[Any]]) -> Floats:
    """Return weights that sum to 1."""
    return np.asarray(weights / weights.sum(), np.float64)


def pick(category: Ints, ranked: Ints, cumulative: Floats, k: int, rng: Generator) -> Ints:
    """Draw a product of each category, by popularity; the result has the shape of `category`."""
    index = np.searchsorted(cumulative, (category + rng.random(category.shape)) / k)
    return np.asarray(ranked[np.minimum(index, len(ranked) - 1)], np.int64)


def _cumulative(start: Ints) -> Floats:
    """Return cumulative probabilities; each category fills an equal part of (0, 1]."""
    k = len(start) - 1
    parts = [(row + np.cumsum(zipf(int(size)))) / k for row, size in enumerate(np.diff(start))]
    for row, part in enumerate(parts):
        part[-1] = (row + 1) / k  # not a rounding error less
    return np.concatenate(parts)


def _pairs(ranked: Ints, start: Ints) -> Ints:
    """Pair neighbours by rank, from the head of each category; -1 for an odd one at its end."""
    pair = np.full(len(ranked), -1, np.int64)
    for first, end in pairwise(start):
        paired = ranked[first : end - (end - first) % 2]
        pair[paired[0::2]] = paired[1::2]
        pair[paired[1::2]] = paired[0::2]
    return pair


def _favourites(share: Floats, customers: int, rng: Generator) -> Ints:
    """Draw categories of each customer: (customers, 3).

    A shop with fewer than three repeats the first.
    """
    favourites = np.empty((customers, FAVOURITES), np.int64)
    distinct = min(FAVOURITES, len(share))
    for first in range(0, customers, CUSTOMERS_AT_ONCE):
        rows = favourites[first : first + CUSTOMERS_AT_ONCE]
        # The largest of log share + Gumbel noise are a draw by share without putting back
        # (Vieira 2014)
        noisy = np.log(share) + rng.gumbel(size=(len(rows), len(share)))
        rows[:, :distinct] = np.argsort(-noisy, axis=1)[:, :distinct]
        rows[:, distinct:] = rows[:, :1]
    return favourites


def _bought_again(regulars: Ints, steady: NDArray[np.bool_]) -> Ints:
    """Keep products that are bought again and in any season, each once; the rest becomes -1."""
    kept = np.where(steady[regulars], regulars, -1)
    for slot in range(1, REGULARS):
        is_repeated = (kept[:, :slot] == kept[:, slot : slot + 1]).any(axis=1)
        kept[is_repeated, slot] = -1
    return kept
