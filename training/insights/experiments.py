"""What experiments and the holdout say by now, from what the shop sold.

Everyone who bought within a year before the start is compared as they were assigned, whether or not
they came and saw a slate: nothing that a slate can change decides who counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray

from models.data.customers import MEASURE, NEVER_ASKED, PERSONALIZE_EMAIL, PERSONALIZE_WEB, YES
from models.data.events import DAY
from models.data.segments import NO_GROUPS, SEGMENTS, CustomerGroups
from models.data.timestamps import format_timestamp
from models.experiments.assignment import BUCKETS
from models.experiments.experiment import AssignedBy, Experiment
from models.experiments.guardrails import Guardrail
from models.experiments.holdout import HOLDOUT, Holdout
from models.rules.shop_rules import ShopRule, read_moment
from training.insights.customers import CustomerRefusals, SoldLines, count_around
from training.insights.exposed import read_exposed
from training.insights.moved import find_moved
from training.insights.purpose_consents import PurposeConsents
from training.insights.sessions import SessionEvents, prepare_sessions
from training.insights.source import InsightSource
from training.insights.statistics.compare import (
    MIN_CUSTOMERS,
    Past,
    PlannedEnd,
    compare_variants,
)
from training.insights.statistics.metrics import VARIANT, aggregate, prepare_customers
from training.insights.worth.segments import find_segments_at
from training.reading.duckdb import Workspace
from training.reading.purchases import Purchases
from training.reading.service_store import ExperimentRows, StoreReader

HELD_OUT: Final = "held out"
PERSONALISED: Final = "personalised"
HOLDOUT_DAYS: Final = 90  # that the holdout is looked at for at least
NO_SESSIONS: Final = "Nothing was reported of a session since its start."
PART_FACTS: Final = ("variants", "sample_ratio", "comparisons")  # of those exposed, of a segment
NOT_BEGUN: Final = "It has not begun."


@dataclass(frozen=True)
class Comparison:
    """A comparison of groups of customers from a moment on."""

    starts: int  # seconds since 1970
    ends: int  # planned
    until: int  # what was bought up to it counts
    shares: Mapping[str, float]  # of each group, the control first
    find_group: Callable[[str], str | None]  # of a customer or a session; None: in none
    by: AssignedBy = AssignedBy.CUSTOMER
    guardrails: tuple[Guardrail, ...] = ()
    stopped: Mapping[str, int] = field(default_factory=dict)  # groups that ended before, and when

    @property
    def days(self) -> int:
        """Return its planned length."""
        return max(round((self.ends - self.starts) / DAY), 1)

    def groups_by_end(self) -> dict[int, list[str]]:
        """Return the groups beside the control by the moment up to which each counts."""
        ends: dict[int, list[str]] = {}
        for name in list(self.shares)[1:]:
            ends.setdefault(min(self.until, self.stopped.get(name, self.until)), []).append(name)
        return ends


@dataclass(frozen=True, eq=False)
class Observed:
    """Hold what is known of customers and sessions."""

    purchases: Purchases
    exposed: Mapping[str, Set[str]]  # customers who got or saw a slate of an experiment, by its id
    sessions: SessionEvents | None  # None: no experiment is by session
    # What the customers file says of a customer, by the model in service
    find_columns: Callable[[str], frozenset[tuple[str, str]]]


@dataclass(frozen=True)
class StoredExperiments:
    """Hold the experiments of a store, and its holdout."""

    experiments: tuple[Experiment, ...]
    holdout: Holdout | None
    planned_ends: Mapping[str, int]  # by experiment, also where it was stopped before

    def span_of(self, experiment: Experiment) -> int:
        """Return the planned seconds of an experiment, whole days."""
        seconds = self.planned_ends[experiment.id] - experiment.starts
        return max(round(seconds / DAY), 1) * DAY


def read_observed(
    workspace: Workspace,
    store: StoreReader,
    purchases: Purchases,
    stored: StoredExperiments,
    measured: PurposeConsents,
    source: InsightSource,
) -> Observed:
    """Read of a store what experiments that have begun are compared by, beside the purchases."""
    begun = [one for one in stored.experiments if one.starts < source.now]
    by_customer = [one.starts for one in begun if one.by is AssignedBy.CUSTOMER]
    by_session = [one.starts - stored.span_of(one) for one in begun if one.by is AssignedBy.SESSION]
    exposed: Mapping[str, Set[str]] = {}
    sessions = None
    if by_customer:
        exposed = read_exposed(workspace, store, measured, min(by_customer))
    if by_session:
        catalogue = purchases.catalogue
        sessions = SessionEvents.read(workspace, store, measured, min(by_session), catalogue)
    learned = source.learned
    find_columns = learned.find_columns if learned else lambda _: NO_GROUPS.columns
    return Observed(purchases, exposed, sessions, find_columns)


def compare_all(
    observed: Observed,
    stored: StoredExperiments,
    unasked: int,
    now: int,
    earlier: Mapping[str, Any],
) -> dict[str, Any]:
    """Return what each experiment says by now, by id; the holdout's under its own name.

    `unasked`: YES or NO, the consent of who was not asked. `earlier`: what was returned before; a
    variant that did harm then is stopped, whatever later looks say.
    """
    purchases = observed.purchases
    measured = _find_measured(purchases, unasked)
    lines, refusals = SoldLines.of(purchases), CustomerRefusals.of(purchases)
    found: dict[str, Any] = {}
    for experiment in stored.experiments:
        if now <= experiment.starts:
            found[experiment.id] = {"problem": NOT_BEGUN}
            continue
        comparison = _of_experiment(experiment, stored, observed.sessions, now)
        if observed.sessions is not None and experiment.by is AssignedBy.SESSION:
            facts = _compare_sessions(observed.sessions, comparison)
        else:
            exposed = observed.exposed.get(experiment.id, frozenset())
            counted = measured & _find_meeting(observed, lines, experiment)
            facts = _compare(purchases, lines, refusals, comparison, counted, exposed)
        stops = _find_stops(facts, earlier.get(experiment.id, {}), now)
        offering = {variant.name for variant in experiment.variants if variant.offers}
        found[experiment.id] = facts | {"stops": stops, "moved": find_moved(facts, offering)}
    if stored.holdout is not None:
        everyone = measured & ~_find_asking(purchases, stored.holdout, unasked)
        comparison = _of_holdout(stored.holdout, now)
        found[HOLDOUT] = _compare(purchases, lines, refusals, comparison, everyone)
    return found


def _find_stops(
    facts: Mapping[str, Any], earlier: Mapping[str, Any], now: int
) -> list[dict[str, Any]]:
    """Return the variants that crossed a guardrail, at this look or an earlier one.

    One that has another begin is another experiment under the same id.
    """
    is_same = earlier.get("starts") == facts["starts"]
    stops = {stop["variant"]: stop for stop in earlier.get("stops", ())} if is_same else {}
    for look in facts.get("guardrails", ()):
        if look["is_crossed"]:
            stop = {name: value for name, value in look.items() if name != "is_crossed"}
            stops.setdefault(look["variant"], {**stop, "found": format_timestamp(now)})
    return list(stops.values())


def read_experiments(documents: ExperimentRows) -> StoredExperiments:
    """Return the experiments of a store."""
    experiments, ends, holdout = [], {}, None
    for document in map(orjson.loads, documents.documents):
        if "id" not in document:
            holdout = Holdout.read(document, documents.secret)
            continue
        parts = [{**part, "rules": []} for part in document["variants"]]  # nothing is shown here
        bare = {**document, "variants": parts}
        experiments.append(Experiment.read(bare, documents.secret, _no_rule))
        ends[document["id"]] = read_moment(document["ends"])
    return StoredExperiments(tuple(experiments), holdout, ends)


def _no_rule(document: Mapping[str, Any]) -> ShopRule:
    raise LookupError(document)


def _of_experiment(
    experiment: Experiment, stored: StoredExperiments, sessions: SessionEvents | None, now: int
) -> Comparison:
    """Return how an experiment that has begun is compared."""
    holdout = stored.holdout
    owners = sessions.owners if sessions and experiment.by is AssignedBy.SESSION else None

    def find_group(subject: str) -> str | None:
        customer_id = subject if owners is None else owners.get(subject)
        if holdout is not None and customer_id is not None and holdout.holds(customer_id):
            return None
        variant = experiment.find_variant(subject)
        return variant.name if variant else None

    shares = {variant.name: variant.share / BUCKETS for variant in experiment.variants}
    stops = {part.name: part.stopped for part in experiment.variants if part.stopped is not None}
    return Comparison(
        starts=experiment.starts,
        ends=stored.planned_ends[experiment.id],
        until=min(now, experiment.ends),
        shares=shares,
        find_group=find_group,
        by=experiment.by,
        guardrails=experiment.guardrails,
        stopped=stops,
    )


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
    purchases: Purchases,
    lines: SoldLines,
    refusals: CustomerRefusals,
    comparison: Comparison,
    counted: NDArray[np.bool_],
    exposed: Set[str] = frozenset(),
) -> dict[str, Any]:
    """Return what a comparison says of all who are in it, of those exposed, and of each segment.

    Segments are those at the start: a variant may move its customers into another one.
    `counted`: the customers who may be in it, (u,).
    """
    facts, users = _describe(comparison), len(purchases.customer_ids)
    among_exposed: dict[str, Any] = {}
    in_segments: dict[str, dict[str, Any]] = {}
    groups: pa.Array | None = None
    segments = find_segments_at(lines, users, comparison.starts)
    for until, names in comparison.groups_by_end().items():
        days = comparison.days
        table = count_around(lines, refusals, users, comparison.starts, days, until)
        if groups is None:  # the customers are the same, whatever counts of what they do
            groups = _find_groups(purchases, comparison, np.asarray(table["user"]), counted)
        table = table.append_column(VARIANT, groups).filter(groups.is_valid())
        if table.num_rows == 0:
            return facts | {"problem": "Nobody in it bought within a year before its start."}
        plan = PlannedEnd(table.num_rows, comparison.shares)
        _extend(facts, compare_variants(table, plan, comparison.guardrails, names))
        if exposed:
            ids = [purchases.customer_ids[user] for user in table["user"].to_pylist()]
            is_exposed = pa.array([customer_id in exposed for customer_id in ids])
            past = Past(aggregate(prepare_customers(table), by=None)[""])
            plan = PlannedEnd(table.num_rows, comparison.shares, past)
            _extend(among_exposed, compare_variants(table.filter(is_exposed), plan, (), names))
        user = np.asarray(table["user"])
        for code, name in enumerate(SEGMENTS):
            inside = pa.array(segments[user] == code)
            part = table.filter(inside)
            if part.num_rows >= MIN_CUSTOMERS:
                plan = PlannedEnd(part.num_rows, comparison.shares)
                found = compare_variants(part, plan, (), names)
                _extend(in_segments.setdefault(name.value, {}), found)
    told = _tell_part(among_exposed) if among_exposed else None
    parts = {name: _tell_part(found) for name, found in in_segments.items()}
    return facts | {"exposed": told, "segments": parts}


def _tell_part(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is told of a part of all who are compared."""
    return {name: found[name] for name in PART_FACTS}


