"""`tmt stop` and `tmt resume`: a person's command, through the inboxes of books, obeyed by whichever desk has them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence, Set
from contextlib import closing
from pathlib import Path
from typing import Final

import msgspec

from tmt import messages as m
from tmt.adapters.event_log.postgres import PostgresEventLog
from tmt.adapters.inbox.postgres import PostgresInbox
from tmt.adapters.inbox.sqlite import SqliteInbox
from tmt.books import Books
from tmt.cli.aftermath import Aftermath, aftermath, aftermath_in, configured_breakers, event_of, known_breakers
from tmt.cli.exit_codes import ExitCode
from tmt.cli.folders import Chosen, has_log, reading
from tmt.cli.plan import Plan
from tmt.cli.results import BookCommanded, CommandGiven, StopDrill
from tmt.cli.session import open_session, person
from tmt.cli.settings import load_settings
from tmt.cli.terminal import Terminal
from tmt.domain.stop import EVERYTHING, ScopeKind, StopLevel, StopScope
from tmt.errors import AdapterUnavailable, InputError, StoreUnavailable, TmtError
from tmt.processes import open_database

ANSWER_SECONDS_MAX: Final = 2.0
REASON_LENGTH_MAX: Final = 500
_POLL_SECONDS: Final = 0.02

PersonsCommand = m.StopTrading | m.ResumeTrading


def stop(  # noqa: PLR0913, PLR0917 - one for each option
    terminal: Terminal,
    chosen: Chosen,
    level: str | None,
    flatten: bool,
    account: str | None,
    strategy: str | None,
    instrument: str | None,
    venue: str | None,
    drill: bool,
    reason: str,
    shared: bool,
) -> int:
    """`tmt stop`."""
    who, now, text = person(), str(time.time_ns()), checked_reason(reason)
    scope = scope_of(account=account, strategy=strategy, instrument=instrument, venue=venue)
    if flatten and level not in (None, StopLevel.FLATTEN):
        raise InputError("TMT-X007", f"--flatten and --level {level} do not go together", fix="leave one out")
    how = StopLevel.FLATTEN if flatten else StopLevel(level or StopLevel.CANCEL)
    if drill:
        return _drilled(terminal, chosen, how, scope, text)

    def command(book: str) -> m.StopTrading:
        fields = {"person": who, "role": "admin", "reason": text, "level": how, "scope": scope}
        return m.StopTrading.root(who, 0, who, now, book, **fields)

    return _give_shared(terminal, chosen, command("shared")) if shared else _give(terminal, chosen, command)


def resume(
    terminal: Terminal,
    chosen: Chosen,
    account: str | None,
    strategy: str | None,
    instrument: str | None,
    venue: str | None,
    reason: str,
    shared: bool,
) -> int:
    """`tmt resume`."""
    who, now, text = person(), str(time.time_ns()), checked_reason(reason)
    scope = scope_of(account=account, strategy=strategy, instrument=instrument, venue=venue)

    def command(book: str) -> m.ResumeTrading:
        fields = {"person": who, "role": "admin", "reason": text, "scope": scope}
        return m.ResumeTrading.root(who, 0, who, now, book, **fields)

    return _give_shared(terminal, chosen, command("shared")) if shared else _give(terminal, chosen, command)


def scope_of(**scopes: str | None) -> StopScope:
    """The scope that was named, by the words of `ScopeKind`; everything when none was.

    Raises:
        InputError: when more than one was.
    """
    given = {kind: name for kind, name in scopes.items() if name is not None}
    if len(given) > 1:
        what = f"{' and '.join(f'--{kind}' for kind in given)} do not go together"
        raise InputError("TMT-X007", what, fix="give one of them, or one command after another")
    for kind, name in given.items():
        if not name:
            raise InputError("TMT-X002", f"--{kind} needs a name")
        return StopScope(kind=ScopeKind(kind), name=name)
    return EVERYTHING


def _drilled(terminal: Terminal, chosen: Chosen, level: StopLevel, scope: StopScope, reason: str) -> int:
    from tmt.cli.drill import drill

    measured = drill(chosen, level, scope)
    answer = CommandGiven(
        command=m.StopTrading.__name__,
        scope=scope.breaker,
        level=level,
        person=person(),
        reason=reason,
        books=(),
        failures={},
        not_reached=(),
        drill=measured,
    )
    terminal.answer(answer, "\n".join(_drill_lines(measured)))
    return ExitCode.OK if measured.passed else ExitCode.UNAVAILABLE


def _drill_lines(measured: StopDrill) -> list[str]:
    least = f"{measured.accept_seconds_max * 1000:.0f} ms"
    last = "not answered" if measured.completed_seconds is None else f"{measured.completed_seconds * 1000:.1f} ms"
    return [
        f"drill {'passed' if measured.passed else 'FAILED'}, on a desk of its own: no book was touched",
        f"  accepted and in force after {measured.accept_seconds * 1000:.1f} ms (must be below {least})",
        f"  last cancel and closing order answered after {last}",
        f"  of {measured.orders_working} working orders {measured.cancelled} were cancelled, {measured.filled} filled",
        f"  of {measured.positions_held} positions {len(measured.positions_closed)} were closed",
        *(f"  STILL OPEN: {each}" for each in measured.positions_open),
    ]


def checked_reason(reason: str) -> str:
    """The reason without blanks around it.

    Raises:
        InputError: when nothing is left of it, or too much.
    """
    text = reason.strip()
    if not 0 < len(text) <= REASON_LENGTH_MAX:
        what = f"--reason must have 1 to {REASON_LENGTH_MAX} characters, has {len(text)}"
        raise InputError("TMT-X008", what, fix="say in a few words why; the log keeps it")
    return text


def _give(terminal: Terminal, chosen: Chosen, command_for: Callable[[str], PersonsCommand]) -> int:
    books = chosen.books
    names = (chosen.book,) if chosen.book is not None else _running(terminal, books) or (books.current(),)
    commands = {name: command_for(name) for name in names}
    refuse_unknown(chosen, next(iter(commands.values())).scope, [books.existing(name) for name in names])
    # One book's failure must not keep the command from the others, and no desk waits for another to obey.
    failures: dict[str, TmtError] = {}
    for name, command in commands.items():
        try:
            leave(books.ensure(name), command)
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


def refuse_unknown(chosen: Chosen, scope: StopScope, paths: Sequence[Path]) -> None:
    """Raise InputError when no book with a past has such a scope: a stop that stops nothing must not look like one.

    Where none has a past, the configuration tells what a desk will have.
    """
    if scope.kind is ScopeKind.ALL:
        return
    known: set[str] = set()
    for path in [each for each in paths if has_log(each)]:
        with reading(path) as log:
            known |= known_breakers(log)
    refuse_unless_known(scope, known or configured_breakers(load_settings(chosen.config_folder, chosen.overrides)))


def refuse_unless_known(scope: StopScope, known: Set[str]) -> None:
    """Raise InputError when `known`, keys of breakers, has no such scope."""
    if scope.breaker in known or scope.kind is ScopeKind.ALL:
        return
    same_kind = (StopScope.of_breaker(*key.split("/", 1)) for key in known)
    names = ", ".join(sorted(each.name for each in same_kind if each.kind is scope.kind)) or "none"
    raise InputError(
        "TMT-X011", f"no {scope.kind} {scope.name!r}; there are: {names}", fix="name one of them; nothing was changed"
    )


def _give_shared(terminal: Terminal, chosen: Chosen, command: PersonsCommand) -> int:
    """Through the database that several processes share; the engine obeys, at its next start if it is away."""
    loaded = load_settings(chosen.config_folder, chosen.overrides)
    with open_database(loaded, "tmt-command") as database:
        with closing(PostgresEventLog(database, writer=False, source="command")) as log:
            refuse_unless_known(command.scope, known_breakers(log) or configured_breakers(loaded))
            inbox = PostgresInbox(database)
            inbox.put(command)
            deadline_seconds = time.monotonic() + ANSWER_SECONDS_MAX
            brought = aftermath_in(log, command)
            while _is_awaited(command, brought) and time.monotonic() < deadline_seconds:
                time.sleep(_POLL_SECONDS)
                brought = aftermath_in(log, command)
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


def leave(path: Path, command: m.Message) -> None:
    """Put a command into the inbox of the book in folder `path`."""
    inbox = SqliteInbox(path / "inbox.sqlite")
    try:
        inbox.put(command)
    finally:
        inbox.close()


def _followed(
    terminal: Terminal, chosen: Chosen, name: str, command: PersonsCommand, deadline_seconds: float
) -> BookCommanded:
    taker = taken_by(terminal, chosen, name, command.message_id, deadline_seconds)
    brought = aftermath(chosen.books.path(name), command)
    while taker == "running desk" and _is_awaited(command, brought) and time.monotonic() < deadline_seconds:
        time.sleep(_POLL_SECONDS)
        brought = aftermath(chosen.books.path(name), command)
    fields = msgspec.structs.asdict(brought)
    return BookCommanded(book=name, message_id=command.message_id, taken_by=taker, **fields)


def _is_awaited(command: PersonsCommand, brought: Aftermath) -> bool:
    """Whether the command is not obeyed yet, or what a stop asked for is not answered."""
    return brought.event is None or (isinstance(command, m.StopTrading) and not brought.completed)


def taken_by(terminal: Terminal, chosen: Chosen, name: str, message_id: str, deadline_seconds: float) -> str:
    """Who obeyed a command left in a book's inbox: a desk that runs, this process, or "nobody yet".

    Raises:
        AdapterUnavailable: when a desk runs and has not obeyed by the deadline.
        TmtError: when no desk runs, and this process could not start one.
    """
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
        scope=command.scope.breaker,
        level=command.level if isinstance(command, m.StopTrading) else "",
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
    return ExitCode.UNAVAILABLE if any(entry.positions_open for entry in entries) else ExitCode.OK


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
    if entry.completed:
        closed = f", {len(entry.positions_closed)} positions closed" if entry.positions_closed else ""
        before = f", {entry.filled} filled before" if entry.filled else ""
        lines.append(f"  completed: {entry.cancelled} orders cancelled{before}{closed}")
    elif entry.cancels:
        lines.append(f"  {entry.cancels} cancels asked for, not all answered yet")
    elif command == "StopTrading" and entry.event is not None and not entry.closing_orders:
        lines.append("  not completed yet; a position of a closed market is closed once it opens")
    lines += [f"  STILL OPEN: {each}" for each in entry.positions_open]
    lines += [f"  NOT LIFTED: {each}" for each in entry.refused]
    for each in entry.lifted:
        state = each.state.replace("_", " ")
        lines.append(f"  lifted: {each.scope}, halted by {each.halted_by}, is now {state}")
    return lines


def _orders(count: int) -> str:
    return "1 closing order waits" if count == 1 else f"{count} closing orders wait"
