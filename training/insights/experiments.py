"""What experiments and the holdout say by now, from what the shop sold.

Everyone who bought within a year before the start is compared as they were assigned, whether or not
they came and saw a slate: nothing that a slate can change decides who counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray

from models.data.customers import MEASURE, NEVER_ASKED, PERSONALIZE_EMAIL, PERSONALIZE_WEB, YES
from models.data.events import DAY
from models.data.timestamps import format_timestamp
from models.experiments.assignment import BUCKETS
from models.experiments.experiment import AssignedBy, Experiment
from models.experiments.holdout import HOLDOUT, Holdout
from models.rules.shop_rules import ShopRule, read_moment
from training.insights.customers import SoldLines, count_around
from training.insights.statistics.compare import PlannedEnd, compare_variants
from training.insights.statistics.metrics import VARIANT
from training.reading.purchases import Purchases
from training.reading.service_store import ExperimentDocuments

HELD_OUT: Final = "held out"
PERSONALISED: Final = "personalised"
HOLDOUT_DAYS: Final = 90  # that the holdout is looked at for at least
BY_SESSION: Final = "It assigns sessions, and what they bought is not known by session."
NOT_BEGUN: Final = "It has not begun."


@dataclass(frozen=True)
class Comparison:
    """A comparison of groups of customers from a moment on."""

    starts: int  # seconds since 1970
    ends: int  # planned
    until: int  # what was bought up to it counts
    shares: Mapping[str, float]  # of each group, the control first
    find_group: Callable[[str], str | None]  # of a customer; None: in none


def compare_all(
    purchases: Purchases,
    experiments: tuple[Experiment, ...],
    planned_ends: Mapping[str, int],
    holdout: Holdout | None,
    unasked: int,
    now: int,
) -> dict[str, Any]:
    """Return what each experiment says by now, by id; the holdout's under its own name.

    `planned_ends`: by experiment, where it was stopped before. `unasked`: YES or NO, the consent of
    who was not asked.
    """
    measured = _find_measured(purchases, unasked)
    lines = SoldLines.of(purchases)
    found: dict[str, Any] = {}
    for experiment in experiments:
        ends = planned_ends.get(experiment.id, experiment.ends)
        comparison = _of_experiment(experiment, ends, holdout, now)
        if isinstance(comparison, str):
            found[experiment.id] = {"problem": comparison}
        else:
            found[experiment.id] = _compare(purchases, lines, comparison, measured)
    if holdout is not None:
        everyone = measured & ~_find_asking(purchases, holdout, unasked)
        comparison = _of_holdout(holdout, now)
        found[HOLDOUT] = _compare(purchases, lines, comparison, everyone)
    return found


def read_experiments(
    documents: ExperimentDocuments,
) -> tuple[tuple[Experiment, ...], Holdout | None, dict[str, int]]:
    """Return the experiments of a store, its holdout, and the planned end of each experiment."""
    experiments, ends, holdout = [], {}, None
    for document in map(orjson.loads, documents.documents):
        if "id" not in document:
            holdout = Holdout.read(document, documents.secret)
            continue
        parts = [{**part, "rules": []} for part in document["variants"]]  # nothing is shown here
        bare = {**document, "variants": parts}
        experiments.append(Experiment.read(bare, documents.secret, _no_rule))
        ends[document["id"]] = read_moment(document["ends"])
    return tuple(experiments), holdout, ends


def _no_rule(document: Mapping[str, Any]) -> ShopRule:
    raise LookupError(document)


def _of_experiment(
    experiment: Experiment, ends: int, holdout: Holdout | None, now: int
) -> Comparison | str:
    """Return how an experiment is compared, or why it is not."""
    if experiment.by is AssignedBy.SESSION:
        return BY_SESSION
    if now <= experiment.starts:
        return NOT_BEGUN

    def find_group(customer_id: str) -> str | None:
        if holdout is not None and holdout.holds(customer_id):
            return None
        variant = experiment.find_variant(customer_id)
        return variant.name if variant else None

    shares = {variant.name: variant.share / BUCKETS for variant in experiment.variants}
    until = min(now, experiment.ends)
    return Comparison(experiment.starts, ends, until, shares, find_group)


def _of_holdout(holdout: Holdout, now: int) -> Comparison:
    share = holdout.share / BUCKETS
    ends = max(now, holdout.since + HOLDOUT_DAYS * DAY)
    return Comparison(
        holdout.since,
        ends,
        now,
        {HELD_OUT: share, PERSONALISED: 1 - share},
        lambda customer_id: HELD_OUT if holdout.holds(customer_id) else PERSONALISED,
    )


def _compare(
    purchases: Purchases, lines: SoldLines, comparison: Comparison, counted: NDArray[np.bool_]
) -> dict[str, Any]:
    """Return what a comparison says. `counted`: the customers who may be in it, (u,)."""
    days = max(round((comparison.ends - comparison.starts) / DAY), 1)
    users = len(purchases.customer_ids)
    table = count_around(lines, users, comparison.starts, days, comparison.until)
    user = np.asarray(table["user"])
    names = [
        comparison.find_group(purchases.customer_ids[index]) if counted[index] else None
        for index in user.tolist()
    ]
    groups = pa.array(names, pa.string())
    table = table.append_column(VARIANT, groups).filter(groups.is_valid())
    facts = {
        "starts": format_timestamp(comparison.starts),
        "ends": format_timestamp(comparison.ends),
        "until": format_timestamp(comparison.until),
        "is_over": comparison.until >= comparison.ends,
    }
    if table.num_rows == 0:
        return facts | {"problem": "Nobody in it bought within a year before its start."}
    return facts | compare_variants(table, PlannedEnd(table.num_rows, comparison.shares))


def _find_measured(purchases: Purchases, unasked: int) -> NDArray[np.bool_]:
    """Return which customers allow to be measured: (u,)."""
    return _find_consenting(purchases.consent[:, MEASURE], unasked)


def _find_asking(purchases: Purchases, holdout: Holdout, unasked: int) -> NDArray[np.bool_]:
    """Return which customers ask to be personalised, held out or not: (u,).

    As models.recommender.refusal does for one.
    """
    asking = np.zeros(len(purchases.customer_ids), np.bool_)
    if unasked == YES:
        for purpose in (PERSONALIZE_WEB, PERSONALIZE_EMAIL):
            later = purchases.consent_time[:, purpose] >= holdout.since
            asking |= (purchases.consent[:, purpose] == YES) & later
    if len(purchases.preferences):
        said = [bool(purchases.preferences.bytes_at(user)) for user in range(len(asking))]
        asking |= np.array(said, np.bool_)
    return asking


def _find_consenting(answers: NDArray[np.uint8], unasked: int) -> NDArray[np.bool_]:
    consenting: NDArray[np.bool_] = np.where(answers == NEVER_ASKED, unasked, answers) == YES
    return consenting
