from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.data.events import KINDS, PURCHASE, RETURN, order_code
from training.errors import InputError
from training.reading.options import ReadingOptions
from training.reading.purchases import STEPS, Purchases, read_purchases

pytestmark = pytest.mark.slow

NOON = 1_483_272_000  # 2017-01-01T12:00:00Z
DAY = 86_400
NOW = NOON + 30 * DAY
HEADER = "customer_id,product_id,timestamp,order_id,quantity,unit_price,kind,market"

SHOW = ReadingOptions(unlisted="show")


def write(folder: Path, *lines: str, name: str = "orders.csv", header: str = HEADER) -> Path:
    path = folder / name
    path.write_text("\n".join((header, *lines)) + "\n", encoding="utf-8")
    return path


def read(*paths: Path, **options: Any) -> Purchases:
    return read_purchases(paths, **({"now": NOW} | options))


def lines(purchases: Purchases) -> list[tuple[Any, ...]]:
    """(customer, product, order, kind, quantity, weight) of every line."""
    return [
        (
            purchases.customer_ids[user] if user >= 0 else None,
            purchases.product_ids[item],
            int(order),
            KINDS[kind],
            float(quantity),
            round(float(weight), 4),
        )
        for user, item, order, kind, quantity, weight in zip(
            purchases.user,
            purchases.item,
            purchases.order,
            purchases.kind,
            purchases.quantity,
            purchases.weight,
            strict=True,
        )
    ]


def add_up(purchases: Purchases) -> bool:
    report = purchases.report
    return report.rows == report.lines + report.merged_rows + report.dropped.counts.total()


def test_one_customer_buys_one_product_once(tmp_path: Path) -> None:
    shop = read(write(tmp_path, "anna,milk,2017-01-01T12:00:00Z,1,2,1.5,,DE"))
    assert lines(shop) == [("anna", "milk", 0, "purchase", 2.0, 1.0)]
    assert shop.time.tolist() == [NOON]
    assert shop.price.tolist() == [1.5]
    assert [shop.market_names[code] for code in shop.market] == ["DE"]
    assert (shop.report.rows, shop.report.customers, shop.report.products, shop.report.orders) == (
        1,
        1,
        1,
        1,
    )
    assert shop.report.first_time == shop.report.last_time == NOON


def test_arrays_have_the_types_the_models_expect(tmp_path: Path) -> None:
    shop = read(write(tmp_path, "anna,milk,2017-01-01,1,2,1.5,,DE"))
    types = {
        name: getattr(shop, name).dtype.name
        for name in ("user", "item", "order", "time", "kind", "weight")
    }
    assert list(types.values()) == ["int32", "int32", "int32", "int64", "uint8", "float32"]
    assert (shop.quantity.dtype, shop.price.dtype, shop.market.dtype) == (
        np.float32,
        np.float32,
        np.int32,
    )
    assert (shop.consent.dtype, shop.consent.shape) == (np.uint8, (1, 4))
    assert shop.customer_market.dtype == np.int32


def test_lines_are_sorted_by_customer_product_time_order_and_guests_come_first(
    tmp_path: Path,
) -> None:
    shop = read(
        write(
            tmp_path,
            "bert,milk,2017-01-03,5,1,,,",
            "anna,milk,2017-01-04,4,1,,,",
            "anna,bread,2017-01-05,6,1,,,",
            "anna,milk,2017-01-02,2,1,,,",
            ",milk,2017-01-06,7,1,,,",
        )
    )
    assert [line[:3] for line in lines(shop)] == [
        (None, "milk", 4),
        ("anna", "bread", 3),
        ("anna", "milk", 0),
        ("anna", "milk", 2),
        ("bert", "milk", 1),
    ]
    assert shop.report.guest_lines == 1


def test_guests_need_an_order(tmp_path: Path) -> None:
    shop = read(
        write(
            tmp_path,
            ",milk,2017-01-01,7,1,,,",
            ",milk,2017-01-01,,1,,,",
            ",milk,2017-01-01,7,-1,,,",
        )
    )
    assert lines(shop) == [(None, "milk", 0, "purchase", 1.0, 1.0)]
    assert shop.report.dropped.counts == {"guest_without_order": 1, "guest_return": 1}
    assert len(shop.customer_ids) == 0


