"""Logs: one JSON object a line, without paths, ids, bodies or keys."""

from __future__ import annotations

import logging
import traceback
from datetime import UTC, datetime
from typing import Any

import orjson


def format_location(error: BaseException) -> str:
    """Where it happened, without the message: that could hold a customer's id."""
    places = traceback.extract_tb(error.__traceback__)[-6:]
    return " < ".join(
        f"{place.filename.rsplit('/', 1)[-1]}:{place.lineno} {place.name}"
        for place in reversed(places)
    )


class JsonLines(logging.Formatter):
    """An exception is written as its kind and where it happened; its message may hold what logs must not."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info and record.exc_info[1]:
            error = record.exc_info[1]
            line["error"] = f"{type(error).__name__} at {format_location(error)}"
        return orjson.dumps(line).decode()


def log_config(level: str) -> dict[str, Any]:
    """For uvicorn, which hands it to `logging.config.dictConfig` in every worker."""
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
