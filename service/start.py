"""Settings from the environment, then uvicorn with as many workers as are set."""

from __future__ import annotations

import os
import sys
import tempfile

import uvicorn

from service.logs import config
from service.metrics import DIRECTORY
from service.settings import Settings, SettingsError


def main() -> int:
    """The exit status: 2 where a setting cannot be used, told in a sentence."""
    try:
        settings = Settings.of(os.environ)
    except SettingsError as error:
        print(f"service: {error}", file=sys.stderr)  # noqa: T201
        return 2
    if settings.workers == 1:
        run(settings)
        return 0
    with tempfile.TemporaryDirectory(prefix="regulars-metrics-") as directory:
        os.environ[DIRECTORY] = directory
        run(settings)
    return 0


def run(settings: Settings) -> None:
    """Until it is told to stop. No access log: paths hold customers' ids."""
    uvicorn.run(
        "service.app:create",
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        loop="uvloop",
        http="httptools",
        ws="none",
        log_config=config(settings.log_level),
        log_level=settings.log_level,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=75,
    )
