"""Does every service refuse alike, within its bounds, and say nothing that it should not?"""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec
import pytest
from litestar import get, post
from litestar.params import FromPath, FromQuery, JSONBody

from tests.unit.web.rig import Served, serving, web_config
from tmt.access.certificates import client_context, ensure_certificates, server_context
from tmt.adapters.clock.system import SystemClock
from tmt.domain.money import Exact
from tmt.errors import AdapterUnavailable, ConfigError, CorruptLog, InputError, OutcomeUnknown
from tmt.web import ERROR_CODES, protocol
from tmt.web.body import Number
from tmt.web.health import Probe
from tmt.web.problem import Refused
from tmt.web.protocol import HEAD_BYTES_MAX
from tmt.web.server import serve

CANARY = "canary-of-the-inside"


class Wish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    symbol: str
    quantity: Number
    count: int = 0


class Granted(msgspec.Struct, frozen=True):
    symbol: str
    quantity: Exact


RAISED: dict[str, Exception] = {
    "refused": Refused(418, "TMT-Z001", "a teapot", {"X-Tea": "green"}, more={"measured": "1.5"}),
    "input": InputError("TMT-Z002", "the size is wrong", where="/secret/path", fix="make it smaller"),
    "away": AdapterUnavailable("TMT-Z003", CANARY, where="db.internal:5432"),
    "unknown": OutcomeUnknown("TMT-Z004", "command 77 may have been run", fix="ask again"),
    "corrupt": CorruptLog("TMT-Z005", CANARY, where="/secret/path"),
    "bug": KeyError(CANARY),
}


@get("/raise/{what:str}")
async def raising(what: FromPath[str]) -> None:
    raise RAISED[what]


@post("/wishes", status_code=200)
async def wish(data: JSONBody[Wish]) -> Granted:
    return Granted(data.symbol, data.quantity)


@get("/numbers")
async def numbers(limit: FromQuery[int] = 3) -> dict[str, int]:
    return {"limit": limit}


@get("/slow")
async def slow() -> None:
    await asyncio.sleep(60)


@post("/slow", status_code=200)
async def slow_change() -> None:
    await asyncio.sleep(60)


HANDLERS = [raising, wish, numbers, slow, slow_change]
PATHS = ("/health", "/ready", "/metrics", "/openapi.json", "/numbers", "/nothing", "/raise/bug")


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving(HANDLERS) as served:
        yield served


def assert_problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    found: dict[str, Any] = answer.json()
    assert found["status"] == status
    assert found["title"]
    assert found["detail"]
    assert found["code"] in ERROR_CODES or found["code"].startswith("TMT-Z")
    return found


# How it refuses


def test_a_handlers_refusal_keeps_its_code_its_headers_and_what_else_it_says(served: Served) -> None:
    answer = served.ask("GET", "/raise/refused")
    assert assert_problem(answer, 418)["measured"] == "1.5"
    assert answer.headers["x-tea"] == "green"


@pytest.mark.parametrize(
    ("what", "status", "code"),
    [
        ("input", 400, "TMT-Z002"),
        ("away", 503, "TMT-Z003"),
        ("unknown", 504, "TMT-Z004"),
        ("corrupt", 500, "TMT-Z005"),
        ("bug", 500, "TMT-W500"),
    ],
)
def test_an_error_of_the_house_is_a_problem_that_tells_nothing_of_the_inside(
    served: Served, caplog: pytest.LogCaptureFixture, what: str, status: int, code: str
) -> None:
    answer = served.ask("GET", f"/raise/{what}")
    assert assert_problem(answer, status)["code"] == code
    for inside in (CANARY, "secret", "internal", "Traceback"):
        assert inside not in answer.text
    if status >= 500 and what != "unknown":
        assert CANARY in caplog.text


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (b'{"symbol":"A","quantity":1,"quantity":2}', "$"),
        (b'{"symbol":"A","quantity":NaN}', "$"),
        (b'{"symbol":"A","quantity":Infinity}', "$"),
        (b'{"symbol":"A","quantity":1e400}', "$"),
        (b'{"symbol":"A","quantity":"1e3"}', "$.quantity"),
        (b'{"symbol":"A","quantity":1.0000000000000000001}', "$"),
        (b'{"symbol":"A","quantity":9999999999999999999}', "$.quantity"),
        (b'{"symbol":"A","quantity":true}', "$.quantity"),
        (b'{"symbol":"A","quantity":"NaN"}', "$.quantity"),
        (b'{"symbol":3,"quantity":1}', "$.symbol"),
        (b'{"symbol":"A","quantity":1,"role":"admin"}', "$"),
        (b'{"symbol":"A","quantity":1,"count":1.5}', "$.count"),
        (b'{"symbol":"A","quantity":1,"count":' + b"9" * 5000 + b"}", "$"),
        (b'{"symbol":"A"}', "$"),
        (b'{"symbol":"A\\u0000","quantity":1}', "$"),
        (b'{"symbol":"\\ud800","quantity":1}', "$"),
        (b'{"symbol":"\xff","quantity":1}', "$"),
        (b'\xef\xbb\xbf{"symbol":"A","quantity":1}', "$"),
        (b"[" * 100_000, "$"),
        (b'{"symbol":' * 20_000, "$"),
        (b"", "body: data"),
        (b"null", "$"),
        (b"[]", "$"),
        (b'{"symbol":"A","quantity":1} {}', "$"),
    ],
)
def test_a_body_that_is_not_what_it_should_be_is_refused_with_the_place(
    served: Served, body: bytes, where: str
) -> None:
    answer = served.ask("POST", "/wishes", headers={"Content-Type": "application/json"}, content=body)
    [error] = assert_problem(answer, 400)["errors"]
    assert error["where"] == where


