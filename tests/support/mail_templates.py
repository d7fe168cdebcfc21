"""The engines that mail systems render templates with, and what those systems add to them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

import pytest
from django.conf import settings
from django.template import Context, Engine
from liquid import Environment

settings.configure(USE_I18N=False)
BRAZE_CALL: Final = re.compile(r"{% connected_content .*? %}")
BRAZE_ABORT: Final = re.compile(r"{% abort_message\('(.*?)'\) %}")
ABORTED: Final = "ABORTED: "
# What Iterable adds to Handlebars.
ITERABLE: Final = """
const handlebars = require('handlebars');
const { template, context } = JSON.parse(require('fs').readFileSync(0, 'utf8'));
handlebars.registerHelper('sendSkip', (options) => { throw new Error(options.hash.cause); });
handlebars.registerHelper('ifLt', function (one, other, options) {
  if (typeof one !== 'number') throw new Error('a comparison with what is missing');
  return one < other ? options.fn(this) : options.inverse(this);
});
try {
  process.stdout.write(handlebars.compile(template)(context));
} catch (error) {
  process.stdout.write('ABORTED: ' + error.message);
}
"""


def render_liquid(template: str, context: Mapping[str, Any]) -> str:
    """Render a template of Braze, whose calls have been made, or of Blueshift."""
    plain = BRAZE_ABORT.sub(rf"{ABORTED}\1", BRAZE_CALL.sub("", template))
    return Environment().from_string(plain).render(**context)


def render_django(template: str, context: Mapping[str, Any]) -> str:
    """Render a template of Klaviyo."""
    engine = Engine(builtins=["tests.support.klaviyo_filters"])
    return engine.from_string(template).render(Context(dict(context)))


def render_handlebars(template: str, context: Mapping[str, Any]) -> str:
    """Render a template of Iterable with the original engine."""
    node = _find_handlebars()
    if node is None:
        pytest.skip("Handlebars is not here: npm install --global handlebars")
    done = subprocess.run(
        ["node", "-e", ITERABLE],
        input=json.dumps({"template": template, "context": context}),
        capture_output=True,
        text=True,
        check=True,
        env=node,
    )
    return done.stdout


@cache
def _find_handlebars() -> dict[str, str] | None:
    """Return the environment in which node finds Handlebars."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        return None
    root = subprocess.run(["npm", "root", "--global"], capture_output=True, text=True, check=True)
    environment = {"PATH": os.environ["PATH"], "NODE_PATH": root.stdout.strip()}
    found = subprocess.run(
        ["node", "-e", "require('handlebars')"], env=environment, check=False, capture_output=True
    )
    return environment if found.returncode == 0 else None
