"""What becomes of frames for a client that reads too slowly?"""

import asyncio
from typing import Any

import pytest

from tests.unit.web.peers import PRINCIPAL, Slow
from tmt.web.sockets import Peer, _Refusing

QUEUE_MAX = 10


def frame(number: int) -> bytes:
    return b'{"type":"quote","number":%d}' % number


async def all_sent(peer: Peer, slow: Slow, frames: int) -> None:
    writing = asyncio.create_task(peer.write())
    slow.reads.set()
    try:
        async with asyncio.timeout(5):
            while len(slow.taken) < frames:
                slow.has_taken.clear()
                await slow.has_taken.wait()
    finally:
        writing.cancel()


def test_of_what_may_be_shed_the_newest_are_kept_and_the_number_shed_is_told_before_them() -> None:
    async def run() -> list[dict[str, Any]]:
        slow = Slow()
        peer = Peer(slow, PRINCIPAL, QUEUE_MAX)  # type: ignore[arg-type]
        for number in range(QUEUE_MAX + 7):
            peer.offer(frame(number), may_shed=True)
        await all_sent(peer, slow, QUEUE_MAX + 1)
        return slow.taken

    told, *kept = asyncio.run(run())
    assert told == {"type": "shed", "count": 7}
    assert [each["number"] for each in kept] == list(range(7, QUEUE_MAX + 7))


def test_what_may_not_be_shed_takes_the_place_of_what_may() -> None:
    async def run() -> list[dict[str, Any]]:
        slow = Slow()
        peer = Peer(slow, PRINCIPAL, QUEUE_MAX)  # type: ignore[arg-type]
        for number in range(QUEUE_MAX):
            peer.offer(frame(number), may_shed=True)
        peer.offer(b'{"type":"order"}')
        await all_sent(peer, slow, QUEUE_MAX + 1)
        return slow.taken

    taken = asyncio.run(run())
    assert taken[0] == {"type": "order"}
    assert taken[1] == {"type": "shed", "count": 1}
    assert [each["number"] for each in taken[2:]] == list(range(1, QUEUE_MAX))


def test_a_client_that_leaves_too_much_that_may_not_be_shed_is_ended_with_a_problem() -> None:
    async def run() -> None:
        slow = Slow()
        slow.reads.set()
        peer = Peer(slow, PRINCIPAL, QUEUE_MAX)  # type: ignore[arg-type]
        for _ in range(QUEUE_MAX):
            peer.offer(b'{"type":"order"}')
        peer.offer(frame(1), may_shed=True)
        peer.offer(b'{"type":"order"}')
        async with asyncio.timeout(5):
            await peer.write()

    with pytest.raises(_Refusing) as caught:
        asyncio.run(run())
    assert caught.value.refused.problem.status == 429


def test_whoever_has_much_to_say_waits_for_room() -> None:
    async def run() -> bool:
        slow = Slow()
        peer = Peer(slow, PRINCIPAL, QUEUE_MAX)  # type: ignore[arg-type]
        for number in range(QUEUE_MAX // 2):
            await peer.room()
            peer.offer(frame(number))
        waiting = asyncio.create_task(peer.room())
        await asyncio.sleep(0)
        waited = not waiting.done()
        await all_sent(peer, slow, QUEUE_MAX // 2)
        async with asyncio.timeout(5):
            await waiting
        return waited

    assert asyncio.run(run())
