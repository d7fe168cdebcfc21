"""Everything installed is pinned, and serving never installs what training needs."""

import tomllib
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT, SETUPTOOLS = PYPROJECT["project"], PYPROJECT["tool"]["setuptools"]
EXTRAS = {
    name: [Requirement(line) for line in lines]
    for name, lines in PROJECT["optional-dependencies"].items()
}
SERVING = [Requirement(line) for line in PROJECT["dependencies"]]
PYTHONS = ("3.11", "3.12", "3.13")


def pin_lines() -> list[str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def applies(requirement: Requirement, python: str) -> bool:
    environment = {"python_version": python, "python_full_version": f"{python}.0"}
    return requirement.marker is None or requirement.marker.evaluate(environment)


def pins(python: str) -> dict[str, list[Version]]:
    """Return the versions of each name that constraints.txt allows on a Python: one, if right."""
    versions: dict[str, list[Version]] = {}
    for pin in map(Requirement, pin_lines()):
        (specifier,) = pin.specifier
        assert specifier.operator == "==", f"{pin} is no pin"
        if applies(pin, python):
            version = Version(specifier.version)
            versions.setdefault(canonicalize_name(pin.name), []).append(version)
    return versions


@pytest.mark.parametrize("python", PYTHONS)
def test_nothing_is_pinned_twice(python):
    assert {name: versions for name, versions in pins(python).items() if len(versions) != 1} == {}


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("wanted", [*SERVING, *chain.from_iterable(EXTRAS.values())], ids=str)
def test_every_dependency_is_pinned_to_a_version_that_the_project_accepts(wanted, python):
    pinned = pins(python).get(canonicalize_name(wanted.name), [])
    if applies(wanted, python):
        assert len(pinned) == 1, f"{wanted.name} is not pinned for Python {python}"
        assert wanted.specifier.contains(pinned[0])
    else:
        assert pinned == [], (
            f"{wanted.name} is pinned for Python {python}, where it is not installed"
        )


@pytest.mark.parametrize("foreign", ["://", "@", "--hash", "--index", "file:", "-e "])
def test_constraints_name_versions_and_no_places(foreign):
    assert [line for line in pin_lines() if foreign in line] == []


def test_constraints_say_how_they_are_made_anew():
    first, *others = (ROOT / "constraints.txt").read_text().splitlines()
    assert first.startswith("# Made anew: ")
    assert not any(line.startswith("#") for line in others)


def test_serving_installs_nothing_that_only_training_or_tests_need():
    serving = {canonicalize_name(requirement.name) for requirement in SERVING}
    for extra, requirements in EXTRAS.items():
        assert serving.isdisjoint(
            canonicalize_name(requirement.name) for requirement in requirements
        ), extra
    assert serving.isdisjoint(
        {"implicit", "scipy", "pandas", "pyarrow", "duckdb", "ibis-framework", "scikit-learn"}
    )


def test_every_dependency_has_a_lower_bound_or_a_pin():
    for requirement in chain(SERVING, *EXTRAS.values()):
        assert any(specifier.operator in {">=", "=="} for specifier in requirement.specifier), (
            requirement
        )


def test_every_folder_of_code_is_a_package_that_is_installed():
    assert SETUPTOOLS["packages"]["find"]["include"] == ["models*", "service*", "training*"]
    folders: set[Path] = set()
    for package in ("models", "service", "training"):
        folders |= {path.parent for path in (ROOT / package).rglob("*.py")}
    bare = {path.name for path in folders if not (path / "__init__.py").exists()}
    assert bare == {"migrations", "versions"}  # carried as data, run by Alembic


def test_templates_and_whatever_else_is_no_module_is_installed_too():
    carried: set[Path] = set()
    for package, patterns in SETUPTOOLS["package-data"].items():
        for pattern in patterns:
            carried |= set((ROOT / package.replace(".", "/")).glob(pattern))
    files: set[Path] = set()
    for folder in ("models", "service", "training"):
        files |= set((ROOT / folder).rglob("*.*"))
    others = {path for path in files if path.is_file() and path.suffix not in {".py", ".pyc"}}
    assert ROOT / "service/routes/templates/slate.html" in others
    assert others <= carried
