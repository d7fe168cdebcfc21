"""Settings of the service, read from the environment once, when the process starts."""

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

from models.artifact.atomic import check_writable
from models.artifact.shops import FOLDER, is_shop_name
from models.assembly.cards import is_locale
from models.data.urls import is_absolute
from models.languages.languages import WordingError, read_wording
from service.redis_address import RedisAddress

PREFIX: Final = "REGULARS_"
SIGNING_SYSTEMS: Final = ("shopify", "woocommerce", "segment", "klaviyo")  # sign their webhooks
HOST_PATTERN: Final = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::[0-9]*)?")
# Variables that Kubernetes and old Docker set for each service whose name begins with `regulars`:
# REGULARS_SERVICE_HOST, REGULARS_REDIS_PORT_6379_TCP_ADDR, REGULARS_PORT=tcp://…
LINK_PROTOCOL: Final = "(?:TCP|UDP|SCTP)"
LINK_NAME_PATTERN: Final = re.compile(
    rf"(?:\w+_)?(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT_\d+_{LINK_PROTOCOL}(?:_(?:PROTO|PORT|ADDR))?)"
)
LINK_PORT_PATTERN: Final = re.compile(r"(?:\w+_)?PORT")
LINK_ADDRESS_PATTERN: Final = re.compile(rf"{LINK_PROTOCOL}://\S+:\d+", re.IGNORECASE)
SHOPIFY_PATTERN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*\.myshopify\.com")
ORIGIN_PATTERN: Final = re.compile(r"https?://[^/\s*]+")
MAX_CALLS_A_MINUTE: Final = 1_000_000
MAX_TOKEN_MINUTES: Final = 1440
SHARED_MEMORY: Final = "/dev/shm"  # noqa: S108 - the owner of the directory in it is checked
DEVELOPMENT_KEY: Final = b"regulars on this machine alone"


class SettingsError(Exception):
    """A setting that cannot be used. The message names it and says what to do, never a secret."""


