"""Write the file of training's settings: every default, and what each setting means."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterator
from dataclasses import is_dataclass
from typing import Any, Final

import tomli_w
from pydantic import BaseModel

from training.config import Config

HEADING: Final = """\
# The settings of training, for --config, with their defaults. A setting counts once the sign before
# it is taken away; what is not given has the default of the version that trains.
"""
WIDTH: Final = 100
FIELD: Final = re.compile(r"(\w+): ")


def write_config(config: Config) -> str:
    """Return a file of settings, each a comment with its default and its meaning."""
    return "\n".join([HEADING, *_write_section(config, "")])


def _write_section(section: Any, name: str) -> Iterator[str]:
    meanings = read_meanings(type(section))
    tables = {key: value for key, value in vars(section).items() if _is_table(value)}
    settings = {key: value for key, value in vars(section).items() if key not in tables}
    if name and settings:
        yield f"[{name}]"
    for key, value in settings.items():
        yield from _write_setting(f"#{_write_value(key, value)}", meanings[key])
    if settings:
        yield ""
    for key, value in tables.items():
        inner = f"{name}.{key}".removeprefix(".")
        if isinstance(value, dict):
            yield from (*_write_setting(f"[{inner}]", meanings[key]), "")
        else:
            yield from _write_section(value, inner)


def _is_table(value: Any) -> bool:
    return isinstance(value, BaseModel | dict) or is_dataclass(value)


def _write_setting(line: str, meaning: str) -> list[str]:
    """Return a line with its meaning, which stands behind it where it is short."""
    whole = f"{line}  # {meaning}"
    if len(whole) <= WIDTH:
        return [whole]
    return [*textwrap.wrap(meaning, WIDTH, initial_indent="# ", subsequent_indent="# "), line]


def _write_value(name: str, value: Any) -> str:
    """Return one line of TOML; nothing behind the sign where the default is no value."""
    if value is None:
        return f"{name} ="
    if isinstance(value, tuple):
        return f"{name} = {list(value)}"
    return tomli_w.dumps({name: value}).strip()


def read_meanings(section: type) -> dict[str, str]:
    """Return what the source of a section says of each setting: behind it, or above it."""
    meanings: dict[str, str] = {}
    above: list[str] = []
    for line in map(str.strip, inspect.getsource(section).splitlines()):
        if line.startswith("#"):
            above.append(line.removeprefix("#").strip())
            continue
        if field := FIELD.match(line):
            behind = line.partition("  # ")[2]
            meanings[field[1]] = behind or " ".join(above)
        above = []
    return meanings
