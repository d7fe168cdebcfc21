"""Scripts for Node.js, which say what they found as JSON."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest

NODE: Final = shutil.which("node")
NEEDS_NODE: Final = pytest.mark.skipif(
    NODE is None, reason="There is no node on the PATH, in which the JavaScript client is tested."
)
CLIENT: Final = Path(__file__).parents[2] / "clients" / "javascript" / "regulars.js"
HEAD: Final = f"""
import * as client from {json.dumps(CLIENT.as_uri())};
const {{ EventQueue, NoAnswerError, Regulars, RegularsError, ServiceError }} = client;
const [url, key] = process.argv.slice(1);
const regulars = new Regulars(url, {{ key, retry: {{ firstSeconds: 0.01 }} }});
const say = (found) => console.log(JSON.stringify(found));
const failure = (promise) => promise.then(() => null, (error) =>
  ({{ ...error, name: error.constructor.name, message: error.message }}));
"""


def run_node(script: str, url: str = "http://127.0.0.1:9", key: str = "") -> Any:
    """Return what a script says, which has a client `regulars` of a service."""
    assert NODE is not None
    command = [NODE, "--input-type=module", "-e", HEAD + script, url, key]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
