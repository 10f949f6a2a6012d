"""What `tmt doctor` asks of the machine."""

from __future__ import annotations

import os
import shutil
import socket
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from tmt.cli.results import Finding
from tmt.cli.terminal import size_text

MEMORY_BYTES_MIN: Final = 400 * 1024**2
DISK_BYTES_MIN: Final = 1024**3
OPEN_FILES_MIN: Final = 256
COLUMNS_MIN: Final = 80
_RELEASED = datetime(2026, 1, 1, tzinfo=UTC)


def checks(state: Path, port: int) -> list[tuple[str, Callable[[], Finding]]]:
    """Every check of the machine, by name."""
    return [
        ("python", _python),
        ("memory", _memory),
        ("disk", lambda: _disk(state)),
        ("state folder", lambda: _state_folder(state)),
        ("open files", _open_files),
        ("time zones", _time_zones),
        ("clock", _clock),
        ("port", lambda: _port_free(port)),
        ("terminal", _terminal),
        ("text encoding", _encoding),
        ("name on PATH", _name_on_path),
    ]


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    good = sys.version_info >= (3, 11)
    return Finding(
        name="python",
        outcome="ok" if good else "broken",
        evidence=f"{sys.implementation.name} {version}, needs 3.11 or newer",
        fix="" if good else "make setup PYTHON=python3.12",
    )


def _memory() -> Finding:
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    information = Path("/proc/meminfo")
    if information.is_file():
        for line in information.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                free = int(line.split()[1]) * 1024
    good = free >= MEMORY_BYTES_MIN
    return Finding(
        name="memory",
        outcome="ok" if good else "warning",
        evidence=f"{size_text(free)} available, the desk takes up to {size_text(MEMORY_BYTES_MIN)}",
        fix="" if good else "close other programs, or trade fewer instruments",
    )


def _disk(state: Path) -> Finding:
    existing = next(folder for folder in (state.absolute(), *state.absolute().parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    good = free >= DISK_BYTES_MIN
    return Finding(
        name="disk",
        outcome="ok" if good else "warning",
        evidence=f"{size_text(free)} free for {existing}; 1 GiB is wanted",
        fix="" if good else "free some space, or choose another folder with --state DIR",
    )


def _state_folder(state: Path) -> Finding:
    existing = next(folder for folder in (state.absolute(), *state.absolute().parents) if folder.exists())
    good = os.access(existing, os.W_OK | os.X_OK)
    made = "" if state.exists() else ", made when first needed"
    return Finding(
        name="state folder",
        outcome="ok" if good else "broken",
        evidence=f"{state} {'can' if good else 'cannot'} be written{made}",
        fix="" if good else f"chmod u+rwx {existing}, or give --state DIR",
    )


def _open_files() -> Finding:
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    good = limit == resource.RLIM_INFINITY or limit >= OPEN_FILES_MIN
    return Finding(
        name="open files",
        outcome="ok" if good else "warning",
        evidence=f"at most {limit}, {OPEN_FILES_MIN} are wanted",
        fix="" if good else f"ulimit -n {OPEN_FILES_MIN}",
    )


def _time_zones() -> Finding:
    # A summer and a winter day: zone data without the rules for daylight saving would fail one of them.
    zone = ZoneInfo("America/New_York")
    offsets = [datetime(2026, month, 15, tzinfo=zone).utcoffset() for month in (1, 7)]
    hours = [0 if offset is None else int(offset.total_seconds() // 3600) for offset in offsets]
    good = hours == [-5, -4]
    return Finding(
        name="time zones",
        outcome="ok" if good else "broken",
        evidence=f"New York is at {hours[0]} h in winter, {hours[1]} h in summer",
        fix="" if good else "python -m pip install --upgrade tzdata",
    )


def _clock() -> Finding:
    now = datetime.now(UTC)
    before = time.monotonic_ns()
    good = now >= _RELEASED and time.monotonic_ns() >= before
    return Finding(
        name="clock",
        outcome="ok" if good else "broken",
        evidence=f"{now:%Y-%m-%d %H:%M:%S} UTC",
        fix="" if good else "set the clock: this time is before the program was made",
    )


def _port_free(port: int) -> Finding:
    with socket.socket() as attempt:
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            attempt.bind(("127.0.0.1", port))
        except (OSError, OverflowError) as error:
            evidence = f"{port} on 127.0.0.1 cannot be used: {error}"
            return Finding(name="port", outcome="warning", evidence=evidence, fix=f"tmt up --port {port + 1}")
    return Finding(name="port", outcome="ok", evidence=f"{port} on 127.0.0.1 is free")


def _terminal() -> Finding:
    if not sys.stderr.isatty():
        return Finding(name="terminal", outcome="info", evidence="not a terminal: lines instead of bars and live views")
    columns, rows = shutil.get_terminal_size()
    good = columns >= COLUMNS_MIN
    return Finding(
        name="terminal",
        outcome="ok" if good else "warning",
        evidence=f"{columns} x {rows}, {os.environ.get('TERM', 'no TERM')}; the live view wants 80 x 24",
        fix="" if good else "make the window wider, or run `tmt up --headless`",
    )


def _encoding() -> Finding:
    used = (sys.stdout.encoding or "unknown").lower()
    good = used in {"utf-8", "utf8"}
    return Finding(
        name="text encoding",
        outcome="ok" if good else "warning",
        evidence=used,
        fix="" if good else "export PYTHONUTF8=1",
    )


def _name_on_path() -> Finding:
    # Another program on PyPI is called tmt too; ours stands beside the interpreter that runs it.
    found: list[str] = []
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        file = Path(folder) / "tmt"
        if folder and file.is_file() and os.access(file, os.X_OK) and str(file) not in found:
            found.append(str(file))
    ours = str(Path(sys.executable).with_name("tmt"))
    if not found:
        return Finding(name="name on PATH", outcome="info", evidence=f"no tmt on PATH; this one is {ours}")
    good = Path(found[0]).resolve() == Path(ours).resolve()
    return Finding(
        name="name on PATH",
        outcome="ok" if good else "warning",
        evidence=", ".join(found),
        fix="" if good else f"the first one is another program: run {ours}, or put {Path(ours).parent} first on PATH",
    )
