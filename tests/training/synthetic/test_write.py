"""What the seeded shop promises is true of what it writes."""

from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from models.data.customers import PURPOSES
from training.synthetic.lines import in_season, order_lines
from training.synthetic.shop import SyntheticShop
from training.synthetic.write import write_shop

SIZE = {"customers": 800, "products": 900, "seed": 7}
LINES = 40_001
COLUMNS = ("customer_id", "product_id", "timestamp", "order_id", "quantity", "unit_price", "market")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    output = tmp_path_factory.mktemp("shop")
    write_shop(output, **SIZE, purchases=LINES)
    return output


@pytest.fixture(scope="module")
def shop():
    return SyntheticShop.of(**SIZE)


@pytest.fixture(scope="module")
def lines(folder):
    """Columns as arrays, with row numbers `customer` (-1 for guests) and `product`, and `day`."""
    table = pq.read_table(folder / "purchases.parquet")
    columns = {name: table[name].to_numpy() for name in COLUMNS}
    columns["customer"] = np.array(
        [int(name[1:]) if name else -1 for name in columns["customer_id"]]
    )
    columns["product"] = np.array([int(name[1:]) for name in columns["product_id"]])
    columns["day"] = (columns["timestamp"] - np.datetime64("2025-01-01")) // np.timedelta64(1, "D")
    return columns


def test_the_files_have_the_columns_that_training_reads(folder):
    products = [
        "product_id",
        "title",
        "category",
        "brand",
        "price",
        "currency",
        "url",
        "image_url",
        "in_stock",
    ]
    customers = [
        "customer_id",
        "market",
        "train",
        "personalize_web",
        "personalize_email",
        "measure",
    ]
    assert pq.read_schema(folder / "purchases.parquet").names == list(COLUMNS)
    assert pq.read_schema(folder / "products.parquet").names == products
    assert pq.read_schema(folder / "customers.parquet").names == customers


@pytest.mark.parametrize("purchases", [1, 2, 19, 20, 1_000, LINES])
def test_the_shop_has_exactly_as_many_lines_as_asked_for(tmp_path, purchases):
    write_shop(tmp_path, **SIZE, purchases=purchases)
    assert pq.read_metadata(tmp_path / "purchases.parquet").num_rows == purchases
    assert pq.read_metadata(tmp_path / "products.parquet").num_rows == SIZE["products"]
    assert pq.read_metadata(tmp_path / "customers.parquet").num_rows == SIZE["customers"]


@pytest.mark.parametrize(("customers", "products"), [(1, 2), (1, 3), (3, 45), (500, 2)])
@pytest.mark.parametrize("hemispheres", [False, True])
def test_a_tiny_shop_is_still_a_shop(tmp_path, customers, products, hemispheres):
    write_shop(
        tmp_path, customers=customers, products=products, purchases=300, hemispheres=hemispheres
    )
    assert pq.read_metadata(tmp_path / "purchases.parquet").num_rows == 300


def test_an_equal_seed_gives_equal_bytes_and_another_seed_another_shop(folder, tmp_path):
    again, other = tmp_path / "again", tmp_path / "other"
    write_shop(again, **SIZE, purchases=LINES)
    write_shop(other, **SIZE | {"seed": 8}, purchases=LINES)
    for name in ("purchases.parquet", "products.parquet", "customers.parquet"):
        assert (again / name).read_bytes() == (folder / name).read_bytes()
        assert (other / name).read_bytes() != (folder / name).read_bytes()


def test_a_shop_larger_than_a_chunk_counts_its_lines_and_orders_on(shop):
    chunks = list(order_lines(shop, 20_000, 7, chunk=3_000))
    assert len(chunks) > 6
    assert sum(len(lines.product) for lines in chunks) == 20_000
    orders = [set(lines.order.tolist()) for lines in chunks]
    assert len(set.union(*orders)) == sum(len(numbers) for numbers in orders)


