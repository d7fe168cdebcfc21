"""Container files name what exists, and agree; the tests need no container engine."""

import ast
import json
import os
import re
import shlex
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import redis
import yaml

import regulars
from service.settings import PREFIX, Settings, SettingsError

ROOT = Path(__file__).parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
RUNTIME_LIBRARIES = {"libgomp1"}  # all that the last stage may install: nothing that builds


def instructions(text: str) -> list[tuple[str, str]]:
    """Return pairs of INSTRUCTION and arguments, without comments, continued lines joined."""
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    joined = re.sub(r"\\\n\s*", " ", lines)
    return [tuple(line.split(maxsplit=1)) for line in joined.splitlines() if line.strip()]


ALL = instructions((ROOT / "Dockerfile").read_text())
LAST_FROM = max(index for index, (name, _) in enumerate(ALL) if name == "FROM")
BUILD, LAST = ALL[:LAST_FROM], ALL[LAST_FROM:]
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICE, REDIS = COMPOSE["services"]["service"], COMPOSE["services"]["redis"]
REQUIRED_VARIABLES = {
    "REGULARS_API_KEY": "a long random text",
    "REGULARS_UNASKED": "refuse",
    "POSTGRES_PASSWORD": "secret",
}


def arguments_of(stage: list[tuple[str, str]], name: str) -> list[str]:
    return [arguments for instruction, arguments in stage if instruction == name]


def last_stage(name: str) -> str:
    """Return the arguments of the only instruction of that name in the last stage."""
    (arguments,) = arguments_of(LAST, name)
    return arguments


def image_environment() -> dict[str, str]:
    pairs = shlex.split(" ".join(arguments_of(LAST, "ENV")))
    return dict(pair.split("=", 1) for pair in pairs)


def compose_environment(**variables: str) -> dict[str, str]:
    """Return what Compose hands to the service, ${NAME:-default} and ${NAME:?sentence} filled in."""

    def fill(match: re.Match[str]) -> str:
        name, operator, default = match.groups()
        if variables.get(name):
            return variables[name]
        if operator == ":?":
            raise LookupError(default)
        return default

    return {
        name: re.sub(r"\$\{(\w+)(:[-?])([^}]*)\}", fill, str(value))
        for name, value in SERVICE["environment"].items()
    }


def copied() -> list[str]:
    """Return the paths that the build stage takes from the checkout."""
    paths: list[str] = []
    for arguments in arguments_of(BUILD, "COPY"):
        *sources, _ = shlex.split(arguments)
        paths += sources
    return paths


def ignored(path: str) -> bool:
    """Return whether .dockerignore leaves a path out: the last pattern that fits decides."""
    is_ignored = False
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        if line and not line.startswith("#") and fnmatch(path, line.lstrip("!")):
            is_ignored = not line.startswith("!")
    return is_ignored


def health_check() -> list[str]:
    return json.loads(last_stage("HEALTHCHECK").split("CMD", 1)[1])


def test_everything_copied_exists_and_reaches_the_build():
    assert {path for path in copied() if not (ROOT / path).exists()} == set()
    assert {path for path in copied() if ignored(path)} == set()


@pytest.mark.parametrize(
    "path", [".git", ".venv", "data", "registry", "tests", "compose.yaml", ".env"]
)
def test_nothing_else_reaches_the_build(path):
    assert ignored(path)


def test_every_package_and_every_file_that_packaging_reads_is_copied():
    project = PYPROJECT["project"]
    patterns = PYPROJECT["tool"]["setuptools"]["packages"]["find"]["include"]
    packages = {pattern.rstrip("*") for pattern in patterns}
    packages |= {f"{name}.py" for name in PYPROJECT["tool"]["setuptools"]["py-modules"]}
    files = {"pyproject.toml", project["readme"], *project["license-files"]}
    assert packages | files <= set(copied())


