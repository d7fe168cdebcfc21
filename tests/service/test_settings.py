"""Settings come from the environment, once, and wrong ones are refused with a sentence."""

import os
import tempfile
from pathlib import Path

import pytest

from service.settings import SHARED_MEMORY, Settings, SettingsError, find_service_links


def test_without_any_variable_it_listens_on_loopback_alone() -> None:
    settings = Settings.from_environment({})
    assert (settings.host, settings.port, settings.workers) == ("127.0.0.1", 8000, 1)


def test_variables_of_other_programs_are_not_read() -> None:
    assert Settings.from_environment({"PORT": "1", "HOME": "/root"}) == Settings()


def test_a_variable_sets_its_field() -> None:
    settings = Settings.from_environment(
        {"REGULARS_PORT": "9000", "REGULARS_REDIS_URL": "redis://cache:6379/0"}
    )
    assert settings.port == 9000
    assert settings.redis_url is not None
    assert settings.redis_url.get_secret_value() == "redis://cache:6379/0"


def test_an_empty_variable_is_not_set() -> None:
    assert Settings.from_environment({"REGULARS_API_KEY": "", "REGULARS_PORT": ""}) == Settings()


def test_a_misspelt_variable_is_refused_with_the_name_that_was_meant() -> None:
    with pytest.raises(
        SettingsError,
        match=r"REGULARS_REDIS_URI is not a setting; did you mean REGULARS_REDIS_URL\?",
    ):
        Settings.from_environment({"REGULARS_REDIS_URI": "redis://cache"})


KUBERNETES = {
    "REGULARS_SERVICE_HOST": "10.0.0.1",
    "REGULARS_SERVICE_PORT": "8000",
    "REGULARS_SERVICE_PORT_HTTP": "8000",
    "REGULARS_PORT": "tcp://10.0.0.1:8000",
    "REGULARS_PORT_8000_TCP": "tcp://10.0.0.1:8000",
    "REGULARS_PORT_8000_TCP_PROTO": "tcp",
    "REGULARS_PORT_8000_TCP_PORT": "8000",
    "REGULARS_PORT_8000_TCP_ADDR": "10.0.0.1",
    "REGULARS_REDIS_SERVICE_HOST": "10.0.0.2",
    "REGULARS_REDIS_PORT": "tcp://10.0.0.2:6379",
    "REGULARS_REDIS_PORT_6379_TCP_ADDR": "10.0.0.2",
}