@pytest.mark.parametrize(
    ("sent", "got"),
    [
        ("1.000000000000000001", "1.000000000000000001"),
        ('"1.000000000000000001"', "1.000000000000000001"),
        ("123456789012345678", "123456789012345678"),
        ("1.10", "1.10"),
        ("25e-1", "2.5"),
        ("-0.5", "-0.5"),
    ],
)
def test_a_number_loses_no_digit_whether_it_comes_as_text_or_not(served: Served, sent: str, got: str) -> None:
    body = f'{{"symbol":"A","quantity":{sent}}}'.encode()
    answer = served.ask("POST", "/wishes", headers={"Content-Type": "application/json"}, content=body)
    assert answer.json() == {"symbol": "A", "quantity": got}


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin-1"]
)
def test_a_body_of_another_kind_is_refused(served: Served, kind: str) -> None:
    body = b'{"symbol":"A","quantity":1}'
    assert_problem(served.ask("POST", "/wishes", headers={"Content-Type": kind}, content=body), 415)


def test_a_wrong_parameter_is_named(served: Served) -> None:
    [error] = assert_problem(served.ask("GET", "/numbers?limit=many"), 400)["errors"]
    assert error["where"] == "query: limit"


@pytest.mark.parametrize("path", ["/nothing", "/raise", "/schema", "/description", "//", "/%2e%2e/x"])
def test_an_unknown_address_is_a_problem(served: Served, path: str) -> None:
    assert_problem(served.ask("GET", path), 404)


@pytest.mark.parametrize("method", ["POST", "DELETE", "OPTIONS", "TRACE", "PROPFIND"])
def test_a_method_that_is_not_taken_is_told_which_are(served: Served, method: str) -> None:
    answer = served.ask(method, "/numbers")
    assert_problem(answer, 405)
    assert answer.headers["allow"] == "GET, HEAD"


def test_a_nul_in_the_address_is_refused(served: Served) -> None:
    assert_problem(served.ask("GET", "/raise/%00"), 400)
    assert_problem(served.ask("GET", "/numbers?limit=%00"), 400)


# Whom it answers, and with what


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8000", "127.0.0.1", "127.0.0.1:9", "[::1]:8000"])
def test_names_of_this_machine_are_answered(served: Served, host: str) -> None:
    assert served.ask("GET", "/health", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["", "evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1:80"]
)
def test_a_foreign_name_that_points_to_this_machine_is_refused(served: Served, host: str) -> None:
    assert_problem(served.ask("GET", "/numbers", headers={"Host": host}), 421)


def test_a_name_that_was_allowed_is_answered() -> None:
    config = msgspec.structs.replace(web_config(), allowed_hosts=("desk.example",))
    with serving(HANDLERS, config=config) as served:
        assert served.ask("GET", "/health", headers={"Host": "Desk.Example:443"}).status_code == 200
        assert served.ask("GET", "/health", headers={"Host": "x.desk.example"}).status_code == 421


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("host", ["localhost", "evil.example"])
def test_every_answer_carries_the_policy_is_kept_nowhere_and_invites_no_other_site(
    served: Served, path: str, host: str
) -> None:
    answer = served.ask("GET", path, headers={"Host": host, "Origin": "http://evil.example"})
    headers = answer.headers
    assert {"default-src 'self'", "frame-ancestors 'none'", "form-action 'self'"} <= {
        part.strip() for part in headers["content-security-policy"].split(";")
    }
    assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "no-referrer")
    assert headers["cache-control"] == "no-store"
    assert "access-control-allow-origin" not in headers
    assert "server" not in headers
    assert headers["x-request-id"]