def test_wheels_are_installed_under_the_constraints_with_an_extra_that_exists():
    (install,) = [run for run in arguments_of(BUILD, "RUN") if "pip install" in run]
    words = shlex.split(install)
    assert words[words.index("--only-binary") + 1] == ":all:"
    assert words[words.index("-c") + 1] in copied()
    project = re.fullmatch(r"\.\[([\w,]+)\]", words[-1])
    assert project is not None
    assert set(project[1].split(",")) <= set(PYPROJECT["project"]["optional-dependencies"])


def test_both_stages_run_the_same_python_that_the_project_allows():
    build, last = arguments_of(BUILD, "FROM")[0].split()[0], last_stage("FROM")
    assert build == last
    version = re.fullmatch(r"python:3\.(\d+)-slim", last)
    assert version is not None
    assert int(version[1]) >= int(PYPROJECT["project"]["requires-python"].removeprefix(">=3."))


def test_what_the_last_stage_takes_is_what_the_build_made():
    option, source, target = shlex.split(last_stage("COPY"))
    assert option == "--from=build"
    assert arguments_of(BUILD, "FROM")[0].endswith(" AS build")
    assert source == target  # an environment does not work from another path
    assert f"python -m venv {source}" in arguments_of(BUILD, "RUN")
    assert image_environment()["PATH"].split(":")[0] == f"{source}/bin"


def test_the_last_stage_installs_no_compiler():
    installed = set()
    for command in re.split(r"&&|;", " && ".join(arguments_of(LAST, "RUN"))):
        words = shlex.split(command)
        assert "pip" not in words
        if words[:2] == ["apt-get", "install"]:
            installed |= {word for word in words[2:] if not word.startswith("-")}
    assert installed == RUNTIME_LIBRARIES


def test_the_user_is_not_root_and_is_made_before():
    user = last_stage("USER")
    assert user not in {"root", "0"}
    commands = " ".join(arguments_of(LAST, "RUN"))
    assert re.search(rf"useradd [^&]*--uid [1-9]\d* [^&]*\b{user}\b", commands)
    names = [name for name, _ in LAST]
    assert {"RUN", "COPY"}.isdisjoint(names[names.index("USER") :])


def test_the_user_owns_the_volume_with_the_registry():
    volume, registry = last_stage("VOLUME"), image_environment()["REGULARS_REGISTRY"]
    assert Path(registry).is_relative_to(volume)
    (install,) = re.findall(r"install --directory ([^&]*)", " ".join(arguments_of(LAST, "RUN")))
    words = install.split()
    assert words[words.index("--owner") + 1] == last_stage("USER")
    assert {volume, registry} <= set(words)
    named_volumes = dict(mount.split(":") for mount in SERVICE["volumes"] if ":" in mount)
    assert named_volumes == {"regulars": volume}
    assert set(COMPOSE["volumes"]) == {"regulars", "store"}


def test_every_command_that_is_run_exists(monkeypatch):
    registry = image_environment()["REGULARS_REGISTRY"]
    monkeypatch.setenv("REGULARS_REGISTRY", registry)
    (program,) = json.loads(last_stage("ENTRYPOINT"))
    assert PYPROJECT["project"]["scripts"] == {program: "regulars:main"}
    assert json.loads(last_stage("CMD")) == ["serve"]
    parser = regulars.build_parser()
    for name in ("Dockerfile", "compose.yaml"):
        trained = re.findall(r"^#\s+(train .*)", (ROOT / name).read_text(), re.MULTILINE)
        assert trained
        for line in trained:
            assert str(parser.parse_args(shlex.split(line)).registry) == registry


def test_the_health_check_needs_the_standard_library_alone():
    python, option, code = health_check()
    assert (python, option) == ("python", "-c")
    imported: set[str] = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
    assert imported
    assert imported <= sys.stdlib_module_names


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(self.server.statuses.get(self.path, 404))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    with HTTPServer(("127.0.0.1", 0), Answer) as listening:
        listening.statuses = {}
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield listening
        listening.shutdown()
        thread.join()


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False), (404, False)])
def test_the_health_check_believes_healthz_on_the_port_of_the_settings(server, status, healthy):
    server.statuses = {"/healthz": status}
    environment = {**os.environ, "REGULARS_PORT": str(server.server_port)}
    command = [sys.executable, *health_check()[1:]]
    ended = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert (ended.returncode == 0) is healthy


