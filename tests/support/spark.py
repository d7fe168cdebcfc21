"""A Spark on this machine, for tests that want one.

It is started in processes of their own: in one of the tests it would leave sockets open.
"""

import importlib.util
import subprocess
import sys
from collections.abc import Sequence

import pytest

from tests.support.corner_shop import unmeasured
from training.spark import find_java

SECONDS = 400  # a start alone takes forty on a busy machine
ON_SPARK = ("--engine", "spark", "--master", "local[2]")

needs_spark = pytest.mark.skipif(
    find_java() is None or importlib.util.find_spec("pyspark") is None,
    reason="Spark is tried where `java` is on the PATH and pip has installed pyspark",
)


def run_apart(command: Sequence[object], **environment: str) -> tuple[int, str]:
    """Return the exit status of a command and what it says."""
    whole = [sys.executable, "-m", "training", *map(str, command)]
    done = subprocess.run(
        whole,
        env=unmeasured() | environment,
        stderr=subprocess.PIPE,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    return done.returncode, done.stderr
