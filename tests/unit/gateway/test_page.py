"""Does the page come whole, to everybody, show nothing before a log-in, and bring nothing from elsewhere?"""

from collections.abc import Iterator
from importlib.resources import files

import pytest

from tests.unit.gateway.desk import Gateway, gateway
from tmt.projections.desk_view import DeskSnapshot

PAGE = files("tmt.gateway").joinpath("page")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with gateway(tmp_path_factory.mktemp("page")) as served:
        yield served


@pytest.mark.parametrize(
    ("path", "file", "media_type"),
    [
        ("/", "index.html", "text/html"),
        ("/static/desk.js", "desk.js", "text/javascript"),
        ("/static/session.js", "session.js", "text/javascript"),
        ("/static/desk.css", "desk.css", "text/css"),
    ],
)
def test_a_file_of_the_page_has_its_type_and_is_sent_once(
    served: Gateway, path: str, file: str, media_type: str
) -> None:
    first = served.ask("GET", path)
    assert first.content == PAGE.joinpath(file).read_bytes()
    assert first.headers["content-type"] == f"{media_type}; charset=utf-8"
    assert first.headers["cache-control"] == "no-cache"
    again = served.ask("GET", path, headers={"If-None-Match": f'"other", W/{first.headers["etag"]}'})
    assert (again.status_code, again.content) == (304, b"")
    assert served.ask("GET", path, headers={"If-None-Match": '"other"'}).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/static/../service.py",
        "/static/..%2Fservice.py",
        "/static/%2e%2e/service.py",
        "/static//etc/passwd",
        "/static/",
    ],
)
def test_no_path_leads_out_of_the_page(served: Gateway, path: str) -> None:
    assert served.ask("GET", path).status_code == 404


def test_every_file_that_the_page_names_is_there(served: Gateway) -> None:
    named = [entry.name for entry in PAGE.iterdir()]
    text = "".join(entry.read_text("utf-8") for entry in PAGE.iterdir())
    for name in named:
        if name != "index.html":
            assert f"/static/{name}" in text, f"nothing names {name}"


def test_the_page_brings_everything_itself_and_inserts_text_only_as_text() -> None:
    for entry in PAGE.iterdir():
        text = entry.read_text("utf-8")
        assert "http://" not in text
        assert "https://" not in text
        for banned in (
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "style=",
            "onclick",
            "localStorage",
            "sessionStorage",
            "document.cookie",
        ):
            assert banned not in text, f"{banned} in {entry.name}"


def test_every_figure_of_the_snapshot_that_the_page_reads_exists() -> None:
    script = PAGE.joinpath("desk.js").read_text("utf-8")
    for field in DeskSnapshot.__struct_fields__:
        if field != "mode":
            assert f"desk.{field}" in script, f"the page leaves {field} out"


def test_the_figures_are_only_for_who_has_logged_in(served: Gateway) -> None:
    assert served.ask("GET", "/api/v1/desk").status_code == 401
    answer = served.ask("GET", "/api/v1/desk", "viewer")
    assert answer.status_code == 200
    assert float(answer.headers["snapshot-age-seconds"]) < 60
