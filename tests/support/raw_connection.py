"""A connection that says exactly what a test says, and tells what came back until it ended."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)


@contextmanager
def connected(port: int, *, receive_bytes: int | None = None) -> Iterator[socket.socket]:
    """A connection; `receive_bytes` of an answer are taken before anybody reads."""
    with socket.socket() as connection:
        if receive_bytes is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        connection.settimeout(20)
        connection.connect(("127.0.0.1", port))
        yield connection


def head(method: str, path: str, *headers: str) -> bytes:
    """The request line and headers of a call, with the line that ends them."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *headers, "", ""]
    return "\r\n".join(lines).encode()


def send(connection: socket.socket, part: bytes, times: int = 1) -> int:
    """Send a part so many times; return how often it went before the service ended the
    connection.
    """
    for sent in range(times):
        try:
            connection.sendall(part)
        except ConnectionError:
            return sent
    return times


def read_answer(connection: socket.socket) -> tuple[int, bytes]:
    """Status and body of the next answer, status 0 if none came. Nothing after it may be sent."""
    received = b""
    while b"\r\n\r\n" not in received:
        data = _receive(connection)
        if not data:
            return 0, received
        received += data
    first, _, body = received.partition(b"\r\n\r\n")
    length = LENGTH.search(first + b"\r\n")
    while length and len(body) < int(length[1]):
        body += _receive(connection) or b"\0" * int(length[1])
    return int(first[9:12]), body


def read_to_end(connection: socket.socket) -> bytes:
    """All that comes until the service ends the connection."""
    received = []
    while data := _receive(connection):
        received.append(data)
    return b"".join(received)


def seconds_until_end(connection: socket.socket) -> float:
    """Seconds until the service has ended the connection, whatever comes before."""
    started = time.monotonic()
    read_to_end(connection)
    return time.monotonic() - started


def _receive(connection: socket.socket) -> bytes:
    try:
        return connection.recv(65_536)
    except ConnectionError:
        return b""
