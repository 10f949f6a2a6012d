"""`tmt audit`: who did what, and that nobody changed it since."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from tmt.access.audit import Head
from tmt.cli.admin import opened
from tmt.cli.folders import Chosen
from tmt.cli.terminal import Terminal, table
from tmt.cli.times import iso
from tmt.errors import InputError
from tmt.ports.access_store import AuditEntry


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


class AuditVerified(msgspec.Struct, frozen=True, kw_only=True):
    """The trail is what was written. `head` is to be written down elsewhere."""

    entries: int
    head: str


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
    answer = AuditVerified(entries=checked.position, head=f"{checked.position}:{checked.chain.hex()}")
    terminal.answer(answer, f"{checked.position} entries are what was written; head {answer.head}")


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
