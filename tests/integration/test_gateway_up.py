"""Does `tmt up` serve its desk to who logs in while it runs, and only then?"""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import pytest

TMT = (sys.executable, "-c", "import sys; from tmt.cli.main import main; sys.exit(main())")
ATTEMPTS_MAX = 600
ELSEWHERE = ("--port", "0", "--engine-port", "0", "--storage-port", "0")


@contextmanager
def desk(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [*TMT, "up", "--headless", "--for", "90", *ELSEWHERE, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def page_of(process: subprocess.Popen[str]) -> str:
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("page: "):
            return line.removeprefix("page: ").strip().rstrip("/")
    raise AssertionError("the desk ended without naming its page")


def log_in(url: str, name: str, password: str) -> httpx.Client:
    answer = httpx.post(f"{url}/api/v1/sessions", json={"name": name, "password": password}, timeout=30)
    assert answer.status_code == 201, answer.text
    token = answer.json()["access_token"]
    return httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=30)


def eventually(so: Any) -> Any:
    for _ in range(ATTEMPTS_MAX):
        if found := so():
            return found
        Event().wait(0.1)
    raise AssertionError("it never was")


def administrator(url: str, state: Path) -> httpx.Client:
    file = state / "first-password"
    assert file.stat().st_mode & 0o777 == 0o600
    first = file.read_text().strip()
    with log_in(url, "admin", first) as client:
        assert client.get("/api/v1/desk").status_code == 403
        change = {"current": first, "new": "a password of my own"}
        assert client.put("/api/v1/me/password", json=change).status_code == 204
    return log_in(url, "admin", "a password of my own")


@pytest.mark.slow
def test_a_running_desk_is_served_to_who_logs_in_and_takes_its_page_along_when_it_ends(tmp_path: Path) -> None:
    with desk("--state", str(tmp_path), "--speed", "600") as process:
        url = page_of(process)
        eventually(lambda: httpx.get(f"{url}/ready", timeout=30).status_code == 200)
        assert httpx.get(url).status_code == 200
        with administrator(url, tmp_path) as client:
            first = client.get("/api/v1/desk").json()
            assert first["simulated"]
            assert len(first["agents"]) == 8
            eventually(lambda: client.get("/api/v1/desk").json()["time_ns"] > first["time_ns"])
            made = client.post("/api/v1/users", json={"name": "tina", "role": "trader"}).json()
        with log_in(url, "tina", made["password"]) as client:
            change = {"current": made["password"], "new": "lanterns over the sea"}
            assert client.put("/api/v1/me/password", json=change).status_code == 204
        with log_in(url, "tina", "lanterns over the sea") as client:
            wanted = {
                "symbol": "EURUSD.SIM",
                "side": "buy",
                "type": "market",
                "quantity": 2000,
                "client_order_id": "first",
                "stop_loss_price": "0.5",
            }
            placed = client.post("/api/v1/orders", json=wanted)
            assert placed.status_code in (200, 400), placed.text
            decisions = client.get("/api/v1/decisions").json()["items"]
            assert any(each["by"] == "tina" for each in decisions)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
        assert process.returncode == 0
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{url}/health")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [*TMT, "up", "--headless", "--for", "0.5", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=dict(os.environ))


def test_a_port_that_somebody_named_must_be_free(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        ended = run("--state", str(tmp_path), *ELSEWHERE[2:], "--port", str(port))
    assert ended.returncode == 4
    assert "TMT-W001" in ended.stderr
    assert str(port) in ended.stderr


def test_a_desk_that_was_not_told_a_port_runs_on_without_a_page_when_the_usual_one_is_taken(tmp_path: Path) -> None:
    with socket.socket() as other:
        try:
            other.bind(("127.0.0.1", 8000))
            other.listen()
        except OSError:
            pass  # somebody else has taken it, which is as good
        ended = run("--state", str(tmp_path), *ELSEWHERE[2:])
    assert ended.returncode == 0
    assert "TMT-W001" in ended.stderr
    assert "runs without its gateway" in ended.stderr


@pytest.mark.parametrize("port", ["-1", "65536"])
def test_a_number_that_is_no_port_is_refused(tmp_path: Path, port: str) -> None:
    ended = run("--state", str(tmp_path), "--port", port)
    assert ended.returncode == 3
    assert "65535" in ended.stderr
