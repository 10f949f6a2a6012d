"""`tmt stop` and `tmt resume`: a person's command, through the inboxes of books, obeyed by whichever desk has them."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

import msgspec

from tmt import messages as m
from tmt.adapters.event_log.postgres import PostgresEventLog
from tmt.adapters.inbox.postgres import PostgresInbox
from tmt.adapters.inbox.sqlite import SqliteInbox
from tmt.books import Books
from tmt.cli.aftermath import aftermath, aftermath_in, event_of
from tmt.cli.exit_codes import ExitCode
from tmt.cli.folders import Chosen
from tmt.cli.plan import Plan
from tmt.cli.results import BookCommanded, CommandGiven
from tmt.cli.session import open_session, person
from tmt.cli.settings import load_settings
from tmt.cli.terminal import Terminal
from tmt.errors import AdapterUnavailable, InputError, StoreUnavailable, TmtError
from tmt.processes import open_database

ANSWER_SECONDS_MAX: Final = 2.0
REASON_LENGTH_MAX: Final = 500
_POLL_SECONDS: Final = 0.02

PersonsCommand = m.StopTrading | m.ResumeTrading


def stop(terminal: Terminal, chosen: Chosen, flatten: bool, reason: str, shared: bool) -> int:
    """`tmt stop`."""
    who, now, text = person(), str(time.time_ns()), _checked(reason)

    def command(book: str) -> m.StopTrading:
        return m.StopTrading.root(who, 0, who, now, book, person=who, reason=text, flatten=flatten)

    return _give_shared(terminal, chosen, command("shared")) if shared else _give(terminal, chosen, command)


def resume(terminal: Terminal, chosen: Chosen, reason: str, shared: bool) -> int:
    """`tmt resume`."""
    who, now, text = person(), str(time.time_ns()), _checked(reason)

    def command(book: str) -> m.ResumeTrading:
        return m.ResumeTrading.root(who, 0, who, now, book, person=who, reason=text)

    return _give_shared(terminal, chosen, command("shared")) if shared else _give(terminal, chosen, command)


def _checked(reason: str) -> str:
    text = reason.strip()
    if not 0 < len(text) <= REASON_LENGTH_MAX:
        what = f"--reason must have 1 to {REASON_LENGTH_MAX} characters, has {len(text)}"
        raise InputError("TMT-X008", what, fix="say in a few words why; the log keeps it")
    return text


def _give(terminal: Terminal, chosen: Chosen, command_for: Callable[[str], PersonsCommand]) -> int:
    books = chosen.books
    names = (chosen.book,) if chosen.book is not None else _running(terminal, books) or (books.current(),)
    commands = {name: command_for(name) for name in names}
    # One book's failure must not keep the command from the others, and no desk waits for another to obey.
    failures: dict[str, TmtError] = {}
    for name, command in commands.items():
        try:
            _leave(books.ensure(name), command)
        except TmtError as error:
            failures[name] = error
    entries: list[BookCommanded] = []
    deadline_seconds = time.monotonic() + ANSWER_SECONDS_MAX
    for name in [name for name in names if name not in failures]:
        try:
            entries.append(_followed(terminal, chosen, name, commands[name], deadline_seconds))
        except TmtError as error:
            failures[name] = error
    missed = tuple(name for name in _running(terminal, books) if name not in commands)
    for name in missed:
        terminal.say(f"NOT REACHED: a desk runs on book {name}, which this command did not go to: give --book {name}")
    if not entries:
        raise next(iter(failures.values()))
    return _answered(terminal, next(iter(commands.values())), entries, failures, missed, named=chosen.book is not None)


def _give_shared(terminal: Terminal, chosen: Chosen, command: PersonsCommand) -> int:
    """Through the database that several processes share; the engine obeys, at its next start if it is away."""
    loaded = load_settings(chosen.config_folder, chosen.overrides)
    with open_database(loaded, "tmt-command") as database:
        inbox = PostgresInbox(database)
        inbox.put(command)
        with closing(PostgresEventLog(database, writer=False, source="command")) as log:
            deadline_seconds = time.monotonic() + ANSWER_SECONDS_MAX
            while not log.contains(command.message_id) and time.monotonic() < deadline_seconds:
                time.sleep(_POLL_SECONDS)
            brought = aftermath_in(log, command, loaded.sections["rule_books"])
        inbox.close()
    taken_by = "nobody yet" if brought.event is None else "running desk"
    given = msgspec.structs.asdict(brought)
    entry = BookCommanded(book=database.where, message_id=command.message_id, taken_by=taken_by, **given)
    return _answered(terminal, command, [entry], {}, (), named=True)


def _running(terminal: Terminal, books: Books) -> tuple[str, ...]:
    """Books on which a desk runs, by name."""

    def runs(name: str) -> bool:
        try:
            return books.is_in_use(name)
        except StoreUnavailable as error:
            terminal.say(f"{error.code}: cannot tell whether a desk runs on book {name}: {error.what} ({error.where})")
            return False

    held = [name for name in books.names() if runs(name)]
    if held:
        time.sleep(_POLL_SECONDS)  # another command that only looks holds a book's lock for an instant
    return tuple(name for name in held if runs(name))


def _leave(path: Path, command: PersonsCommand) -> None:
    inbox = SqliteInbox(path / "inbox.sqlite")
    try:
        inbox.put(command)
    finally:
        inbox.close()


def _followed(
    terminal: Terminal, chosen: Chosen, name: str, command: PersonsCommand, deadline_seconds: float
) -> BookCommanded:
    taken_by = _taken_by(terminal, chosen, name, command.message_id, deadline_seconds)
    brought = msgspec.structs.asdict(aftermath(chosen.books.path(name), command))
    return BookCommanded(book=name, message_id=command.message_id, taken_by=taken_by, **brought)


def _taken_by(terminal: Terminal, chosen: Chosen, name: str, message_id: str, deadline_seconds: float) -> str:
    books = chosen.books
    path = books.path(name)
    while books.is_in_use(name):
        if event_of(path, message_id) is not None:
            return "running desk"
        if time.monotonic() > deadline_seconds:
            raise AdapterUnavailable(
                "TMT-N002",
                f"the running desk has not obeyed within {ANSWER_SECONDS_MAX:g} s",
                where=str(path),
                fix="the command stays in its inbox; see `tmt status`, or end the desk with ctrl-C",
            )
        time.sleep(_POLL_SECONDS)
    if event_of(path, message_id) is not None:
        return "running desk"
    plan = Plan.of(path)
    if plan is None:
        return "nobody yet"
    if chosen.config or chosen.overrides:
        changed = {"config": chosen.config_folder, "overrides": tuple(chosen.overrides)}
        plan = msgspec.structs.replace(plan, **changed)
    try:
        with open_session(plan, path, terminal):
            return "this command"
    except TmtError:
        terminal.say("the command is kept in the inbox and is obeyed first at the next start, but this start failed:")
        raise


def _answered(
    terminal: Terminal,
    command: PersonsCommand,
    entries: list[BookCommanded],
    failures: dict[str, TmtError],
    missed: tuple[str, ...],
    *,
    named: bool,
) -> int:
    """Print what became of the command; the exit status."""
    answer = CommandGiven(
        command=type(command).__name__,
        person=command.person,
        reason=command.reason,
        books=tuple(entries),
        failures={name: str(error) for name, error in failures.items()},
        not_reached=missed,
    )
    lines = [line for entry in entries for line in _lines(answer.command, entry)]
    if isinstance(command, m.ResumeTrading) and not any(_may_have_lifted(entry) for entry in entries):
        lines.append("nothing was halted: there was nothing to lift")
    terminal.answer(answer, "\n".join(lines))
    for name, error in failures.items():
        fix = f"; {error.fix}" if error.fix else ""
        terminal.say(f"NOT OBEYED by book {name}: {error}{fix}")
    if failures:
        return next(iter(failures.values())).exit_code
    if missed and (not named or all(entry.taken_by == "nobody yet" for entry in entries)):
        return ExitCode.UNAVAILABLE
    if isinstance(command, m.ResumeTrading) and not any(_may_have_lifted(entry) for entry in entries):
        return ExitCode.NOTHING_FOUND
    return ExitCode.OK


def _may_have_lifted(entry: BookCommanded) -> bool:
    # What waits in an inbox may yet lift what waits before it.
    return bool(entry.lifted) or entry.event is None


def _lines(command: str, entry: BookCommanded) -> list[str]:
    where = "kept in the inbox, obeyed first at the next start" if entry.event is None else f"event {entry.event}"
    closing = f", {entry.closing_orders} closing orders" if entry.closing_orders else ""
    lines = [f"{command} for book {entry.book}, taken by {entry.taken_by}: {where}{closing}"]
    if entry.closing_orders_waiting:
        lines.append(f"  {_orders(entry.closing_orders_waiting)} for the next quote")
    if entry.closing_orders_refused:
        lines.append(f"  REFUSED: {entry.closing_orders_refused} closing orders; `tmt status` shows what is still open")
    for each in entry.lifted:
        state = each.state.replace("_", " ")
        lines.append(f"  lifted: {each.scope}, halted by {each.halted_by}, is now {state}")
    return lines


def _orders(count: int) -> str:
    return "1 closing order waits" if count == 1 else f"{count} closing orders wait"
