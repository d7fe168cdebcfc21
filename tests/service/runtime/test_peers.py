"""Workers ask each other over sockets; one that is gone is told as that."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from service.runtime.peers import Peer, PeerGoneError, find_peers, listening


async def shout(message: bytes) -> bytes:
    return message.upper()


def test_a_worker_answers_the_others_and_is_found_while_it_listens(tmp_path: Path) -> None:
    async def ask() -> list[bytes]:
        own, other = tmp_path / "seat-0.peer", tmp_path / "seat-1.peer"
        other.touch()  # of a worker that was killed
        async with listening(other, shout) as can_be_reached:
            assert can_be_reached
            assert find_peers(own) == [other]
            peer = Peer(other)
            answers = [await peer.ask(text) for text in (b"bread", b"", b"milk" * 100_000)]
            peer.close()
        assert find_peers(own) == []
        return answers

    assert asyncio.run(ask()) == [b"BREAD", b"", b"MILK" * 100_000]


def test_one_that_has_ended_is_told_and_its_successor_answers(tmp_path: Path) -> None:
    async def ask() -> bytes:
        path = tmp_path / "seat-1.peer"
        peer = Peer(path)
        with pytest.raises(PeerGoneError):
            await peer.ask(b"bread")
        async with listening(path, shout):
            assert await peer.ask(b"bread") == b"BREAD"
        with pytest.raises(PeerGoneError):
            await peer.ask(b"bread")
        async with listening(path, shout):
            answer = await peer.ask(b"milk")
        peer.close()
        return answer

    assert asyncio.run(ask()) == b"MILK"


def test_the_answer_to_who_went_away_is_nobody_elses(tmp_path: Path) -> None:
    async def ask() -> bytes:
        may_answer = asyncio.Event()

        async def answer(message: bytes) -> bytes:
            if message == b"slow":
                await may_answer.wait()
            return message

        path = tmp_path / "seat-1.peer"
        async with listening(path, answer):
            peer = Peer(path)
            slow = asyncio.create_task(peer.ask(b"slow"))
            await asyncio.sleep(0.05)
            slow.cancel()
            may_answer.set()
            found = await peer.ask(b"quick")
            peer.close()
            return found

    assert asyncio.run(ask()) == b"quick"


def test_a_folder_whose_name_is_too_long_leaves_a_worker_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def listen() -> bool:
        async with listening(tmp_path / ("x" * 120 + ".peer"), shout) as can_be_reached:
            return can_be_reached

    assert asyncio.run(listen()) is False
    assert "cannot help" in caplog.text
