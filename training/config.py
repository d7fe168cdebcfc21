"""The settings of a training run: a TOML file, then the command line over it."""

from __future__ import annotations

import dataclasses
import math
import tomllib
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from models.data.customers import MAX_COLUMNS
from models.settings import SHORTEST_HORIZON_DAYS, ModelSettings
from models.trees import MAX_LEAVES
from training.errors import InputError
from training.reading.customers import Unasked
from training.reading.duckdb import DEFAULT_MEMORY_LIMIT

LARGEST_SEED: Final = 2**32 - 1


class NumberRule(NamedTuple):
    """A condition on the numbers whose names match one of some patterns."""

    patterns: tuple[str, ...]
    holds: Callable[[float], bool]
    condition: str  # in words


POSITIVE: Final = (
    "*half_life_days",
    "*.window_days",
    "*_prior",
    "*.regularization",
    "*.factors",
    "*.iterations",
    "*.neighbours",
    "*.largest_order",
    "*.customers",
    "*.trees",
    "*.patience",
    "*.learning_rate",
    "*.min_rows",
    "scales.*",
    "diversity.*",
    "bundles.candidates",
)
# The first rule with a pattern that matches counts.
NUMBER_RULES: Final = (
    NumberRule(("blend.*",), lambda _: True, "finite"),
    NumberRule(("seed",), lambda seed: 0 <= seed <= LARGEST_SEED, f"from 0 to {LARGEST_SEED}"),
    NumberRule(("*.leaves",), lambda leaves: 2 <= leaves <= MAX_LEAVES, f"from 2 to {MAX_LEAVES}"),
    NumberRule(("*.max_bins",), lambda bins: bins >= 2, "at least 2"),
    NumberRule(
        ("*.horizon_days",),
        lambda days: days >= SHORTEST_HORIZON_DAYS,
        f"at least {SHORTEST_HORIZON_DAYS}",
    ),
    NumberRule(("arrivals.*share", "discovery.*"), lambda share: 0 <= share <= 1, "from 0 to 1"),
    NumberRule(("*_share",), lambda share: 0 < share <= 1, "above 0 and at most 1"),
    NumberRule(POSITIVE, lambda value: value > 0, "above 0"),
    NumberRule(("*",), lambda value: value >= 0, "at least 0"),
)


def check_settings(settings: ModelSettings) -> ModelSettings:
    """Return the settings. Raises ValueError naming one that has no meaning."""
    for name, value in _numbers(settings):
        if not math.isfinite(value):
            raise ValueError(f"{name} = {value}: must be finite")
        rule = _rule_of(name)
        if not rule.holds(value):
            raise ValueError(f"{name} = {value}: must be {rule.condition}")
    if not settings.ranker.lags_days:
        raise ValueError(
            "ranker.lags_days is empty: a ranker learns from at least one lag, 0 for none"
        )
    return settings


def _rule_of(name: str) -> NumberRule:
    for rule in NUMBER_RULES:
        if any(fnmatchcase(name, pattern) for pattern in rule.patterns):
            return rule
    raise AssertionError(name)  # the last rule matches every name


def _numbers(value: Any, name: str = "") -> Iterator[tuple[str, float]]:
    """Every number under its name, such as `diversity.placements.0.category`; texts are checked by
    their type."""
    if dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            path = f"{name}.{field.name}".removeprefix(".")
            yield from _numbers(getattr(value, field.name), path)
    elif isinstance(value, tuple):
        for index, part in enumerate(value):
            yield from _numbers(part, f"{name}.{index}")
    elif value is not None and not isinstance(value, str):
        yield name, value


class ConfigSection(BaseModel):
    """A section that refuses unknown names."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class EvaluationConfig(ConfigSection):
    """`[evaluation]`: the days and customers on which slates are measured."""

    test_days: Annotated[int, Field(ge=1, le=365)] = 28  # days kept back
    max_customers: Annotated[int, Field(ge=1)] = 20_000  # drawn from all who bought on these days
    k: Annotated[int, Field(ge=1, le=100)] = 10  # products in a slate that is scored
    max_orders: Annotated[int, Field(ge=1)] = 1_000  # that bundles are measured on
    largest_order: Annotated[int, Field(ge=3)] = 30  # products; larger orders are not measured
    seed: Annotated[int, Field(ge=0)] = 0  # of the draw


class RegistryConfig(ConfigSection):
    """`[registry]`: the versions that are kept."""

    keep: Annotated[int, Field(ge=1)] = 3  # versions that --prune leaves
    max_age_days: Annotated[int, Field(ge=1)] = 30  # of a version that --prune leaves


class TrainingConfig(ConfigSection):
    """`[training]`: the customers who are learned from."""

    # "allow" learns from customers who never answered whether they may be trained on, "refuse" does
    # not
    unasked: Unasked = "allow"


CustomerColumnNames = Annotated[
    tuple[Annotated[str, Field(min_length=1)], ...], Field(max_length=MAX_COLUMNS)
]


class CustomersConfig(ConfigSection):
    """`[customers]`: what is known of customers beside their consents and markets."""

    # Columns of the customers file, by which rules, offers and audiences may be for some customers
    columns: CustomerColumnNames = ()


class Config(ConfigSection):
    """All settings of a file."""

    columns: dict[str, str] = {}  # OURS = "THEIRS": the name of a column in your files
    model: Annotated[ModelSettings, AfterValidator(check_settings)] = ModelSettings()
    customers: CustomersConfig = CustomersConfig()
    training: TrainingConfig = TrainingConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    registry: RegistryConfig = RegistryConfig()
    processes: Annotated[int, Field(ge=1)] | None = None  # that work at once; one a core without it
    # Memory of the reader; more goes to disk
    memory_limit: Annotated[str, Field(pattern=r"^[0-9]+ ?[KMGT]i?B$")] = DEFAULT_MEMORY_LIMIT


def read_config(path: Path | None, columns: Sequence[str] = ()) -> Config:
    """Read the file's settings, with `--column A=B` over them.

    Raises InputError naming the setting.
    """
    content = _read_toml(path) if path else {}
    content["model"] = _over_defaults(dataclasses.asdict(ModelSettings()), content.get("model", {}))
    try:
        config = Config.model_validate(content)
    except ValidationError as error:
        problems = "; ".join(map(_describe, error.errors()))
        raise InputError(f"{path}: {problems}") from None
    mapped = dict(map(_parse_column, columns))
    return config.model_copy(update={"columns": config.columns | mapped})


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not TOML ({error})") from None
    except RecursionError:
        raise InputError(f"{path}: its values are nested too deeply") from None


def _over_defaults(defaults: Any, given: Any) -> Any:
    """Return what is given, and in each table what is not: some tables differ in their defaults."""
    if not isinstance(defaults, dict) or not isinstance(given, dict):
        return given
    inner = {name: _over_defaults(defaults.get(name), value) for name, value in given.items()}
    return defaults | inner


def _describe(error: Any) -> str:
    unknown = error["type"] in ("extra_forbidden", "unexpected_keyword_argument")
    problem = "there is no such setting" if unknown else error["msg"].removeprefix("Value error, ")
    setting = ".".join(map(str, error["loc"]))
    if error["type"] == "dataclass_type":
        problem = f"is a table of names: [{setting}]"
    return f"{setting}: {problem}"


def _parse_column(mapping: str) -> tuple[str, str]:
    ours, separator, theirs = mapping.partition("=")
    if not separator or not ours or not theirs:
        raise InputError(
            f"--column {mapping}: expected OURS=THEIRS, for example customer_id=household_id"
        )
    return ours, theirs
