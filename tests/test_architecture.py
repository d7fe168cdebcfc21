"""Which package may load which, and what importing one does: nothing."""

import ast
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("models", "service", "training")
WEB = {"fastapi", "starlette", "uvicorn", "pydantic", "pydantic_settings"}
STORE = {"redis", "sqlalchemy", "sqlite3", "psycopg"}
OFFLINE = {
    "implicit",
    "ibis",
    "duckdb",
    "pandas",
    "pyarrow",
    "scipy",
    "lightgbm",
    "optuna",
    "jinja2",
}
FORBIDDEN = {
    "models": {"service", "training", "rich", "prometheus_client"} | WEB | STORE | OFFLINE,
    "service": {"training", "tests"} | OFFLINE - {"jinja2"},
    "training": {"service", "tests", "fastapi", "starlette", "uvicorn", "redis"},
}
# From top to bottom: a room, a folder or a file of the package, imports only from those below it.
ROOMS = {
    "models": [
        "mail",
        "explanation",
        "preview",
        "shop_lists",
        "recommender",
        "bundles",
        "assembly",
        "ranking",
        "updates",
        "slate",
        "model",
        "experiments",
        "rules",
        "sources",
        "vendors",
        "data",
        "languages",
        "artifact",
        "settings",
        "trees",
        "steps",
        "errors",
    ],
    "service": [
        "__main__",
        "commands",
        "backup_commands",
        "shop_commands",
        "backup",
        "app",
        "demo",
        "console",
        "routes",
        "imports",
        "shops",
        "mail",
        "answering",
        "cache",
        "model",
        "schemas",
        "http",
        "errors",
        "store",
        "runtime",
        "signing",
        "settings",
        "redis_address",
        "patterns",
    ],
    "training": [
        "__main__",
        "cli",
        "synthetic",
        "tuning",
        "pipeline",
        "unfinished",
        "report",
        "ranker",
        "publishing",
        "evaluation",
        "insights",
        "export",
        "fitting",
        "config_file",
        "config",
        "reading",
        "spark",
        "parallel",
        "progress",
        "kept_steps",
        "errors",
    ],
}

# Imports every module of a package, alone, and tells what was loaded and what was done meanwhile.
PROBE = """
import json, pkgutil, sys, threading
from importlib import import_module

deeds = []
WATCHED = {
    "socket.connect", "socket.bind", "subprocess.Popen", "os.fork", "os.remove", "os.mkdir", "os.rename"
}

def watch(event, arguments):
    mode = arguments[1] if event == "open" else ""
    if event in WATCHED or (isinstance(mode, str) and set(mode) & set("wax+")):
        if not str(arguments[0]).endswith(".pyc") and "__pycache__" not in str(arguments[0]):
            deeds.append([event, str(arguments[0])])

sys.addaudithook(watch)
package = import_module(sys.argv[1])
modules = [found.name for found in pkgutil.walk_packages(package.__path__, package.__name__ + ".")]
for name in modules:
    import_module(name)
loaded = sorted({name.partition(".")[0] for name in sys.modules})
threads = threading.active_count()
print(json.dumps({"modules": modules, "loaded": loaded, "deeds": deeds, "threads": threads}))
"""


@cache
def imported(package: str) -> dict[str, list]:
    """What a fresh interpreter says after importing every module of a package."""
    # Measured coverage would load modules of its own into the interpreter.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    run = subprocess.run(
        [sys.executable, "-c", PROBE, package],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return json.loads(run.stdout)


def sources(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def trees(package: str) -> Iterator[tuple[Path, ast.Module]]:
    return ((path, ast.parse(path.read_text())) for path in sources(package))


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_does_not_load_what_it_must_not(package: str) -> None:
    assert not set(imported(package)["loaded"]) & FORBIDDEN[package]


@pytest.mark.parametrize("package", PACKAGES)
def test_every_file_of_a_package_was_looked_at(package: str) -> None:
    files = {
        path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
        for path in sources(package)
    }
    modules = {
        name.removesuffix(".__init__") for name in files if ".migrations." not in name
    }  # those Alembic runs
    assert {*imported(package)["modules"], package} == modules


@pytest.mark.parametrize("name", sorted(OFFLINE))
def test_what_must_not_be_loaded_is_installed_so_that_its_absence_means_something(
    name: str,
) -> None:
    assert importlib.util.find_spec(name) is not None


@pytest.mark.parametrize("package", PACKAGES)
def test_importing_writes_no_file_opens_no_connection_and_starts_no_thread(package: str) -> None:
    assert (imported(package)["deeds"], imported(package)["threads"]) == ([], 1)


@pytest.mark.parametrize(
    ("library", "file"),
    [("implicit", "training/fitting/als.py"), ("lightgbm", "training/ranker/boosting.py")],
)
def test_a_library_that_may_be_exchanged_is_imported_in_one_file(library: str, file: str) -> None:
    files = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path, tree in trees(package)
        if any(name.partition(".")[0] == library for name in imports(tree))
    }
    assert files == {file}


