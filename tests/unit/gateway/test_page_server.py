"""Does the page's server show the desk, only show it, only to this machine, and say when it no longer can?"""

import socket
from collections.abc import Iterator
from importlib.resources import files
from urllib.parse import urlsplit

import msgspec
import pytest

from tests.unit.gateway.serving import Served, ask, serving
from tests.unit.projections.story import OneSignal
from tmt.domain.money import decode_hook
from tmt.errors import AdapterUnavailable, ConfigError
from tmt.gateway import ERROR_CODES
from tmt.gateway.app import STALE_SECONDS, DeskWindow
from tmt.gateway.server import serve
from tmt.market.quality import FeedQuality
from tmt.projections.desk_view import DeskSnapshot, DeskView
from tmt.projections.portfolio import Portfolio

PAGE = files("tmt.gateway").joinpath("page")
PATHS = ("/", "/static/desk.js", "/static/desk.css", "/health", "/ready", "/api/v1/desk", "/api/v1/openapi.json")


def make_snapshot() -> DeskSnapshot:
    portfolio = Portfolio()
    view = DeskView(portfolio, ())
    for message in OneSignal().told:
        portfolio.evolve(message)
        view.handle(message)
    return view.snapshot({"OrderDenied": 1}, FeedQuality())


SNAPSHOT = make_snapshot()


@pytest.fixture(scope="module")
def shared() -> Iterator[Served]:
    with serving() as served:
        served.window.show(SNAPSHOT)
        yield served


@pytest.fixture
def served() -> Iterator[Served]:
    with serving() as served:
        yield served


# What it shows


def test_the_snapshot_is_served_exactly_as_the_desk_handed_it_over(shared: Served) -> None:
    answer = shared.ask("/api/v1/desk")
    assert answer.status == 200
    assert msgspec.json.decode(answer.body, type=DeskSnapshot, dec_hook=decode_hook) == SNAPSHOT


def test_a_later_snapshot_replaces_the_one_before(served: Served) -> None:
    served.window.show(SNAPSHOT)
    served.window.show(msgspec.structs.replace(SNAPSHOT, mode="another"))
    assert served.ask("/api/v1/desk").json["mode"] == "another"


def test_before_the_first_snapshot_there_is_none_and_the_desk_is_not_ready(served: Served) -> None:
    assert served.ask("/api/v1/desk").status == 503
    assert served.ask("/ready").json == {"status": "starting", "age_seconds": None}
    assert served.ask("/ready").status == 503
    assert served.ask("/health").json == {"status": "live"}


@pytest.mark.parametrize(
    ("age_seconds", "status", "word"),
    [(0.0, 200, "ready"), (STALE_SECONDS - 0.001, 200, "ready"), (STALE_SECONDS, 503, "stale"), (5.001, 503, "stale")],
)
def test_a_desk_that_has_long_been_silent_is_stale_and_the_server_lives(
    served: Served, age_seconds: float, status: int, word: str
) -> None:
    served.window.show(SNAPSHOT)
    served.clock.advance(age_seconds)
    answer = served.ask("/ready")
    assert (answer.status, answer.json) == (status, {"status": word, "age_seconds": age_seconds})
    assert served.ask("/api/v1/desk").headers["snapshot-age-seconds"] == f"{age_seconds:.3f}"
    assert served.ask("/health").status == 200


@pytest.mark.parametrize(
    ("path", "file", "media_type"),
    [
        ("/", "index.html", "text/html"),
        ("/static/desk.js", "desk.js", "text/javascript"),
        ("/static/desk.css", "desk.css", "text/css"),
    ],
)
def test_a_file_of_the_page_has_its_type_and_is_sent_once(
    shared: Served, path: str, file: str, media_type: str
) -> None:
    first = shared.ask(path)
    assert first.body == PAGE.joinpath(file).read_bytes()
    assert first.headers["content-type"] == f"{media_type}; charset=utf-8"
    again = shared.ask(path, headers={"If-None-Match": f'"other", W/{first.headers["etag"]}'})
    assert (again.status, again.body) == (304, b"")
    assert shared.ask(path, headers={"If-None-Match": '"other"'}).status == 200


def test_the_description_names_every_route_for_programs_and_says_that_money_is_text(shared: Served) -> None:
    answer = shared.ask("/api/v1/openapi.json")
    assert answer.json["openapi"].startswith("3.1")
    assert set(answer.json["paths"]) == {"/health", "/ready", "/api/v1/desk"}
    quote = answer.json["components"]["schemas"]["Quote"]
    assert quote["properties"]["bid"]["type"] == "string"


# What it refuses


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_nothing_can_be_changed(shared: Served, path: str, method: str) -> None:
    answer = shared.ask(path, method)
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("path", PATHS)
def test_a_head_is_answered_like_a_get_without_its_body(shared: Served, path: str) -> None:
    got, head = shared.ask(path), shared.ask(path, "HEAD")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-type"] == got.headers["content-type"]


