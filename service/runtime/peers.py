"""Messages among the workers of a service: each has a socket in the directory that they share.

Only processes of this user reach the directory, and all run the same code.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Final

SUFFIX: Final = ".peer"
SIZE_BYTES: Final = 4  # in front of each message
log: Final = logging.getLogger("regulars.service")

Answer = Callable[[bytes], Awaitable[bytes]]


class PeerGoneError(Exception):
    """A worker did not answer: it has ended, or ends."""


@contextlib.asynccontextmanager
async def listening(path: Path, answer: Answer) -> AsyncIterator[bool]:
    """Answer the messages of other workers within the block.

    Yields whether they can reach this one: a path may be too long for a socket, or its disk full.
    """
    connections: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(_serve(reader, writer, answer))
        connections.add(task)
        task.add_done_callback(connections.discard)

    path.unlink(missing_ok=True)  # of a worker before this one, in the same seat
    try:
        server = await asyncio.start_unix_server(connected, path)
    except OSError as error:
        log.warning("this worker cannot help the others with their batches: %s", error)
        yield False
        return
    try:
        yield True
    finally:
        path.unlink(missing_ok=True)
        server.close()
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)


async def _serve(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: Answer
) -> None:
    with contextlib.closing(writer), contextlib.suppress(OSError, asyncio.IncompleteReadError):
        while True:
            _write(writer, await answer(await _read(reader)))
            await writer.drain()


class Peer:
    """A connection to another worker, opened when it is first asked. One question at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, message: bytes) -> bytes:
        """Return the answer to a message. Raises PeerGoneError."""
        streams, self._streams = self._streams, None  # kept again once it has answered
        try:
            reader, writer = streams or await asyncio.open_unix_connection(self.path)
        except OSError as error:
            raise PeerGoneError from error
        try:
            _write(writer, message)
            await writer.drain()
            answer = await _read(reader)
        except (OSError, asyncio.IncompleteReadError) as error:
            writer.close()
            raise PeerGoneError from error
        except asyncio.CancelledError:  # its answer would be taken for that to the next question
            writer.close()
            raise
        self._streams = reader, writer
        return answer

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()


def find_peers(own: Path) -> list[Path]:
    """Return the sockets of the other workers."""
    return sorted(path for path in own.parent.glob(f"*{SUFFIX}") if path != own)


def _write(writer: asyncio.StreamWriter, message: bytes) -> None:
    writer.write(len(message).to_bytes(SIZE_BYTES, "little"))
    writer.write(message)


async def _read(reader: asyncio.StreamReader) -> bytes:
    size = int.from_bytes(await reader.readexactly(SIZE_BYTES), "little")
    return await reader.readexactly(size)
