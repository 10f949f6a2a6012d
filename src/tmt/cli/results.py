"""What commands answer to `--json`; the schemas that ship are made from these."""

from __future__ import annotations

from typing import Any

import msgspec

from tmt.domain.money import Exact
from tmt.messages import SessionStarted
from tmt.projections.desk_view import DeskSnapshot


class Book(msgspec.Struct, frozen=True, kw_only=True):
    """One book. `in_use` is the one that commands take by default; `running`: a desk is writing it."""

    name: str
    path: str
    in_use: bool
    running: bool
    size_bytes: int


class BookList(msgspec.Struct, frozen=True, kw_only=True):
    """All books of a state folder."""

    state: str
    books: tuple[Book, ...]


class BookChanged(msgspec.Struct, frozen=True, kw_only=True):
    """The book now in use, or made anew; `moved_to` is where the old one is."""

    name: str
    path: str
    moved_to: str | None = None


class ConfigShown(msgspec.Struct, frozen=True, kw_only=True):
    """Section -> its values. Exact numbers are text; what is printed without `--json` is YAML for files."""

    hash: str
    sections: dict[str, Any]


class KeyExplained(msgspec.Struct, frozen=True, kw_only=True):
    """One key. `layer` is "default", "directory", "environment" or "override"."""

    key: str
    value: str
    layer: str
    where: str
    doc: str


class ConfigChecked(msgspec.Struct, frozen=True, kw_only=True):
    """The configuration is valid. `changed` lists keys that are not the package's defaults."""

    hash: str
    sections: tuple[str, ...]
    changed: tuple[str, ...]


class InstrumentData(msgspec.Struct, frozen=True, kw_only=True):
    """What was found in the rows of one instrument; `findings` holds only counts above 0."""

    instrument: str
    rows: int
    quotes: int
    trades: int
    findings: dict[str, int]
    longest_gap_seconds: Exact


class DataInspected(msgspec.Struct, frozen=True, kw_only=True):
    """Recorded data. Times are ISO 8601 UTC, None when no row can be delivered.

    `bar_seconds`: length of the bars, 0 for ticks. `dropped`: rows that are not delivered.
    """

    sources: tuple[str, ...]
    rows: int
    dropped: int
    first_time: str | None
    last_time: str | None
    bar_seconds: int
    instruments: tuple[InstrumentData, ...]
    notes: tuple[str, ...]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One check of `doctor`. `outcome` is "ok", "info", "warning" or "broken"; `fix` is a command or a sentence."""

    name: str
    outcome: str
    evidence: str
    fix: str = ""


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """All checks; `healthy` when none is broken."""

    version: str
    healthy: bool
    findings: tuple[Finding, ...]
    bundle: str | None = None


class CodeExplained(msgspec.Struct, frozen=True, kw_only=True):
    """One error code."""

    code: str
    text: str


class CodesExplained(msgspec.Struct, frozen=True, kw_only=True):
    """Error codes and what they mean."""

    codes: tuple[CodeExplained, ...]


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """A book, as its log says.

    Attributes:
        running: a desk is writing it.
        stopped: the newest emergency stop has not been lifted.
        commands_waiting: in the inbox, taken by no desk yet.
        session: the newest; its `inputs`, `seed` and `config_hash` say what runs.
        desk: accounts, positions, orders, breakers, newest events.
    """

    book: str
    path: str
    running: bool
    stopped: bool
    commands_waiting: int
    events: int
    last_recorded_at: str
    session: SessionStarted | None
    desk: DeskSnapshot


class Lifted(msgspec.Struct, frozen=True, kw_only=True):
    """One halt that a person lifted.

    Attributes:
        scope: "system/desk", "account/NAME" or "agent/NAME".
        halted_by: trigger of the breaker, or the rule that suspended the account.
        state: "closed" or "half_open" for a breaker, "reinstated" for a suspended account.
    """

    scope: str
    halted_by: str
    state: str


class BookCommanded(msgspec.Struct, frozen=True, kw_only=True):
    """A person's command to one book.

    Attributes:
        taken_by: "running desk", "this command", or "nobody yet": kept in the inbox, obeyed first at the next start.
        event: position in the log, None while nobody has taken it.
        closing_orders: proposed because of it; of these, `closing_orders_waiting` have no final answer yet and
            `closing_orders_refused` were denied or rejected.
        lifted: halts that it ended.
    """

    book: str
    message_id: str
    taken_by: str
    event: int | None
    closing_orders: int
    closing_orders_waiting: int
    closing_orders_refused: int
    lifted: tuple[Lifted, ...]


class CommandGiven(msgspec.Struct, frozen=True, kw_only=True):
    """A person's command, and what became of it.

    Attributes:
        books: where it was left or taken, one entry a book.
        failures: book -> error, where it could not be left, or was left but not obeyed in time.
        not_reached: books on which a desk runs that this command did not go to.
    """

    command: str
    person: str
    reason: str
    books: tuple[BookCommanded, ...]
    failures: dict[str, str]
    not_reached: tuple[str, ...]


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """What every command prints to `--json` when it fails."""

    code: str
    what: str
    where: str
    fix: str
    problems: tuple[str, ...]
    exit_code: int
