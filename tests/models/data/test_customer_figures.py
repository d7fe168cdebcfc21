"""Figures of customers are found by id, hold none, and forget who is erased."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.data.customer_figures import (
    CustomerFigures,
    erase_from_figures,
    path_of,
)
from models.data.segments import SEGMENTS
from models.errors import ArtifactError

IDS = [f"customer {number}" for number in range(50)]


def figures() -> CustomerFigures:
    number = np.arange(len(IDS))
    columns: dict[str, Any] = dict.fromkeys(("recency", "interval", "revenue", "first"), number)
    columns |= {"segment": number % len(SEGMENTS), "orders": number + 1, "last": number}
    unknown = np.where(number == 7, np.nan, number / 100)
    columns |= dict.fromkeys(("returns", "expected_orders", "expected_value"), unknown)
    return CustomerFigures.of(IDS, columns)


def test_each_customer_is_found_by_id_and_no_id_is_in_the_file(tmp_path: Path) -> None:
    assert CustomerFigures.read(tmp_path) is None
    path = figures().write(tmp_path)
    read = CustomerFigures.read(tmp_path)
    assert read is not None
    for number, customer_id in enumerate(IDS):
        found = read.find(customer_id)
        assert found is not None
        assert (found.orders, found.segment) == (number + 1, SEGMENTS[number % len(SEGMENTS)])
        assert found.returns == (None if number == 7 else pytest.approx(number / 100))
    assert read.find("somebody else") is None
    segments = read.find_segments(["customer 6", "somebody else", "customer 0"])
    assert segments.tolist() == [1, -1, 0]
    assert b"customer" not in path.read_bytes()


def test_whoever_is_erased_is_in_no_segment_any_more(tmp_path: Path) -> None:
    assert erase_from_figures(tmp_path, IDS[3]) is None
    figures().write(tmp_path)
    assert erase_from_figures(tmp_path, "somebody else") is None
    assert erase_from_figures(tmp_path, IDS[3]) is True
    read = CustomerFigures.read(tmp_path)
    assert read is not None
    assert read.find(IDS[3]) is None
    assert read.find_segments(IDS[2:5]).tolist() == [2, -1, 4]
    assert erase_from_figures(tmp_path, IDS[3]) is None


def test_figures_of_another_version_are_refused_by_name(tmp_path: Path) -> None:
    figures().write(tmp_path)
    np.save(path_of(tmp_path), np.zeros(3))
    with pytest.raises(ArtifactError, match=r"customers\.npy.*regulars insights"):
        CustomerFigures.read(tmp_path)
    path_of(tmp_path).write_bytes(b"nothing")
    with pytest.raises(ArtifactError, match=r"customers\.npy"):
        CustomerFigures.read(tmp_path)
    assert erase_from_figures(tmp_path, IDS[0]) is None
    empty = CustomerFigures.of([], dict.fromkeys(("segment",), np.zeros(0, np.uint8)))
    assert empty.find(IDS[0]) is None
    assert empty.find_segments(IDS).tolist() == [-1] * len(IDS)
