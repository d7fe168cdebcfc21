"""Feedback: which products disappoint whom, by what customers say of them.

A customer is disappointed by a product who rated it low, dismissed it, or struck it out of what is
known of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import ibis
import pyarrow as pa
from sqlalchemy import select

from models.artifact.insights import MIN_GROUP
from models.data.events import DISMISS, RATING
from training.insights.purpose_consents import PurposeConsents
from training.insights.segments import CustomerSegments
from training.insights.small_groups import keep_told
from training.reading.duckdb import Workspace
from training.reading.service_store import (
    BATCH_ROWS,
    StoreReader,
    copy_rows,
    events,
    sessions,
    unused,
)

FEEDBACK_DAYS: Final = 365  # that are listened to; what is struck out counts for as long as it is
MAX_PRODUCTS: Final = 1_000  # that are told, those that disappoint most customers
MAX_WORDS: Final = 8  # of a product that are told
LOW_RATING: Final = 2.5  # stars; below it a customer is disappointed
SAID_TYPES: Final = {
    "number": "int64",
    "kind": "int16",
    "customer_id": "string",
    "session_id": "string",
    "product_id": "string",
    "rating": "float64",
    "words": "string",
}
SESSION_TYPES: Final = {"session_id": "string", "owner": "string"}
STRUCK_TYPES: Final = {"customer_id": "string", "product_id": "string"}
PAIR: Final = ("customer_id", "product_id")
WORD_BREAK: Final = r"[^\p{L}\p{M}\p{N}]+"
MIN_LETTERS: Final = 3  # of a word


@dataclass(frozen=True, eq=False)
class Feedback:
    """Hold what customers said of products, in the workspace: a row for each of PAIR."""

    pairs: Any  # PAIR, rating (NULL for none), is_low, is_dismissed, is_unused, segment
    words: Any  # PAIR, word


def read_feedback(
    workspace: Workspace, store: StoreReader, segments: CustomerSegments, since: int
) -> Feedback:
    """Copy into the workspace what was said since a moment, seconds since 1970.

    It is that of customers who allow training, as segments are. Of several ratings of a product a
    customer's last one counts.
    """
    columns = [events.c[name] for name in SAID_TYPES]
    is_said = events.c.kind.in_((RATING, DISMISS)) & (events.c.time >= since)
    said = copy_rows(workspace, store, "said", select(*columns).where(is_said), SAID_TYPES)
    statement = select(sessions.c.session_id, sessions.c.customer_id)
    owners = copy_rows(workspace, store, "said_in", statement, SESSION_TYPES)
    statement = select(*[unused.c[name] for name in STRUCK_TYPES])
    struck = copy_rows(workspace, store, "struck_out", statement, STRUCK_TYPES)
    owned = said.left_join(owners, "session_id").drop("session_id_right")
    known = owned.mutate(customer_id=ibis.coalesce(owned.customer_id, owned.owner))
    known = known.filter(known.customer_id.notnull()).drop("owner", "session_id")
    everyone = ibis.union(known.select("customer_id"), struck.select("customer_id"))
    refused = _find_refused(workspace, everyone, segments.allowing)
    known, struck = (table.anti_join(refused, "customer_id") for table in (known, struck))
    told = segments.tell(workspace, "segments_of_feedback", everyone)
    parts = ibis.union(
        known.select(*PAIR, "number", "rating", is_dismissed=known.kind == DISMISS, struck=False),
        struck.select(
            *PAIR,
            number=ibis.literal(0, "int64"),
            rating=ibis.null("float64"),
            is_dismissed=ibis.literal(False),
            struck=ibis.literal(True),
        ),
    )
    pairs = parts.group_by(list(PAIR)).agg(
        rating=parts.rating.argmax(parts.number, where=parts.rating.notnull()),
        is_dismissed=parts.is_dismissed.any(),
        is_unused=parts.struck.any(),
    )
    is_low = (pairs.rating < LOW_RATING).fill_null(False)
    pairs = pairs.mutate(is_low=is_low).left_join(told, "customer_id").drop("customer_id_right")
    words = workspace.keep("words_of_feedback", _split_words(known))
    return Feedback(workspace.keep("feedback", pairs), words)


def _find_refused(workspace: Workspace, everyone: Any, allowing: PurposeConsents) -> Any:
    """Return who of all does not allow it, as a table of `customer_id`."""
    refused: list[str] = []
    for batch in workspace.batches(everyone.distinct(), BATCH_ROWS):
        refused += allowing.refused(batch["customer_id"].to_pylist())
    return ibis.memtable(pa.table({"customer_id": pa.array(refused, pa.string())}))


def _split_words(said: Any) -> Any:
    """Return PAIR and each word that the customer said of the product, once."""
    told = said.filter(said.words.notnull())
    split = told.select(*PAIR, word=told.words.lower().re_split(WORD_BREAK).unnest())
    return split.filter(split.word.length() >= MIN_LETTERS).distinct()


def summarize_feedback(workspace: Workspace, feedback: Feedback) -> list[dict[str, Any]]:
    """Return a row for each product, and for each of its segments that may be told.

    Those that disappoint most customers first. What fewer than MIN_GROUP customers said is not
    told, nor what would tell it as the rest of what is.
    """
    pairs = feedback.pairs
    totals = _count(pairs, "product_id").mutate(segment=ibis.null("string"))
    totals = totals.order_by(ibis.desc("disappointed"), ibis.desc("share"), "product_id")
    rows = _rows(workspace, totals.limit(MAX_PRODUCTS))
    parts: dict[str, list[dict[str, Any]]] = {}
    inside = pairs.filter(pairs.segment.notnull())
    by_segment = _count(inside, "product_id", "segment")
    by_segment = by_segment.order_by(ibis.desc("customers"), "segment")
    for row in _rows(workspace, by_segment):
        parts.setdefault(row["product_id"], []).append(row)
    words = _count_words(workspace, feedback.words)
    told = []
    for row in rows:
        product_id = row["product_id"]
        told.append({**row, "words": words.get(product_id, [])[:MAX_WORDS]})
        listed = {part["segment"]: part for part in parts.get(product_id, [])}
        sizes = {name: part["customers"] for name, part in listed.items()}
        kept = keep_told(row["customers"], sizes)
        told += [{**part, "words": []} for name, part in listed.items() if name in kept]
    return told


def _count(pairs: Any, *by: str) -> Any:
    """Return the figures of groups of MIN_GROUP customers or more."""
    is_disappointed = pairs.is_low | pairs.is_dismissed | pairs.is_unused
    counted = pairs.group_by(list(by)).agg(
        customers=pairs.count(),
        disappointed=is_disappointed.sum(),
        ratings=pairs.rating.count(),
        rating=pairs.rating.mean(),
        low_ratings=pairs.is_low.sum(),
        dismissals=pairs.is_dismissed.sum(),
        unused=pairs.is_unused.sum(),
    )
    counted = counted.mutate(share=counted.disappointed / counted.customers)
    return counted.filter(counted.customers >= MIN_GROUP)


def _count_words(workspace: Workspace, words: Any) -> dict[str, list[dict[str, Any]]]:
    """Return by product the words that MIN_GROUP customers said of it.

    Those that many say of it, and that are said of few others, stand first (tf-idf).
    """
    counted = words.group_by("product_id", "word").agg(customers=words.count())
    counted = counted.filter(counted.customers >= MIN_GROUP)
    spread = words.group_by("word").agg(products=words.product_id.nunique())
    rows = _rows(workspace, counted.inner_join(spread, "word"))
    everything = max(workspace.count(words.select("product_id").distinct()), 1)

    def weight(row: Mapping[str, Any]) -> float:
        return float(row["customers"] * math.log(1 + everything / row["products"]))

    found: dict[str, list[dict[str, Any]]] = {}
    for row in sorted(rows, key=lambda row: (-weight(row), row["word"])):
        told = {"word": row["word"], "customers": row["customers"]}
        found.setdefault(row["product_id"], []).append(told)
    return found


def _rows(workspace: Workspace, table: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = workspace.connection.to_pyarrow(table).to_pylist()
    return [dict(_round(row)) for row in rows]


def _round(row: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in row.items():
        yield name, round(value, 4) if isinstance(value, float) else value
