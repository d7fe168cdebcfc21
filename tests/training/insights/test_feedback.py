"""Feedback tells which products disappoint whom, and exposes nobody."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.data.customer_figures import CustomerFigures
from models.data.customers import NO, TRAIN, YES
from models.data.events import DAY, KINDS
from models.data.segments import SEGMENTS, Segment
from service.store import consents, erasure
from service.store.events import Event, EventLine, write
from service.store.store import Store
from tests.support.store_server import KINDS as STORES
from tests.support.store_server import new_store
from training.cli.insights import compute_feedback
from training.insights.source import InsightSource

NOW = 1_800_000_000


class Listening:
    """A store that customers have told something, and a registry with their segments."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.root, self.store, self.events = url, folder, Store(url, folder / "run"), 0

    def write(self, work: Any) -> None:
        self.store.write(work).result(10)

    def says(self, kind: str, who: str, product: str, days: float = 3, **more: Any) -> None:
        self.events += 1
        when = NOW - round(days * DAY)
        told = Event(
            f"e{self.events}",
            KINDS.index(kind),
            when,
            (EventLine(product),),
            customer_id=who,
            **more,
        )
        self.write(lambda change: write(change, [told]))

    def rates(self, who: str, product: str, stars: float, words: str | None = None) -> None:
        self.says("rating", who, product, rating=stars, words=words)

    def are_in(self, segments: dict[str, Segment]) -> None:
        codes = np.array([SEGMENTS.index(segment) for segment in segments.values()])
        columns: dict[str, Any] = {"segment": codes}
        for name in ("orders", "first", "last", "recency", "interval", "revenue"):
            columns[name] = np.ones(len(codes))
        columns |= dict.fromkeys(("returns", "expected_orders", "expected_value"), columns["first"])
        CustomerFigures.of(segments, columns).write(self.root)

    def rows(self, unasked: int = YES) -> dict[tuple[str, str | None], dict[str, Any]]:
        facts = compute_feedback(InsightSource(self.root, self.url, None, unasked, NOW))
        return {(row["product_id"], row["segment"]): row for row in facts["feedback"]}


@pytest.fixture(params=STORES)
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Listening]:
    opened = Listening(new_store(request.param, tmp_path), tmp_path)
    yield opened
    opened.store.close()


def test_a_product_that_customers_rate_low_dismiss_or_strike_out_disappoints_them(
    shop: Listening,
) -> None:
    for number in range(6):
        shop.rates(f"c{number}", "pan", 1, "It leaks! LEAKS, and it smells of c")
        shop.rates(f"c{number}", "pot", 5 if number else 1, "Fine")
    shop.rates("c0", "pot", 4)  # the last one counts
    shop.says("dismiss", "c6", "pan")
    shop.write(partial(consents.strike_out, customer_id="c7", product_id="pan", time=NOW))
    rows = shop.rows()
    pan = rows["pan", None]
    assert (pan["customers"], pan["disappointed"], pan["share"]) == (8, 8, 1)
    assert (pan["ratings"], pan["rating"], pan["low_ratings"]) == (6, 1, 6)
    assert (pan["dismissals"], pan["unused"]) == (1, 1)
    assert {word["word"]: word["customers"] for word in pan["words"]} == {
        "leaks": 6,
        "and": 6,
        "smells": 6,
    }
    pot = rows["pot", None]
    assert (pot["customers"], pot["disappointed"], pot["low_ratings"]) == (6, 0, 0)
    assert pot["rating"] == pytest.approx(29 / 6, abs=1e-3)
    assert list(rows) == [("pan", None), ("pot", None)]


def test_segments_are_told_where_five_customers_are_in_them_and_in_the_rest(
    shop: Listening,
) -> None:
    names = [f"c{number}" for number in range(16)]
    for name in names:
        shop.rates(name, "pan", 1)
    for name in names[:12]:
        shop.rates(name, "pot", 2)
    segments = dict.fromkeys(names[:6], Segment.AT_RISK) | dict.fromkeys(names[6:11], Segment.NEW)
    shop.are_in(segments)
    rows = shop.rows()
    assert rows["pan", "at_risk"]["disappointed"] == 6
    assert rows["pan", "new"]["disappointed"] == 5
    # Of the pot, both would tell what the one customer said who is in neither
    assert {segment for product, segment in rows if product == "pot"} == {None, "at_risk"}


def test_what_fewer_than_five_customers_say_is_not_told(shop: Listening) -> None:
    for number in range(4):
        shop.rates(f"c{number}", "pan", 1, "rust")
        shop.rates(f"c{number}", "pot", 1, "rust")
    shop.rates("c4", "pot", 1, "dust")
    rows = shop.rows()
    assert list(rows) == [("pot", None)]
    assert rows["pot", None]["words"] == []


def test_who_does_not_allow_training_or_was_erased_is_not_listened_to(shop: Listening) -> None:
    for number in range(7):
        shop.rates(f"c{number}", "pan", 1)
    shop.write(lambda change: consents.give(change, "c0", {TRAIN: NO}, NOW))
    assert shop.rows()["pan", None]["customers"] == 6
    shop.write(lambda change: erasure.erase(change, "c1", NOW))
    assert shop.rows()["pan", None]["customers"] == 5
    assert shop.rows(unasked=NO) == {}
    shop.are_in({f"c{number}": Segment.NEW for number in range(7)})
    assert shop.rows()["pan", "new"]["customers"] == 5


def test_a_segment_holds_nobody_who_has_said_no_since(shop: Listening) -> None:
    names = [f"c{number}" for number in range(10)]
    for name in names:
        shop.says("dismiss", name, "pan")
    shop.are_in(dict.fromkeys(names, Segment.NEW))
    for name in names[:5]:
        shop.write(partial(consents.give, customer_id=name, values={TRAIN: NO}, time=NOW))
    assert shop.rows()["pan", "new"]["customers"] == 5
