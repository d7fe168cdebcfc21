"""Number customers, products, markets and currencies.

Texts get codes in the order of their bytes, so that rows are compared and merged as numbers. At the
end what no kept line and no file names is left out, and the rest is numbered without gaps.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Final

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from models.data.catalogue import Catalogue
from models.data.customers import NEVER_ASKED, NO, PURPOSES, YES, CustomerColumns
from models.data.ids import Ids, Strings
from training.reading.arrow import to_codes, to_numbers, to_strings
from training.reading.cleaning import reason_code
from training.reading.customers import CONSENT_TIMES, CustomerTable, Unasked
from training.reading.duckdb import Workspace
from training.reading.products import ProductTable, build_catalogue

IN_FILE: Final = "in_file"


@dataclass(frozen=True, eq=False)
class NameTables:
    """Hold tables with every distinct text and its `code`."""

    customers: Any  # (customer_id, code), and `refusal`: why not to learn from them, or NULL
    products: Any  # (product_id, code)
    markets: Any  # (market, code)
    currencies: Any  # (currency, code)

    def with_refusals(
        self, workspace: Workspace, consents: Any, erased: Any, unasked: Unasked
    ) -> NameTables:
        """Return tables whose customers have a `refusal`, a code of ROW_REASONS.

        `consents`: (customer_id, train). `erased`: (customer_id). `unasked`: "refuse" customers who
        never answered.
        """
        refusals = find_refusals(self.customers, consents, erased, unasked)
        held = workspace.keep("customer_refusals", refusals)
        return dataclasses.replace(self, customers=held)


@dataclass(frozen=True, eq=False)
class Numbering:
    """Hold the fields of `Purchases` beside its lines, under their final numbers."""

    customer_ids: Ids
    product_ids: Ids
    market_names: Ids
    consent: NDArray[np.uint8]
    consent_time: NDArray[np.int64]
    customer_market: NDArray[np.int32]
    preferences: Strings
    columns: CustomerColumns
    catalogue: Catalogue

    def fields(self) -> dict[str, Any]:
        """Return the arrays by their names."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}


def code_names(workspace: Workspace, rows: Any, products: Any, customers: Any) -> NameTables:
    """Give codes to the texts of rows, and to the ids in tables of products and customers."""
    return NameTables(
        customers=code_texts(workspace, "customer_id", rows.customer_id, customers.customer_id),
        products=code_texts(workspace, "product_id", rows.product_id, products.product_id),
        markets=code_texts(workspace, "market", rows.market),
        currencies=code_texts(workspace, "currency", rows.currency),
    )


def code_texts(workspace: Workspace, name: str, *columns: Any) -> Any:
    """Return every distinct text as (`name`, `code`), codes in the order of the UTF-8 bytes."""
    distinct = ibis.union(*(_texts(name, column) for column in columns)).distinct()
    rank = ibis.row_number().over(ibis.window(order_by=distinct[name]))
    return workspace.keep(f"{name}_codes", distinct.mutate(code=rank.cast("int32")))


def _texts(name: str, column: Any) -> Any:
    return column.as_table().select(**{name: column}).filter(ibis._[name].notnull())


def find_refusals(customers: Any, consents: Any, erased: Any, unasked: Unasked) -> Any:
    """Return (customer_id, code) with `refusal`. See NameTables.with_refusals."""
    erased = erased.select(erased_id="customer_id")
    train = consents.select("customer_id", "train")
    customers = customers.left_join(train, "customer_id").drop("customer_id_right")
    customers = customers.left_join(erased, customers.customer_id == erased.erased_id)
    answer = customers.train.fill_null(NEVER_ASKED)
    refusal = ibis.cases(
        (customers.erased_id.notnull(), reason_code("erased_customer")),
        (answer == NO, reason_code("no_consent_to_train")),
        ((answer != YES) & (unasked == "refuse"), reason_code("never_asked")),
        else_=ibis.null("int8"),
    )
    return customers.select("customer_id", "code", refusal=refusal)


def code_rows(rows: Any, names: NameTables) -> Any:
    """Return rows with codes instead of texts, -1 for none.

    `reason` becomes the refusal of the customer.
    """
    rows = _join_codes(rows, "customer_id", names.customers)
    rows = _join_codes(rows, "product_id", names.products)
    rows = _join_codes(rows, "market", names.markets)
    rows = _join_codes(rows, "currency", names.currencies)
    return rows.select(
        "time",
        "kind",
        "quantity",
        "price",
        "order_key",
        user=rows.customer_id_code.fill_null(-1),
        item=rows.product_id_code,
        market=rows.market_code.fill_null(-1),
        currency=rows.currency_code.fill_null(-1),
        stored="stored",
        self_reported="self_reported",
        claim="claim",
        reason=rows.refusal,
    )


def _join_codes(rows: Any, text: str, table: Any) -> Any:
    renamed = table.rename(**{f"{text}_name": text, f"{text}_code": "code"})
    joined = rows.left_join(renamed, rows[text] == renamed[f"{text}_name"])
    return joined.drop(f"{text}_name")


def code_listed_products(products: Any, names: NameTables) -> Any:
    """Return (item) of the products that a table of `product_id` lists."""
    codes = names.products.select("product_id", item="code")
    return codes.semi_join(products, "product_id").select("item")


def code_struck_out(unused: Any, names: NameTables) -> Any:
    """Return (user, item) of (customer_id, product_id) that customers struck out."""
    users = names.customers.select("customer_id", user="code")
    items = names.products.select("product_id", item="code")
    pairs = unused.inner_join(users, "customer_id").inner_join(items, "product_id")
    return pairs.select("user", "item")


