"""Does `tmt up` show its desk on a page while it runs, and only then?"""

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import pytest

from tests.unit.gateway.serving import ask

TMT = (sys.executable, "-c", "import sys; from tmt.cli.main import main; sys.exit(main())")
ATTEMPTS_MAX = 300


@contextmanager
def desk(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [*TMT, "up", "--headless", "--for", "60", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def page_of(process: subprocess.Popen[str]) -> str:
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("page: "):
            return line.removeprefix("page: ").strip()
    raise AssertionError("the desk ended without naming its page")


def wait_until_ready(url: str) -> None:
    for _ in range(ATTEMPTS_MAX):
        if ask(url, "/ready").status == 200:
            return
        Event().wait(0.1)
    raise AssertionError("the desk never reported")


def test_a_running_desk_is_on_its_page_and_takes_it_along_when_it_ends(tmp_path: Path) -> None:
    with desk("--port", "0", "--state", str(tmp_path), "--speed", "600") as process:
        url = page_of(process)
        wait_until_ready(url)
        first = ask(url, "/api/v1/desk").json
        assert first["simulated"]
        assert [each["equity"] for each in first["accounts"]] == ["100000"]
        assert len(first["agents"]) == 8
        assert ask(url).status == 200
        later = first
        for _ in range(ATTEMPTS_MAX):
            later = ask(url, "/api/v1/desk").json
            if later["time_ns"] > first["time_ns"]:
                break
            Event().wait(0.1)
        assert later["time_ns"] > first["time_ns"]
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
        assert process.returncode == 0
        with pytest.raises(ConnectionRefusedError):
            ask(url)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [*TMT, "up", "--headless", "--for", "0.5", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_a_port_that_somebody_named_must_be_free(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        ended = run("--state", str(tmp_path), "--port", str(port))
    assert ended.returncode == 4
    assert "TMT-G001" in ended.stderr
    assert str(port) in ended.stderr


def test_a_desk_that_was_not_told_a_port_runs_on_without_a_page_when_the_usual_one_is_taken(tmp_path: Path) -> None:
    with socket.socket() as other:
        try:
            other.bind(("127.0.0.1", 8000))
            other.listen()
        except OSError:
            pass  # somebody else has taken it, which is as good
        ended = run("--state", str(tmp_path))
    assert ended.returncode == 0
    assert "TMT-G001" in ended.stderr
    assert "runs without its page" in ended.stderr


@pytest.mark.parametrize("port", ["-1", "65536"])
def test_a_number_that_is_no_port_is_refused(tmp_path: Path, port: str) -> None:
    ended = run("--state", str(tmp_path), "--port", port)
    assert ended.returncode == 3
    assert "65535" in ended.stderr
