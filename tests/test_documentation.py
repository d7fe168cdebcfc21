"""The documents say what the code does: tables against enums, routes, settings, options; commands
against parsers.
"""

import ast
import re
import shlex
import textwrap
import time
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute

from models.bundles.basket_ranker import FEATURES as BASKET_FEATURES
from models.explanation import Verdict
from models.ranking.features import BLENDED, FEATURES
from models.rules.eligibility import ExclusionRule
from models.settings import BlendSettings, Scales
from models.slate import FallbackReason, ReasonKind, ScoreKind, Source, Strategy
from models.vendors.registry import VENDORS
from regulars import build_parser as regulars_parser
from service.app import create
from service.errors import Problem
from service.http.authorization import Scope
from service.schemas.parameters import BasketOptions, BundleOptions, PopularOptions, SessionOptions
from service.schemas.rankings import RankingOptions
from service.settings import Settings
from service.signing.customer_tokens import read
from training.config import Config
from training.config_file import write_config
from training.reading.cleaning import ROW_REASONS
from training.reading.columns import CUSTOMER_COLUMNS, PRODUCT_COLUMNS, PURCHASE_COLUMNS
from training.reading.customers import CELL_PROBLEMS

ROOT = Path(__file__).parent.parent
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "benchmarks/README.md",
    *ROOT.glob("docs/*.md"),
    *ROOT.glob("docs/formats/*.md"),
    *ROOT.glob("docs/email/*.md"),
]


def text(name: str) -> str:
    return (ROOT / name).read_text()


def first_cells(document: str, heading: str) -> list[str]:
    """The first cells of the table whose first heading is this one."""
    table = re.search(
        rf"^\| {re.escape(heading)} \|.*\n\|---.*\n((?:\|.*\n)+)", text(document), re.MULTILINE
    )
    assert table, f"{document} has no table headed {heading}"
    return [row.split("|")[1].strip() for row in table[1].splitlines()]


def named(cells: Iterable[str]) -> set[str]:
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


@pytest.mark.parametrize(
    ("heading", "values"),
    [
        ("`strategy`", Strategy),
        ("`source`", Source),
        ("`reason.kind`", ReasonKind),
        ("`score_kind`", ScoreKind),
        ("`fallback_reason`", FallbackReason),
        ("`verdict`", Verdict),
    ],
)
def test_every_value_of_an_answer_stands_in_its_table(heading: str, values: type[StrEnum]) -> None:
    assert named(first_cells("docs/api.md", heading)) == {value.value for value in values}


def test_every_route_stands_in_the_table_of_the_api() -> None:
    app = create(Settings())
    routes = {
        f"{method} {re.sub(':id', '', route.path)}"
        for route in app.routes
        if isinstance(route, APIRoute) and route.include_in_schema
        for method in route.methods
    }
    assert named(first_cells("docs/api.md", "call")) == routes


def test_every_option_stands_in_the_table_of_options() -> None:
    models = (SessionOptions, PopularOptions, BundleOptions, BasketOptions, RankingOptions)
    options = {name for model in models for name in model.model_fields}
    assert named(first_cells("docs/api.md", "option")) == options


def test_every_problem_stands_in_the_table_of_errors() -> None:
    rows = re.findall(r"^\| (\d{3}) \| `(\w+)` \|", text("docs/api.md"), re.MULTILINE)
    assert {(int(status), name) for status, name in rows} == {
        (problem.status, problem.name) for problem in Problem.__subclasses__()
    }


def test_every_setting_stands_in_its_table_with_default_and_meaning() -> None:
    rows = re.findall(
        r"^\| `REGULARS_(\w+)` \| (.*?) ?\| (.*) \|$", text("docs/settings.md"), re.MULTILINE
    )
    defaults = {
        name: "" if field.default is None else str(field.default)
        for name, field in Settings.model_fields.items()
    }
    meanings = {name: field.description for name, field in Settings.model_fields.items()}
    assert {name.lower(): default for name, default, _ in rows} == defaults
    assert {name.lower(): meaning for name, _, meaning in rows} == meanings


def test_the_table_of_features_shows_the_weights_that_are_used() -> None:
    rows = [
        row.split("|")
        for row in text("docs/ranking.md").splitlines()
        if re.match(r"\| `\w+` \|.*\|.*\|.*\|.*\|$", row)
    ]
    table = {cells[1].strip(" `"): cells for cells in rows if cells[1].strip(" `") in FEATURES}
    assert list(table) == list(BLENDED)
    assert set(BLENDED) | named(
        first_cells("docs/ranking.md", "feature of the learned ranker")
    ) == set(FEATURES)
    assert named(first_cells("docs/ranking.md", "feature of a basket's candidate")) == set(
        BASKET_FEATURES
    )
    blend = BlendSettings()
    for name, cells in table.items():
        assert float(cells[4]) == getattr(blend.new, name)
        assert float(cells[5]) == getattr(blend.bought, name)
        scale = cells[3].strip().removesuffix(" lines")
        assert (float(scale) if scale else None) == getattr(Scales(), name, None)


