"""Candidates of the examples of a window, as rows to learn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.model import Model
from models.recommender import Recommender
from models.rules.filters import Repeat
from models.settings import ModelSettings, RankerSettings
from models.slate import SlateRequest
from training.ranker.windows import Example, Window

MIN_CANDIDATES: Final = 40  # new and bought before, of an example, that are learned from
MAX_RATIO: Final = 10.0  # to the usual price or gain, above which a purchase weighs no more


class LeakError(Exception):
    """A model knows what came after the beginning of a window."""


@dataclass(frozen=True, eq=False)
class RankerRows:
    """Hold r candidates of examples."""

    values: NDArray[np.float32]  # (r, columns)
    bought: NDArray[np.bool_]  # (r,) before
    hit: NDArray[np.bool_]  # (r,) bought within the horizon
    weight: NDArray[np.float32]  # (r,) how many rows it stands for
    user: NDArray[np.int32]  # (r,) -1 for visits
    example: NDArray[np.int32]  # (r,) its number among those of these rows

    @classmethod
    def concatenate(cls, parts: Sequence[RankerRows]) -> RankerRows:
        """Join the rows of one part or more, in their order; examples are numbered on."""
        ends = np.cumsum([part.example.max(initial=-1) + 1 for part in parts])
        return cls(
            values=np.concatenate([part.values for part in parts]),
            bought=np.concatenate([part.bought for part in parts]),
            hit=np.concatenate([part.hit for part in parts]),
            weight=np.concatenate([part.weight for part in parts]),
            user=np.concatenate([part.user for part in parts]),
            example=np.concatenate(
                [part.example + before for part, before in zip(parts, [0, *ends], strict=False)]
            ).astype(np.int32),
        )

    def select(self, chosen: NDArray[np.bool_]) -> RankerRows:
        """Return some of these rows, (r,), whose examples keep their numbers."""
        columns = [getattr(self, column.name)[chosen] for column in fields(self)]
        return RankerRows(*columns)

    @property
    def customers(self) -> NDArray[np.int64]:
        """Return a number of each row's customer: (r,). Each visit is one of its own, below 0."""
        return np.where(self.user >= 0, self.user, -1 - self.example.astype(np.int64))


def build_ranker_rows(
    window: Window, settings: ModelSettings, recommender: Recommender, examples: Sequence[Example]
) -> RankerRows:
    """Return the candidates of some examples: all hits, and a seeded share of the rest.

    Raises LeakError.
    """
    check_no_leak(window, recommender)
    return RankerRows.concatenate(
        [_rows_of_example(settings, recommender, example) for example in examples]
    )


def request_of(recommender: Recommender, example: Example) -> SlateRequest:
    """Return the request for a slate of any product that an example makes."""
    request = SlateRequest(
        as_of=example.as_of,
        repeat=Repeat.INCLUDE,
        recent=example.recent,
        basket=example.basket,
    )
    return recommender.at_home(example.user, request)


def _rows_of_example(
    settings: ModelSettings, recommender: Recommender, example: Example
) -> RankerRows:
    request = request_of(recommender, example)
    context = recommender.build_context(example.user, request)
    ranked = recommender.rank(context, recommender.find_removed(context, request))
    hit = np.isin(ranked.items, list(example.targets))
    share = _shares_to_learn(ranked.bought, settings.ranker)
    seed = [settings.seed, example.user + 1, example.as_of, *example.recent, *example.basket]
    value = value_purchases(recommender.model, settings.ranker.objective)[ranked.items]
    kept = np.where(hit, value > 0, np.random.default_rng(seed).random(len(hit)) < share)
    weight = np.where(hit, value, 1 / share)[kept]
    return RankerRows(
        ranked.rows[kept],
        ranked.bought[kept],
        hit[kept],
        weight.astype(np.float32),
        np.full(len(weight), example.user, np.int32),
        np.zeros(len(weight), np.int32),
    )


def _shares_to_learn(bought: NDArray[np.bool_], settings: RankerSettings) -> NDArray[np.float64]:
    """Return the share of candidates like each that is learned from: all of few, (c,)."""
    shares = np.empty(len(bought))
    for kind, share in ((~bought, settings.new_share), (bought, settings.bought_share)):
        count = max(int(np.count_nonzero(kind)), 1)
        shares[kind] = min(max(share, MIN_CANDIDATES / count), 1)
    return shares


@lru_cache(maxsize=4)
def value_purchases(model: Model, objective: str) -> NDArray[np.float32]:
    """Return how much a purchase of each product weighs: (items,), 0 where it is not counted.

    With revenue it is the price, with margin what is left of it, relative to what is usual in the
    shop; an unknown price is a usual one, a purchase with an unknown margin is not counted.
    """
    price = np.exp(np.nan_to_num(model.traits.log_price))
    if objective == "purchases":
        return np.ones_like(price)
    if objective == "revenue":
        return np.clip(price, 1 / MAX_RATIO, MAX_RATIO)
    gain = price * model.catalogue.margin
    usual = np.median(gain[gain > 0]) if (gain > 0).any() else 1.0
    value = np.clip(gain / usual, 1 / MAX_RATIO, MAX_RATIO)
    return np.nan_to_num(value).astype(np.float32)


def check_no_leak(window: Window, recommender: Recommender) -> None:
    """Raise LeakError where a model knows what came after the beginning of a window."""
    newest = recommender.manifest.data_as_of
    if newest >= window.until:
        raise LeakError(
            f"the fit knows lines until {newest}, and its window begins at {window.until}"
        )
