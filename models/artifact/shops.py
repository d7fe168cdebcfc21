"""Where the shops of a deployment are kept, besides the main one that it begins with."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

MAIN: Final = "main"
FOLDER: Final = "shops"  # of the other shops, in the registry of the main one
NAME: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")


def is_shop_name(text: str) -> bool:
    """Return whether a shop besides the main one may have this name."""
    return NAME.fullmatch(text) is not None and text != MAIN


def registry_of(name: str, main: Path) -> Path:
    """Return the registry of a shop. `main`: that of the main shop."""
    return main / FOLDER / name


def schema_of(name: str) -> str:
    """Return the schema of a shop's store in PostgreSQL."""
    return f"shop_{name.replace('-', '_')}"


def schema_options(name: str) -> str:
    """Return the `options` of PostgreSQL's address with which a connection is in that schema."""
    return f"-csearch_path={schema_of(name)}"