def test_without_order_ids_a_customers_day_is_an_order(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "anna,milk,2017-01-01T08:00:00",
        "anna,bread,2017-01-01T23:59:59",
        "anna,milk,2017-01-02T00:00:00",
        "bert,milk,2017-01-01T08:00:00",
        header="customer_id,product_id,timestamp",
    )
    shop = read(path)
    assert [(line[0], line[1], line[2]) for line in lines(shop)] == [
        ("anna", "bread", 0),
        ("anna", "milk", 0),
        ("anna", "milk", 2),
        ("bert", "milk", 1),
    ]


def test_the_same_order_number_of_two_customers_is_two_orders(tmp_path: Path) -> None:
    assert (
        read(
            write(tmp_path, "anna,milk,2017-01-01,1,1,,,", "bert,milk,2017-01-02,1,1,,,")
        ).report.orders
        == 2
    )


def test_rows_of_the_same_line_are_added_up(tmp_path: Path) -> None:
    shop = read(
        write(
            tmp_path,
            "anna,milk,2017-01-01T12:00:00,1,1,1.00,,",
            "anna,milk,2017-01-01T11:00:00,1,3,2.00,,",
        )
    )
    assert lines(shop) == [("anna", "milk", 0, "purchase", 4.0, 1.0)]
    assert shop.price.tolist() == [1.75]  # (1 * 1.00 + 3 * 2.00) / 4
    assert shop.time.tolist() == [NOON - 3600]
    assert shop.report.merged_rows == 1


def test_exact_copies_of_a_row_count_once(tmp_path: Path) -> None:
    row = "anna,milk,2017-01-01,1,1,1.00,,"
    shop = read(write(tmp_path, row, row, row, "anna,milk,2017-01-01,1,2,1.00,,"))
    assert shop.report.dropped.counts == {"duplicate_row": 2}
    assert shop.quantity.tolist() == [3.0]
    assert add_up(shop)


def test_a_row_that_differs_in_a_column_we_do_not_know_is_no_copy(tmp_path: Path) -> None:
    header = "customer_id,product_id,timestamp,till"
    shop = read(write(tmp_path, "anna,milk,2017-01-01,1", "anna,milk,2017-01-01,2", header=header))
    assert shop.quantity.tolist() == [2.0]
    assert shop.report.dropped.counts == {}


def test_a_rating_weighs_by_its_stars_and_what_was_taken_out_of_the_cart_weighs_minus_one(
    tmp_path: Path,
) -> None:
    rows = [f"anna,p{stars},2017-01-01,rating,{stars}" for stars in (1, 2, 3, 4.5, 5)]
    more = [
        "anna,q,2017-01-01,remove_from_cart,",
        "anna,r,2017-01-01,dismiss,",
        "anna,s,2017-01-01,click,",
    ]
    twice = ["anna,t,2017-01-01T08:00,rating,1", "anna,t,2017-01-01T09:00,rating,5"]
    shop = read(
        write(tmp_path, *rows, *more, *twice, header="customer_id,product_id,timestamp,kind,rating")
    )
    assert shop.weight.tolist() == [-1, -0.5, 0, 0.75, 1, -1, 1, 1, 0]
    assert set(shop.quantity.tolist()) == {1.0}


def test_what_is_no_order_has_no_code_of_an_order(tmp_path: Path) -> None:
    shop = read(write(tmp_path, "anna,milk,2017-01-01,,1,,,", "anna,milk,2017-01-02,A 7,1,,,"))
    assert shop.order_code.tolist() == [0, order_code("A 7")]
    assert shop.order_code.dtype == np.uint32


def test_a_return_weighs_minus_its_share_of_the_usual_line(tmp_path: Path) -> None:
    shop = read(
        write(
            tmp_path,
            "anna,milk,2017-01-01,1,2,1.00,,",
            "anna,milk,2017-01-02,2,6,1.00,,",
            "anna,milk,2017-01-03,3,-1,1.00,,",
            "anna,milk,2017-01-04,4,100,1.00,,",
        )
    )
    returns = shop.kind == RETURN
    assert shop.weight[returns].tolist() == [
        -0.25
    ]  # 1 of a mean of (2 + 6) / 2; what follows does not count
    assert shop.order[returns].tolist() == [-1]
    assert shop.quantity[returns].tolist() == [1.0]