def test_progress_ends_with_all_lines(tmp_path):
    steps = []
    write_shop(
        tmp_path, **SIZE, purchases=500, on_progress=lambda done, total: steps.append((done, total))
    )
    assert steps == [(475, 500), (500, 500)]


@pytest.mark.parametrize("size", [{"customers": 0}, {"products": 1}, {"purchases": 0}])
def test_a_shop_of_no_size_is_refused(tmp_path, size):
    with pytest.raises(ValueError, match="a shop needs"):
        write_shop(tmp_path / "none", **{"customers": 5, "products": 5, "purchases": 5} | size)
    assert not (tmp_path / "none").exists()


def test_the_year_is_2025_to_its_last_day(lines):
    assert lines["timestamp"].min() < np.datetime64("2025-01-03")
    assert np.datetime64("2025-12-31") <= lines["timestamp"].max() < np.datetime64("2026-01-01")


def test_an_order_is_one_customers_day(lines):
    bought = lines["quantity"] > 0
    orders = np.unique(
        np.stack([lines["order_id"], lines["customer"], lines["day"]])[:, bought].astype(str),
        axis=1,
    )
    assert len(orders[0]) == len(set(orders[0]))
    known = orders[1] != "-1"
    assert len(set(zip(orders[1][known], orders[2][known], strict=True))) == known.sum()


def test_one_line_in_twenty_is_a_guests(lines):
    assert np.mean(lines["customer"] == -1) == pytest.approx(0.05, abs=1e-4)


def test_two_lines_in_a_hundred_are_returns_of_an_earlier_purchase(lines):
    returned = np.flatnonzero(lines["quantity"] < 0)
    assert len(returned) / LINES == pytest.approx(0.02, rel=0.1)
    bought: dict[tuple[str, str, int], list] = {}
    for row in np.flatnonzero(lines["quantity"] > 0):
        key = (lines["order_id"][row], lines["product_id"][row], lines["quantity"][row])
        bought.setdefault(key, []).append(lines["timestamp"][row])
    for row in returned:
        order = lines["order_id"][row]
        assert order.startswith("R")
        times = bought[order[1:], lines["product_id"][row], -lines["quantity"][row]]
        assert times.pop() < lines["timestamp"][row]


def test_a_customers_favourite_categories_are_most_of_what_they_buy(shop, lines):
    mine = lines["customer"] >= 0
    category = shop.category[lines["product"][mine]]
    favourite = (shop.favourites[lines["customer"][mine]] == category[:, None]).any(axis=1)
    assert favourite.mean() > 0.75
    assert all(len(set(row)) == 3 for row in shop.favourites.tolist())


def test_regulars_are_bought_again_at_their_interval(shop, lines):
    days = {}
    bought = (lines["customer"] >= 0) & (lines["quantity"] > 0)
    for customer, product, day in zip(
        *(lines[name][bought] for name in ("customer", "product", "day")), strict=True
    ):
        days.setdefault((customer, product), []).append(day)
    runs = [
        np.median(np.diff(np.unique(days[customer, product]))) / shop.interval_days[product]
        for customer, slots in enumerate(shop.regulars)
        for product in slots[slots >= 0]
        if len(days.get((customer, product), [])) >= 8
    ]
    assert len(runs) > 200
    assert np.mean(np.abs(np.array(runs) - 1) < 0.25) > 0.8


def test_pairs_are_bought_in_the_same_order_more_often_than_others_of_their_category(shop, lines):
    assert (shop.pair[shop.pair[shop.pair >= 0]] == np.flatnonzero(shop.pair >= 0)).all()
    bought = lines["quantity"] > 0
    baskets: dict[str, set[int]] = {}
    for order, product in zip(lines["order_id"][bought], lines["product"][bought], strict=True):
        baskets.setdefault(order, set()).add(product)
    with_pair = sum(
        shop.pair[product] in basket for basket in baskets.values() for product in basket
    )
    # a control: the product two places along the shelf is about as popular, and nobody's pair
    beyond = dict(zip(shop.ranked[:-2].tolist(), shop.ranked[2:].tolist(), strict=True))
    with_control = sum(
        beyond.get(product) in basket for basket in baskets.values() for product in basket
    )
    assert with_pair > 5 * with_control


