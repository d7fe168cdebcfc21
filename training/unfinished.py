"""Go on with a training that was interrupted, where it learns from the same.

registry/unfinished/about   digests of everything that the results of its steps follow from, by name
registry/unfinished/…       the results, as training.kept_steps writes them
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import fields
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np

import models
import training
from models.artifact.array_tree import Array
from models.artifact.atomic import atomic_write
from models.artifact.locks import lock_directory
from models.artifact.registry import UNFINISHED, Registry
from models.settings import ModelSettings
from training.config import Config
from training.kept_steps import KeptSteps, take_arrays
from training.progress import Reporter
from training.reading.purchases import Purchases

ABOUT: Final = "about"
LEARNING: Final = ("numpy", "scipy", "implicit", "lightgbm")  # packages that results depend on
# Of purchases: what was left out, and where the store stood, change nothing that is learned
NOT_LEARNED: Final = ("report", "event_position", "event_mark")


@contextmanager
def keep_steps(
    registry: Registry,
    purchases: Purchases,
    config: Config,
    active: ModelSettings | None,
    reporter: Reporter,
) -> Iterator[None]:
    """Keep the results of a reporter's steps, and take over those of an interrupted training.

    What one of other purchases or settings has left is removed, and so is everything when the block
    ends well. `active`: the settings of the active version, which the new one is held against.
    """
    folder = registry.root / UNFINISHED
    with ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(lock_directory(folder, wait=False))
            _begin(folder, _describe(purchases, config, active), reporter)
            reporter.kept = KeptSteps(folder, reporter.say)
            reporter.outcome = "nothing was published; the same command goes on from here"
        except BlockingIOError:
            reporter.say("Another training keeps its steps in this registry; this one does not.")
        except OSError as error:
            problem = error.strerror or error
            reporter.say(f"Warning: {folder}: {problem}; the steps of this training are not kept.")
        yield
        reporter.kept.clear()


def _begin(folder: Path, about: Mapping[str, str], reporter: Reporter) -> None:
    """Say whether an interrupted training goes on, and remove one that differs."""
    path = folder / ABOUT
    try:
        before = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        before = {}
    differing = [name for name, digest in about.items() if before.get(name) != digest]
    if not differing:
        reporter.say(
            "A training of the same purchases and settings was interrupted. This one goes on."
        )
        return
    if before:
        reporter.say(
            "A training was interrupted. This one begins again, because these have changed: "
            f"{', '.join(differing)}."
        )
    for inside in folder.iterdir():
        if inside.is_dir():
            shutil.rmtree(inside)
        else:
            inside.unlink()
    with atomic_write(path, durable=False) as stream:
        stream.write(json.dumps(about).encode())


def _describe(purchases: Purchases, config: Config, active: ModelSettings | None) -> dict[str, str]:
    """Return a digest of each thing that the results of steps follow from."""
    learned = {
        field.name: getattr(purchases, field.name)
        for field in fields(purchases)
        if field.name not in NOT_LEARNED
    }
    return {
        "purchases": _digest(learned),
        "settings": _digest([config.model, config.evaluation.model_dump()]),
        "settings of the active version": _digest(active),
        "version of Regulars": _digest_code(),
    }


def _digest(value: Any) -> str:
    arrays: list[Array] = []
    digest = hashlib.sha256(json.dumps(take_arrays(value, arrays)).encode())
    for array in arrays:
        digest.update(f"{array.dtype.str} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _digest_code() -> str:
    """Return a digest of the source that learns, and of the versions of what it learns with."""
    digest = hashlib.sha256(repr([version(package) for package in LEARNING]).encode())
    for package in (models, training):
        for root in package.__path__:
            for path in sorted(Path(root).rglob("*.py")):
                digest.update(path.read_bytes())
    return digest.hexdigest()