def test_a_return_may_be_a_kind_with_a_positive_quantity(tmp_path: Path) -> None:
    shop = read(write(tmp_path, "anna,milk,2017-01-01,1,2,,,", "anna,milk,2017-01-01,1,1,,return,"))
    assert shop.weight.tolist() == [-0.5, 1.0]  # of the same moment: order -1 first


def test_a_return_of_what_was_never_bought_is_left_out_with_its_customer(tmp_path: Path) -> None:
    shop = read(
        write(
            tmp_path,
            "anna,milk,2017-01-01,1,1,,,",
            "bert,milk,2017-01-02,2,-1,,,",
            "anna,bread,2017-01-02,3,-1,,,",
            "anna,wine,2017-01-02,4,-1,,,",
            "anna,wine,2017-01-03,5,1,,,",
        )
    )
    assert shop.report.dropped.counts == {"return_without_purchase": 3}
    assert list(shop.customer_ids) == ["anna"]
    assert list(shop.product_ids) == ["milk", "wine"]
    assert [line[:2] for line in lines(shop)] == [("anna", "milk"), ("anna", "wine")]
    assert add_up(shop)


def test_views_have_no_order_and_weigh_one(tmp_path: Path) -> None:
    shop = read(write(tmp_path, "anna,milk,2017-01-01,1,1,,,", "anna,milk,2017-01-02,,0,,View,"))
    assert lines(shop) == [
        ("anna", "milk", 0, "purchase", 1.0, 1.0),
        ("anna", "milk", -1, "view", 1.0, 1.0),
    ]


def test_views_alone_can_be_read(tmp_path: Path) -> None:
    assert read(write(tmp_path, "anna,milk,2017-01-01,,,,view,")).report.orders == 0


def test_ids_are_kept_exactly_as_given(tmp_path: Path) -> None:
    ids = ["007", "a/b", " spaced ", "😀", "Milk", "milk", "12345.0"]
    shop = read(write(tmp_path, *(f'"{name}","{name}",2017-01-01,1,1,,,' for name in ids)))
    assert list(shop.product_ids) == sorted(ids, key=str.encode)
    assert list(shop.customer_ids) == sorted(ids, key=str.encode)
    assert all(shop.product_ids.find(name) >= 0 for name in ids)


def test_rows_from_the_until_date_on_are_left_out(tmp_path: Path) -> None:
    path = write(
        tmp_path, "anna,milk,2017-01-01T11:59:59,1,1,,,", "anna,milk,2017-01-01T12:00:00,2,1,,,"
    )
    shop = read(path, until=NOON)
    assert shop.report.dropped.counts == {"after_until": 1}
    assert shop.report.last_time == NOON - 1


def test_rows_more_than_a_day_ahead_of_now_are_left_out(tmp_path: Path) -> None:
    path = write(
        tmp_path, "anna,milk,2017-01-02T12:00:00,1,1,,,", "anna,milk,2017-01-02T12:00:01,2,1,,,"
    )
    assert read(path, now=NOON).report.dropped.counts == {"timestamp_in_future": 1}


def test_a_customer_who_said_no_to_training_stays_known_without_a_history(tmp_path: Path) -> None:
    rows = (
        "anna,milk,2017-01-01,1,1,,,",
        "bert,milk,2017-01-01,2,1,,,",
        "bert,wine,2017-01-01,2,1,,,",
    )
    orders = write(tmp_path, *rows)
    people = write(tmp_path, "bert,no", "carl,", name="people.csv", header="customer_id,train")
    shop = read(orders, customers=people)
    assert shop.report.dropped.counts == {"no_consent_to_train": 2}
    assert list(shop.customer_ids) == ["anna", "bert", "carl"]
    assert list(shop.product_ids) == ["milk"]
    assert shop.consent[:, 0].tolist() == [0, 2, 0]
    assert [line[0] for line in lines(shop)] == ["anna"]


def test_who_was_never_asked_is_left_out_where_the_shop_wants_to_be_asked(tmp_path: Path) -> None:
    rows = (
        f"{customer},milk,2017-01-01,{customer},1,,,"
        for customer in ("anna", "bert", "carl", "dora", "")
    )
    orders = write(tmp_path, *rows, ",wine,2017-01-01,7,1,,,")
    people = write(
        tmp_path, "anna,yes", "bert,no", "carl,", name="people.csv", header="customer_id,train"
    )
    shop = read(orders, customers=people, unasked="refuse")
    assert shop.report.dropped.counts == {
        "never_asked": 2,
        "no_consent_to_train": 1,
        "guest_without_order": 1,
    }
    assert [line[:2] for line in lines(shop)] == [(None, "wine"), ("anna", "milk")]
    assert len(read(orders, customers=people)) == 4
    assert add_up(shop)