def test_popularity_falls_along_the_ranks_of_a_category(shop, lines):
    counts = np.bincount(lines["product"], minlength=SIZE["products"])
    start = np.flatnonzero(np.diff(shop.category[shop.ranked], prepend=-1))
    head = np.concatenate([counts[shop.ranked[first : first + 4]] for first in start])
    tail = np.concatenate([counts[shop.ranked[end - 4 : end]] for end in start[1:]])
    assert head.mean() > 2.5 * tail.mean()


def test_seasons_are_opposite_in_the_two_markets(shop, lines):
    category = shop.category[lines["product"]]
    for row in np.flatnonzero(shop.peak_day):
        name, peak = shop.categories[row].name, shop.peak_day[row]
        for market, middle in (("north", peak), ("south", (peak + 182) % 365)):
            here = lines["day"][
                (category == row) & (lines["market"] == market) & (lines["quantity"] > 0)
            ]
            distance = np.abs((here - middle + 182) % 365 - 182)
            assert np.mean(distance < 91) > 0.6, f"{name} in the {market}"


def test_a_shop_in_two_hemispheres_sells_its_seasons_twice(tmp_path):
    write_shop(tmp_path, **SIZE, purchases=LINES, hemispheres=True)
    table = pq.read_table(tmp_path / "purchases.parquet", filters=pc.field("quantity") > 0)
    product, market = (table[name].to_numpy() for name in ("product_id", "market"))
    day = (table["timestamp"].to_numpy() - np.datetime64("2025-01-01")) // np.timedelta64(1, "D")
    assert (day.min(), day.max()) == (-365, 364)

    shop = SyntheticShop.of(**SIZE, hemispheres=True)
    category = shop.category[[int(name[1:]) for name in product]]
    assert {shop.categories[row].name for row in np.flatnonzero(shop.peak_day == 15)} == {
        "Coats",
        "Boots",
        "Gloves",
    }
    for row in np.flatnonzero(shop.peak_day):
        for year in (-1, 0):
            sold = (category == row) & (day // 365 == year)
            chance = in_season(shop.peak_day[row], market[sold] == "south", day[sold])
            # Of what was sold, the mean of chance² over the mean of chance:
            # (0.525² + 0.475² / 2) / 0.525 = 0.74
            assert chance.mean() == pytest.approx(0.74, abs=0.06), (
                f"{shop.categories[row].name} in year {year}"
            )


def test_titles_read_like_a_shop_and_are_all_different(folder):
    titles = pq.read_table(folder / "products.parquet")["title"].to_pylist()
    assert len(set(titles)) == len(titles)
    assert any(title.endswith("oat flakes 2") for title in titles)


def test_a_few_customers_in_a_hundred_say_no(folder):
    table = pq.read_table(folder / "customers.parquet")
    for purpose in PURPOSES:
        assert 0.9 < pc.mean(table[purpose].cast("int8")).as_py() < 1


def test_a_shop_is_written_into_a_folder_that_is_made(tmp_path: Path):
    write_shop(tmp_path / "a" / "b", customers=3, products=4, purchases=5)
    assert sorted(file.name for file in (tmp_path / "a" / "b").iterdir()) == [
        "customers.parquet",
        "products.parquet",
        "purchases.parquet",
    ]


SHAPE_SIZE = {"customers": 400, "products": 400, "purchases": 8_000, "seed": 3}


def shaped(tmp_path, shape):
    """Purchases that were not sent back, and products, of a shop of this shape."""
    write_shop(tmp_path, **SHAPE_SIZE, shape=shape)
    bought = pq.read_table(tmp_path / "purchases.parquet", filters=pc.field("quantity") > 0)
    rows = [row for row in bought.to_pylist() if row["customer_id"]]
    category = pq.read_table(tmp_path / "products.parquet")["category"].to_pylist()
    for row in rows:
        row["category"] = category[int(row["product_id"][1:])]
    assert pq.read_metadata(tmp_path / "purchases.parquet").num_rows == SHAPE_SIZE["purchases"]
    return rows


def pairs_of(rows):
    """How often each customer bought each product."""
    counts: dict[tuple[str, str], int] = {}
    for row in rows:
        pair = row["customer_id"], row["product_id"]
        counts[pair] = counts.get(pair, 0) + 1
    return counts


def test_in_a_shop_without_repeats_nobody_buys_a_product_twice(tmp_path):
    assert max(pairs_of(shaped(tmp_path, "no-repeats")).values()) == 1


def test_in_a_shop_of_nothing_but_repeats_a_customer_buys_the_same_ten_products(tmp_path):
    pairs = pairs_of(shaped(tmp_path, "only-repeats"))
    of_customer: dict[str, int] = {}
    for customer, _ in pairs:
        of_customer[customer] = of_customer.get(customer, 0) + 1
    assert max(of_customer.values()) == 10
    assert np.mean([count > 1 for count in pairs.values()]) > 0.6


def test_a_shop_of_three_weeks_has_sold_for_21_days(tmp_path):
    days = {row["timestamp"].date() for row in shaped(tmp_path, "three-weeks")}
    assert len(days) == (max(days) - min(days)).days + 1 == 21


def test_in_a_shop_of_one_product_three_orders_in_five_hold_it(tmp_path):
    orders: dict[str, set[str]] = {}
    for row in shaped(tmp_path, "one-product"):
        orders.setdefault(row["order_id"], set()).add(row["product_id"])
    counts: dict[str, int] = {}
    for products in orders.values():
        for product in products:
            counts[product] = counts.get(product, 0) + 1
    first, second = sorted(counts.values())[:-3:-1]
    assert first / len(orders) == pytest.approx(0.6, abs=0.05)
    assert second < first / 4


def test_in_a_shop_of_strong_seasons_half_of_a_category_sells_in_an_eighth_of_the_year(tmp_path):
    days: dict[tuple[str, str], list[int]] = {}
    for row in shaped(tmp_path, "strong-season"):
        key = row["category"], row["market"]
        days.setdefault(key, []).append(row["timestamp"].timetuple().tm_yday)
    assert len(days) == 40  # twenty categories in two markets
    for sold in days.values():
        counts = np.bincount(sold, minlength=367)
        around = np.convolve(np.tile(counts, 2), np.ones(46))  # any 46 days, over the new year too
        assert around.max() > 0.45 * len(sold)
    years = {row["timestamp"].year for row in shaped(tmp_path, "strong-season")}
    assert years == {2024, 2025}


def test_a_range_is_replaced_twice_a_year_the_last_time_sixty_days_before_the_end(tmp_path):
    rows = shaped(tmp_path, "replaced-range")
    newest = np.datetime64("2026-01-01") - np.timedelta64(60, "D")
    sold: dict[int, set[str]] = {}
    for row in rows:
        number = (np.datetime64(row["timestamp"]) - newest) // np.timedelta64(182, "D")
        sold.setdefault(int(number), set()).add(row["product_id"])
    assert sorted(sold) == [-4, -3, -2, -1, 0]
    for number in range(-3, 1):
        assert len(sold[number] & sold[number - 1]) <= 0.1 * len(sold[number])


def test_a_shop_in_two_hemispheres_has_no_other_shape(tmp_path):
    with pytest.raises(ValueError, match="two hemispheres"):
        write_shop(tmp_path, **SHAPE_SIZE, hemispheres=True, shape="no-repeats")
