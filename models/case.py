"""One customer at one moment, with what every source says: all that a slate is made from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.demand import Demand
from models.events import Events
from models.evidence import Scores, among
from models.factors import Observed, Taste
from models.history import Interactions
from models.model import Model
from models.profile import Profile, profile_of
from models.repeats import Clocks, clocks
from models.settings import ModelSettings

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Evidence:
    """What each source says about products."""

    affinity: Scores  # factors: predicted preference
    neighbours: Scores
    basket: Scores  # orders: what completes the basket of the request
    together: Scores  # orders: what goes with the last purchase


@dataclass(frozen=True, eq=False)
class Case:
    as_of: int  # seconds since 1970, UTC
    lag_days: float  # between the newest event the model has learned from and `as_of`
    pairs: Interactions
    clocks: Clocks
    profile: Profile
    demand: Demand
    observed: Observed  # what the customer is folded in from
    evidence: Evidence
    basket: list[int]  # of the request and of the customer's cart, sorted
    arrivals: NDArray[np.int64]  # what has just come on sale and this customer never bought


def case_of(
    events: Events,
    pairs: Interactions,
    basket: list[int],
    demand: Demand,
    model: Model,
    settings: ModelSettings,
    *,
    as_of: int,
    lag_days: float,
) -> Case:
    """Ask every source about every product, for one history, the session's products among its pairs, and one basket."""
    catalogue = model.catalogue
    profile = profile_of(events, pairs, model.traits, catalogue.brand, len(catalogue.brand_names), as_of)
    seen = model.factors.observed(*observed(pairs, settings))
    recent = pairs.recent > 0
    lift_weight = settings.bundles.lift_weight
    evidence = Evidence(
        affinity=Taste(model.factors, seen.folded_in()),
        neighbours=model.neighbours.scores(pairs.item[recent], pairs.recent[recent]),
        basket=model.orders.basket_scores(basket, lift_weight),
        together=model.orders.basket_scores(profile.last_basket, lift_weight),
    )
    return Case(
        as_of=as_of,
        lag_days=lag_days,
        pairs=pairs,
        clocks=clocks(pairs, model.repeats, as_of, settings.repeats),
        profile=profile,
        demand=demand,
        observed=seen,
        evidence=evidence,
        basket=basket,
        arrivals=demand.arrivals[~among(demand.arrivals, pairs.item[pairs.owned])],
    )


def observed(pairs: Interactions, settings: ModelSettings) -> tuple[NDArray[np.int32], Floats]:
    """The products that fold a customer in, and the confidence c = 1 + α · taste of each."""
    tasted = pairs.taste > 0
    return pairs.item[tasted], 1 + np.float32(settings.factors.alpha) * pairs.taste[tasted]