def _compare_sessions(sessions: SessionEvents, comparison: Comparison) -> dict[str, Any]:
    """Return what a comparison of sessions says, against what sessions did before the start."""
    facts, start = _describe(comparison), comparison.starts
    past = sessions.count_between(start - comparison.days * DAY, start)
    known = prepare_customers(prepare_sessions(past, past))
    plan = PlannedEnd(
        max(past.num_rows, 2), comparison.shares, Past(aggregate(known, by=None)[""], "", None)
    )
    for until, names in comparison.groups_by_end().items():
        table = sessions.count_between(start, until)
        groups = [comparison.find_group(session) for session in table["session_id"].to_pylist()]
        table = table.append_column(VARIANT, pa.array(groups, pa.string()))
        table = prepare_sessions(table.filter(table[VARIANT].is_valid()), past)
        if table.num_rows == 0:
            return facts | {"problem": NO_SESSIONS}
        _extend(facts, compare_variants(table, plan, comparison.guardrails, names))
    return facts


def _describe(comparison: Comparison) -> dict[str, Any]:
    return {
        "by": comparison.by,
        "starts": format_timestamp(comparison.starts),
        "ends": format_timestamp(comparison.ends),
        "until": format_timestamp(comparison.until),
        "is_over": comparison.until >= comparison.ends,
    }


