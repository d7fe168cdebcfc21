"""A client that means harm and has no key: `python -m tests.support.hostile_client PORT KIND…`.

It goes on until it is ended. What the service ends is opened again, at most 200 times a second. The
choices are seeded.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import resource
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Final

from tests.support.raw_connection import head

OPENINGS_A_SECOND: Final = 200
ENDLESS_BYTES: Final = 300_000_000
CHUNKED: Final = "Transfer-Encoding: chunked"
OPEN_HEAD: Final = head("GET", "/v1/popular").removesuffix(b"\r\n")
LARGE_FILE: Final = head("GET", "/docs/assets/swagger-ui-bundle.js")  # open to everyone
ENDLESS: Final = (
    (OPEN_HEAD + b"X-Note: ", b"x"),
    (OPEN_HEAD, b"A: b\r\n"),
    (b"GET /v1/popular?category=", b"x"),
    (head("POST", "/v1/events", CHUNKED) + b"5;", b"x"),
    (head("POST", "/v1/events", CHUNKED), b"1\r\nx\r\n"),
    (head("POST", "/v1/events", CHUNKED) + b"0\r\n", b"A: b\r\n"),
    (head("GET", "/v1/popular"), head("GET", "/v1/popular")),
)


class HostileClient:
    """Hold the port to harm, and the choices."""

    def __init__(self, port: int, seed: int) -> None:
        self._port = port
        self._random = random.Random(seed)
        self._next_opening = 0.0

    async def send_without_end(self) -> None:
        """Send headers, an address, chunks, trailers or requests that do not end."""
        begin, part = self._random.choice(ENDLESS)
        many = part * (65_536 // len(part))
        async with self._opened() as connection:
            await self._send(connection, begin)
            for _ in range(ENDLESS_BYTES // len(many)):
                await self._send(connection, many)

    async def send_half_a_body(self) -> None:
        """Send half of a body, and wait until the service has enough of it."""
        length = self._random.randint(10, 100_000)
        async with self._opened() as connection:
            call = head("POST", "/v1/events", f"Content-Length: {length}")
            await self._send(connection, call + b" " * (length // 2))
            await self._wait_for_end(connection)

    async def leave_unread(self) -> None:
        """Ask for large answers and read none of them."""
        async with self._opened(receive_bytes=4096) as connection:
            await self._send(connection, LARGE_FILE * 8)
            await asyncio.sleep(self._random.uniform(5, 40))

    async def say_nothing(self) -> None:
        """Open a connection, say nothing or half a line, and wait until it is ended."""
        async with self._opened() as connection:
            await self._send(connection, OPEN_HEAD[: self._random.choice((0, 0, 10))])
            await self._wait_for_end(connection)

    @asynccontextmanager
    async def _opened(self, receive_bytes: int | None = None) -> AsyncIterator[socket.socket]:
        loop = asyncio.get_running_loop()
        self._next_opening = max(self._next_opening, loop.time()) + 1 / OPENINGS_A_SECOND
        await asyncio.sleep(self._next_opening - loop.time())
        with socket.socket() as connection:
            connection.setblocking(False)
            if receive_bytes is not None:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
            with contextlib.suppress(OSError):  # it was ended
                await loop.sock_connect(connection, ("127.0.0.1", self._port))
                yield connection

    async def _send(self, connection: socket.socket, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(connection, data)

    async def _wait_for_end(self, connection: socket.socket) -> None:
        while await asyncio.get_running_loop().sock_recv(connection, 65_536):
            pass


Deed = Callable[[HostileClient], Awaitable[None]]
# How many connections do each of it at once.
DEEDS: Final[dict[str, tuple[Deed, int]]] = {
    "endless": (HostileClient.send_without_end, 16),
    "half-bodies": (HostileClient.send_half_a_body, 200),
    "unread": (HostileClient.leave_unread, 100),
    "silent": (HostileClient.say_nothing, 2000),
}


async def harm(port: int, kinds: Sequence[str], seed: int) -> None:
    """Do all of these kinds of harm, again and again."""
    client = HostileClient(port, seed)

    async def again_and_again(deed: Deed) -> None:
        while True:
            await deed(client)

    deeds = [again_and_again(deed) for kind in kinds for deed in _repeat(*DEEDS[kind])]
    await asyncio.gather(*deeds)


def _repeat(deed: Deed, times: int) -> list[Deed]:
    return [deed] * times


@contextmanager
def harmed(port: int, *kinds: str, seed: int = 0) -> Iterator[None]:
    """A hostile client of these kinds, as a process of its own, beside what is done meanwhile."""
    command = [sys.executable, "-m", "tests.support.hostile_client", str(seed), str(port), *kinds]
    process = subprocess.Popen(command)
    try:
        yield
        if process.poll() is not None:
            raise RuntimeError("the hostile client has given up")
    finally:
        process.kill()
        process.wait()


def main() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    seed, port, *kinds = sys.argv[1:]
    asyncio.run(harm(int(port), kinds, int(seed)))


if __name__ == "__main__":
    main()
