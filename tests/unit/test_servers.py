"""Are servers for tests leased ports of their own, told apart from broken ones, shared, and never left behind?"""

import os
import select
import socket
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import msgspec
import pytest

from tests.servers.fixtures import require
from tests.servers.ports import PORTS, PortLease
from tests.servers.process import Server, ServerFailed, children_of

REPOSITORY = Path(__file__).resolve().parents[2]
GONE_SECONDS = 30.0

ANSWERING = """
import socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    listener.accept()[0].close()
"""
WITH_CHILD = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"], start_new_session=True)
"""
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"


class PortAddress(msgspec.Struct, frozen=True):
    port: int


class Script(Server):
    """A server that is a few lines of Python."""

    title: ClassVar[str] = "Script"
    start_seconds_max: ClassVar[float] = 10.0
    stop_seconds_max: ClassVar[float] = 0.2

    def __init__(self, folder: Path, text: str = ANSWERING) -> None:
        super().__init__(folder)
        self._text = text

    @classmethod
    def missing(cls) -> str:
        return ""

    @classmethod
    def version(cls) -> str:
        return sys.version

    @property
    def address(self) -> PortAddress:
        return PortAddress(self.port)

    def _make_data(self) -> None:
        pass

    def _command(self) -> list[str]:
        return [sys.executable, "-c", self._text, str(self.port)]

    def _answers(self) -> bool:
        return answers(self.port)


class Absent(Script):
    title: ClassVar[str] = "Absent"

    @classmethod
    def missing(cls) -> str:
        return "a program"


class Impatient(Script):
    start_seconds_max: ClassVar[float] = 0.1


def answers(port: int) -> bool:
    with socket.socket() as line:
        return line.connect_ex(("127.0.0.1", port)) == 0


def test_two_leases_are_of_two_ports_below_those_of_outgoing_connections() -> None:
    with PortLease() as one, PortLease() as other:
        assert one.port != other.port
        assert {one.port, other.port} <= set(PORTS)


def test_a_lease_of_another_process_is_respected() -> None:
    with PortLease() as ours:
        script = "from tests.servers.ports import PortLease; print(PortLease().port)"
        theirs = subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, check=True)
        assert int(theirs.stdout) != ours.port


def test_a_port_that_somebody_listens_on_is_not_leased() -> None:
    with PortLease() as lease:
        port = lease.port
    with socket.create_server(("127.0.0.1", port)), PortLease() as other:
        assert other.port != port


def test_a_server_goes_on_with_its_port_after_stop_and_kill(tmp_path: Path) -> None:
    with Script(tmp_path) as server:
        port = server.port
        for end in (server.stop, server.kill):
            end()
            assert not answers(port)
            server.start()
            assert answers(port)
    assert not answers(port)


def test_a_kill_takes_the_servers_children_too(tmp_path: Path) -> None:
    with Script(tmp_path, WITH_CHILD + ANSWERING) as server:
        [child] = children_of(server.pid)
        server.kill()
        assert not Path(f"/proc/{child}").exists() or "State:\tZ" in Path(f"/proc/{child}/status").read_text("utf-8")


def test_a_server_that_ends_by_itself_is_told_with_its_log(tmp_path: Path) -> None:
    with pytest.raises(ServerFailed, match=r"(?s)ended by itself with code 3.*no such setting"):
        Script(tmp_path, "import sys; print('no such setting', flush=True); sys.exit(3)").__enter__()


def test_a_server_that_never_answers_is_given_up_and_does_not_stay(tmp_path: Path) -> None:
    server = Impatient(tmp_path, "import signal; signal.pause()")
    with pytest.raises(ServerFailed, match=r"does not answer after 0\.1 s"):
        server.__enter__()
    assert not [pid for pid in children_of(os.getpid()) if str(server.port) in command_line(pid)]


def test_a_server_that_ignores_being_stopped_is_killed_and_told(tmp_path: Path) -> None:
    server = Script(tmp_path, DEAF + ANSWERING)
    server.start()
    with pytest.raises(ServerFailed, match=r"still runs 0\.2 s after SIGTERM"):
        server.stop()
    assert not answers(server.port)
    server.close()


def test_a_missing_server_skips_the_test_and_says_how_to_install_it() -> None:
    with pytest.raises(pytest.skip.Exception, match=r"a program is missing: python -m tests\.servers\.install"):
        require(Absent, in_ci=False)


def test_in_ci_a_missing_server_fails_the_test() -> None:
    with pytest.raises(pytest.fail.Exception, match=r"a program is missing: python -m tests\.servers\.install"):
        require(Absent, in_ci=True)


def test_a_server_that_is_there_is_no_reason_to_skip() -> None:
    require(Script, in_ci=True)


@pytest.mark.parametrize(("ci", "outcome"), [({}, "1 skipped"), ({"CI": "true"}, "1 error")])
def test_a_run_without_the_servers_programs_skips_and_in_ci_fails(ci: dict[str, str], outcome: str) -> None:
    test = "tests/servers/test_servers.py::test_redis_keeps_its_data_when_restarted_and_when_killed"
    environment = {name: value for name, value in os.environ.items() if name != "CI" and "PYTEST" not in name}
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", test],
        cwd=REPOSITORY,
        env={**environment, "PATH": "/nowhere", **ci},
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome in run.stdout, run.stdout + run.stderr
    assert "redis-server is missing: python -m tests.servers.install" in run.stdout


def test_a_server_outlives_the_thread_that_started_it_but_not_the_process(tmp_path: Path) -> None:
    script = """
import sys, threading
from pathlib import Path
from tests.unit.test_servers import Script

server = Script(Path(sys.argv[1]))
thread = threading.Thread(target=server.start)
thread.start()
thread.join()
print(server.port, server.pid, flush=True)
sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        port, pid = map(int, parent.stdout.readline().split())
        server = os.pidfd_open(pid)
        assert answers(port)
        parent.kill()
    assert select.select([server], [], [], GONE_SECONDS)[0], "the server outlived a killed process"
    os.close(server)
    assert not answers(port)


def command_line(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text("utf-8")
