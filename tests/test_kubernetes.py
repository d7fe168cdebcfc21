"""What the chart renders is valid, and says of the service what is true of it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from service.http.authorization import OPEN, POLICY
from service.settings import PREFIX, Settings

ROOT = Path(__file__).parent.parent
CHART = ROOT / "deploy" / "helm"
MANIFESTS = ROOT / "deploy" / "kubernetes" / "regulars.yaml"
NEEDED = ("--set", "secret=regulars", "--set", "unasked=allow")
VERSIONS = ("1.27", "1.35")
MISSING = "The chart is rendered by helm, which is not on the PATH; with Go: go install helm.sh/helm/v3/cmd/helm@latest"
needs_helm = pytest.mark.skipif(shutil.which("helm") is None, reason=MISSING)


def render(*options: str) -> subprocess.CompletedProcess[str]:
    # A helm that Go has built knows no version of Kubernetes
    command = [
        "helm",
        "template",
        "regulars",
        str(CHART),
        "--kube-version",
        f"{VERSIONS[-1]}.0",
        *options,
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def documents(text: str) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(text) if document]


def pods(text: str) -> dict[str, dict[str, Any]]:
    """Return the specifications of pods by the names of what makes them."""
    found = {}
    for document in documents(text):
        spec = document.get("spec", {})
        spec = spec.get("jobTemplate", {}).get("spec", spec)
        if "template" in spec:
            found[document["metadata"]["name"]] = spec["template"]["spec"]
    return found


PODS = pods(MANIFESTS.read_text())
CONTAINERS = {name: pod["containers"][0] for name, pod in PODS.items()}


@needs_helm
@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--set", "registry.existingClaim=models,data=,jobs.train=null"),
        ("--set", "autoscaling.enabled=false,network.enabled=false,replicas=1"),
        ("--set", "autoscaling.pending=4,nodeSelector.disk=ssd,registry.storageClass=shared"),
        ("--set-json", 'network.from=[{"podSelector":{"matchLabels":{"app":"shop"}}}]'),
        ("--set-json", 'settings={"REGULARS_DEADLINE_MS":100,"REGULARS_CONSOLE":true}'),
    ],
)
def test_every_object_is_one_that_kubernetes_takes(options: tuple[str, ...]) -> None:
    rendered = render(*NEEDED, *options)
    assert rendered.returncode == 0, rendered.stderr
    for document in documents(rendered.stdout):
        for version in VERSIONS:
            kubernetes_validate.validate(document, version, strict=True)


@needs_helm
def test_the_chart_has_no_fault_that_helm_knows() -> None:
    linted = subprocess.run(
        ["helm", "lint", "--strict", str(CHART), *NEEDED], capture_output=True, text=True
    )
    assert linted.returncode == 0, linted.stdout


@needs_helm
def test_the_manifests_are_what_the_chart_renders() -> None:
    assert MANIFESTS.read_text() == render(*NEEDED).stdout


@needs_helm
@pytest.mark.parametrize(("left_out", "told"), [("secret", "Secret"), ("unasked", "refuse")])
def test_what_only_the_shop_can_say_is_asked_for(left_out: str, told: str) -> None:
    rendered = render(*NEEDED, "--set", f"{left_out}=")
    assert rendered.returncode != 0
    assert told in rendered.stderr


def test_the_manifests_are_what_kubernetes_takes() -> None:
    for document in documents(MANIFESTS.read_text()):
        kubernetes_validate.validate(document, VERSIONS[-1], strict=True)


def test_every_variable_is_a_setting() -> None:
    settings = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    for container in CONTAINERS.values():
        assert {variable["name"] for variable in container["env"]} <= settings
    told = re.findall(r"REGULARS_\w+", (ROOT / "docs" / "kubernetes.md").read_text())
    assert set(told) <= settings


def test_the_service_starts_with_the_variables_of_its_pod() -> None:
    variables = {one["name"]: one["value"] for one in CONTAINERS["regulars"]["env"]}
    secret = {"API_KEY": "k" * 40, "DATABASE_URL": "postgresql://store/regulars"}
    settings = Settings.from_environment(
        {"REGULARS_HOST": "0.0.0.0"}
        | variables
        | {PREFIX + name: value for name, value in secret.items()}
    )
    assert settings.unasked == "allow"
    assert settings.shutdown_seconds + 5 < PODS["regulars"]["terminationGracePeriodSeconds"]
    assert CONTAINERS["regulars"]["ports"] == [{"name": "http", "containerPort": settings.port}]


def test_probes_ask_what_is_open_to_everyone() -> None:
    for name in ("startupProbe", "livenessProbe", "readinessProbe"):
        path = CONTAINERS["regulars"][name]["httpGet"]["path"]
        assert POLICY[f"GET {path}"] is OPEN


def test_no_pod_may_more_than_the_image_needs() -> None:
    user = re.search(r"useradd --uid (\d+)", (ROOT / "Dockerfile").read_text())
    assert user is not None
    for pod in PODS.values():
        assert pod["securityContext"]["runAsUser"] == int(user[1])
        assert pod["automountServiceAccountToken"] is False
        for container in pod["containers"]:
            may = container["securityContext"]
            assert may["readOnlyRootFilesystem"]
            assert not may["allowPrivilegeEscalation"]
            assert may["capabilities"] == {"drop": ["ALL"]}


def test_jobs_are_commands_with_options_that_they_have() -> None:
    from training.cli.commands import build_parser

    for name in ("train", "insights"):
        arguments = CONTAINERS[f"regulars-{name}"]["args"]
        arguments = [
            one.replace("$(REGULARS_DATABASE_URL)", "postgresql://store/regulars")
            for one in arguments
        ]
        build_parser().parse_args([*arguments, "--registry", "registry"])
