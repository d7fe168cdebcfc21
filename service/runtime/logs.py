"""Logs: one JSON object a line, without paths, ids, bodies or keys."""

from __future__ import annotations

import logging
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from models.artifact.shops import MAIN

MAX_FRAMES: Final = 6
# Set for what is done for another shop than the main one: its requests, and what it lives on
current_shop: Final[ContextVar[str]] = ContextVar("shop", default=MAIN)
# Of a request that is traced
current_trace: Final[ContextVar[str]] = ContextVar("trace", default="")


def format_location(error: BaseException) -> str:
    """Return where an error came from, without its message, which may hold a customer's id."""
    frames = traceback.extract_tb(error.__traceback__)[-MAX_FRAMES:]
    return " < ".join(
        f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno} {frame.name}"
        for frame in reversed(frames)
    )


class JsonLines(logging.Formatter):
    """A formatter that writes an exception as its kind and its location, without its message."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if (shop := current_shop.get()) != MAIN:
            line["shop"] = shop
        if trace_id := current_trace.get():
            line["trace_id"] = trace_id
        if record.exc_info and record.exc_info[1]:
            error = record.exc_info[1]
            line["error"] = f"{type(error).__name__} at {format_location(error)}"
        return orjson.dumps(line).decode()


def log_config(level: str) -> dict[str, Any]:
    """Return what uvicorn hands to `logging.config.dictConfig` in every worker."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": "service.runtime.logs.JsonLines"}},
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "formatter": "json",
                "stream": "ext://sys.stderr",
            }
        },
        "root": {"handlers": ["stderr"], "level": level.upper()},
    }