def test_every_rule_stands_in_its_table() -> None:
    assert named(first_cells("docs/ranking.md", "rule")) == {
        rule.name for rule in ExclusionRule if rule is not ExclusionRule.NONE
    }


def test_every_reason_to_leave_a_row_out_is_explained() -> None:
    explained = named(first_cells("docs/data.md", "reason"))
    assert explained == {
        *ROW_REASONS,
        "duplicate_row",
        "no_consent_to_train",
        "return_without_purchase",
    }


def test_every_vendor_has_a_page_and_a_row() -> None:
    assert named(first_cells("docs/data.md", "`--format`")) == set(VENDORS)
    assert {path.stem for path in ROOT.glob("docs/formats/*.md")} == set(VENDORS)


def test_every_problem_of_the_customers_file_is_explained() -> None:
    explained = named(first_cells("docs/data.md", "problem of the customers file"))
    assert explained == {
        *CELL_PROBLEMS,
        "missing_customer_id",
        "id_too_long",
        "bad_id",
        "duplicate_customer",
        "erased_customer",
    }


def test_every_column_that_has_a_meaning_is_explained() -> None:
    explained = set(re.findall(r"`(\w+)`", text("docs/data.md")))
    assert {*PURCHASE_COLUMNS, *PRODUCT_COLUMNS, *CUSTOMER_COLUMNS} <= explained


def test_every_metric_is_listed() -> None:
    source = ast.parse(text("service/runtime/metrics.py"))
    strings = {
        node.value
        for node in ast.walk(source)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    metrics = {value for value in strings if re.fullmatch(r"regulars_\w+", value)}
    assert named(first_cells("docs/operations.md", "metric")) == metrics


def commands_in(document: Path) -> list[str]:
    """Lines of code, indented or fenced, a backslash joining two."""
    content = document.read_text()
    fenced = re.findall(r"^```\w*\n(.*?)^```$", content, re.MULTILINE | re.DOTALL)
    code = "\n".join([*re.findall(r"^ {4}(\S.*)$", content, re.MULTILINE), *fenced])
    return [line.split("  #")[0].strip() for line in code.replace("\\\n", " ").splitlines()]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_in_the_documents_is_understood(document: Path) -> None:
    parser = regulars_parser()
    for line in commands_in(document):
        for program in ("regulars ", ".venv/bin/regulars ", "python -m training "):
            if line.startswith(program):
                parser.parse_args(shlex.split(line.removeprefix(program)))


def test_the_page_of_the_settings_of_training_holds_what_the_command_prints() -> None:
    (block,) = re.findall(r"```toml\n(.*?)```", text("docs/config.md"), re.DOTALL)
    assert block.strip() == write_config(Config()).strip()


def test_the_token_of_the_documents_opens_what_it_says() -> None:
    lines = re.search(r"^ {4}import base64.*\n(?: {4}.*\n)+", text("docs/api.md"), re.MULTILINE)
    assert lines
    made: dict[str, Any] = {}
    source = textwrap.dedent(lines[0]).replace('os.environ["REGULARS_SIGNING_KEY"]', '"secret"')
    exec(source, made)
    assert read(b"secret", made["token"].encode(), int(time.time())).customer_id == "2034"


def test_every_scope_stands_in_its_table() -> None:
    assert named(first_cells("docs/api.md", "scope")) == set(Scope)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_make_target_and_module_in_the_documents_exists(document: Path) -> None:
    content = document.read_text()
    targets = set(re.findall(r"^([a-z]+):", text("Makefile"), re.MULTILINE))
    assert (
        set(
            re.findall(
                r"\bmake (?:PYTHON=\S+ )?([a-z]+)\b",
                " ".join([*re.findall(r"`[^`\n]+`", content), *commands_in(document)]),
            )
        )
        <= targets
    )
    for module in re.findall(r"python -m ((?:training|service|benchmarks)[.\w]*)", content):
        path = ROOT / module.replace(".", "/")
        assert (
            path.with_suffix(".py").exists()
            or (path / "__main__.py").exists()
            or path.name == "benchmarks"
        ), module


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_in_the_documents_leads_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#\s]+)", document.read_text()):
        assert (document.parent / target).exists(), target


def test_the_readme_starts_with_what_it_is_and_a_command_before_line_15() -> None:
    lines = text("README.md").splitlines()
    assert lines[2].startswith("Regulars is a ")
    assert any(line.startswith("    make demo") for line in lines[:14])


def test_ci_runs_the_command_of_the_readme() -> None:
    assert re.search(r"^exec make test$", text(".ci/run"), re.MULTILINE)
    assert "    make test " in text("README.md")


def test_no_document_names_a_registry_or_this_machine() -> None:
    for document in [
        *DOCUMENTS,
        ROOT / "constraints.txt",
        ROOT / "pyproject.toml",
        ROOT / "Dockerfile",
    ]:
        assert not re.search(r"pypi\.org|/root/|/work/|/opt/pypi", document.read_text()), document
