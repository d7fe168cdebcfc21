from __future__ import annotations

import pytest

from training.errors import InputError
from training.reading.columns import check_mapping, did_you_mean, map_columns, require_columns


def test_a_mapped_name_comes_before_a_column_of_our_name() -> None:
    assert map_columns(["product_id", "sku", "till"], {"product_id": "sku", "title": "absent"}) == {
        "product_id": "sku"
    }


def test_a_mapping_of_existing_columns_passes() -> None:
    check_mapping({"product_id": "sku"}, ["sku", "till"])


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({"product": "sku"}, r"no column 'product' to fill .*did you mean 'product_id'"),
        (
            {"product_id": "SKU"},
            r"no file has a column 'SKU' \(did you mean 'sku'\?\); the 2 columns .*: sku, till",
        ),
    ],
)
def test_a_wrong_mapping_says_what_there_is(columns: dict[str, str], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        check_mapping(columns, ["till", "sku"])


def test_all_missing_columns_are_counted_in_one_sentence() -> None:
    sentence = (
        r"a\.csv lacks 2 required columns: product_id, timestamp \(did you mean 'Product ID'\?\); "
        r"it has 1: Prod"
    )
    with pytest.raises(InputError, match=sentence):
        require_columns("a.csv", ["product_id", "timestamp"], {}, ["Product ID"])


def test_nothing_near_means_no_hint() -> None:
    assert did_you_mean("timestamp", ["sku"]) == ""