def _extend(facts: dict[str, Any], found: dict[str, Any]) -> None:
    """Add what was found of some variants to what was found of others."""
    for name in ("comparisons", "guardrails"):
        found[name] = facts.get(name, []) + found[name]
    facts.update(found)


def _find_groups(
    purchases: Purchases,
    comparison: Comparison,
    user: NDArray[np.int64],
    counted: NDArray[np.bool_],
) -> pa.Array:
    """Return the group of each of some customers, None for those in none."""
    names = [
        comparison.find_group(purchases.customer_ids[index]) if counted[index] else None
        for index in user.tolist()
    ]
    return pa.array(names, pa.string())


def _find_meeting(
    observed: Observed, lines: SoldLines, experiment: Experiment
) -> NDArray[np.bool_]:
    """Return which customers an experiment is for: (u,).

    Segments are those when it began: what is shown may change them. Columns of the customers file
    are known as they are now.
    """
    customer_ids = observed.purchases.customer_ids
    meeting = np.ones(len(customer_ids), np.bool_)
    if experiment.segments:
        codes = [SEGMENTS.index(segment) for segment in SEGMENTS if segment in experiment.segments]
        meeting &= np.isin(find_segments_at(lines, len(meeting), experiment.starts), codes)
    if experiment.customers:
        groups = [CustomerGroups(None, observed.find_columns(name)) for name in customer_ids]
        meeting &= np.array([one.meet(None, experiment.customers) for one in groups], np.bool_)
    return meeting


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
