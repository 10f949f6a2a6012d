"""Is a shared server one for all workers, and does no server outlive a test run, however that ends?"""

import json
import os
import select
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

pytestmark = pytest.mark.server

REPOSITORY = Path(__file__).resolve().parents[2]
SECONDS_MAX = 60.0

CONFTEST = """
pytest_plugins = ["tests.servers.fixtures"]
"""
RECORDING = """
import json, os, pathlib, signal

import psycopg

def record(server, own, folder):
    with psycopg.connect(server.admin_dsn()) as connection:
        [[pid, started]] = connection.execute(
            "SELECT pid, pg_postmaster_start_time()::text FROM pg_stat_activity WHERE backend_type = 'checkpointer'"
        ).fetchall()
    path = pathlib.Path(folder, os.environ.get("PYTEST_XDIST_WORKER", "alone"))
    path.with_suffix(".part").write_text(json.dumps([server.port, started, pid, own and own.pid]))
    path.with_suffix(".part").rename(path)
"""


def write_tests(folder: Path, body: str) -> None:
    folder.joinpath("conftest.py").write_text(CONFTEST, "utf-8")
    folder.joinpath("test_one.py").write_text(RECORDING + body, "utf-8")


def pytest_in(folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    environment = {name: value for name, value in os.environ.items() if "PYTEST" not in name}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--basetemp={folder}/temporary"]
    return subprocess.Popen(
        [*command, *arguments, str(folder)],
        cwd=folder,
        env={**environment, "PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def is_gone(pid: int) -> bool:
    with suppress(ProcessLookupError):
        process = os.pidfd_open(pid)
        try:
            return bool(select.select([process], [], [], SECONDS_MAX)[0])
        finally:
            os.close(process)
    return True


def test_two_workers_share_one_server_which_the_last_of_them_stops(tmp_path: Path) -> None:
    write_tests(
        tmp_path,
        f"""
def test_records(postgres_server):
    record(postgres_server, None, {str(tmp_path)!r})
""",
    )
    with pytest_in(tmp_path, "--dist=each", "--tx=2*popen") as run:
        output, _ = run.communicate(timeout=SECONDS_MAX)
    assert "2 passed" in output, output
    one, other = (json.loads(tmp_path.joinpath(worker).read_text("utf-8")) for worker in ("gw0", "gw1"))
    assert one == other
    assert not Path(f"/proc/{one[2]}").exists()
    log = tmp_path / "temporary" / "servers" / "postgres" / "server.log"
    assert "received fast shutdown request" in log.read_text("utf-8")


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_server_outlives_a_run_that_is_ended_by(end: signal.Signals, tmp_path: Path) -> None:
    write_tests(
        tmp_path,
        f"""
def test_records_and_waits(postgres_server, own_redis):
    record(postgres_server, own_redis, {str(tmp_path)!r})
    signal.pause()
""",
    )
    with pytest_in(tmp_path) as run:
        while not tmp_path.joinpath("alone").exists():
            with suppress(subprocess.TimeoutExpired):
                run.wait(0.05)
                pytest.fail(run.communicate()[0])
        _, _, shared_pid, own_pid = json.loads(tmp_path.joinpath("alone").read_text("utf-8"))
        run.send_signal(end)
        run.communicate(timeout=SECONDS_MAX)
    assert is_gone(own_pid)
    assert is_gone(shared_pid)