def test_a_request_keeps_the_id_it_came_with_unless_that_is_strange(served: Served) -> None:
    assert served.ask("GET", "/health", headers={"X-Request-Id": "abc.1"}).headers["x-request-id"] == "abc.1"
    assert served.ask("GET", "/health", headers={"X-Request-Id": "a b"}).headers["x-request-id"] != "a b"


def test_only_an_allowed_origin_may_read_and_ask_beforehand() -> None:
    origin = "https://desk.example"
    config = msgspec.structs.replace(web_config(), allowed_origins=(origin,))
    asking = {"Access-Control-Request-Method": "POST"}
    with serving(HANDLERS, config=config) as served:
        allowed = served.ask("OPTIONS", "/wishes", headers={"Origin": origin, **asking})
        assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (204, origin)
        assert "authorization" in allowed.headers["access-control-allow-headers"]
        assert (
            served.ask("GET", "/numbers", headers={"Origin": origin}).headers["access-control-allow-origin"] == origin
        )
        other = served.ask("OPTIONS", "/wishes", headers={"Origin": "https://evil.example", **asking})
        assert_problem(other, 405)
        assert "access-control-allow-origin" not in other.headers


@pytest.mark.parametrize("path", ["/health", "/numbers", "/openapi.json", "/nothing"])
def test_a_head_is_answered_like_a_get_without_its_body(served: Served, path: str) -> None:
    got, head = served.ask("GET", path), served.ask("HEAD", path)
    assert (head.status_code, head.content) == (got.status_code, b"")
    assert head.headers["content-type"] == got.headers["content-type"]


# Bounds


@pytest.fixture(scope="module")
def narrow() -> Iterator[Served]:
    config = web_config(body_bytes_max=1000, header_bytes_max=2000, handler_seconds_max=1, requests_at_once_max=2)
    with serving(HANDLERS, config=config) as served:
        yield served


