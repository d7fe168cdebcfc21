"""Logs are lines of JSON that hold nobody's id."""

import logging
import sys

import orjson

from service.runtime.logs import JsonLines, log_config


def line_of(message: str, *arguments: object, error: BaseException | None = None) -> dict[str, str]:
    info = (type(error), error, error.__traceback__) if error else None
    record = logging.LogRecord("regulars", logging.INFO, __file__, 1, message, arguments, info)
    line: dict[str, str] = orjson.loads(JsonLines().format(record))
    return line


def test_a_line_has_time_level_logger_and_message() -> None:
    line = line_of("serving %s", "v1")
    assert [*line] == ["time", "level", "logger", "message"]
    assert (line["level"], line["logger"], line["message"]) == ("info", "regulars", "serving v1")


def test_an_exception_is_named_without_what_it_says() -> None:
    try:
        raise ValueError("anna@shop.example")
    except ValueError:
        error = sys.exc_info()[1]
    line = line_of("broken", error=error)
    assert line["error"].startswith("ValueError at test_logs.py:")
    assert "anna" not in orjson.dumps(line).decode()


def test_the_level_is_the_one_that_was_set() -> None:
    assert log_config("warning")["root"]["level"] == "WARNING"