@pytest.mark.parametrize(
    "path",
    ["/nothing", "/api/v1", "/api/v1/", "/api/v1/nothing", "/description", "/schema", "/static/", "/static/nothing.js"],
)
def test_an_unknown_path_is_a_problem_in_json(shared: Served, path: str) -> None:
    answer = shared.ask(path)
    assert (answer.status, answer.headers["content-type"]) == (404, "application/problem+json")
    assert answer.json["status"] == 404


@pytest.mark.parametrize(
    "path", ["/static/../app.py", "/static/..%2Fapp.py", "/static/%2e%2e/app.py", "/static//etc/passwd"]
)
def test_no_path_leads_out_of_the_page(shared: Served, path: str) -> None:
    assert shared.ask(path).status == 404


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8000", "127.0.0.1", "127.0.0.1:9", "[::1]:8000"])
def test_names_of_this_machine_are_answered(shared: Served, host: str) -> None:
    assert shared.ask("/health", host=host).status == 200


@pytest.mark.parametrize(
    "host", ["", "evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "evil.example:8000", "10.0.0.1"]
)
def test_a_foreign_name_that_points_to_this_machine_is_refused(shared: Served, host: str) -> None:
    answer = shared.ask("/api/v1/desk", host=host)
    assert (answer.status, answer.headers["content-type"]) == (421, "application/problem+json")


@pytest.mark.parametrize("path", [*PATHS, "/nothing"])
@pytest.mark.parametrize("host", ["localhost", "evil.example"])
def test_every_answer_carries_the_policy_and_invites_no_other_site(shared: Served, path: str, host: str) -> None:
    headers = shared.ask(path, host=host, headers={"Origin": "http://evil.example"}).headers
    policy = {part.strip() for part in headers["content-security-policy"].split(";")}
    assert policy >= {
        "default-src 'self'",
        "base-uri 'none'",
        "object-src 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    }
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "access-control-allow-origin" not in headers
    assert "server" not in headers


@pytest.mark.parametrize("path", ["/api/v1/desk", "/ready", "/health", "/nothing"])
def test_no_figure_is_kept_by_a_cache(shared: Served, path: str) -> None:
    assert shared.ask(path).headers["cache-control"] == "no-store"


def test_a_bug_is_a_problem_that_shows_nothing_of_the_inside(
    served: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> None:
        raise KeyError("the inside")

    monkeypatch.setattr(served.window, "look", broken)
    answer = served.ask("/api/v1/desk")
    assert (answer.status, answer.headers["content-type"]) == (500, "application/problem+json")
    assert b"inside" not in answer.body
    assert "the inside" in caplog.text


# Where it listens


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.com", "localhost.evil.example", ""])
def test_it_listens_on_this_machine_only(host: str, served: Served) -> None:
    with pytest.raises(ConfigError) as caught:
        serve(served.window, 0, host)
    assert caught.value.code == "TMT-G002"
    assert caught.value.code in ERROR_CODES


def test_a_port_in_use_is_an_error_that_names_it_and_a_way_out(served: Served) -> None:
    port = urlsplit(served.server.url).port
    assert port is not None
    with pytest.raises(AdapterUnavailable) as caught:
        serve(served.window, port)
    assert caught.value.code == "TMT-G001"
    assert caught.value.code in ERROR_CODES
    assert str(port) in caught.value.what
    assert "--port" in caught.value.fix
    assert served.ask("/health").status == 200


def test_a_closed_server_frees_its_port_at_once_and_closing_again_does_nothing(served: Served) -> None:
    assert served.ask("/health").status == 200
    port = urlsplit(served.server.url).port
    assert port is not None
    served.server.close()
    served.server.close()
    with pytest.raises(ConnectionRefusedError):
        ask(served.server.url)
    with serve(served.window, port) as next_server:
        assert ask(next_server.url, "/health").status == 200


def test_a_client_that_never_finishes_its_request_does_not_keep_the_server(served: Served) -> None:
    parts = urlsplit(served.server.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
        assert served.ask("/health").status == 200
        served.server.close()
        with pytest.raises(ConnectionRefusedError):
            ask(served.server.url)


def test_a_window_shows_nothing_until_the_desk_does(served: Served) -> None:
    assert DeskWindow(served.clock).look() is None


# What the page is made of


def test_the_page_brings_everything_itself_and_inserts_text_only_as_text() -> None:
    for entry in PAGE.iterdir():
        text = entry.read_text("utf-8")
        assert "http://" not in text
        assert "https://" not in text
        for banned in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "style=", "onclick"):
            assert banned not in text, f"{banned} in {entry.name}"


def test_every_figure_of_the_snapshot_that_the_page_reads_exists() -> None:
    script = PAGE.joinpath("desk.js").read_text("utf-8")
    for field in DeskSnapshot.__struct_fields__:
        if field != "mode":
            assert f"desk.{field}" in script, f"the page leaves {field} out"