def module_of(path: Path) -> str:
    name = path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
    return name.removesuffix(".__init__")


@cache
def arrows(package: str) -> dict[str, set[str]]:
    """For each module of a package the modules of the same package that it imports."""
    modules = {module_of(path) for path in sources(package)}
    return {
        module_of(path): (imports(tree) & modules) - {package, module_of(path)}
        for path, tree in trees(package)
    }


@pytest.mark.parametrize("package", PACKAGES)
def test_every_folder_and_file_of_a_package_has_its_place_among_the_rooms(package: str) -> None:
    found = {name.split(".")[1] for name in arrows(package) if "." in name}
    assert found == set(ROOMS[package])


@pytest.mark.parametrize("package", PACKAGES)
def test_a_room_imports_only_from_those_below_it(package: str) -> None:
    place = {room: number for number, room in enumerate(ROOMS[package])}
    upward = [
        f"{module} imports {imported}"
        for module, modules in arrows(package).items()
        for imported in modules
        if module != package and place[imported.split(".")[1]] < place[module.split(".")[1]]
    ]
    assert upward == []


@pytest.mark.parametrize("package", PACKAGES)
def test_no_file_imports_in_a_circle(package: str) -> None:
    TopologicalSorter(arrows(package)).prepare()  # raises CycleError, which names the files


def test_tests_of_models_and_their_support_import_no_training() -> None:
    importers = {module: imports(tree) for module, tree in parse_tests().items()}
    wanted = {module for module in importers if module.startswith("tests.models.")}
    reached: set[str] = set()
    while wanted:
        module = wanted.pop()
        reached.add(module)
        wanted |= (importers[module] & importers.keys()) - reached
    assert "tests.support.literal_fit" in reached
    offenders = {
        module
        for module in reached
        for name in importers[module]
        if name.partition(".")[0] == "training"
    }
    assert offenders == set()


def parse_tests() -> dict[str, ast.Module]:
    """Return what is written in every file under tests, by the name of its module."""
    return {module_of(path): tree for path, tree in trees("tests")}


def test_models_read_no_clock_and_draw_no_lots() -> None:
    found = {
        f"{path.name}: {deed}" for path, tree in trees("models") for deed in reads_the_world(tree)
    }
    assert found == set()


@pytest.mark.parametrize(
    "line",
    [
        "import time",
        "from time import monotonic",
        "import random",
        "import secrets",
        "import numpy.random",
        "datetime.now(UTC)",
        "datetime.datetime.today()",
        "np.random.default_rng(0)",
        "np.random.seed(0)",
        "os.environ['HOME']",
        "os.getenv('HOME')",
    ],
)
def test_a_clock_a_lot_or_an_environment_would_be_found(line: str) -> None:
    assert reads_the_world(ast.parse(line))


@pytest.mark.parametrize(
    "line", ["datetime.fromtimestamp(0, UTC)", "import tempfile", "self.now(1)", "os.fsync(3)"]
)
def test_what_reads_no_clock_is_not_found(line: str) -> None:
    assert not reads_the_world(ast.parse(line))


def imports(tree: ast.Module) -> set[str]:
    """The modules that a file names, wherever in it."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def reads_the_world(tree: ast.Module) -> set[str]:
    """Imports and attributes by which a function would depend on more than its arguments."""
    modules = {"time", "random", "secrets", "uuid", "numpy.random", "os.environ", "os.getenv"}
    attributes = {
        "datetime.now",
        "datetime.today",
        "datetime.utcnow",
        "date.today",
        "os.environ",
        "os.getenv",
    }
    used = {
        f"{owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, 'id', '')}.{node.attr}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        for owner in [node.value]
    }
    of_numpy = {name for name in used if name in ("np.random", "numpy.random")}
    return (imports(tree) & modules) | (used & attributes) | of_numpy
