"""Insights in a registry: figures that a command has computed and the service reads.

registry/insights/NAME.json
registry/insights/report.html   all of them as a page
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from models.artifact.atomic import atomic_write
from models.errors import ArtifactError, reading_failed

INSIGHTS: Final = "insights"
SCHEMA: Final = 1
ATTRIBUTION: Final = "attribution"
EXPERIMENTS: Final = "experiments"
FEEDBACK: Final = "feedback"
WORTH: Final = "worth"  # of customers
MIN_GROUP: Final = 5  # customers of whom figures of a part of all are told


def write_insight(registry: Path, name: str, facts: Mapping[str, Any]) -> Path:
    """Write a document in place of an older one, and return its path. Raises OSError."""
    path = _path_of(registry, name)
    path.parent.mkdir(exist_ok=True)
    with atomic_write(path, durable=True) as stream:
        stream.write(json.dumps({"schema": SCHEMA, **facts}, indent=1).encode())
    return path


def read_insight(registry: Path, name: str) -> dict[str, Any] | None:
    """Return a document, None where it was not computed yet. Raises ArtifactError."""
    path = _path_of(registry, name)
    try:
        facts = json.loads(path.read_bytes())
        schema = facts["schema"]
    except FileNotFoundError:
        return None
    except OSError as error:
        raise reading_failed(path, error) from error
    except (ValueError, KeyError, TypeError) as error:
        raise ArtifactError(f"{path}: no insights of Regulars ({error})") from error
    if schema != SCHEMA:
        raise ArtifactError(
            f"{path}: schema {schema}, this version reads schema {SCHEMA}; compute it again with: "
            "regulars insights"
        )
    return dict(facts)


def remove_insight(registry: Path, name: str) -> None:
    """Remove a document, if it is there. Raises OSError."""
    _path_of(registry, name).unlink(missing_ok=True)


def sign_insight(registry: Path, name: str) -> tuple[int, ...]:
    """Return what tells one edition of a document from another, () where there is none."""
    try:
        found = _path_of(registry, name).stat()
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise reading_failed(_path_of(registry, name), error) from error
    return found.st_mtime_ns, found.st_ino, found.st_size


def insights_report_path(registry: Path) -> Path:
    """Return the path of the page that shows all documents of a registry."""
    return registry / INSIGHTS / "report.html"


def _path_of(registry: Path, name: str) -> Path:
    return registry / INSIGHTS / f"{name}.json"