def test_products_of_the_file_and_of_the_lines_are_one_list(tmp_path: Path) -> None:
    orders = write(tmp_path, "anna,milk,2017-01-01,1,1,1.25,,")
    goods = write(tmp_path, "wine,Red wine", "apple,", name="goods.csv", header="product_id,title")
    shop = read(orders, products=goods, options=SHOW)
    assert list(shop.product_ids) == list(shop.catalogue.ids) == ["apple", "milk", "wine"]
    assert list(shop.catalogue.title) == ["", "", "Red wine"]
    assert [shop.product_ids[item] for item in shop.item] == ["milk"]


def test_without_a_price_in_the_file_the_latest_price_paid_stands(tmp_path: Path) -> None:
    header = "customer_id,product_id,timestamp,unit_price,currency"
    orders = write(
        tmp_path,
        "anna,milk,2017-01-02,1.50,eur",
        "anna,milk,2017-01-01,1.00,EUR",
        "anna,milk,2017-01-03,0,EUR",
        "anna,wine,2017-01-01,9.00,EUR",
        "anna,salt,2017-01-01,,",
        header=header,
    )
    goods = write(
        tmp_path, "wine,8.50,GBP", "milk,,", name="goods.csv", header="product_id,price,currency"
    )
    catalogue = read(orders, products=goods, options=SHOW).catalogue
    assert list(catalogue.ids) == ["milk", "salt", "wine"]
    np.testing.assert_array_equal(catalogue.price, [1.5, np.nan, 8.5])
    assert list(catalogue.currency) == ["EUR", "", "GBP"]
    assert catalogue.in_stock.all()


def test_a_price_paid_stands_in_the_currency_it_was_paid_in(tmp_path: Path) -> None:
    """On the same day tea was sold for 1,400 yen in one market and for 10 dollars in another."""
    header = "customer_id,product_id,timestamp,unit_price,currency"
    sold = (
        "anna,tea,2017-01-01,10,USD",
        "bert,tea,2017-01-01,1400,JPY",
        "anna,jam,2017-01-01,3,EUR",
    )
    orders = write(tmp_path, *sold, header=header)
    goods = write(tmp_path, "jam,,GBP", name="goods.csv", header="product_id,price,currency")
    catalogue = read(orders, products=goods, options=SHOW).catalogue
    assert list(catalogue.ids) == ["jam", "tea"]
    assert catalogue.price.tolist() == [3, 1400]
    assert list(catalogue.currency) == ["EUR", "JPY"]


def test_without_a_products_file_the_catalogue_is_empty_but_for_prices(tmp_path: Path) -> None:
    catalogue = read(write(tmp_path, "anna,milk,2017-01-01,1,1,1.25,,")).catalogue
    assert (list(catalogue.title), catalogue.price.tolist(), list(catalogue.attributes)) == (
        [""],
        [1.25],
        [""],
    )
    assert catalogue.sellable(NOON, "DE").tolist() == [True]


def test_markets_of_lines_customers_and_products_share_one_list(tmp_path: Path) -> None:
    orders = write(tmp_path, "anna,milk,2017-01-01,1,1,,,DE", "anna,milk,2017-01-02,2,1,,,")
    people = write(tmp_path, "anna,AT", "bert,", name="people.csv", header="customer_id,market")
    goods = write(tmp_path, "milk,CH|DE", name="goods.csv", header="product_id,markets")
    shop = read(orders, customers=people, products=goods)
    assert list(shop.market_names) == ["AT", "CH", "DE"]
    assert shop.market.tolist() == [2, -1]
    assert shop.customer_market.tolist() == [0, -1]
    assert list(shop.catalogue.market_names) == ["CH", "DE"]


