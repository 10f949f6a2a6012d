"""What `tmt doctor` asks of the book in use."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tmt.cli.folders import Chosen, reading
from tmt.cli.results import Finding
from tmt.cli.times import iso

if TYPE_CHECKING:
    from tmt.ports.event_log import EventLog

EVENTS_VERIFIED_MAX: Final = 20_000
"""Newest events whose hashes are recomputed; the desk verifies what it runs at every start."""


def checks(chosen: Chosen) -> list[tuple[str, Callable[[], Finding]]]:
    """Every check of the book, by name."""
    books, name = chosen.books, chosen.book_name
    path = books.path(name)
    listed: list[tuple[str, Callable[[], Finding]]] = [
        ("books", lambda: Finding(name="books", outcome="ok", evidence=f"{len(books.names())}, {name} is in use")),
        ("desk", lambda: _desk(running=books.is_in_use(name), name=name)),
        ("inbox", lambda: _inbox(path)),
    ]
    if not (path / "events.sqlite").is_file():
        evidence = f"book {name} is empty; `tmt up` or `tmt replay` begins it"
        return [*listed, ("event log", lambda: Finding(name="event log", outcome="info", evidence=evidence))]
    of_log = (("event log", _event_log), ("snapshot", _snapshot), ("log's clock", _clock), ("emergency stop", _stop))
    return [*listed, *((title, _on_log(path, check)) for title, check in of_log)]


def _on_log(path: Path, check: Callable[[EventLog], Finding]) -> Callable[[], Finding]:
    def run() -> Finding:
        with reading(path) as log:
            return check(log)

    return run


def _desk(*, running: bool, name: str) -> Finding:
    return Finding(name="desk", outcome="info", evidence=f"{'a' if running else 'no'} desk is writing book {name}")


def _inbox(path: Path) -> Finding:
    from tmt.cli.status import waiting_commands

    waiting = waiting_commands(path)
    return Finding(
        name="inbox",
        outcome="warning" if waiting else "ok",
        evidence=f"{waiting} commands wait",
        fix="tmt up: they are obeyed first" if waiting else "",
    )


def _event_log(log: EventLog) -> Finding:
    head = log.head()
    verified = log.verify(after=max(0, head - EVENTS_VERIFIED_MAX))
    return Finding(
        name="event log", outcome="ok", evidence=f"{head} events, the newest {verified} are what was written"
    )


def _snapshot(log: EventLog) -> Finding:
    saved = log.load_snapshot()
    if saved is None:
        return Finding(name="snapshot", outcome="info", evidence="none yet: a start runs the whole log again")
    position, raw = saved
    evidence = f"at event {position} of {log.head()}, {len(raw)} bytes, intact"
    return Finding(name="snapshot", outcome="ok", evidence=evidence)


def _clock(log: EventLog) -> Finding:
    newest = next(log.read(after=max(0, log.head() - 1)), None)
    recorded_ns = 0 if newest is None else newest.recorded_at_ns
    good = time.time_ns() >= recorded_ns
    return Finding(
        name="log's clock",
        outcome="ok" if good else "warning",
        evidence=f"the newest event was written at {iso(recorded_ns)}",
        fix="" if good else "that is in the future: set the machine's clock",
    )


def _stop(log: EventLog) -> Finding:
    from tmt.cli.status import stops_in

    stopped = bool(stops_in(log))
    return Finding(
        name="emergency stop",
        outcome="warning" if stopped else "ok",
        evidence="in force: no new risk" if stopped else "not in force",
        fix="tmt resume --reason TEXT" if stopped else "",
    )