def test_what_kubernetes_says_of_services_of_our_name_is_no_setting() -> None:
    assert Settings.from_environment(KUBERNETES) == Settings()
    assert find_service_links(KUBERNETES) == list(KUBERNETES)
    with_port = {**KUBERNETES, "REGULARS_PORT": "8001"}
    assert Settings.from_environment(with_port).port == 8001
    assert "REGULARS_PORT" not in find_service_links(with_port)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REGULARS_SERVICE_HOTS", "10.0.0.1"),
        ("REGULARS_PORT_8000", "tcp://10.0.0.1:8000"),
        ("REGULARS_PROT", "8001"),
        ("REGULARS_PORT", "80O1"),
        ("REGULARS_PORT", "http://10.0.0.1:8000"),
        ("REGULARS_REDIS_PORT", "6379"),
        ("REGULARS_REDIS_URI", "tcp://10.0.0.2:6379"),
    ],
)
def test_what_only_looks_like_a_link_to_a_service_is_refused(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        Settings.from_environment({name: value})


def test_every_setting_is_told_from_a_link_to_a_service() -> None:
    names = [f"REGULARS_{name.upper()}" for name in Settings.model_fields]
    assert find_service_links(dict.fromkeys(names, "8000")) == []


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("PORT", "eighty", "REGULARS_PORT: should be a valid integer"),
        ("DEADLINE_MS", "0", "REGULARS_DEADLINE_MS: should be greater than or equal to 1"),
        ("REDIS_URL", "cache:6379", "REGULARS_REDIS_URL: should begin with redis://"),
        ("DEFAULT_LOCALE", "klingon", "REGULARS_DEFAULT_LOCALE: not a locale"),
        ("LOG_LEVEL", "loud", "REGULARS_LOG_LEVEL: should be 'debug'"),
        ("CORS_ORIGINS", "https://shop.example,*", "REGULARS_CORS_ORIGINS: * is no origin"),
        (
            "CORS_ORIGINS",
            "https://shop.example/",
            "REGULARS_CORS_ORIGINS: https://shop.example/ is no origin",
        ),
        (
            "SHOP_URL",
            "shop.example",
            "REGULARS_SHOP_URL: is no address; write it like https://shop.example",
        ),
        ("SHOP_URL", "https://shop.example/?a=b", "REGULARS_SHOP_URL: is no address"),
        ("SHOP_URL", "javascript:alert(1)", "REGULARS_SHOP_URL: is no address"),
        ("SHOP_URL", "http://shop.example", "REGULARS_SHOP_URL: should be https"),
        ("PUBLIC_URL", "https://anna@shop.example", "REGULARS_PUBLIC_URL: is no address"),
        ("CALLS_A_MINUTE", "0", "REGULARS_CALLS_A_MINUTE: should be greater than or equal to 1"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_by_name(
    name: str, value: str, sentence: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.from_environment({f"REGULARS_{name}": value})
    assert sentence in str(refused.value)


MOST = {
    "port": 65_535,
    "workers": 256,
    "calls_a_minute": 1_000_000,
    "customer_calls_a_minute": 1_000_000,
    "token_minutes": 1_440,
    "redis_timeout_ms": 1_000,
    "deadline_ms": 10_000,
    "scoring_threads": 64,
    "follow_seconds": 1,
    "campaign_hours": 8_760,
    "campaign_not_twice": 20,
    "mail_days": 3_650,
    "exposure_days": 3_650,
    "exposures": 1,
}


@pytest.mark.parametrize(("name", "most"), MOST.items())
def test_a_number_goes_as_far_as_it_makes_sense_and_no_further(name: str, most: int) -> None:
    variable = f"REGULARS_{name.upper()}"
    assert getattr(Settings.from_environment({variable: str(most)}), name) == most
    with pytest.raises(SettingsError, match=f"{variable}: should be less than or equal to"):
        Settings.from_environment({variable: str(most + 1)})


LEAST = {
    "port": 0,
    "workers": 1,
    "calls_a_minute": 1,
    "customer_calls_a_minute": 1,
    "customer_events_a_day": 1,
    "customer_bytes_a_day": 1,
    "token_minutes": 1,
    "redis_timeout_ms": 1,
    "breaker_failures": 1,
    "cache_bytes": 0,
    "cache_ttl_seconds": 1,
    "max_age_seconds": 0,
    "deadline_ms": 1,
    "scoring_threads": 1,
    "scoring_queue": 0,
    "body_limit_bytes": 1,
    "max_connections": 1,
    "shutdown_seconds": 1,
    "campaign_hours": 1,
    "campaign_not_twice": 0,
    "mail_days": 1,
    "exposure_days": 1,
    "exposures": 0,
}


@pytest.mark.parametrize(("name", "least"), LEAST.items())
def test_a_number_may_be_as_small_as_makes_sense_and_no_smaller(name: str, least: int) -> None:
    variable = f"REGULARS_{name.upper()}"
    assert getattr(Settings.from_environment({variable: str(least)}), name) == least
    with pytest.raises(SettingsError, match=f"{variable}: should be greater than or equal to"):
        Settings.from_environment({variable: str(least - 1)})


def test_no_number_lies_below_nothing() -> None:
    numbers = (int, float, int | None)
    names = [name for name, of in Settings.model_fields.items() if of.annotation in numbers]
    assert names
    for variable in (f"REGULARS_{name.upper()}" for name in names):
        with pytest.raises(SettingsError, match=f"{variable}: should be greater than"):
            Settings.from_environment({variable: "-1"})


def test_links_of_mails_are_not_signed_with_what_everyone_knows() -> None:
    address = {"REGULARS_PUBLIC_URL": "https://mails.shop.example/"}
    with pytest.raises(
        SettingsError, match="no secret is set to sign them with: set REGULARS_SIGNING_KEY"
    ):
        Settings.from_environment(address)
    with_key = Settings.from_environment({**address, "REGULARS_SIGNING_KEY": "k"})
    assert with_key.public_url == "https://mails.shop.example"
    on_loopback = Settings.from_environment({"REGULARS_PUBLIC_URL": "http://127.0.0.1:8000"})
    assert on_loopback.public_url == "http://127.0.0.1:8000"


@pytest.mark.parametrize(
    ("console", "port", "sentence"),
    [("false", "8001", "needs a console"), ("true", "8000", "port 8000 is that of the service")],
)
def test_a_port_for_the_console_is_one_that_it_can_have(
    console: str, port: str, sentence: str
) -> None:
    with pytest.raises(SettingsError, match=sentence):
        Settings.from_environment(
            {"REGULARS_CONSOLE": console, "REGULARS_CONSOLE_PORT": port, "REGULARS_PORT": "8000"}
        )


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.10", "shop.example"])
def test_strangers_are_not_let_in_without_a_key(host: str) -> None:
    with pytest.raises(
        SettingsError, match="Set REGULARS_API_KEY to a long random text, or REGULARS_HOST to 127"
    ):
        Settings.from_environment({"REGULARS_HOST": host})
    with_key = {"REGULARS_HOST": host, "REGULARS_API_KEY": "k"}
    with pytest.raises(
        SettingsError, match="never asked for consent is yours to say: set REGULARS_UNASKED"
    ):
        Settings.from_environment(with_key)
    assert Settings.from_environment({**with_key, "REGULARS_UNASKED": "refuse"}).host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_needs_no_key(host: str) -> None:
    assert Settings.from_environment({"REGULARS_HOST": host}).host == host


def test_no_secret_is_shown() -> None:
    settings = Settings.from_environment(
        {"REGULARS_API_KEY": "tomato", "REGULARS_REDIS_URL": "redis://:tomato@cache"}
    )
    assert "tomato" not in repr(settings)
    with pytest.raises(SettingsError) as refused:
        Settings.from_environment({"REGULARS_REDIS_URL": "tomato"})
    assert "tomato" not in str(refused.value)


def test_every_setting_says_what_it_means() -> None:
    assert all(field.description for field in Settings.model_fields.values())


def test_the_store_lies_in_the_registry_unless_it_is_said_where() -> None:
    in_registry = Settings.from_environment({"REGULARS_REGISTRY": "/shop"})
    assert in_registry.store_url() == "sqlite:////shop/store.db"
    on_server = Settings.from_environment({"REGULARS_DATABASE_URL": "postgresql://db/shop"})
    assert on_server.store_url() == "postgresql://db/shop"


def test_what_workers_share_lies_in_memory_unless_it_is_said_where(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    base = Path(SHARED_MEMORY) if Path(SHARED_MEMORY).is_dir() else Path(tempfile.gettempdir())
    assert Settings().runtime_directory() == base / f"regulars-{os.getuid()}"
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/7")
    assert Settings().runtime_directory() == Path("/run/user/7/regulars")
    elsewhere = Settings.from_environment({"REGULARS_RUNTIME_DIR": "/here"})
    assert elsewhere.runtime_directory() == Path("/here")


def test_one_question_is_worked_on_at_once_unless_the_store_is_a_server() -> None:
    assert Settings().thread_count() == 1
    on_server = Settings.from_environment({"REGULARS_DATABASE_URL": "postgresql://db/shop"})
    assert on_server.thread_count() == 2
    assert Settings.from_environment({"REGULARS_SCORING_THREADS": "3"}).thread_count() == 3


def test_customer_tokens_need_a_secret_that_only_this_shop_knows() -> None:
    assert Settings().token_secret() is None
    both_keys = {"REGULARS_SIGNING_KEY": "a", "REGULARS_API_KEY": "b"}
    assert Settings.from_environment(both_keys).token_secret() == b"a"
    assert Settings.from_environment({"REGULARS_API_KEY": "b"}).token_secret() == b"b"


def test_pages_of_several_origins_may_call() -> None:
    origins = Settings.from_environment(
        {"REGULARS_CORS_ORIGINS": "https://shop.example, http://localhost:3000,"}
    ).origins()
    assert origins == ["https://shop.example", "http://localhost:3000"]
    assert Settings().origins() == []


def test_ids_are_signed_with_the_signing_key_else_with_the_api_key() -> None:
    by_api_key = Settings.from_environment({"REGULARS_API_KEY": "a"}).signing_secret()
    assert by_api_key != Settings().signing_secret()
    both_keys = {"REGULARS_SIGNING_KEY": "a", "REGULARS_API_KEY": "b"}
    assert Settings.from_environment(both_keys).signing_secret() == by_api_key
