"""What commands answer to `--json`; the schemas that ship are made from these."""

from __future__ import annotations

from typing import Any

import msgspec

from tmt.domain.money import Exact
from tmt.messages import SessionStarted, StopTrading
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
        stopped: whether there are emergency stops that nobody has lifted: `stops`, oldest first.
        commands_waiting: in the inbox, taken by no desk yet.
        session: the newest; its `inputs`, `seed` and `config_hash` say what runs.
        desk: accounts, positions, orders, breakers, newest events.
    """

    book: str
    path: str
    running: bool
    stopped: bool
    stops: tuple[StopTrading, ...]
    commands_waiting: int
    events: int
    last_recorded_at: str
    session: SessionStarted | None
    desk: DeskSnapshot


class Lifted(msgspec.Struct, frozen=True, kw_only=True):
    """One halt that a person lifted.

    Attributes:
        scope: of the breaker: "system/desk", "account/NAME", or "agent/NAME" for a strategy, an instrument or a venue.
        halted_by: trigger of the breaker.
        state: "closed" or "half_open".
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
        cancels: working orders that the venue was asked to cancel.
        completed: the venue has answered everything that a stop asked for; what follows is 0 or empty until then.
        cancelled: working orders that ended so; `filled` are those that filled before.
        positions_closed, positions_open: "account/instrument" of those to be closed.
        lifted: halts that it ended.
        refused: why a halt was not lifted.
    """

    book: str
    message_id: str
    taken_by: str
    event: int | None
    closing_orders: int
    closing_orders_waiting: int
    closing_orders_refused: int
    cancels: int
    completed: bool
    cancelled: int
    filled: int
    positions_closed: tuple[str, ...]
    positions_open: tuple[str, ...]
    lifted: tuple[Lifted, ...]
    refused: tuple[str, ...]


class StopDrill(msgspec.Struct, frozen=True, kw_only=True):
    """What `tmt stop --drill` measured on a desk of its own, in wall time.

    Attributes:
        passed: accepted in time, everything answered, and nothing left open that was to be closed.
        accept_seconds: until the stop was durable and in force; must be below `accept_seconds_max`.
        completed_seconds: until the venue had answered the last cancel and closing order; None when it did not.
        orders_working, positions_held: before the stop, in the whole desk.
        cancelled, filled, positions_closed, positions_open: as in `BookCommanded`.
    """

    passed: bool
    accept_seconds: float
    accept_seconds_max: float
    completed_seconds: float | None
    orders_working: int
    positions_held: int
    cancelled: int
    filled: int
    positions_closed: tuple[str, ...]
    positions_open: tuple[str, ...]


class CommandGiven(msgspec.Struct, frozen=True, kw_only=True):
    """A person's command, and what became of it.

    Attributes:
        scope: what it covers, as the key of its breaker; "system/desk" is everything.
        level: of a stop; empty for a resume.
        books: where it was left or taken, one entry a book.
        failures: book -> error, where it could not be left, or was left but not obeyed in time.
        not_reached: books on which a desk runs that this command did not go to.
        drill: what a drill measured, which goes to no book; None unless it was one.
    """

    command: str
    scope: str
    level: str
    person: str
    reason: str
    books: tuple[BookCommanded, ...]
    failures: dict[str, str]
    not_reached: tuple[str, ...]
    drill: StopDrill | None = None


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """What every command prints to `--json` when it fails."""

    code: str
    what: str
    where: str
    fix: str
    problems: tuple[str, ...]
    exit_code: int
