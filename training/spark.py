"""Open a session of Apache Spark, for work that is shared among machines.

PySpark is loaded here alone, and only where `--engine spark` asks for it.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from training.errors import InputError

APPLICATION: Final = "regulars"
WORKERS: Final = "PYSPARK_PYTHON"  # names the interpreter that executors start
CONNECT: Final = "sc://"  # how an address of Spark Connect begins
# A driver on this machine alone listens to this machine alone.
LOCAL_SETTINGS: Final = {
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.log.level": "ERROR",
}
SETTINGS: Final = {
    "spark.sql.session.timeZone": "UTC",
    "spark.ui.showConsoleProgress": "false",  # the command has its own
}


@dataclass(frozen=True)
class SparkMaster:
    """The address of what runs the work: local[2], spark://…, yarn, k8s://… or sc://…"""

    address: str

    @property
    def is_local(self) -> bool:
        return self.address.startswith("local")

    @property
    def is_connect(self) -> bool:
        return self.address.startswith(CONNECT)

    def check(self) -> None:
        """Raise InputError where Spark cannot be started, before any work."""
        if importlib.util.find_spec("pyspark") is None:
            raise InputError("--engine spark: needs PySpark, pip install 'regulars[spark]'")
        if not self.is_connect and find_java() is None:
            raise InputError(
                "--engine spark: needs Java 17 or newer, as `java` on the PATH or in JAVA_HOME"
            )


def find_java() -> str | None:
    """Return the program that Spark would start, None where there is none."""
    home = os.environ.get("JAVA_HOME")
    return shutil.which(Path(home) / "bin" / "java" if home else "java")


@contextmanager
def open_spark(master: SparkMaster) -> Iterator[Any]:
    """Yield a SparkSession, which ends with the block. Raises InputError where none begins."""
    from pyspark.errors import PySparkException
    from pyspark.sql import SparkSession

    if master.is_local:  # its workers are of this environment
        os.environ.setdefault(WORKERS, sys.executable)
    builder = SparkSession.builder.appName(APPLICATION)
    for name, value in (SETTINGS | LOCAL_SETTINGS if master.is_local else SETTINGS).items():
        builder = builder.config(name, value)
    named = builder.remote if master.is_connect else builder.master
    interrupt = signal.getsignal(signal.SIGINT)
    try:
        session = named(master.address).getOrCreate()
    except (PySparkException, RuntimeError, OSError, ValueError, ImportError) as error:
        raise InputError(f"--master {master.address}: Spark does not start: {error}") from error
    try:
        # PySpark takes Ctrl-C for itself, and its handler outlives it.
        signal.signal(signal.SIGINT, interrupt)
        yield session
    finally:
        session.stop()
