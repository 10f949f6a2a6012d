"""One run of a desk: its turns, its inbox, what it came to."""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from tmt import messages as m
from tmt.adapters.inbox.sqlite import SqliteInbox
from tmt.bootstrap import Desk, Recovery
from tmt.cli.exit_codes import ExitCode
from tmt.cli.interruption import Interruption
from tmt.cli.plan import Plan
from tmt.cli.terminal import Terminal
from tmt.config import Loaded
from tmt.engine.desk_loop import DeskLoop, Rows
from tmt.engine.pace import Arrivals, Pace
from tmt.errors import CorruptMessage
from tmt.invariants import REGISTRY
from tmt.market.batch import MarketBatch
from tmt.ports.clock import Clock
from tmt.ports.inbox import Inbox
from tmt.projections.report import ReplayResult, result_of


@dataclass(frozen=True, slots=True)
class Session:
    """A desk that has started, with its inbox."""

    plan: Plan
    loaded: Loaded
    book: Path
    desk: Desk
    inbox: Inbox
    recovery: Recovery
    terminal: Terminal
    started_seconds: float

    def obey(self) -> None:
        """Take every command in the inbox, at the desk's own event time."""
        for waiting in self.inbox.pending():
            try:
                message = m.decode(waiting.body)
            except CorruptMessage as error:
                self.terminal.say(f"{error.code}: a command that cannot be read was left out: {error.what}")
            else:
                now_ns = self.desk.runner.timeline.now_ns
                if self.desk.command(msgspec.structs.replace(message, occurred_at_ns=now_ns)):
                    self.terminal.say(f"obeyed {type(message).__name__}")
            self.inbox.done(waiting.message_id)

    def take_all(self, batches: Iterator[MarketBatch], interruption: Interruption, told: Callable[[], None]) -> None:
        """Run every batch, as fast as it goes."""
        for batch in batches:
            self.desk.take(batch)
            self.obey()
            told()
            if interruption:
                return

    def loop(
        self,
        clock: Clock,
        *,
        speed: float,
        until_ns: int | None = None,
        saw: Callable[[MarketBatch], None] = lambda _: None,
    ) -> DeskLoop:
        """The loop that takes rows as their time comes: those before the plan's `live_from` at once."""
        desk, engine = self.desk, self.loaded.sections["engine"]
        rows: Rows
        if self.plan.posted:
            rows = Arrivals(desk.batches, engine.posted_delay_ms * 1_000_000)
        else:
            rows = Pace(
                desk.batches(until_ns),
                event_start_ns=max(desk.runner.timeline.now_ns, self.plan.live_from_ns),
                wall_start_ns=clock.now_ns(),
                speed=speed,
            )
        return DeskLoop(desk, rows, clock, self.obey, saw=saw, commands_waiting_max=engine.commands_waiting_max)

    def result(self) -> ReplayResult:
        """What the book came to so far."""
        desk = self.desk
        return result_of(
            log=desk.log,
            portfolio=desk.portfolio,
            counts=desk.runner.counts,
            rows=desk.runner.next_sequence,
            decision_hash=desk.runner.decision_hash,
            quality=desk.feed.quality,
            invariants_checked=len(REGISTRY),
            resumed=self.recovery.resumed,
            elapsed_seconds=round(time.monotonic() - self.started_seconds, 3),
        )


@contextmanager
def open_session(plan: Plan, book: Path, terminal: Terminal) -> Iterator[Session]:
    """Open the desk, recover, obey what waits in the inbox; at the end keep a snapshot and release the book."""
    started_seconds = time.monotonic()
    loaded = plan.load()
    desk = plan.open_desk(book, loaded)
    try:
        plan.keep(book)
        inbox = SqliteInbox(book / "inbox.sqlite")
        try:
            session = Session(plan, loaded, book, desk, inbox, desk.start(), terminal, started_seconds)
            session.obey()
            yield session
        finally:
            inbox.close()
    finally:
        desk.close()


def finish(terminal: Terminal, session: Session, interruption: Interruption, book: str) -> int:
    """Print the result and how to go on; the exit status."""
    result = session.result()
    if terminal.json:
        terminal.answer(result, "")
    else:
        from tmt.cli.report import render_result

        render_result(result, terminal.console(answers=True))
    if interruption:
        terminal.say(f"\nstopped early; everything so far is in book {book}. Go on with:\n  {same_command()}")
    if result.breaches:
        terminal.say(f"error TMT-I001: {len(result.breaches)} breaches: {result.breaches[0]}")
        return ExitCode.INVARIANT_BROKEN
    return interruption.exit_code if interruption else ExitCode.OK


def same_command() -> str:
    """The command line that is running, to be typed again."""
    return shlex.join(["tmt", *sys.argv[1:]])


def person() -> str:
    """The user of the operating system, whom the log names for what people do."""
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
