"""One command for everything: what trains and what serves, under one name."""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import regulars
from tests.support.corner_shop import arguments
from training.config import Config, read_config
from training.config_file import read_meanings, write_config

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parent.parent


def start(*words: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "regulars", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, **environment},
    )


def test_every_command_is_answered_by_the_package_that_has_it() -> None:
    (commands,) = (
        action.choices
        for action in regulars.build_parser()._actions
        if isinstance(action, argparse._SubParsersAction)
    )
    assert set(commands) == {*regulars.TRAINING, *regulars.SERVICE, "completion"}
    for name in (*regulars.TRAINING, *regulars.SERVICE):
        told = start(name, "--help")
        assert told.returncode == 0
        assert told.stdout.startswith(f"usage: regulars {name}")


def test_a_shop_is_trained_looked_at_and_given_a_key_with_one_command(tmp_path: Path) -> None:
    command, *options = arguments(tmp_path)
    registry = str(tmp_path / "registry")
    without_registry = [word for word in options if word not in ("--registry", registry)]
    assert start(command, *without_registry).returncode == 2
    assert start(command, *without_registry, REGULARS_REGISTRY=registry).returncode == 0
    listed = start("versions", REGULARS_REGISTRY=registry)
    assert "active" in listed.stdout
    assert start("migrate", REGULARS_REGISTRY=registry).returncode == 0
    made = start("keys", "create", "--name=shop", "--scope=read", REGULARS_REGISTRY=registry)
    assert made.returncode == 0
    keys = start("keys", "list", "--json", REGULARS_REGISTRY=registry)
    assert '"name": "shop"' in keys.stdout


def test_a_word_that_is_no_command_is_answered_with_all_of_them() -> None:
    told = start("trian")
    assert told.returncode == 2
    assert "'trian'" in told.stderr
    assert "train" in told.stderr
    assert "serve" in told.stderr
    assert start("--version").stdout == "regulars 0.1.0\n"


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here to complete in")
def test_bash_completes_commands_and_options() -> None:
    script = start("completion", "bash").stdout
    ask = "COMP_WORDS=({words}); COMP_CWORD={last}; _shtab_regulars; echo ${{COMPREPLY[@]}}"
    for words, expected in (
        ("regulars ver", "versions"),
        ("regulars train --purch", "--purchases"),
    ):
        line = ask.format(words=words, last=len(words.split()) - 1)
        done = subprocess.run(
            ["bash", "-c", f"{script}\n{line}"], capture_output=True, text=True, check=True
        )
        assert done.stdout.split() == [expected]


def test_the_printed_settings_are_the_defaults_and_each_has_a_meaning(tmp_path: Path) -> None:
    content = write_config(Config())
    set_all = [
        line.removeprefix("#") if line.startswith("#") and not line.startswith("# ") else line
        for line in content.splitlines()
        if not line.partition("  # ")[0].endswith(" =")  # there is no default
    ]
    assert sum(" = " in line for line in set_all) > 130
    path = tmp_path / "all.toml"
    for text in ("\n".join(set_all), content):
        path.write_text(text)
        assert read_config(path).model_dump() == Config().model_dump()
    for line in content.splitlines():
        assert not line.endswith("  # "), line
    assert read_meanings(Config)["memory_limit"].startswith("Memory of the reader")


def test_settings_of_the_service_are_printed_with_what_they_mean() -> None:
    told = start("settings").stdout
    assert "# Longest wait for Redis, in milliseconds.\n#REGULARS_REDIS_TIMEOUT_MS=10\n" in told
