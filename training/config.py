"""What a training run is told: a TOML file, then the command line over it."""

from __future__ import annotations

import dataclasses
import math
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from models.settings import ModelSettings
from training.errors import InputError
from training.workspace import DEFAULT_MEMORY_LIMIT

# Settings of a model that must be above 0, by the end of their names; weights of the blend may be anything finite, the
# rest is at least 0.
ABOVE_ZERO: Final = (
    *("half_life_days", "window_days", "_prior", "factors", "iterations"),
    *("regularization", "neighbours", "candidates", "largest_order"),
)
LARGEST_SEED: Final = 2**32 - 1


def sensible(settings: ModelSettings) -> ModelSettings:
    """The settings, unless one of them has no meaning: ValueError naming it."""
    for name, value in _numbers(settings):
        weight = name.startswith(("blend.new.", "blend.bought."))
        if not math.isfinite(value) or (value < 0 and not weight):
            raise ValueError(f"{name} = {value}: must be {'finite' if weight else 'at least 0'}")
        if value == 0 and name.endswith(ABOVE_ZERO) and not weight:
            raise ValueError(f"{name} = {value}: must be above 0")
    if settings.seed > LARGEST_SEED:
        raise ValueError(f"seed = {settings.seed}: must be at most {LARGEST_SEED}")
    return settings


def _numbers(settings: Any, prefix: str = "") -> Iterator[tuple[str, float]]:
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if dataclasses.is_dataclass(value):
            yield from _numbers(value, f"{prefix}{field.name}.")
        else:
            yield from ((prefix + field.name, number) for number in (value if isinstance(value, tuple) else [value]))


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class EvaluationConfig(Section):
    test_days: Annotated[int, Field(ge=1, le=365)] = 28  # days kept back
    max_customers: Annotated[int, Field(ge=1)] = 20_000
    k: Annotated[int, Field(ge=1, le=100)] = 10  # products in a slate that is scored
    max_orders: Annotated[int, Field(ge=1)] = 3_000  # for bundles
    largest_order: Annotated[int, Field(ge=3)] = 30  # products; larger orders are not asked about
    seed: Annotated[int, Field(ge=0)] = 0


class RegistryConfig(Section):
    keep: Annotated[int, Field(ge=1)] = 3  # versions
    max_age_days: Annotated[int, Field(ge=1)] = 30


class Config(Section):
    columns: dict[str, str] = {}  # our name = the file's name
    model: Annotated[ModelSettings, AfterValidator(sensible)] = ModelSettings()
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
        raise InputError(f"--column {mapping}: expected OURS=THEIRS, for example customer_id=household_id")
    return ours, theirs