def test_a_body_that_says_it_is_too_large_is_refused_before_it_comes(narrow: Served) -> None:
    parts = urlsplit(narrow.server.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as client:
        client.sendall(b"POST /wishes HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1001\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 413 ")


def test_a_body_without_a_length_is_refused_where_it_becomes_too_large(narrow: Served) -> None:
    chunks = (b" " * 100 for _ in range(11))
    assert_problem(narrow.ask("POST", "/wishes", headers={"Content-Type": "application/json"}, content=chunks), 413)
    fits = iter([b'{"symbol":"A",', b'"quantity":1}', b" " * 900])
    answer = narrow.ask("POST", "/wishes", headers={"Content-Type": "application/json"}, content=fits)
    assert answer.status_code == 200


def test_headers_that_are_too_large_are_refused(narrow: Served) -> None:
    assert_problem(narrow.ask("GET", "/health", headers={"X-Much": "x" * 2000}), 431)


def test_headers_without_end_are_not_kept(narrow: Served) -> None:
    parts = urlsplit(narrow.server.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=5) as client:
        client.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n")
        with suppress(ConnectionError):
            for _ in range(HEAD_BYTES_MAX // 1000 + 2):
                client.sendall(b"X-More: " + b"x" * 1000 + b"\r\n")
            assert client.recv(12) in (b"", b"HTTP/1.1 400")


def test_a_head_that_never_ends_is_given_up(narrow: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS_MAX", 0.2)
    parts = urlsplit(narrow.server.url)
    for head in (b"", b"GET /health HTTP/1.1\r\nHost: loc"):
        with socket.create_connection((parts.hostname, parts.port), timeout=5) as client:
            client.sendall(head)
            assert client.recv(100) == b""


def test_an_answer_that_takes_too_long_is_given_up(narrow: Served) -> None:
    assert_problem(narrow.ask("GET", "/slow"), 503)
    assert assert_problem(narrow.ask("POST", "/slow"), 504)["code"] == "TMT-W504"


def test_a_body_that_never_comes_is_given_up(narrow: Served) -> None:
    parts = urlsplit(narrow.server.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as client:
        head = (
            b"POST /wishes HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"
        )
        client.sendall(head)
        assert client.recv(100).startswith(b"HTTP/1.1 408 ")


def test_more_requests_than_places_are_refused_at_once_and_health_is_answered(narrow: Served) -> None:
    waiting = [Thread(target=narrow.ask, args=("GET", "/slow")) for _ in range(2)]
    for thread in waiting:
        thread.start()
    try:
        while not _is_busy(narrow, 2):
            Event().wait(0.005)
        answer = narrow.ask("GET", "/numbers")
        assert_problem(answer, 503)
        assert answer.headers["retry-after"] == "1"
        assert narrow.ask("GET", "/health").status_code == 200
    finally:
        for thread in waiting:
            thread.join()
    assert narrow.ask("GET", "/numbers").status_code == 200


# Health, readiness, metrics


def test_a_service_that_lives_says_so_and_readiness_names_what_is_not_well(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> Probe:
        raise KeyError(CANARY)

    def away() -> Probe:
        raise AdapterUnavailable("TMT-Z003", CANARY)

    def hanging() -> Probe:
        Event().wait(3)
        return Probe(ok=True)

    probes = {
        "well": lambda: Probe(ok=True, detail="fine", age_seconds=1.5),
        "broken": broken,
        "away": away,
        "hanging": hanging,
    }
    with serving([], probes=probes) as served:
        assert served.ask("GET", "/health").json() == {"service": "tester", "status": "live"}
        answer = served.ask("GET", "/ready")
    assert answer.status_code == 503
    found = {each["name"]: each for each in answer.json()["probes"]}
    assert found["well"] == {"name": "well", "ok": True, "detail": "fine", "age_seconds": 1.5}
    assert [name for name, each in found.items() if not each["ok"]] == ["broken", "away", "hanging"]
    assert "TMT-Z003" in found["away"]["detail"]
    assert CANARY not in answer.text
    assert CANARY in caplog.text


def test_a_service_whose_probes_are_well_is_ready() -> None:
    with serving([], probes={"well": lambda: Probe(ok=True)}) as served:
        assert served.ask("GET", "/ready").status_code == 200


def test_requests_are_counted_by_route_and_status_and_never_by_address(served: Served) -> None:
    served.ask("GET", "/raise/refused")
    served.ask("GET", "/no-such-address-4711")
    text = served.ask("GET", "/metrics").text
    labels = 'method="GET",route="/raise/{what}",service="tester",status="418"'
    assert f"tmt_http_request_duration_seconds_count{{{labels}}}" in text
    assert 'route="unmatched"' in text
    assert "4711" not in text


# The server


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", ""])
def test_other_machines_are_served_over_tls_or_by_leave_only(host: str) -> None:
    with pytest.raises(ConfigError) as caught:
        serve(_never, 0, host, name="tester", limits=web_config().limits)
    assert caught.value.code == "TMT-W002"


async def _never(scope: Any, receive: Any, send: Any) -> None:
    raise AssertionError("nobody is served")


def test_a_port_in_use_is_an_error_that_names_it_and_a_way_out(served: Served) -> None:
    with pytest.raises(AdapterUnavailable) as caught:
        serve(_never, served.server.port, name="tester", limits=web_config().limits)
    assert caught.value.code == "TMT-W001"
    assert str(served.server.port) in caught.value.what


def test_a_closed_server_frees_its_port_at_once_and_closing_again_does_nothing() -> None:
    with serving(HANDLERS) as served:
        assert served.ask("GET", "/health").status_code == 200
        served.server.close()
        served.server.close()
        with pytest.raises(httpx.ConnectError):
            served.ask("GET", "/health")


def test_closing_gives_an_answer_under_way_its_time_and_no_more() -> None:
    with serving(HANDLERS, config=web_config(graceful_seconds_max=1)) as served:
        answers: list[object] = []

        def ask() -> None:
            try:
                answers.append(served.ask("GET", "/slow").status_code)
            except httpx.HTTPError as error:
                answers.append(error)

        thread = Thread(target=ask)
        thread.start()
        while not _is_busy(served):
            Event().wait(0.01)
        served.server.close()
        thread.join(10)
        assert not served.server._thread.is_alive()
        assert answers


def _is_busy(served: Served, requests: int = 1) -> bool:
    return len(served.server._server.server_state.tasks) >= requests


def test_tls_is_spoken_where_it_is_given(tmp_path: Path) -> None:
    files = ensure_certificates(tmp_path, ("gateway",), SystemClock())["gateway"]
    with serving(HANDLERS, tls=server_context(files, clients_need_certificates=False)) as served:
        assert served.server.url.startswith("https://")
        answer = httpx.get(served.server.url + "health", verify=client_context(files))
        assert answer.headers["strict-transport-security"].startswith("max-age=")
        with pytest.raises(httpx.ConnectError):
            httpx.get(served.server.url + "health")
