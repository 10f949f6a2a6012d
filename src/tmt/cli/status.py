"""`tmt status`: a book as its log says, read beside a running desk."""

from __future__ import annotations

from pathlib import Path

import msgspec

from tmt import messages as m
from tmt.adapters.event_log.sqlite import SqliteEventLog
from tmt.cli.exit_codes import ExitCode
from tmt.cli.folders import Chosen, has_log, newest_book, reading
from tmt.cli.results import Status
from tmt.cli.terminal import Terminal
from tmt.cli.times import iso
from tmt.domain.ledger import LedgerSnapshot
from tmt.domain.money import decode_hook
from tmt.errors import InputError
from tmt.market.quality import FeedQuality
from tmt.ports.event_log import EventLog
from tmt.projections.desk_view import DeskView
from tmt.projections.portfolio import Portfolio
from tmt.projections.portfolio_state import PortfolioState
from tmt.topology import PATH
from tmt.watch import stops_after


class _Saved(msgspec.Struct):
    """What of a desk's snapshot is needed here."""

    counts: dict[str, int]
    portfolio: PortfolioState
    ledger: LedgerSnapshot


def run(terminal: Terminal, chosen: Chosen) -> None:
    """`tmt status`."""
    books, name = chosen.books, chosen.book_name
    path = books.path(name)
    newest = newest_book(books) if chosen.book is None else None
    if newest is not None and not has_log(path):
        what = f"book {name}, the one in use, is empty; the newest that is not is {newest}"
        fix = f"`tmt status --book {newest}` shows it, `tmt book switch {newest}` uses it"
        error = InputError("TMT-S006", what, where=str(path), fix=fix)
        error.exit_code = ExitCode.NOTHING_FOUND
        raise error
    with reading(path) as log:
        answer = _status(name, path, log, running=books.is_in_use(name))
    if terminal.json:
        terminal.answer(answer, "")
        return
    from tmt.cli.live import page

    console = terminal.console(answers=True)
    console.print(page(answer.desk))
    running = "running" if answer.running else "not running"
    scopes = ", ".join(f"{stop.scope.breaker} ({stop.level})" for stop in answer.stops)
    stopped = f"; STOPPED {scopes}: `tmt resume --reason TEXT` lifts it" if answer.stops else ""
    waiting = f"; {answer.commands_waiting} commands wait for the desk" if answer.commands_waiting else ""
    console.print(
        f"book {name}: desk {running}, {answer.events} events, last {answer.last_recorded_at}{stopped}{waiting}"
    )


def _status(name: str, path: Path, log: SqliteEventLog, *, running: bool) -> Status:
    portfolio, counts = _folded(log)
    stops = stops_in(log)
    view = DeskView(portfolio, [place.agent for place in PATH])
    view.catch_up(log)
    session = next(iter(reversed(list(log.read(types=("SessionStarted",))))), None)
    started = None if session is None else m.decode(session.body)
    newest = next(log.read(after=log.head() - 1), None)
    return Status(
        book=name,
        path=str(path),
        running=running,
        stopped=bool(stops),
        stops=stops,
        commands_waiting=waiting_commands(path),
        events=log.head(),
        last_recorded_at="" if newest is None else iso(newest.recorded_at_ns),
        session=started if isinstance(started, m.SessionStarted) else None,
        desk=view.snapshot(counts, FeedQuality()),
    )


def _folded(log: EventLog) -> tuple[Portfolio, dict[str, int]]:
    portfolio, counts, position = Portfolio(), dict[str, int](), 0
    saved = log.load_snapshot()
    if saved is not None:
        position, raw = saved
        desk = msgspec.json.decode(raw, type=_Saved, dec_hook=decode_hook)
        portfolio.restore(desk.portfolio, desk.ledger)
        counts = dict(desk.counts)
    for recorded in log.read(after=position):
        portfolio.evolve(m.decode(recorded.body))
        counts[recorded.type] = counts.get(recorded.type, 0) + 1
    return portfolio, counts


def stops_in(log: EventLog) -> tuple[m.StopTrading, ...]:
    """Emergency stops that nobody has lifted, oldest first."""
    stops: list[m.StopTrading] = []
    for recorded in log.read(types=("StopTrading", "ResumeTrading")):
        message = m.decode(recorded.body)
        assert isinstance(message, m.StopTrading | m.ResumeTrading)
        stops = stops_after(stops, message)
    return tuple(stops)


def waiting_commands(path: Path) -> int:
    """Commands in the inbox of the book in folder `path` that no desk has taken."""
    file = path / "inbox.sqlite"
    if not file.is_file():
        return 0
    from tmt.adapters.inbox.sqlite import SqliteInbox

    inbox = SqliteInbox(file)
    try:
        return len(inbox.pending())
    finally:
        inbox.close()