class Settings(BaseModel):
    """Hold every setting. The variable of a field is `REGULARS_` and its name in capitals."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: Annotated[
        str, Field(description="Address to listen on. All but loopback require an API key.")
    ] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535, description="Port to listen on.")] = 8000
    workers: Annotated[int, Field(ge=1, le=256, description="Number of worker processes.")] = 1
    registry: Annotated[
        Path, Field(description="Directory that `training train` publishes to.")
    ] = Path("registry")
    create_registry: Annotated[
        bool,
        Field(
            description=(
                "Whether to make the directory of the registry if it is not there, to start before "
                "the first training."
            )
        ),
    ] = False
    database_url: Annotated[
        SecretStr | None,
        Field(
            description=(
                "Address of the store: sqlite:///… or postgresql://…. Default: store.db in the "
                "registry."
            )
        ),
    ] = None
    refusals_dir: Annotated[
        Path | None,
        Field(
            description=(
                "Directory of the journal of noes, erasures and revoked keys, from which they are "
                "put back after a restore. It should be on another disk than the store. Default: "
                "refusals in the registry."
            )
        ),
    ] = None
    refusal_days: Annotated[
        int,
        Field(
            ge=1,
            le=3650,
            description=(
                "Days for which that journal is kept. Older backups are not restored without being "
                "told to."
            ),
        ),
    ] = 90
    unasked: Annotated[
        Literal["allow", "refuse"] | None,
        Field(
            description=(
                "Whether to personalise for customers who never answered: `allow` or `refuse`. "
                "Required unless the service listens on loopback only, where the default is "
                "`allow`."
            )
        ),
    ] = None
    visits: Annotated[
        Literal["allow", "refuse"] | None,
        Field(
            description=(
                "Whether to personalise visits of nobody known, and what follows their orders: "
                "`allow` or `refuse`. Default: as `REGULARS_UNASKED`."
            )
        ),
    ] = None
    api_key: Annotated[
        SecretStr | None,
        Field(
            description="A key with every scope, to begin with. Required unless on loopback only."
        ),
    ] = None
    signing_key: Annotated[
        SecretStr | None,
        Field(
            description=(
                "Secret that signs ids, tokens and links and seals cached answers. Default: the "
                "API key."
            )
        ),
    ] = None
    calls_a_minute: Annotated[
        int | None,
        Field(
            ge=1,
            le=MAX_CALLS_A_MINUTE,
            description="Calls a minute for keys without a limit of their own. Default: no limit.",
        ),
    ] = None
    customer_calls_a_minute: Annotated[
        int,
        Field(
            ge=1,
            le=MAX_CALLS_A_MINUTE,
            description=(
                "Calls a minute by customer token, for each customer, or visit in which nobody "
                "logged in."
            ),
        ),
    ] = 120
    customer_events_a_day: Annotated[
        int,
        Field(
            ge=1,
            description=(
                "Events a day (UTC) by customer token, for each customer or visit. An order or "
                "exposure of several products counts once for each."
            ),
        ),
    ] = 10_000
    customer_bytes_a_day: Annotated[
        int,
        Field(
            ge=1,
            description=(
                "Bytes a day (UTC) that customer tokens may have stored, for each customer or "
                "visit."
            ),
        ),
    ] = 4_000_000
    token_minutes: Annotated[
        int,
        Field(
            ge=1,
            le=MAX_TOKEN_MINUTES,
            description="Minutes for which a customer token is valid by default.",
        ),
    ] = 15
    token_audience: Annotated[
        str | None,
        Field(
            min_length=1,
            description=(
                "Name of this service that a customer token must carry as `aud`. Default: a token "
                "with an `aud` is refused."
            ),
        ),
    ] = None
    import_secrets: Annotated[
        SecretStr | None,
        Field(
            description=(
                "Secrets that shop systems sign their webhooks with, such as "
                "`shopify=one,woocommerce=another`. Two of the same system count both, so that one "
                "can be replaced. Those of another shop than the main one begin with its name: "
                "`acme/shopify=third`."
            )
        ),
    ] = None
    import_variants: Annotated[
        Literal["parent", "variant"],
        Field(
            description="Whether webhooks tell of products (`parent`) or of each size (`variant`)."
        ),
    ] = "parent"
    shopify_shop: Annotated[
        str | None,
        Field(
            description=(
                "Domain of the shop at Shopify, like example.myshopify.com. Its `shop/redact` "
                "alone is taken."
            ),
        ),
    ] = None
    cors_origins: Annotated[
        str,
        Field(
            description=(
                "Origins whose pages may call, like https://shop.example, separated by commas."
            )
        ),
    ] = ""
    allowed_hosts: Annotated[
        str,
        Field(
            description=(
                "Hosts, like shop.internal, separated by commas, that may stand in `Host` and "
                "`Origin` beside localhost and loopback addresses while there is no key."
            )
        ),
    ] = ""
    shop_url: Annotated[
        str | None,
        Field(
            description=(
                "Address of the shop, like https://shop.example, for relative addresses of "
                "products."
            )
        ),
    ] = None
    public_url: Annotated[
        str | None,
        Field(
            description=(
                "https address at which readers of mails reach this service. Links in mails lead "
                "there and are counted."
            )
        ),
    ] = None
    root_path: Annotated[
        str,
        Field(
            pattern=r"^(/[^/?#\s]+)*$",
            description=(
                "Path under which a proxy passes requests on as they came, such as `/recs`. Not "
                "needed where the proxy removes it."
            ),
        ),
    ] = ""
    utm_source: Annotated[
        str,
        Field(
            min_length=1,
            max_length=100,
            description="Value of `utm_source` in the links of mails.",
        ),
    ] = "regulars"
    redis_url: Annotated[
        SecretStr | None,
        Field(
            description=(
                "Redis shared by all workers for cached answers and limits: redis://, rediss://, "
                "unix://, redis+sentinel:// or redis+cluster://."
            )
        ),
    ] = None
    redis_timeout_ms: Annotated[
        int, Field(ge=1, le=1000, description="Longest wait for Redis, in milliseconds.")
    ] = 10
    breaker_failures: Annotated[
        int,
        Field(
            ge=1,
            description=(
                "Consecutive failures after which a worker stops calling Redis or the store."
            ),
        ),
    ] = 3
    breaker_seconds: Annotated[
        float, Field(gt=0, description="Seconds until the worker tries again with one call.")
    ] = 1.0
    cache_bytes: Annotated[
        int,
        Field(
            ge=0,
            description="Size of each worker's cache in bytes. With Redis only up to half of it is "
            "used, for answers that are ready to be sent again.",
        ),
    ] = 32_000_000
    cache_ttl_seconds: Annotated[
        int, Field(ge=1, description="Lifetime of cached answers, in memory or in Redis.")
    ] = 300
    max_age_seconds: Annotated[
        int, Field(ge=0, description="Seconds for which a caller may keep an answer.")
    ] = 60
    deadline_ms: Annotated[
        int,
        Field(
            ge=1,
            le=10_000,
            description="Milliseconds after which the popular slate is sent instead.",
        ),
    ] = 200
    scoring_threads: Annotated[
        int | None,
        Field(
            ge=1,
            le=64,
            description=(
                "Slates worked on at once, per worker. Default: 1 with SQLite, 2 with PostgreSQL."
            ),
        ),
    ] = None
    scoring_queue: Annotated[
        int, Field(ge=0, description="Slates that may wait for a thread, per worker.")
    ] = 64
    body_limit_bytes: Annotated[int, Field(ge=1, description="Largest request body, in bytes.")] = (
        1_000_000
    )
    max_connections: Annotated[
        int,
        Field(
            ge=1,
            description=(
                "Connections open at once, per worker. For one more, those that have kept the "
                "worker waiting longest are closed."
            ),
        ),
    ] = 1000
    header_seconds: Annotated[
        float, Field(gt=0, description="Longest time for the headers of a request to arrive.")
    ] = 20.0
    body_seconds: Annotated[
        float, Field(gt=0, description="Longest time for the body of a request to arrive.")
    ] = 60.0
    write_seconds: Annotated[
        float,
        Field(
            gt=0,
            description="Longest time in which a client may take nothing of an answer it is sent.",
        ),
    ] = 30.0
    shutdown_seconds: Annotated[
        int,
        Field(
            ge=1,
            description=(
                "Longest time for answers under way to be taken, when the service is told to stop."
            ),
        ),
    ] = 20
    poll_seconds: Annotated[
        float, Field(gt=0, description="Seconds between checks for a new model.")
    ] = 1.0
    follow_seconds: Annotated[
        float,
        Field(gt=0, le=1, description="Seconds between checks for changes made by another host."),
    ] = 0.5
    sales_seconds: Annotated[
        float,
        Field(
            gt=0,
            description="Seconds between updates of the popular products from reported purchases.",
        ),
    ] = 60.0
    open_feeds: Annotated[
        bool,
        Field(
            description=(
                "Whether feeds need no key, for systems that cannot send one. They hold no "
                "personal data."
            )
        ),
    ] = False
    campaign_hours: Annotated[
        int,
        Field(
            ge=1,
            le=8760,
            description="Hours for which a campaign's slates stay the same by default.",
        ),
    ] = 72
    campaign_not_twice: Annotated[
        int,
        Field(
            ge=0,
            le=20,
            description=(
                "Number of earlier campaigns whose products a campaign does not repeat by default."
            ),
        ),
    ] = 3
    mail_days: Annotated[
        int,
        Field(
            ge=1,
            le=3650,
            description=(
                "Days for which records of mails are kept, and links work after the campaign."
            ),
        ),
    ] = 90
    exposures: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            description=(
                "Share of customers and visits for whom it is recorded what they are shown: 0 "
                "is off, 1 is all."
            ),
        ),
    ] = 0.0
    exposure_days: Annotated[
        int,
        Field(ge=1, le=3650, description="Days for which it is kept what customers were shown."),
    ] = 90
    open_shops: Annotated[
        int,
        Field(
            ge=1,
            description=(
                "Shops besides the main one that a worker holds open at once. For one more, the "
                "one that nobody has asked for longest is let go, and opened again when asked for."
            ),
        ),
    ] = 32
    demo: Annotated[
        bool,
        Field(
            description=(
                "Whether `/demo` is a shop to try everything out in, as customers of the model. On "
                "loopback and without an API key only."
            )
        ),
    ] = False
    console: Annotated[
        bool,
        Field(
            description=(
                "Whether `/console` shows pages to those who run the shop: customers, products, "
                "rules, models, mailings. They sign in with a key; while there is none, it is open "
                "on this machine."
            )
        ),
    ] = False
    console_port: Annotated[
        int | None,
        Field(
            ge=1,
            le=65_535,
            description=(
                "Port of its own for the console, which the other port then does not have: so only "
                "that one needs to be reached from outside."
            ),
        ),
    ] = None
    default_locale: Annotated[
        str, Field(description="Locale of prices and sentences if the caller names none.")
    ] = "en_US"
    wording_dir: Annotated[
        Path | None,
        Field(
            description="Directory with the shop's own wording of sentences, a file for each "
            "language, such as de.po. Another shop than the main one has its own in `shops/NAME` "
            "of it, if that is there."
        ),
    ] = None
    runtime_dir: Annotated[
        Path | None,
        Field(
            description=(
                "Directory for shared state and marks of verified models. Default: in memory if "
                "possible."
            )
        ),
    ] = None
    otlp_endpoint: Annotated[
        str | None,
        Field(
            pattern=r"^https?://[^\s]+$",
            description=(
                "Address of a collector of traces (OTLP over HTTP), like http://collector:4318. "
                "Default: nothing is traced."
            ),
        ),
    ] = None
    trace_share: Annotated[
        float,
        Field(ge=0, le=1, description="Share of the requests that are traced: 1 is all."),
    ] = 0.01
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Field(description="Lowest level to log.")
    ] = "info"

    @field_validator("default_locale")
    @classmethod
    def _check_locale(cls, value: str) -> str:
        if not is_locale(value):
            raise ValueError("not a locale; write it like en_US")
        return value

    @field_validator("wording_dir")
    @classmethod
    def _check_wording(cls, value: Path | None) -> Path | None:
        if value is not None:
            try:
                for folder in (value, *(value / FOLDER).glob("*/")):
                    read_wording(folder)
            except WordingError as error:
                raise ValueError(str(error)) from None
        return value

    @field_validator("import_secrets")
    @classmethod
    def _check_import_secrets(cls, value: SecretStr | None) -> SecretStr | None:
        for entry in _split_list(value.get_secret_value() if value else ""):
            owner, equals, secret = entry.partition("=")
            shop, slash, vendor = owner.rpartition("/")
            is_owner = vendor in SIGNING_SYSTEMS and (not slash or is_shop_name(shop))
            if not equals or not secret or not is_owner:
                raise ValueError(
                    "write it like shopify=SECRET, or acme/shopify=SECRET for the shop acme; "
                    f"systems are {', '.join(SIGNING_SYSTEMS)}"
                )
        return value

    @field_validator("shopify_shop")
    @classmethod
    def _check_shopify_shop(cls, value: str | None) -> str | None:
        if value is not None and not SHOPIFY_PATTERN.fullmatch(value):
            raise ValueError("no domain of Shopify; write it like example.myshopify.com")
        return value

    @field_validator("cors_origins")
    @classmethod
    def _check_origins(cls, value: str) -> str:
        for origin in _split_list(value):
            if not ORIGIN_PATTERN.fullmatch(origin):
                raise ValueError(
                    f"{origin} is no origin; write it like https://shop.example, without a path"
                )
        return value

    @field_validator("allowed_hosts")
    @classmethod
    def _check_hosts(cls, value: str) -> str:
        for host in _split_list(value):
            if _parse_allowed_host(host) is None:
                raise ValueError(
                    f"{host} is no host; write it like shop.internal or 10.0.0.5, without a port"
                )
        return value

    @field_validator("shop_url", "public_url")
    @classmethod
    def _check_address(cls, value: str | None) -> str | None:
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
    def _check_redis_url(cls, value: SecretStr | None) -> SecretStr | None:
        if value:
            RedisAddress.parse(value.get_secret_value())
        return value

    @model_validator(mode="after")
    def _check_key(self) -> Self:
        if self.api_key is None and not is_loopback(self.host):
            raise ValueError(
                f"host {self.host} can be reached from other machines and no key is set. "
                "Set REGULARS_API_KEY to a long random text, or REGULARS_HOST to 127.0.0.1"
            )
        return self

    @model_validator(mode="after")
    def _check_unasked(self) -> Self:
        if self.unasked is None and not is_loopback(self.host):
            raise ValueError(
                "what holds for customers who were never asked for consent is yours to say: "
                "set REGULARS_UNASKED to allow (they are personalised until they say no) "
                "or refuse (not before they say yes)"
            )
        return self

    @model_validator(mode="after")
    def _check_signing_key(self) -> Self:
        if self.public_url is None or self.token_secret() is not None:
            return self
        if not is_loopback(urlsplit(self.public_url).hostname or ""):
            raise ValueError(
                "links in mails are signed, and no secret is set to sign them with: "
                "set REGULARS_SIGNING_KEY to a long random text"
            )
        return self

    @model_validator(mode="after")
    def _check_console_port(self) -> Self:
        if self.console_port is None:
            return self
        if not self.console:
            raise ValueError(
                "a port of its own needs a console: set REGULARS_CONSOLE=true, or leave "
                "REGULARS_CONSOLE_PORT out"
            )
        if self.console_port == self.port:
            raise ValueError(
                f"port {self.port} is that of the service; name another one in "
                "REGULARS_CONSOLE_PORT, or leave it out"
            )
        return self

    @model_validator(mode="after")
    def _check_demo(self) -> Self:
        if self.demo and (self.api_key is not None or not is_loopback(self.host)):
            raise ValueError(
                "whoever opens the demonstration shop acts for customers, and may have them "
                "forgotten. It needs REGULARS_HOST=127.0.0.1 and no REGULARS_API_KEY; or leave "
                "REGULARS_DEMO out"
            )
        strangers = self._find_strangers() if self.demo else []
        if strangers:
            raise ValueError(
                f"the demonstration shop is for this machine alone, and {strangers[0]} is another "
                "one. Name loopback hosts only in REGULARS_ALLOWED_HOSTS and "
                "REGULARS_CORS_ORIGINS; or leave REGULARS_DEMO out"
            )
        return self

    def _find_strangers(self) -> list[str]:
        """Return allowed hosts and origins that are not this machine."""
        hosts = [host for host in self.hosts() if not is_loopback(host)]
        origins = self.origins()
        return hosts + [one for one in origins if not is_loopback(urlsplit(one).hostname or "")]

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Return the settings of `REGULARS_…` variables. An empty variable counts as not set.

        Variables that `find_service_links` names are no settings. Raises SettingsError.
        """
        links = find_service_links(environment)
        variables = {}
        for name, value in environment.items():
            if name.startswith(PREFIX) and name not in links:
                variables[name.removeprefix(PREFIX)] = value
        for name in variables:
            if name not in _variable_names():
                raise SettingsError(_describe_unknown(name))
        values = {name.lower(): value for name, value in variables.items() if value}
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise SettingsError(describe_errors(error)) from None

    def signing_secret(self) -> bytes:
        """Return 32 bytes to sign and hash with, the same in every worker and after a restart."""
        material = self.token_secret() or DEVELOPMENT_KEY
        return hmac.digest(material, b"regulars recommendation ids", hashlib.sha256)

    def token_secret(self) -> bytes | None:
        """Return the secret of customer tokens, None if no key is set.

        It is the signing key itself, so that the shop's server can make tokens.
        """
        key = self.signing_key or self.api_key
        return key.get_secret_value().encode() if key else None

    def import_secrets_of(self, vendor: str) -> list[str]:
        """Return the secrets that a shop system of the main shop may sign with."""
        entries = _split_list(self.import_secrets.get_secret_value() if self.import_secrets else "")
        pairs = (entry.partition("=") for entry in entries)
        return [secret for owner, _, secret in pairs if owner == vendor]

    def import_secrets_for(self, shop: str) -> SecretStr:
        """Return the secrets of another shop, as it would name them as the main one."""
        entries = _split_list(self.import_secrets.get_secret_value() if self.import_secrets else "")
        begin = f"{shop}/"
        own = [entry.removeprefix(begin) for entry in entries if entry.startswith(begin)]
        return SecretStr(",".join(own))

    def wording_for(self, shop: str) -> Path | None:
        """Return the directory of another shop's wording: its own, or else that of all."""
        own = self.wording_dir / FOLDER / shop if self.wording_dir else None
        return own if own and own.is_dir() else self.wording_dir

    def origins(self) -> list[str]:
        """Return the origins whose pages may call."""
        return _split_list(self.cors_origins)

    def hosts(self) -> list[str]:
        """Return the hosts that may be named while there is no key, as `parse_host` writes them."""
        hosts = map(_parse_allowed_host, _split_list(self.allowed_hosts))
        return [host for host in hosts if host is not None]

    def store_url(self) -> str:
        """Return the address of the store."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{(self.registry / 'store.db').absolute()}"

    def refusals_directory(self) -> Path:
        """Return the directory of the journals of refusals."""
        return self.refusals_dir or self.registry / "refusals"

    def thread_count(self) -> int:
        """Return how many slates a worker works on at once.

        While one waits for the answer of a PostgreSQL server, another one can be worked on.
        """
        return self.scoring_threads or (1 if self.store_url().startswith("sqlite") else 2)

    def runtime_directory(self) -> Path:
        """Return a directory of this user on this host, in memory if the host has such a place.

        Files in it are mapped: on a disk, a write into a page would wait until the disk has taken
        what the page held before. Raises SettingsError.
        """
        if self.runtime_dir is not None:
            return self.runtime_dir
        if base := os.environ.get("XDG_RUNTIME_DIR"):
            return Path(base) / "regulars"
        base = (
            SHARED_MEMORY if os.access(SHARED_MEMORY, os.W_OK | os.X_OK) else tempfile.gettempdir()
        )
        directory = Path(base) / f"regulars-{os.getuid()}"
        _check_owner(directory)
        return directory


def prepare_registry(settings: Settings) -> None:
    """Raise SettingsError where the registry is no directory and is not to be made.

    A path that was mistyped would serve nothing, and begin a store without anybody's consents.
    """
    directory = settings.registry.absolute()
    variable = f"{PREFIX}REGISTRY: {directory}"
    if directory.is_dir():
        return
    if directory.exists():
        raise SettingsError(f"{variable} is a file, expected a directory")
    if not settings.create_registry:
        raise SettingsError(
            f"{variable} does not exist. The first training makes it; "
            f"set {PREFIX}CREATE_REGISTRY=true to start before"
        )
    try:
        directory.mkdir(parents=True)
    except OSError as error:
        raise SettingsError(f"{variable} cannot be made: {error.strerror}") from None


def prepare_runtime_directory(settings: Settings) -> None:
    """Raise SettingsError where the directory of what workers share cannot be written to."""
    directory = settings.runtime_directory()
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        check_writable(directory / "writable")
    except OSError as error:
        raise SettingsError(
            f"{directory} cannot be written to: {error.strerror}; "
            f"{PREFIX}RUNTIME_DIR says where to go instead"
        ) from None


def find_service_links(environment: Mapping[str, str]) -> list[str]:
    """Return the variables that an orchestrator has set for a service named like this one.

    REGULARS_PORT is one of them where its value is an address, such as tcp://10.0.0.1:8000.
    """
    return [
        name
        for name, value in environment.items()
        if name.startswith(PREFIX) and _is_service_link(name.removeprefix(PREFIX), value)
    ]


def _is_service_link(name: str, value: str) -> bool:
    if LINK_NAME_PATTERN.fullmatch(name):
        return True
    is_port = LINK_PORT_PATTERN.fullmatch(name) is not None
    return is_port and LINK_ADDRESS_PATTERN.fullmatch(value) is not None


def _check_owner(directory: Path) -> None:
    if directory.exists() and directory.stat().st_uid != os.getuid():
        raise SettingsError(
            f"{directory} belongs to another user; REGULARS_RUNTIME_DIR says where to go instead"
        )


def _split_list(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def parse_host(text: str) -> str | None:
    """Return the host of a header, without its port, as it is compared; None if it is none.

    An IPv6 address stands in brackets.
    """
    match = HOST_PATTERN.fullmatch(text)
    if match is None:
        return None
    address, name = match.groups()
    if name is None:
        return _normalize_address(address)
    return _normalize_address(name) or name.lower().removesuffix(".")


def _parse_allowed_host(text: str) -> str | None:
    address = _normalize_address(text.removeprefix("[").removesuffix("]"))
    if address is not None:
        return address
    return None if ":" in text else parse_host(text)


def _normalize_address(text: str) -> str | None:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _variable_names() -> list[str]:
    return [field.upper() for field in Settings.model_fields]


def _describe_unknown(name: str) -> str:
    similar = difflib.get_close_matches(name, _variable_names(), n=1)
    if similar:
        return f"{PREFIX}{name} is not a setting; did you mean {PREFIX}{similar[0]}?"
    return f"{PREFIX}{name} is not a setting; docs/settings.md lists the settings"


def describe_errors(error: ValidationError) -> str:
    """Return what is wrong with settings, each by the name of its variable."""
    sentences = []
    for problem in error.errors(include_url=False, include_input=False):
        text = problem["msg"].removeprefix("Value error, ").removeprefix("Input ")
        if problem["loc"]:
            text = f"{PREFIX}{str(problem['loc'][0]).upper()}: {text}"
        sentences.append(text)
    return "; ".join(sentences)
