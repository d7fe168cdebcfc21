"""Count the files of ours that one computed answer passes, and the longest chain of imports.

    python -m benchmarks.structure --registry DIR

The files are those whose functions run, by `sys.setprofile` in every thread, while the service
computes a slate that no cache holds; an earlier slate has warmed it up. What not all of several
slates pass is not counted: it may be work behind the answers. The chain is the longest path of
imports from `service.app`, read from the source.
"""

from __future__ import annotations

import argparse
import ast
import sys
import tempfile
import threading
from functools import cache
from pathlib import Path
from types import FrameType

from pydantic import SecretStr
from starlette.testclient import TestClient

from models.artifact.registry import Registry
from models.recommender import Recommender
from service.app import create
from service.settings import Settings

ROOT = Path(__file__).parent.parent
PACKAGES = ("models", "service", "training")
ENTRY = "service.app"
SLATES = 20  # each of another customer


class FilesPassed:
    """A profile function that notes the project's files whose functions are called."""

    def __init__(self) -> None:
        self.recording = False
        self.paths: set[str] = set()

    def install(self) -> None:
        """Watch this thread and those that start from now on."""
        threading.setprofile(self._note)
        sys.setprofile(self._note)

    def _note(self, frame: FrameType, event: str, _: object) -> None:
        file = Path(frame.f_code.co_filename)
        if self.recording and event == "call" and file.is_relative_to(ROOT):
            relative = file.relative_to(ROOT)
            if relative.parts[0] in PACKAGES:
                self.paths.add(relative.as_posix())


def files_of_one_answer(registry: Path) -> list[str]:
    """Return the files that one computed slate passes, sorted."""
    first, *customer_ids = customers_of(registry)
    passed = FilesPassed()
    passed.install()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            registry=registry,
            database_url=SecretStr(f"sqlite:///{folder}/store.db"),
            runtime_dir=Path(folder),
            deadline_ms=10_000,
        )
        with TestClient(create(settings), base_url="http://localhost") as client:
            client.get(f"/v1/customers/{first}/recommendations").raise_for_status()
            passed_by_each = []
            for customer_id in customer_ids:
                passed.paths, passed.recording = set(), True
                client.get(f"/v1/customers/{customer_id}/recommendations").raise_for_status()
                passed.recording = False
                passed_by_each.append(passed.paths)
    return sorted(set.intersection(*passed_by_each))


def customers_of(registry: Path) -> list[str]:
    """Return a customer of the active version for the first slate and for each that is watched."""
    version = Registry(registry).active()
    if version is None:
        raise SystemExit(f"error: {registry} holds no active version; train one first")
    ids = Recommender.load(Registry(registry).path(version)).model.customers.ids
    return [ids[number] for number in range(1 + SLATES)]


def imports_of_ours() -> dict[str, set[str]]:
    """Return for each of our modules those of ours that it imports."""
    files = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    names = {module_name(path): path for path in files if "migrations" not in path.parts}
    arrows: dict[str, set[str]] = {}
    for name, path in names.items():
        imported: set[str] = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                for alias in node.names:
                    full = f"{node.module}.{alias.name}"
                    imported.add(full if full in names else node.module)
        arrows[name] = imported & names.keys() - {name}
    return arrows


def module_name(path: Path) -> str:
    name = path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
    return name.removesuffix(".__init__")


def longest_chain(entry: str) -> list[str]:
    """Return the longest path of imports that begins at a module, the module first."""
    arrows = imports_of_ours()

    @cache
    def chain(name: str) -> tuple[str, ...]:
        tails = [chain(imported) for imported in sorted(arrows[name])]
        return (name, *max(tails, key=len, default=()))

    return list(chain(entry))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--registry", type=Path, required=True)
    registry: Path = parser.parse_args().registry
    files, modules = files_of_one_answer(registry), longest_chain(ENTRY)
    print(f"files of ours that one computed answer passes: {len(files)}", *files, sep="\n  ")
    print(f"longest chain of imports from {ENTRY}: {len(modules)}", *modules, sep="\n  ")


if __name__ == "__main__":
    main()
