"""`python -m service keys`, `migrate` and `token`, as someone types them."""

import os
import sqlite3
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from service.commands import main
from service.signing.customer_tokens import read

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Terminal:
    folder: Path

    def run(self, *arguments: str, expect: int = 0, **variables: str) -> tuple[str, str]:
        folders = {
            "REGULARS_REGISTRY": str(self.folder),
            "REGULARS_RUNTIME_DIR": str(self.folder / "run"),
        }
        done = subprocess.run(
            [sys.executable, "-m", "service", *arguments],
            env=os.environ | folders | variables,
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert done.returncode == expect, done.stderr
        return done.stdout.strip(), done.stderr.strip()


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return Terminal(tmp_path)


def test_a_key_is_created_shown_once_listed_and_revoked(terminal: Terminal) -> None:
    options = ["--name", "the mailer", "--scope", "read", "--scope", "write"]
    key, _ = terminal.run("keys", "create", *options, "--calls-a-minute", "600")
    key_id, secret = key.split("_", 2)[1:]
    listed, _ = terminal.run("keys", "list")
    heading, row = listed.splitlines()
    assert heading.split() == ["key_id", "name", "scopes", "calls_a_minute", "created", "revoked"]
    assert row.startswith(f"{key_id}  the mailer  read write  600 ")
    assert secret not in listed
    assert row.index("read write") == heading.index("scopes")  # columns stand below their names
    terminal.run("keys", "revoke", key_id)
    assert len(terminal.run("keys", "list")[0].splitlines()[1]) > len(row)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["keys", "create", "--name", "n"], "--scope"),
        (["keys", "create", "--name", "n", "--scope", "everything"], "invalid"),
        (
            ["keys", "create", "--name", "n", "--scope", "read", "--calls-a-minute", "0"],
            "from 1 to 1000000",
        ),
        (["keys"], "required"),
        (["kyes"], "invalid choice"),
    ],
)
def test_what_was_mistyped_is_said_with_status_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["keys", "revoke", "nobody"], "there is no key nobody"),
        (["token", "anna"], "customer tokens need REGULARS_SIGNING_KEY to be set"),
    ],
)
def test_what_cannot_be_done_is_said_with_status_2(
    terminal: Terminal, arguments: list[str], message: str
) -> None:
    assert message in terminal.run(*arguments, expect=2)[1]


def test_a_token_to_try_out_is_of_that_customer_for_so_many_minutes(terminal: Terminal) -> None:
    text, _ = terminal.run("token", "anna", "--minutes", "5", REGULARS_SIGNING_KEY="s")
    now = int(time.time())
    token = read(b"s", text.encode(), now)
    assert token.customer_id == "anna"
    assert now + 240 < token.expires <= now + 300


def test_a_token_to_try_out_carries_the_audience(terminal: Terminal) -> None:
    about = {"REGULARS_SIGNING_KEY": "s", "REGULARS_TOKEN_AUDIENCE": "regulars"}
    text, _ = terminal.run("token", "anna", **about)
    assert read(b"s", text.encode(), int(time.time()), "regulars").customer_id == "anna"


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ([], "docs/settings.md lists them with their defaults"),
        (["keys"], "Create a key and print it. It is not shown again."),
        (["keys", "create"], "Default: REGULARS_CALLS_A_MINUTE, or no limit."),
        (["token"], "Default: REGULARS_TOKEN_MINUTES, or 15."),
    ],
)
def test_help_says_what_a_command_does_and_what_holds_by_default(
    command: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*command, "--help"])
    assert ended.value.code == 0
    assert sentence in " ".join(capsys.readouterr().out.split())


def test_migrate_makes_the_schema_and_may_be_run_again(terminal: Terminal) -> None:
    terminal.run("migrate")
    terminal.run("migrate")
    with sqlite3.connect(terminal.folder / "store.db") as connection:
        tables = {
            name
            for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        }
    connection.close()
    assert {"events", "keys", "alembic_version"} <= tables


def test_a_database_that_cannot_be_used_is_named_without_its_password(terminal: Terminal) -> None:
    url = "mysql://root:tomato@db/shop"
    for command in (["migrate"], ["keys", "list"], []):
        message = terminal.run(*command, expect=2, REGULARS_DATABASE_URL=url)[1]
        assert "\n" not in message
        assert "tomato" not in message