def test_the_amount_of_a_line_gives_the_price_of_a_piece(tmp_path: Path) -> None:
    header = "customer_id,product_id,timestamp,quantity,amount"
    rows = (
        "anna,milk,2017-01-01,4,6.00",
        "anna,milk,2017-01-02,-2,-3.00",
        "anna,milk,2017-01-03,1,-3.00",
    )
    shop = read(write(tmp_path, *rows, header=header))
    assert shop.price.tolist() == [1.5, 1.5]
    assert shop.report.dropped.counts == {"bad_price": 1}


def test_json_lines_of_a_shop_with_two_bad_lines(tmp_path: Path) -> None:
    path = tmp_path / "orders.jsonl"
    good = (
        '{"customer_id": "anna", "product_id": 7, "timestamp": 1483272000, '
        '"quantity": %d, "unit_price": 1.5}'
    )
    path.write_text("\n".join((good % 1, "oops", "oops", good % 1, good % 2)))
    shop = read(path)
    assert lines(shop) == [("anna", "7", 0, "purchase", 3.0, 1.0)]
    assert shop.report.dropped.counts == {"unreadable_row": 2, "duplicate_row": 1}
    assert add_up(shop)


def test_columns_of_another_name_are_mapped(tmp_path: Path) -> None:
    path = write(tmp_path, "anna,milk,2017-01-01", header="household,sku,when")
    shop = read(
        path, columns={"customer_id": "household", "product_id": "sku", "timestamp": "when"}
    )
    assert lines(shop) == [("anna", "milk", 0, "purchase", 1.0, 1.0)]


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        (
            {"customer_id": "custmer"},
            r"no file has a column 'custmer' \(did you mean 'customer'\?\).*customer, prod",
        ),
        (
            {"custommer_id": "customer"},
            r"there is no column 'custommer_id' to fill \(did you mean 'customer_id'\?\)",
        ),
        ({}, r"orders\.csv lacks 1 required column: customer_id \(did you mean 'customer'\?\)"),
    ],
)
def test_a_wrong_column_is_named_with_those_that_exist(
    tmp_path: Path, columns: dict[str, str], sentence: str
) -> None:
    path = write(tmp_path, "anna,milk,2017-01-01", header="customer,product_id,timestamp")
    with pytest.raises(InputError, match=sentence):
        read(path, columns=columns)


def test_nothing_left_is_said_in_one_sentence_with_the_reasons(tmp_path: Path) -> None:
    path = write(
        tmp_path, "anna,,2017-01-01,1,1,,,", "anna,milk,soon,1,1,,,", "anna,milk,later,1,1,,,"
    )
    with pytest.raises(
        InputError, match=r"none of 3 rows is left .*2 bad_timestamp, 1 missing_product_id"
    ):
        read(path)


def test_column_names_without_rows_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"orders\.csv has column names but no rows"):
        read(write(tmp_path))


