"""What a training run is told: a TOML file, then the command line over it."""

from __future__ import annotations

import dataclasses
import math
import tomllib
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from models.settings import SHORTEST_HORIZON_DAYS, ModelSettings
from models.trees import MAX_LEAVES
from training.errors import InputError
from training.reading.customers import Unasked
from training.reading.duckdb import DEFAULT_MEMORY_LIMIT

LARGEST_SEED: Final = 2**32 - 1
# What the numbers of a model must be, by the first pattern that the name matches.
RULES: Final[tuple[tuple[tuple[str, ...], Callable[[float], bool], str], ...]] = (
    (("blend.*",), lambda _: True, "finite"),
    (("seed",), lambda value: 0 <= value <= LARGEST_SEED, f"from 0 to {LARGEST_SEED}"),
    (("*.leaves",), lambda value: 2 <= value <= MAX_LEAVES, f"from 2 to {MAX_LEAVES}"),
    (("*.max_bins",), lambda value: value >= 2, "at least 2"),
    (
        ("*.horizon_days",),
        lambda value: value >= SHORTEST_HORIZON_DAYS,
        f"at least {SHORTEST_HORIZON_DAYS}",
    ),
    (("arrivals.*share",), lambda value: 0 <= value <= 1, "from 0 to 1"),
    (("*_share",), lambda value: 0 < value <= 1, "above 0 and at most 1"),
    (
        (
            *(
                "*half_life_days",
                "*.window_days",
                "*_prior",
                "*.regularization",
                "*.factors",
                "*.iterations",
            ),
            *(
                "*.neighbours",
                "*.largest_order",
                "*.customers",
                "*.trees",
                "*.patience",
                "*.learning_rate",
            ),
            *("*.min_rows", "scales.*", "diversity.*", "bundles.candidates"),
        ),
        lambda value: value > 0,
        "above 0",
    ),
    (("*",), lambda value: value >= 0, "at least 0"),
)


def sensible(settings: ModelSettings) -> ModelSettings:
    """The settings, unless one of them has no meaning: ValueError naming it."""
    for name, value in _numbers(settings):
        holds, rule = next(
            (holds, rule)
            for patterns, holds, rule in RULES
            if any(fnmatchcase(name, pattern) for pattern in patterns)
        )
        if not (math.isfinite(value) and holds(value)):
            raise ValueError(
                f"{name} = {value}: must be {rule if math.isfinite(value) else 'finite'}"
            )
    if not settings.ranker.lags_days:
        raise ValueError(
            "ranker.lags_days is empty: a ranker learns from at least one lag, 0 for none"
        )
    return settings


def _numbers(value: Any, name: str = "") -> Iterator[tuple[str, float]]:
    """Every number under its name, such as `diversity.placements.0.category`; texts are checked by their type."""
    if dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from _numbers(
                getattr(value, field.name), f"{name}.{field.name}".removeprefix(".")
            )
    elif isinstance(value, tuple):
        for place, part in enumerate(value):
            yield from _numbers(part, f"{name}.{place}")
    elif value is not None and not isinstance(value, str):
        yield name, value


class ConfigSection(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class EvaluationConfig(ConfigSection):
    test_days: Annotated[int, Field(ge=1, le=365)] = 28  # days kept back
    max_customers: Annotated[int, Field(ge=1)] = 20_000
    k: Annotated[int, Field(ge=1, le=100)] = 10  # products in a slate that is scored
    max_orders: Annotated[int, Field(ge=1)] = 1_000  # for bundles
    largest_order: Annotated[int, Field(ge=3)] = 30  # products; larger orders are not asked about
    seed: Annotated[int, Field(ge=0)] = 0


class RegistryConfig(ConfigSection):
    keep: Annotated[int, Field(ge=1)] = 3  # versions
    max_age_days: Annotated[int, Field(ge=1)] = 30


class TrainingConfig(ConfigSection):
    unasked: Unasked = "allow"  # whether to learn from customers who never answered


class Config(ConfigSection):
    columns: dict[str, str] = {}  # our name = the file's name
    model: Annotated[ModelSettings, AfterValidator(sensible)] = ModelSettings()
    training: TrainingConfig = TrainingConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    registry: RegistryConfig = RegistryConfig()
    processes: Annotated[int, Field(ge=1)] | None = None  # None: one a core
    memory_limit: Annotated[str, Field(pattern=r"^[0-9]+ ?[KMGT]i?B$")] = (
        DEFAULT_MEMORY_LIMIT  # of the reader; more goes to disk
    )


def read_config(path: Path | None, columns: Sequence[str] = ()) -> Config:
    """The file's settings with `--column A=B` over them. Raises InputError naming the setting."""
    content = _read_toml(path) if path else {}
    try:
        config = Config.model_validate(content)
    except ValidationError as error:
        raise InputError(f"{path}: {'; '.join(map(_describe, error.errors()))}") from None
    return config.model_copy(update={"columns": {**config.columns, **dict(map(_column, columns))}})


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not TOML ({error})") from None


def _describe(error: Any) -> str:
    unknown = error["type"] in ("extra_forbidden", "unexpected_keyword_argument")
    problem = "there is no such setting" if unknown else error["msg"].removeprefix("Value error, ")
    return f"{'.'.join(map(str, error['loc']))}: {problem}"


def _column(mapping: str) -> tuple[str, str]:
    ours, separator, theirs = mapping.partition("=")
    if not separator or not ours or not theirs:
        raise InputError(
            f"--column {mapping}: expected OURS=THEIRS, for example customer_id=household_id"
        )
    return ours, theirs
