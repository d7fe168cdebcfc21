"""Every setting, its default and its meaning; read from the environment once, when the process starts."""

from __future__ import annotations

import difflib
import hashlib
import hmac
import ipaddress
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from models.assembly.cards import is_locale
from models.data.urls import is_absolute

PREFIX: Final = "REGULARS_"
ORIGIN: Final = re.compile(r"https?://[^/\s*]+")
MOST_CALLS: Final = 1_000_000  # a minute
IN_MEMORY: Final = "/dev/shm"  # noqa: S108 - of Linux; whose directory it is in there is looked at
DEVELOPMENT_KEY: Final = b"regulars on this machine alone"


class SettingsError(Exception):
    """A setting that cannot be used; the message names it and says what to do, never a secret."""


class Settings(BaseModel):
    """Frozen. The environment variable of a field is `REGULARS_` and its name in capitals."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: Annotated[
        str, Field(description="address to listen on; all but loopback needs an API key")
    ] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535, description="port to listen on")] = 8000
    workers: Annotated[int, Field(ge=1, le=256, description="processes that answer")] = 1
    registry: Annotated[Path, Field(description="directory that `training train` publishes to")] = (
        Path("registry")
    )
    database_url: Annotated[
        SecretStr | None,
        Field(
            description="address of the store, sqlite:///… or postgresql://…; by default store.db in the registry"
        ),
    ] = None
    unasked: Annotated[
        Literal["allow", "refuse"] | None,
        Field(
            description="whether who was never asked is personalised; must be said off loopback, where it is allow"
        ),
    ] = None
    api_key: Annotated[
        SecretStr | None,
        Field(description="a key with every scope, for the start; needed off loopback"),
    ] = None
    signing_key: Annotated[
        SecretStr | None,
        Field(
            description="secret that signs ids and customer tokens and seals cached answers; by default the API key"
        ),
    ] = None
    calls_a_minute: Annotated[
        int | None,
        Field(
            ge=1,
            le=MOST_CALLS,
            description="of a key that has no number of its own; by default any",
        ),
    ] = None
    customer_calls_a_minute: Annotated[
        int, Field(ge=1, le=MOST_CALLS, description="of one customer, by token")
    ] = 120
    token_minutes: Annotated[
        int, Field(ge=1, le=1440, description="life of a customer token that the service makes")
    ] = 15
    cors_origins: Annotated[
        str,
        Field(
            description="origins whose pages may call, like https://shop.example, separated by commas"
        ),
    ] = ""
    shop_url: Annotated[
        str | None,
        Field(
            description="the shop's own address, like https://shop.example: of relative addresses of products"
        ),
    ] = None
    public_url: Annotated[
        str | None,
        Field(
            description="https address of this service for who reads a mail: links lead there and count"
        ),
    ] = None
    utm_source: Annotated[
        str,
        Field(
            min_length=1,
            max_length=100,
            description="what links in mails tell the shop's analytics",
        ),
    ] = "regulars"
    redis_url: Annotated[
        SecretStr | None,
        Field(
            description="redis://, rediss:// or unix:// address of the cache shared by all workers"
        ),
    ] = None
    redis_timeout_ms: Annotated[
        int, Field(ge=1, le=1000, description="longest wait for Redis in an answer")
    ] = 10
    breaker_failures: Annotated[
        int, Field(ge=1, description="failures in a row after which Redis is left alone")
    ] = 3
    breaker_seconds: Annotated[
        float, Field(gt=0, description="how long, before one call tries it again")
    ] = 1.0
    cache_bytes: Annotated[
        int, Field(ge=0, description="memory of the in-process cache, a worker")
    ] = 32_000_000
    cache_ttl_seconds: Annotated[
        int, Field(ge=1, description="life of a cached answer, in process and in Redis")
    ] = 300
    max_age_seconds: Annotated[
        int, Field(ge=0, description="how long a caller may keep an answer")
    ] = 60
    deadline_ms: Annotated[
        int, Field(ge=1, le=10_000, description="after this the popular slate goes out instead")
    ] = 200
    scoring_threads: Annotated[
        int | None,
        Field(
            ge=1,
            le=64,
            description="questions worked on at once, a worker; by default 1, with PostgreSQL 2",
        ),
    ] = None
    scoring_queue: Annotated[
        int, Field(ge=0, description="slates that may wait for a thread, a worker")
    ] = 64
    body_limit_bytes: Annotated[int, Field(ge=1, description="largest request body")] = 1_000_000
    poll_seconds: Annotated[
        float, Field(gt=0, description="how often a new model is looked for")
    ] = 1.0
    follow_seconds: Annotated[
        float,
        Field(gt=0, le=1, description="how often changes that another host made are looked for"),
    ] = 0.5
    sales_seconds: Annotated[
        float,
        Field(gt=0, description="how often reported purchases are counted into what is popular"),
    ] = 60.0
    open_feeds: Annotated[
        bool,
        Field(
            description="feeds, which hold nothing about a person, need no key: for systems that can send none"
        ),
    ] = False
    campaign_hours: Annotated[
        int,
        Field(
            ge=1,
            le=8760,
            description="how long a campaign's slates stay what they are, unless it says so",
        ),
    ] = 72
    campaign_not_twice: Annotated[
        int,
        Field(
            ge=0,
            le=20,
            description="how many mails before it a campaign repeats nothing of, unless it says so",
        ),
    ] = 3
    mail_days: Annotated[
        int,
        Field(
            ge=1, le=3650, description="how long what mails showed is kept, and their links lead on"
        ),
    ] = 90
    default_locale: Annotated[
        str, Field(description="how prices are written when the caller does not say")
    ] = "en_US"
    runtime_dir: Annotated[
        Path | None,
        Field(
            description="what workers share, and which models are verified; by default in memory"
        ),
    ] = None
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Field(description="lowest level to log")
    ] = "info"

    @field_validator("default_locale")
    @classmethod
    def _known_locale(cls, value: str) -> str:
        if not is_locale(value):
            raise ValueError("not a locale; write it like en_US")
        return value

    @field_validator("cors_origins")
    @classmethod
    def _known_origins(cls, value: str) -> str:
        for origin in _parts(value):
            if not ORIGIN.fullmatch(origin):
                raise ValueError(
                    f"{origin} is no origin; write it like https://shop.example, without a path"
                )
        return value

    @field_validator("shop_url", "public_url")
    @classmethod
    def _known_address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if not is_absolute(value) or parts.query or parts.fragment:
            raise ValueError(
                "is no address; write it like https://shop.example, without parameters"
            )
        if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
            raise ValueError("should be https: it stands in mails")
        return value.rstrip("/")

    @field_validator("redis_url")
    @classmethod
    def _known_scheme(cls, value: SecretStr | None) -> SecretStr | None:
        if value and not value.get_secret_value().startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("should begin with redis://, rediss:// or unix://")
        return value

    @model_validator(mode="after")
    def _not_open_to_strangers(self) -> Self:
        if self.api_key is None and not is_loopback(self.host):
            raise ValueError(
                f"host {self.host} can be reached from other machines and no key is set. "
                "Set REGULARS_API_KEY to a long random text, or REGULARS_HOST to 127.0.0.1"
            )
        return self

    @model_validator(mode="after")
    def _asks_what_holds_for_the_unasked(self) -> Self:
        if self.unasked is None and not is_loopback(self.host):
            raise ValueError(
                "what holds for customers who were never asked for consent is yours to say: set REGULARS_UNASKED to "
                "allow (they are personalised until they say no) or refuse (not before they say yes)"
            )
        return self

    @model_validator(mode="after")
    def _signs_with_a_secret(self) -> Self:
        if (
            self.public_url
            and not is_loopback(urlsplit(self.public_url).hostname or "")
            and not self.token_secret()
        ):
            raise ValueError(
                "links in mails are signed, and no secret is set to sign them with: set REGULARS_SIGNING_KEY "
                "to a long random text"
            )
        return self

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Self:
        """The settings named by `REGULARS_…` variables. Raises SettingsError; an empty variable is not set."""
        given = {
            name.removeprefix(PREFIX): value
            for name, value in environment.items()
            if name.startswith(PREFIX)
        }
        for name in given:
            if name not in {field.upper() for field in cls.model_fields}:
                raise SettingsError(_unknown(name))
        try:
            return cls.model_validate(
                {name.lower(): value for name, value in given.items() if value}
            )
        except ValidationError as error:
            raise SettingsError(_sentence(error)) from None

    def secret(self) -> bytes:
        """32 bytes that sign and hash; the same in every worker, and after a restart with the same settings."""
        key = self.signing_key or self.api_key
        material = key.get_secret_value().encode() if key else DEVELOPMENT_KEY
        return hmac.digest(material, b"regulars recommendation ids", hashlib.sha256)

    def token_secret(self) -> bytes | None:
        """What customer tokens are signed with: the signing key itself, so that the shop's server can make them."""
        key = self.signing_key or self.api_key
        return key.get_secret_value().encode() if key else None

    def origins(self) -> list[str]:
        return _parts(self.cors_origins)

    def store(self) -> str:
        """Where the store is."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{(self.registry / 'store.db').absolute()}"

    def threads(self) -> int:
        """Questions worked on at once: while one waits for a server, another one can be worked on."""
        return self.scoring_threads or (1 if self.store().startswith("sqlite") else 2)

    def runtime(self) -> Path:
        """A directory of this user on this host, in memory where the host has such a place.

        Files in it are mapped, and who writes into a page of a file waits while a disk takes what was there before.
        """
        if self.runtime_dir is not None:
            return self.runtime_dir
        if base := os.environ.get("XDG_RUNTIME_DIR"):
            return Path(base) / "regulars"
        base = IN_MEMORY if os.access(IN_MEMORY, os.W_OK | os.X_OK) else tempfile.gettempdir()
        return _own(Path(base) / f"regulars-{os.getuid()}")


def _own(directory: Path) -> Path:
    """The same. Raises SettingsError where somebody else has made it."""
    if directory.exists() and directory.stat().st_uid != os.getuid():
        raise SettingsError(
            f"{directory} belongs to another user; REGULARS_RUNTIME_DIR says where to go instead"
        )
    return directory


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name, [field.upper() for field in Settings.model_fields], n=1)
    hint = f"did you mean {PREFIX}{near[0]}?" if near else "docs/settings.md lists the settings"
    return f"{PREFIX}{name} is not a setting; {hint}"


def _sentence(error: ValidationError) -> str:
    problems = []
    for problem in error.errors(include_url=False, include_input=False):
        text = problem["msg"].removeprefix("Value error, ").removeprefix("Input ")
        problems.append(
            f"{PREFIX}{str(problem['loc'][0]).upper()}: {text}" if problem["loc"] else text
        )
    return "; ".join(problems)
