"""Addresses of Redis as someone writes them."""

import pytest

from service.redis_address import RedisAddress


def test_sentinels_a_service_and_what_each_connection_needs_are_read() -> None:
    url = "rediss+sentinel://anna:secret@one,two:26380,[::1]:26381/my%20shop/2?ssl_ca_certs=/ca.pem"
    address = RedisAddress.parse(url)
    assert address.hosts == [("one", 26379), ("two", 26380), ("::1", 26381)]
    assert (address.kind, address.service) == ("sentinel", "my shop")
    assert address.server == "rediss://anna:secret@host/2?ssl_ca_certs=/ca.pem"


def test_nodes_of_a_cluster_are_read() -> None:
    address = RedisAddress.parse("redis+cluster://:secret@one:7000,two")
    assert (address.kind, address.hosts) == ("cluster", [("one", 7000), ("two", 6379)])


@pytest.mark.parametrize(
    "url", ["redis://cache:6379/0", "rediss://cache", "unix:///run/redis.sock"]
)
def test_one_server_stays_as_it_is_written(url: str) -> None:
    assert RedisAddress.parse(url).server == url


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("cache:6379", "should begin with redis://"),
        ("redis+sentinel://one:26379", "names no service"),
        ("redis+sentinel://one:26379/shop/first", "should end with the number of a database"),
        ("redis+cluster://one:7000/3", "names a database, which a cluster has not"),
        ("redis+cluster://user:tomato@one:port", "holds a host that cannot be read"),
    ],
)
def test_what_cannot_be_read_is_said_without_the_password(url: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem) as refused:
        RedisAddress.parse(url)
    assert "tomato" not in str(refused.value)