def test_reading_twice_gives_the_same_arrays_and_leaves_no_file_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (temporary := tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    rows = [
        f"c{i % 97},p{i % 31},2017-01-{1 + i % 28:02d},{i % 501},{1 + i % 3},{i % 7}.5,,"
        for i in range(5000)
    ]
    path = write(tmp_path, *rows)
    first, second = read(path), read(path)
    for name in ("user", "item", "order", "time", "kind", "weight", "quantity", "price", "market"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    assert list(temporary.iterdir()) == []


def test_progress_counts_the_steps_that_are_done(tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    read(
        write(tmp_path, "anna,milk,2017-01-01,1,1,,,"), on_progress=lambda *step: steps.append(step)
    )
    assert steps == [(done, len(STEPS)) for done in range(len(STEPS))]


def test_the_dirt_of_a_real_gift_shop_costs_only_the_dirty_rows(tmp_path: Path) -> None:
    rows: Sequence[tuple[Any, ...]] = [
        ("489434", "85048", 12, "2009-12-01T07:45:00", 6.95, 13085.0, "United Kingdom"),
        (
            "489434",
            "85048",
            12,
            "2009-12-01T07:45:00",
            6.95,
            13085.0,
            "United Kingdom",
        ),  # the same line twice
        ("489434", "79323P", 1, "2009-12-01T07:45:00", 6.75, 13085.0, "United Kingdom"),
        (
            "489434",
            "79323p",
            1,
            "2009-12-01T07:45:00",
            6.75,
            13085.0,
            "United Kingdom",
        ),  # another letter case
        (
            "C489449",
            "85048",
            -6,
            "2009-12-02T10:33:00",
            6.95,
            13085.0,
            "United Kingdom",
        ),  # a cancellation
        (
            "C489450",
            "22087",
            -12,
            "2009-12-02T10:34:00",
            2.95,
            16321.0,
            "Australia",
        ),  # of an order before the data
        (
            "489464",
            "21733",
            -96,
            "2009-12-01T10:52:00",
            0.0,
            None,
            "United Kingdom",
        ),  # stock written off
        (
            "489521",
            "21646",
            50,
            "2009-12-01T11:44:00",
            0.0,
            None,
            "United Kingdom",
        ),  # a guest's gift
        ("A506401", "B", 1, "2010-04-29T13:36:00", -53594.36, None, "United Kingdom"),  # bad debt
    ]
    names = (
        "invoice",
        "stock_code",
        "quantity",
        "invoice_date",
        "unit_price",
        "customer_id",
        "country",
    )
    table = pa.table({name: [row[index] for row in rows] for index, name in enumerate(names)})
    table = table.set_column(3, "invoice_date", table["invoice_date"].cast(pa.timestamp("us")))
    path = tmp_path / "online_retail.parquet"
    pq.write_table(table, path)
    columns = {
        "order_id": "invoice",
        "product_id": "stock_code",
        "timestamp": "invoice_date",
        "market": "country",
    }
    shop = read(path, columns=columns)
    assert shop.report.dropped.counts == {
        "duplicate_row": 1,
        "return_without_purchase": 1,
        "guest_return": 1,
        "bad_price": 1,
    }
    assert lines(shop) == [
        (None, "21646", 1, "purchase", 50.0, 1.0),
        ("13085", "79323P", 0, "purchase", 1.0, 1.0),
        ("13085", "79323p", 0, "purchase", 1.0, 1.0),
        ("13085", "85048", 0, "purchase", 12.0, 1.0),
        ("13085", "85048", -1, "return", 6.0, -0.5),
    ]
    assert add_up(shop)


def test_one_wrong_cell_in_row_800_000_costs_that_row(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    row = "c{0},p{1},2017-01-01T00:00:00,{2},1\n"
    with path.open("w") as file:
        file.write("customer_id,product_id,timestamp,order_id,quantity\n")
        file.writelines(row.format(i % 1000, i % 100, i) for i in range(800_000))
        file.write("c1,p1,2017-01-01T00:00:00,last,two\n")
        file.write("c1,p1,2017-01-01T00:00:00\n")
        file.write("c1,p1,2017-01-01T00:00:00,very last,1\n")
    shop = read(path)
    assert shop.report.dropped.counts == {"bad_quantity": 1, "unreadable_row": 1}
    assert (shop.report.rows, len(shop)) == (800_003, 800_001)
    assert shop.kind.max() == PURCHASE


def test_what_the_products_file_does_not_list_is_learned_from_and_not_shown(tmp_path: Path) -> None:
    rows = (f"c{number},milk,2017-01-01,{number},1,,," for number in range(3))
    orders = write(tmp_path, *rows, "anna,gone,2017-01-01,9,1,,,")
    goods = write(tmp_path, "milk,Milk", name="goods.csv", header="product_id,title")
    shop = read(orders, products=goods)
    assert [shop.product_ids[item] for item in shop.item].count("gone") == 1
    assert list(shop.catalogue.ids) == ["gone", "milk"]
    assert shop.catalogue.sellable(NOON, None).tolist() == [False, True]
    problems = shop.report.product_problems
    assert (problems.counts, problems.examples) == ({"not_listed": 1}, {"not_listed": "'gone'"})
    shown = read(orders, products=goods, options=SHOW).catalogue
    assert shown.sellable(NOON, None).tolist() == [True, True]


def test_a_products_file_that_would_hide_most_of_what_sells_is_refused(tmp_path: Path) -> None:
    orders = write(tmp_path, "anna,gone,2017-01-01,9,1,,,")
    goods = write(tmp_path, "milk,Milk", name="goods.csv", header="product_id,title")
    with pytest.raises(
        InputError, match=r"goods\.csv lacks 1 products .* 'gone', with 1 of 1 sales"
    ):
        read(orders, products=goods)
    hidden = read(orders, products=goods, options=ReadingOptions(unlisted="hide")).catalogue
    assert hidden.sellable(NOON, None).tolist() == [False, True]
