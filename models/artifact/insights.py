"""Insights in a registry: figures that a command has computed and the service reads.

registry/insights/NAME.json
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


def _path_of(registry: Path, name: str) -> Path:
    return registry / INSIGHTS / f"{name}.json"
