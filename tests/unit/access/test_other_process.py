"""Two processes on one store: a revocation reaches the other in a second; a killed one loses nothing it said."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.unit.access.desk import HOME, PASSWORD, quick_config
from tmt.access import Access, Role
from tmt.access.opening import open_access
from tmt.access.people import COMMAND_LINE
from tmt.adapters.clock.system import SystemClock

OPENED = """
import sys, time
from pathlib import Path
from tests.unit.access.desk import HOME, quick_config
from tmt.access import AccessRefused
from tmt.access.opening import open_access
from tmt.adapters.clock.system import SystemClock
access, _ = open_access(Path(sys.argv[1]), quick_config(), SystemClock())
"""
USES_A_TOKEN_UNTIL_IT_IS_REFUSED = """
token = "Bearer " + sys.argv[2]
access.authenticate(token, None, HOME)
print("in", flush=True)
try:
    while True:
        access.authenticate(token, None, HOME)
except AccessRefused as error:
    print(error.code, time.monotonic_ns(), flush=True)
"""
WRITES_THE_TRAIL_FOR_EVER = """
while True:
    print(access.audit.append("ann", "password", "act", "thing", "done"), flush=True)
"""


@contextmanager
def running(program: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", OPENED + program, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3]) as process:
        try:
            yield process
        finally:
            process.kill()


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def opened(folder: Path) -> Access:
    return open_access(folder, quick_config(), SystemClock()).access


def test_a_revocation_reaches_another_process_within_a_second(tmp_path: Path) -> None:
    access = opened(tmp_path)
    access.people.create("ann", Role.TRADER, PASSWORD, by=COMMAND_LINE, must_change=False)
    tokens = access.log_in("ann", PASSWORD, None, HOME)
    with running(USES_A_TOKEN_UNTIL_IT_IS_REFUSED, str(tmp_path), tokens.access_token) as process:
        assert said(process) == "in"
        revoked_ns = time.monotonic_ns()
        access.revoke(by=COMMAND_LINE, session_id=tokens.session_id)
        code, refused_ns = said(process).split()
    assert code == "TMT-A004"
    assert int(refused_ns) - revoked_ns < 1_000_000_000
    access.close()


def test_a_killed_process_loses_no_entry_that_it_acknowledged(tmp_path: Path) -> None:
    access = opened(tmp_path)
    acknowledged = 0
    for entries in (1, 20):
        with running(WRITES_THE_TRAIL_FOR_EVER, str(tmp_path)) as process:
            for _ in range(entries):
                acknowledged = int(said(process))
            process.kill()
        assert access.audit.verify().position >= acknowledged
        acknowledged = access.audit.append("bob", "password", "act", "thing", "done")
        assert access.audit.verify().position == acknowledged
    access.close()