def fetch_numbering(
    workspace: Workspace,
    names: NameTables,
    products: ProductTable,
    customers: CustomerTable,
    latest_prices: Any,
    arrays: dict[str, NDArray[Any]],
) -> Numbering:
    """Fetch customers, products and markets, and renumber those of the lines in place to fit.

    A name is left out if all of its rows were dropped after it had got its code, unless one of the
    files has it. `latest_prices`: (item, price, currency). `arrays`: `user`, `item` and `market` of
    the lines.
    """
    customer_rows = _fetch_with_file(workspace, names.customers, customers.table, "customer_id")
    product_rows = _fetch_with_file(workspace, names.products, products.table, "product_id")
    price_rows = _fetch_prices(workspace, names, latest_prices)
    customer_kept = _used(arrays["user"], customer_rows)
    product_kept = _used(arrays["item"], product_rows)
    _close_gaps(arrays["user"], customer_kept)
    _close_gaps(arrays["item"], product_kept)
    columns = _fetch_columns(workspace, names.customers, customers, customer_kept)
    customer_rows = customer_rows.filter(pa.array(customer_kept))
    product_rows = product_rows.filter(pa.array(product_kept))
    price_rows = price_rows.filter(pa.array(product_kept))

    product_ids = to_strings(product_rows["product_id"], Ids)
    latest_price = to_numbers(price_rows["price"], np.float64, np.nan)
    catalogue = build_catalogue(product_ids, product_rows, latest_price, price_rows["currency"])
    consents = [to_numbers(customer_rows[name], np.uint8, NEVER_ASKED) for name in PURPOSES]
    consent_times = [to_numbers(customer_rows[name], np.int64, 0) for name in CONSENT_TIMES]
    customer_market, customer_market_names = to_codes(customer_rows["market"])
    line_market_names = _fetch_texts(workspace, names.markets, "market")
    market_names = _merge_names(line_market_names, customer_market_names, catalogue.market_names)
    arrays["market"][:] = _recode(arrays["market"], line_market_names, market_names)
    return Numbering(
        customer_ids=to_strings(customer_rows["customer_id"], Ids),
        product_ids=product_ids,
        market_names=market_names,
        consent=np.stack(consents, axis=1),
        consent_time=np.stack(consent_times, axis=1),
        customer_market=_recode(customer_market, list(customer_market_names), market_names),
        preferences=to_strings(customer_rows["preferences"], Strings),
        columns=columns,
        catalogue=catalogue,
    )


def _fetch_with_file(workspace: Workspace, coded: Any, file: Any, name: str) -> Any:
    """Return every name in the order of the codes, with the cells of the file, as Arrow."""
    cells = file.mutate(**{IN_FILE: ibis.literal(True)})
    return workspace.connection.to_pyarrow(coded.left_join(cells, name).order_by("code"))


def _fetch_columns(
    workspace: Workspace, coded: Any, customers: CustomerTable, kept: NDArray[np.bool_]
) -> CustomerColumns:
    """Return the columns that were asked for; nothing of whom may not be learned from."""
    if customers.columns is None:
        return CustomerColumns.none()
    rows = _fetch_with_file(workspace, coded, customers.columns, "customer_id")
    refuses = ~to_numbers(pc.is_null(rows["refusal"]), np.bool_, True)
    parts = [to_codes(rows[f"value_{index}"]) for index in range(len(customers.column_names))]
    values = _merge_names(*(names for _, names in parts))
    codes = [_recode(codes, list(names), values) for codes, names in parts]
    code = np.stack(codes, axis=1)
    code[refuses] = -1
    return CustomerColumns(Strings.of(list(customers.column_names)), values, code[kept])


def _fetch_prices(workspace: Workspace, names: NameTables, latest_prices: Any) -> Any:
    """Return `price` and `currency` of every product in the order of the codes, as Arrow."""
    currencies = names.currencies.select(currency_code="code", currency_text="currency")
    prices = latest_prices.left_join(currencies, latest_prices.currency == currencies.currency_code)
    prices = prices.select("item", "price", currency="currency_text")
    products = names.products
    joined = products.left_join(prices, products.code == prices.item)
    return workspace.connection.to_pyarrow(
        joined.select("code", "price", "currency").order_by("code")
    )


def _fetch_texts(workspace: Workspace, coded: Any, name: str) -> list[str]:
    texts: list[str] = workspace.connection.to_pyarrow(coded.order_by("code"))[name].to_pylist()
    return texts


def _used(codes_of_lines: NDArray[Any], coded_rows: Any) -> NDArray[np.bool_]:
    """Return which codes a line or a file has."""
    in_file: NDArray[np.bool_] = to_numbers(coded_rows[IN_FILE], np.bool_, False)
    used = in_file.copy()
    used[codes_of_lines[codes_of_lines >= 0]] = True
    return used


def _close_gaps(codes_of_lines: NDArray[Any], used: NDArray[np.bool_]) -> None:
    """Renumber in place, without the codes that are not used; -1 stays."""
    final = np.append(np.cumsum(used) - 1, -1).astype(np.int32)
    codes_of_lines[:] = final[codes_of_lines]


def _merge_names(*names: Any) -> Ids:
    distinct: set[str] = set().union(*names)
    return Ids.of(sorted(distinct, key=str.encode))


def _recode(codes: NDArray[Any], texts: list[str], names: Ids) -> NDArray[np.int32]:
    """Replace codes in `texts` by codes in `names`; -1 stays."""
    final = np.append(names.find_all(texts), np.int32(-1))
    recoded: NDArray[np.int32] = final[codes].astype(np.int32)
    return recoded
