"""When a call is sent again, and after which pause."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from httpx2 import ConnectError, ReadTimeout, RemoteProtocolError, Response
from regulars_client import Retry, calls

RETRY = Retry(attempts=4, first_seconds=1.0, longest_seconds=30.0)
REPORT = calls.report(events=[])
CHANGE = calls.change_product("milk", price=1.0)


def test_each_pause_is_about_twice_as_long_and_the_last_attempt_ends_it() -> None:
    lost = ReadTimeout("late")
    for attempt, longest in ((1, 1.0), (2, 2.0), (3, 4.0)):
        pause = RETRY.pause(REPORT, attempt, lost)
        assert pause is not None
        assert longest / 2 <= pause <= longest
    assert RETRY.pause(REPORT, 4, lost) is None


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 422, 500])
def test_what_would_be_refused_again_is_not_sent_again(status: int) -> None:
    assert RETRY.pause(REPORT, 1, Response(status)) is None


def test_the_service_says_when_to_come_back_in_seconds_or_as_a_date() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=8), usegmt=True)
    for text, seconds in (("7", 7.0), (later, 7.0)):
        pause = RETRY.pause(REPORT, 1, Response(503, headers={"Retry-After": text}))
        assert pause is not None
        assert seconds <= pause <= seconds + 2.0
    soon = RETRY.pause(REPORT, 1, Response(429, headers={"Retry-After": "soon"}))
    assert soon is not None
    assert soon <= 1.0


def test_a_pause_that_is_too_long_is_left_to_the_caller() -> None:
    assert RETRY.pause(REPORT, 1, Response(429, headers={"Retry-After": "3600"})) is None


@pytest.mark.parametrize(
    "outcome", [ReadTimeout("late"), RemoteProtocolError("cut"), Response(503)]
)
def test_a_change_that_may_have_been_made_is_not_made_again(outcome: Response) -> None:
    assert RETRY.pause(CHANGE, 1, outcome) is None


@pytest.mark.parametrize("outcome", [ConnectError("nobody there"), Response(429)])
def test_a_change_that_was_certainly_not_made_is_sent_again(outcome: Response) -> None:
    assert RETRY.pause(CHANGE, 1, outcome) is not None
