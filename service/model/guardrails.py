"""Guardrails of experiments: variants that the insights of a registry find harmful are stopped."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from models.artifact.insights import EXPERIMENTS, read_insight, sign_insight
from models.errors import ArtifactError
from models.rules.shop_rules import read_moment
from service.store.experiments import HarmfulVariant, find_unstopped, stop_variants
from service.store.store import Store

TOLD: Final = ("metric", "harm", "relative", "relative_low", "relative_high", "found")
log: Final = logging.getLogger("regulars.service")


class GuardrailWatch:
    """Follow the results in a registry, and stop what they find harmful in the store of a service.

    Every worker does, and the first one to write wins: a variant is stopped once, for good. What is
    in the store reaches the others like every change of experiments.
    """

    def __init__(self, registry: Path, store: Store) -> None:
        self._registry = registry
        self._store = store
        self._followed: tuple[int, ...] | None = None  # the edition whose stops are in the store
        self._problem = ""  # why results could not be read at the last look

    def follow(self) -> None:
        """Look at new results. Raises StoreDownError; then they are looked at again."""
        now = int(time.time())
        try:
            edition = sign_insight(self._registry, EXPERIMENTS)
            if edition == self._followed:
                return
            facts = read_insight(self._registry, EXPERIMENTS) if edition else None
            harmful = find_harmful(facts or {})
        except ArtifactError as error:
            self._note_problem(str(error))
            return
        self._note_problem("")
        if harmful and self._store.read(partial(find_unstopped, harmful=harmful, now=now)):
            stopped = self._store.write(partial(stop_variants, harmful=harmful, now=now)).result()
            for variant in stopped:
                log.warning("stopped a variant that does harm: experiment %s", variant)
        self._followed = edition

    def _note_problem(self, problem: str) -> None:
        """Log a problem once, until there is another one."""
        if problem and problem != self._problem:
            log.warning("guardrails cannot be looked at: %s", problem)
        self._problem = problem


def find_harmful(facts: Mapping[str, Any]) -> list[HarmfulVariant]:
    """Return the variants that crossed a guardrail, of the results of all experiments.

    Raises ArtifactError for what are no results.
    """
    harmful = []
    try:
        for experiment_id, found in facts.get("experiments", {}).items():
            for stop in found.get("stops", ()):
                told = {name: stop[name] for name in TOLD}
                starts = read_moment(found["starts"])
                harmful.append(HarmfulVariant(experiment_id, starts, stop["variant"], told))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ArtifactError(
            f"results of experiments lack something ({error!r}); compute them again with: "
            "regulars experiments results"
        ) from error
    return harmful
