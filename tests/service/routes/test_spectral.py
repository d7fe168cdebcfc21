"""The description passes the rules that client generators and API portals check."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from starlette.testclient import TestClient

pytestmark = pytest.mark.slow
MISSING = "spectral is not installed: npm install -g @stoplight/spectral-cli"


@pytest.mark.skipif(shutil.which("spectral") is None, reason=MISSING)
def test_the_description_passes_the_default_rules_of_spectral(
    client: TestClient, tmp_path: Path
) -> None:
    (tmp_path / "rules.yaml").write_text('extends: ["spectral:oas"]\n')
    (tmp_path / "openapi.json").write_text(json.dumps(client.get("/openapi.json").json()))
    command = ["spectral", "lint", "openapi.json", "-r", "rules.yaml", "--fail-severity", "hint"]
    linted = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert linted.returncode == 0, linted.stdout[-3000:]
