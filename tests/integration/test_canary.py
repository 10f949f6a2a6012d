"""Secrets that went through every door are in no log, metric, trace, error, audit trail or file."""

from __future__ import annotations

import base64
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex

import httpx
import pytest

from tests.integration.collector import collector

SERVICES = ("page", "storage API", "engine")
SECONDS = "120"


class Told:
    """Everything that the desk and its clients were told."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def keep(self, answer: httpx.Response) -> httpx.Response:
        self.texts.append(f"{answer.status_code} {answer.headers} {answer.text}")
        return answer


@contextmanager
def desk(state: Path, endpoint: str, log: Path) -> Iterator[dict[str, str]]:
    ports = ("--port", "0", "--engine-port", "0", "--storage-port", "0")
    traced = ("--set", f"telemetry.otlp_endpoint={endpoint}")
    words = [sys.executable, "-m", "tmt", "up", "--headless", "--history", "2", "--for", SECONDS, "--state", str(state)]
    with log.open("w") as output, subprocess.Popen([*words, *ports, *traced], stderr=subprocess.PIPE, text=True) as up:
        assert up.stderr is not None
        urls: dict[str, str] = {}
        for line in up.stderr:
            output.write(line)
            name, _, url = line.strip().partition(": ")
            if name in SERVICES:
                urls[name] = url.rstrip("/")
            if len(urls) == len(SERVICES) and "log in as" in line:
                break
        try:
            yield urls
        finally:
            up.send_signal(signal.SIGTERM)
            output.write(up.stderr.read())


def changed_password(url: str, state: Path, password: str, told: Told) -> str:
    first = (state / "first-password").read_text().strip()
    session = httpx.post(f"{url}/api/v1/sessions", json={"name": "admin", "password": first}, timeout=60)
    bearer = {"Authorization": f"Bearer {session.json()['access_token']}"}
    asked = {"current": first, "new": password}
    changed = told.keep(httpx.put(f"{url}/api/v1/me/password", json=asked, headers=bearer, timeout=60))
    assert changed.status_code < 300, changed.text
    again = httpx.post(f"{url}/api/v1/sessions", json={"name": "admin", "password": password}, timeout=60)
    assert again.status_code == 201
    return str(again.json()["access_token"])


@pytest.mark.slow
def test_no_secret_that_was_shown_to_the_desk_comes_out_again(tmp_path: Path) -> None:
    password, guess, key, token = (f"canary-{token_hex(12)}" for _ in range(4))
    state, log, told = tmp_path / "state", tmp_path / "desk.log", Told()
    with collector() as (endpoint, spans), desk(state, endpoint, log) as urls:
        good = changed_password(urls["page"], state, password, told)
        told.keep(httpx.post(f"{urls['page']}/api/v1/sessions", json={"name": "admin", "password": guess}, timeout=60))
        told.keep(
            httpx.post(f"{urls['page']}/api/v1/sessions", content=f'{{"name":"a","password":"{guess}"', timeout=60)
        )
        made = httpx.post(
            f"{urls['page']}/api/v1/users",
            json={"name": "ann", "role": "trader", "password": f"{password}-ann"},
            headers={"Authorization": f"Bearer {good}"},
            timeout=60,
        )
        assert made.status_code == 201, made.text
        for url in urls.values():
            for path in ("/api/v1/orders", "/api/v1/candles", f"/api/v1/orders/{key}", "/nowhere"):
                for headers in ({"X-API-Key": key}, {"Authorization": f"Bearer {token}"}, {"Authorization": token}):
                    told.keep(httpx.get(f"{url}{path}", headers=headers, timeout=60))
                    told.keep(httpx.post(f"{url}{path}", headers=headers, content=b"{", timeout=60))
            for path in ("/health", "/ready", "/metrics", "/openapi.json"):
                told.keep(httpx.get(f"{url}{path}", timeout=60))
        audit = httpx.get(f"{urls['page']}/api/v1/audit", headers={"Authorization": f"Bearer {good}"}, timeout=60)
        assert "log in" in told.keep(audit).text
    sinks = {"answers": "\n".join(told.texts), "spans": str(spans), "the desk's log": log.read_text()}
    sinks |= {
        str(file.relative_to(state)): file.read_bytes().decode("latin-1") for file in state.rglob("*") if file.is_file()
    }
    assert len(sinks) > 8
    for canary in (password, guess, token, good):
        forms = (canary, canary.encode().hex(), base64.b64encode(canary.encode()).decode().rstrip("="))
        leaked = [name for name, text in sinks.items() for form in forms if form in text]
        assert leaked == []
    # A key in an address is its sender's own doing; it is still in no file of the desk's.
    assert [name for name, text in sinks.items() if key in text and name != "answers"] == []
    assert re.search("canary", sinks["the desk's log"]) is None
