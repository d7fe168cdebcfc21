"""What a training run is told: a TOML file, then the command line over it."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from models.settings import ModelSettings
from training.errors import InputError


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class EvaluationConfig(Section):
    test_days: Annotated[int, Field(ge=1, le=365)] = 28  # days kept back
    max_customers: Annotated[int, Field(ge=1)] = 20_000
    k: Annotated[int, Field(ge=1, le=100)] = 10  # products in a slate that is scored
    max_orders: Annotated[int, Field(ge=1)] = 3_000  # for bundles
    largest_order: Annotated[int, Field(ge=3)] = 30  # products; larger orders are not asked about
    seed: int = 0


class RegistryConfig(Section):
    keep: Annotated[int, Field(ge=1)] = 3  # versions
    max_age_days: Annotated[int, Field(ge=1)] = 30


class Config(Section):
    columns: dict[str, str] = {}  # our name = the file's name
    model: ModelSettings = ModelSettings()
    evaluation: EvaluationConfig = EvaluationConfig()
    registry: RegistryConfig = RegistryConfig()
    processes: Annotated[int, Field(ge=1)] | None = None  # None: one a core
    memory_limit: str = "4GB"  # of the reader; more is spilled to disk


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
    return f"{'.'.join(map(str, error['loc']))}: {error['msg']}"


def _column(mapping: str) -> tuple[str, str]:
    ours, separator, theirs = mapping.partition("=")
    if not separator or not ours or not theirs:
        raise InputError(f"--column {mapping}: expected OURS=THEIRS, for example customer_id=household_id")
    return ours, theirs
