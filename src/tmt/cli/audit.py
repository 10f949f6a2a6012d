"""`tmt audit`: who did what, and that nobody changed it since."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import msgspec

from tmt.access.audit import Head
from tmt.adapters.event_log.postgres import PostgresEventLog
from tmt.cli.admin import opened
from tmt.cli.folders import Chosen, has_log, reading
from tmt.cli.settings import load_settings
from tmt.cli.terminal import Terminal, table
from tmt.cli.times import iso
from tmt.errors import InputError
from tmt.ports.access_store import AuditEntry
from tmt.ports.event_log import EventLog
from tmt.processes import open_database


class AuditLine(msgspec.Struct, frozen=True, kw_only=True):
    """Who did what, how, to what, with what outcome."""

    position: int
    time: str
    person: str
    method: str
    action: str
    subject: str
    outcome: str
    detail: dict[str, Any]
    chain: str


class AuditList(msgspec.Struct, frozen=True, kw_only=True):
    """Entries, oldest first."""

    entries: tuple[AuditLine, ...]


class LogVerified(msgspec.Struct, frozen=True, kw_only=True):
    """The event log of one book is what was written. `head` is to be written down elsewhere."""

    book: str
    events: int
    head: str


class AuditVerified(msgspec.Struct, frozen=True, kw_only=True):
    """The trail is what was written, and so is every book's event log. `head` is to be written down elsewhere."""

    entries: int
    head: str
    logs: tuple[LogVerified, ...]


def show(terminal: Terminal, chosen: Chosen, limit: int, before: int | None, shared: bool) -> None:
    """`tmt audit list`."""
    if not 1 <= limit <= 500:
        raise InputError("TMT-X005", f"--limit must be 1 to 500, was {limit}")
    with opened(terminal, chosen, shared) as access:
        entries = tuple(_line(entry) for entry in reversed(access.audit.newest(before, limit)))
    rows: list[tuple[str, ...]] = [("", "time", "person", "how", "what", "to", "outcome")]
    rows += [
        (str(each.position), each.time, each.person, each.method, each.action, each.subject, each.outcome)
        for each in entries
    ]
    terminal.answer(AuditList(entries=entries), table(rows) if entries else "nothing yet")


def verify(terminal: Terminal, chosen: Chosen, head: str | None, shared: bool) -> None:
    """`tmt audit verify`."""
    known = None if head is None else _head(head)
    with opened(terminal, chosen, shared) as access:
        checked = access.audit.verify(known)
    logs = tuple(_shared_log(chosen) if shared else _logs(chosen))
    answer = AuditVerified(entries=checked.position, head=f"{checked.position}:{checked.chain.hex()}", logs=logs)
    lines = [f"{checked.position} entries are what was written; head {answer.head}"]
    lines += [f"book {each.book}: {each.events} events are what was written; head {each.head}" for each in logs]
    terminal.answer(answer, "\n".join(lines))


def _logs(chosen: Chosen) -> Iterator[LogVerified]:
    books = chosen.books
    for name in books.names():
        if has_log(books.path(name)):
            with reading(books.path(name)) as log:
                yield _verified(name, log)


def _shared_log(chosen: Chosen) -> Iterator[LogVerified]:
    loaded = load_settings(chosen.config_folder, chosen.overrides)
    with (
        open_database(loaded, "tmt-audit") as database,
        closing(PostgresEventLog(database, writer=False, source="audit")) as log,
    ):
        yield _verified(database.where, log)


def _verified(book: str, log: EventLog) -> LogVerified:
    # The head comes first: a running desk may write on, and what it wrote is then verified too.
    position, chain = log.head_proof()
    log.verify()
    return LogVerified(book=book, events=position, head=f"{position}:{chain}")


def _head(text: str) -> Head:
    parts = re.fullmatch(r"([0-9]{1,18}):([0-9a-f]{64})", text, re.ASCII)
    if parts is None:
        raise InputError("TMT-A012", "--head must be POSITION:CHAIN, as `tmt audit verify` prints it")
    return Head(int(parts[1]), bytes.fromhex(parts[2]))


def _line(entry: AuditEntry) -> AuditLine:
    return AuditLine(
        position=entry.position,
        time=iso(entry.time_ns),
        person=entry.person,
        method=entry.method,
        action=entry.action,
        subject=entry.subject,
        outcome=entry.outcome,
        detail=msgspec.json.decode(entry.detail, type=dict[str, Any]),
        chain=entry.chain.hex(),
    )