def test_one_port_is_set_exposed_and_published():
    port = image_environment()["REGULARS_PORT"]
    assert last_stage("EXPOSE") == port
    assert [mapping.split(":")[-1] for mapping in SERVICE["ports"]] == [port]
    assert int(port) == Settings.model_fields["port"].default


def test_every_variable_is_a_setting():
    settings = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    assert {name for name in image_environment() if name.startswith(PREFIX)} <= settings
    assert set(SERVICE["environment"]) <= settings


def test_the_service_starts_with_the_settings_of_image_and_compose():
    settings = Settings.from_environment(
        image_environment() | compose_environment(**REQUIRED_VARIABLES)
    )
    assert settings.host == "0.0.0.0"
    assert str(settings.registry) == image_environment()["REGULARS_REGISTRY"]
    assert settings.workers == 2


@pytest.mark.parametrize("missing", REQUIRED_VARIABLES)
def test_what_only_the_shop_can_say_is_asked_for(missing: str):
    with pytest.raises(LookupError):
        compose_environment(
            **{name: value for name, value in REQUIRED_VARIABLES.items() if name != missing}
        )


def test_without_a_key_the_image_does_not_start():
    with pytest.raises(SettingsError, match="REGULARS_API_KEY"):
        Settings.from_environment(image_environment())


def test_the_store_of_compose_is_brought_up_to_date_before_the_service_starts():
    address = compose_environment(**REQUIRED_VARIABLES)["REGULARS_DATABASE_URL"]
    assert address == "postgresql://regulars:secret@postgres/regulars"
    migrate, postgres = COMPOSE["services"]["migrate"], COMPOSE["services"]["postgres"]
    assert migrate["command"] == ["migrate"]
    assert (
        migrate["environment"]["REGULARS_DATABASE_URL"]
        == SERVICE["environment"]["REGULARS_DATABASE_URL"]
    )
    assert migrate["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    assert SERVICE["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
    assert postgres["environment"]["POSTGRES_USER"] == "regulars"
    assert postgres["environment"]["POSTGRES_DB"] == "regulars"


def test_the_service_finds_the_redis_of_compose():
    host = re.match(r"redis://(\w+):6379/", SERVICE["environment"]["REGULARS_REDIS_URL"])
    assert host is not None
    assert host[1] in COMPOSE["services"]
    assert SERVICE["depends_on"][host[1]] == {"condition": "service_started"}


def test_the_redis_of_compose_is_a_bounded_cache_that_keeps_nothing(redis_server):
    """Its options, handed to a real server."""
    program, *options = REDIS["command"]
    assert program == "redis-server"
    with redis.Redis.from_url(redis_server.url) as client:
        for name, value in zip(options[0::2], options[1::2], strict=True):
            assert client.config_set(name.removeprefix("--"), value)
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "allkeys-lru"}
        assert int(client.config_get("maxmemory")["maxmemory"]) == 256 * 1024**2
        assert client.config_get("save") == {"save": ""}
        assert client.config_get("appendonly") == {"appendonly": "no"}


@pytest.mark.parametrize("container", [SERVICE, REDIS], ids=["service", "redis"])
def test_containers_write_only_where_they_are_told(container):
    assert container["read_only"] is True
    assert container["cap_drop"] == ["ALL"]
    mounts = container.get("volumes", []) + container.get("tmpfs", [])
    writable = [mount.split(":")[-1] for mount in mounts]
    assert writable == (["/data"] if container is REDIS else [last_stage("VOLUME"), "/tmp"])


def test_both_containers_are_watched():
    assert REDIS["healthcheck"]["test"] == ["CMD", "redis-cli", "ping"]
    assert "healthcheck" not in SERVICE  # the image brings its own
    assert health_check()
