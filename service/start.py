"""uvicorn with as many workers as are set."""

from __future__ import annotations

import os
import tempfile

import uvicorn

from service.logs import config
from service.metrics import DIRECTORY
from service.settings import Settings


def serve(settings: Settings) -> None:
    """Until it is told to stop. Several workers share a directory for their metrics."""
    if settings.workers == 1:
        run(settings)
        return
    with tempfile.TemporaryDirectory(prefix="regulars-metrics-") as directory:
        os.environ[DIRECTORY] = directory
        run(settings)


def run(settings: Settings) -> None:
    """No access log: paths hold customers' ids."""
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
