"""Experiments: which slates differ by chance, for whom, and how.

A layer divides ids among experiments that must not share any. Experiments of different layers may
share customers, so they never change the same placement: an answer is in one experiment at most.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, NamedTuple, Self

from models.data.segments import NO_GROUPS, CustomerGroups
from models.experiments.assignment import BUCKETS, bucket_of, derive_key, part_of
from models.experiments.guardrails import Guardrail
from models.rules.filters import Repeat
from models.rules.shop_rules import ShopRule, read_moment

ParseRule = Callable[[Mapping[str, Any]], ShopRule]
MAIN_LAYER: Final = "main"


class AssignedBy(StrEnum):
    """A kind of ids that are assigned."""

    CUSTOMER = "customer"
    SESSION = "session"


@dataclass(frozen=True)
class VarietyLimits:
    """Limits on products that are alike, in place of those of a model; None: the model's own."""

    category: int | None = None  # of ten products
    brand: int | None = None


@dataclass(frozen=True)
class Variant:
    """Settings of the slates of one part; what is None or empty stays as it is."""

    name: str
    share: int  # in buckets
    shown: bool = True  # False: nothing is shown at the placements
    repeat: Repeat | None = None
    model_version: str | None = None
    variety: VarietyLimits | None = None
    rules: tuple[ShopRule, ...] = ()  # that hold in this part alone
    without_rules: frozenset[str] = frozenset()  # rules of the shop that do not hold in it
    offers: frozenset[str] = frozenset()  # of the shop, that stand in this part alone
    # Seconds since 1970: from then on nobody is in it, as it did harm; None: it was not stopped
    stopped: int | None = None

    @classmethod
    def read(
        cls, document: Mapping[str, Any], parse_rule: ParseRule, prefix: str, stopped: int | None
    ) -> Self:
        """Return the variant of a document that was checked. `prefix`: of the ids of its rules."""
        rules = [
            parse_rule({**rule, "id": f"{prefix}/{document['name']}/{number}"})
            for number, rule in enumerate(document.get("rules", ()))
        ]
        repeat, variety = document.get("repeat"), document.get("variety")
        return cls(
            name=document["name"],
            share=buckets_of(document["share"]),
            shown=document.get("shown", True),
            repeat=Repeat(repeat) if repeat else None,
            model_version=document.get("model_version"),
            variety=VarietyLimits(**variety) if variety else None,
            rules=tuple(rules),
            without_rules=frozenset(document.get("without_rules", ())),
            offers=frozenset(document.get("offers", ())),
            stopped=stopped,
        )

    def runs_at(self, moment: int) -> bool:
        """Tell whether it was not stopped before a moment."""
        return self.stopped is None or moment < self.stopped

    def apply_rules(self, rules: Iterable[ShopRule]) -> tuple[ShopRule, ...]:
        """Return the shop's rules as they are in this part."""
        kept = [rule for rule in rules if rule.id not in self.without_rules]
        return (*kept, *self.rules)


class AssignedVariant(NamedTuple):
    """A part that somebody is in."""

    experiment_id: str
    variant: Variant


@dataclass(frozen=True)
class Experiment:
    """An experiment for some placements, one part of a layer and some time."""

    id: str
    by: AssignedBy
    layer: str
    first: int  # of the buckets of the layer
    end: int  # behind the last of them
    placements: frozenset[str]  # empty: all
    starts: int  # seconds since 1970, UTC: the first second in force
    ends: int  # the first second that is no longer in force
    variants: tuple[Variant, ...]  # the first one is what the others are compared with
    layer_key: bytes
    variants_key: bytes
    guardrails: tuple[Guardrail, ...] = ()
    segments: frozenset[str] = frozenset()  # empty: everyone
    # Columns of the customers file with their values; empty: everyone
    customers: Mapping[str, Collection[str]] = field(default_factory=dict)

    @classmethod
    def read(cls, document: Mapping[str, Any], secret: bytes, parse_rule: ParseRule) -> Self:
        """Return the experiment of a document that was checked. `secret`: of the store."""
        name, layer = document["id"], document["layer"]
        stops = {
            each["variant"]: read_moment(each["stopped"])
            for each in document.get("stopped_variants", ())
        }
        variants = [
            Variant.read(part, parse_rule, name, stops.get(part["name"]))
            for part in document["variants"]
        ]
        return cls(
            id=name,
            by=AssignedBy(document["by"]),
            layer=layer,
            first=buckets_of(document["layer_from"]),
            end=buckets_of(document["layer_to"]),
            placements=frozenset(document.get("placements", ())),
            starts=read_moment(document["starts"]),
            ends=read_moment(document.get("stopped", document["ends"])),
            variants=tuple(variants),
            layer_key=derive_key(secret, f"layer {layer}"),
            variants_key=derive_key(secret, f"variants {name}"),
            guardrails=tuple(map(Guardrail.read, document.get("guardrails", ()))),
            segments=frozenset(document.get("segments", ())),
            customers=document.get("customers", {}),
        )

    @property
    def boundaries(self) -> list[int]:
        """Return the moments at which it changes who gets what."""
        stops = [variant.stopped for variant in self.variants if variant.stopped is not None]
        return [self.starts, self.ends, *stops]

    def runs_at(self, moment: int) -> bool:
        """Tell whether it is in force at a moment."""
        return self.starts <= moment < self.ends

    def is_at(self, placement: str | None) -> bool:
        """Tell whether it changes the slates of a placement."""
        return not self.placements or placement in self.placements

    def is_for(self, groups: CustomerGroups) -> bool:
        """Tell whether a customer of these groups, as far as they may be used, takes part."""
        return groups.meet(self.segments, self.customers)

    def find_variant(self, subject: str) -> Variant | None:
        """Return the part of an id, one that was stopped too; None where it is in none."""
        if not self.first <= bucket_of(self.layer_key, subject) < self.end:
            return None
        shares = [variant.share for variant in self.variants]
        return self.variants[part_of(bucket_of(self.variants_key, subject), shares)]

    def find_collision(self, other: Experiment) -> str | None:
        """Return what this experiment and another one would both claim, None for nothing."""
        if self.ends <= other.starts or other.ends <= self.starts:
            return None
        if self.layer == other.layer:
            if self.by != other.by:
                return f"its layer '{self.layer}' is by {other.by}"
            if self.first < other.end and other.first < self.end:
                first, end = other.first / BUCKETS, other.end / BUCKETS
                return f"it has {first:g} to {end:g} of the layer '{self.layer}'"
            return None
        shared = self.placements & other.placements
        if self.placements and other.placements and not shared:
            return None
        names = ", ".join(sorted(shared or self.placements or other.placements))
        return f"it changes the placements {names} too" if names else "both change all placements"


def buckets_of(share: float) -> int:
    """Return a share in buckets."""
    return round(share * BUCKETS)


def find_assigned(
    experiments: Iterable[Experiment],
    subjects: Mapping[AssignedBy, str | None],
    placement: str | None,
    moment: int,
    groups: CustomerGroups = NO_GROUPS,
) -> AssignedVariant | None:
    """Return the part that somebody is in at a placement and a moment, None for none.

    `subjects`: their ids, as far as they are known. `groups`: theirs, where they may be used.
    """
    for experiment in experiments:
        subject = subjects[experiment.by]
        if subject is None or not experiment.runs_at(moment) or not experiment.is_at(placement):
            continue
        if not experiment.is_for(groups):
            continue
        variant = experiment.find_variant(subject)
        if variant is not None and variant.runs_at(moment):
            return AssignedVariant(experiment.id, variant)
    return None
