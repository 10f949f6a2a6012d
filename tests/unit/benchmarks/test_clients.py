"""The benchmarks' clients read what servers send, however it is cut."""

import asyncio
import struct

import pytest

from benchmarks import orders
from benchmarks.distributed import STAGES, Refused, expect_done, signal_to_execution, stage_lines
from benchmarks.http_client import Answer, Client, decode_answer, encode_request
from benchmarks.websocket_client import PING, TEXT, decode_frames, encode_frame
from tmt.topology import PATH
from tmt.web.body import decode_body
from tmt.web.trading_forms import NewOrder

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nX-Other: 7\r\n\r\nhello"


def test_an_answer_is_read_when_it_is_whole_and_no_further() -> None:
    for cut in range(len(ANSWER)):
        assert decode_answer(ANSWER[:cut]) is None
    assert decode_answer(ANSWER + ANSWER) == (Answer(200, b"hello"), len(ANSWER))


def test_an_answer_without_a_length_is_refused() -> None:
    with pytest.raises(ValueError, match="Content-Length"):
        decode_answer(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")


def test_a_request_names_its_body() -> None:
    request = encode_request("POST", "/a", "h:1", {"X-API-Key": "k"}, b"{}")
    assert request.startswith(b"POST /a HTTP/1.1\r\nHost: h:1\r\nX-API-Key: k\r\n")
    assert request.endswith(b"Content-Length: 2\r\n\r\n{}")


def test_a_connection_that_the_server_closed_is_opened_again() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(ANSWER)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async def ask() -> list[Answer]:
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            async with Client(f"http://127.0.0.1:{port}", 1) as client:
                answers = []
                for _ in range(3):
                    answers.append(await client.send("GET", "/", {}))
                    await asyncio.sleep(0.01)
                return answers

    assert asyncio.run(ask()) == [Answer(200, b"hello")] * 3


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_frames_of_every_length_are_read_when_they_are_whole(size: int) -> None:
    payload = b"x" * size
    head = bytes([0x80 | TEXT])
    if size < 126:
        head += bytes([size])
    else:
        head += struct.pack(">BH", 126, size) if size < 65_536 else struct.pack(">BQ", 127, size)
    frame = head + payload
    assert decode_frames(frame[:-1]) == ([], 0)
    frames, used = decode_frames(frame + frame + frame[:1])
    assert [each.payload for each in frames] == [payload, payload]
    assert used == 2 * len(frame)


def test_a_clients_frame_is_masked() -> None:
    frame = encode_frame(PING, b"abc")
    assert frame[:2] == bytes([0x80 | PING, 0x80 | 3])
    assert bytes(byte ^ frame[2 + index % 4] for index, byte in enumerate(frame[6:])) == b"abc"


def test_the_order_is_one_that_the_desk_understands() -> None:
    order = decode_body(orders.body("one"), NewOrder)
    assert order.client_order_id == "one"
    assert order.price == orders.LIMIT_PRICE


def test_an_order_that_was_denied_does_not_pass_for_done() -> None:
    expect_done(Answer(200, b""))
    with pytest.raises(Refused, match="400"):
        expect_done(Answer(400, b"denied"))


def test_stages_are_timed_from_the_one_before_and_the_whole_from_first_to_last() -> None:
    times = {"a": {stage: number**2 * 1_000_000 for number, stage in enumerate(STAGES)}}
    lines = stage_lines(times)
    assert [line["median ms"] for line in lines] == [2 * number + 1 for number in range(len(STAGES) - 1)]
    assert signal_to_execution(times).milliseconds()["max"] == pytest.approx(36, rel=0.001)


def test_what_was_recorded_at_once_has_no_duration() -> None:
    assert signal_to_execution({"a": dict.fromkeys(STAGES, 7)}).count == 0


def test_the_stages_are_those_that_the_agents_say_in_path_order() -> None:
    said = [kind.__name__ for place in PATH for kind in place.agent.produces]
    assert [stage for stage in said if stage in STAGES] == list(STAGES[1:])
