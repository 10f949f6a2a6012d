"""The desk's loop: one thread that owns a desk, takes rows as their time comes, and obeys commands between them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Final, Protocol

import msgspec

from tmt import messages as m
from tmt.engine.command_queue import CommandQueue, Waiting
from tmt.errors import AdapterUnavailable, InputError, OutcomeUnknown, TmtError
from tmt.market.batch import MarketBatch
from tmt.ports.clock import Clock
from tmt.ports.door import Taken
from tmt.ports.event_log import EventLog
from tmt.runner import Runner

COMMANDS: Final = (
    m.OrderProposed,
    m.CancelOrder,
    m.ReplaceOrder,
    m.StopTrading,
    m.ResumeTrading,
    m.ReinstateAccount,
)
"""What people and programs may send."""

COMMANDS_WAITING_MAX: Final = 1024
COMMANDS_PER_COMMIT_MAX: Final = 256
TURN_SECONDS_MAX: Final = 0.025
"""Longest wait for a command while no row is due."""

INBOX_SECONDS: Final = 0.05
"""Shortest time between two looks at the inbox."""


class Desk(Protocol):
    """What the loop asks of a desk that has started; `tmt.bootstrap.Desk` is one."""

    @property
    def log(self) -> EventLog: ...
    @property
    def runner(self) -> Runner: ...
    def take(self, batch: MarketBatch) -> None: ...
    def command(self, message: m.Message) -> bool: ...
    def advance(self, time_ns: int) -> None: ...
    def tend(self) -> None: ...


class Rows(Protocol):
    """Where rows come from, and how event time follows the wall clock."""

    ended: bool

    def due_ns(self, wall_ns: int) -> int:
        """Event time at wall time `wall_ns`."""

    def rows_before(self, due_ns: int) -> MarketBatch | None:
        """The next rows whose time has come; None when there are none now."""


class DeskLoop:
    """Runs a desk. `run` is called once, by the thread that owns the desk; `submit` by any other.

    Args:
        desk: started; nobody else may touch it while `run` lasts.
        rows: the market data.
        clock: paces rows.
        obey_inbox: takes commands that other processes left; called between steps, in the desk's thread.
        saw: told of every batch once it is durable, in the desk's thread.

    Attributes:
        failure: what stopped the desk; None while it is well.
        turned_at_ns: wall time of the newest turn's end; 0 before the first.
        stepped_at_ns: wall time at which rows or a command were last run; 0 before the first.
    """

    def __init__(
        self,
        desk: Desk,
        rows: Rows,
        clock: Clock,
        obey_inbox: Callable[[], None] = lambda: None,
        saw: Callable[[MarketBatch], None] = lambda _: None,
        *,
        commands_waiting_max: int = COMMANDS_WAITING_MAX,
    ) -> None:
        self.failure: BaseException | None = None
        self.turned_at_ns = 0
        self.stepped_at_ns = 0
        self._desk = desk
        self._rows = rows
        self._clock = clock
        self._obey_inbox = obey_inbox
        self._saw = saw
        self._obeyed_at_ns = 0
        self._stopping = False
        self._queue = CommandQueue(commands_waiting_max)

    def submit(self, command: m.Message) -> Future[Taken]:
        """Hand over a command; the future resolves once it and all that followed from it are durable.

        The future fails with OutcomeUnknown when the desk broke on the way, with InputError (TMT-E005) when the id
        was used for another command. Cancelling it has an effect only while the command waits.

        Raises:
            AdapterUnavailable: when too many commands wait (TMT-E001), or the desk has stopped (TMT-E002).
            InputError: when it is no command (TMT-E004).
        """
        is_root = command.correlation_id == command.message_id and not command.causation_id
        if not isinstance(command, COMMANDS) or not is_root:
            what = f"{type(command).__name__} {command.message_id} is no command"
            raise InputError("TMT-E004", what, fix=f"send one of {', '.join(kind.__name__ for kind in COMMANDS)}")
        return self._queue.put(command)

    def hurries(self) -> bool:
        """Whether an emergency stop waits or is being obeyed."""
        return self._stopping or self._queue.has_stops()

    def run(
        self,
        ends: Callable[[], bool],
        told: Callable[[], None] = lambda: None,
    ) -> None:
        """Turn until `ends` says so or the rows end; `told` is called after each turn.

        Raises:
            TmtError: and whatever else a step raised; the desk is of no more use then but to be closed.
        """
        try:
            while not ends() and self._turn():
                told()
        except BaseException as error:
            self.failure = error
            raise
        finally:
            self._queue.close(_stopped(self.failure))

    def _turn(self) -> bool:
        now_ns = self._clock.now_ns()
        due_ns = self._rows.due_ns(now_ns)
        batch = self._rows.rows_before(due_ns)
        if batch is not None:
            self._desk.take(batch)
            self._saw(batch)
        elif self._rows.ended:
            return False
        else:
            self._desk.advance(due_ns)
        if now_ns - self._obeyed_at_ns >= INBOX_SECONDS * 1_000_000_000:
            self._obey_inbox()
            self._desk.tend()
            self._obeyed_at_ns = now_ns
        waiting = self._queue.take(COMMANDS_PER_COMMIT_MAX, TURN_SECONDS_MAX if batch is None else 0)
        if waiting:
            self._obey(waiting)
        self.turned_at_ns = self._clock.now_ns()
        if waiting or batch is not None:
            self.stepped_at_ns = self.turned_at_ns
        return True

    def _obey(self, group: list[Waiting]) -> None:
        """Run commands, write them in one commit, then answer."""
        repeated, started = [False] * len(group), 0
        try:
            for index, waiting in enumerate(group):
                started = index + 1
                repeated[index] = not self._run(waiting.command)
            self._desk.runner.commit()
        except BaseException as error:
            unknown = OutcomeUnknown("TMT-E003", f"the desk failed on the way: {_named(error)}", fix=_ASK_AGAIN)
            for index, waiting in enumerate(group):
                waiting.answer.set_exception(unknown if index < started else _stopped(error))
            raise
        for waiting, was_known in zip(group, repeated, strict=True):
            self._answer(waiting, repeated=was_known)

    def _run(self, command: m.Message) -> bool:
        runner = self._desk.runner
        present = msgspec.structs.replace(command, occurred_at_ns=runner.timeline.now_ns)
        if isinstance(command, m.StopTrading):
            self._stopping = True
            try:
                return self._desk.command(present)
            finally:
                self._stopping = False
        if runner.knows(command.message_id):
            return False
        runner.step(present)
        return True

    def _answer(self, waiting: Waiting, *, repeated: bool) -> None:
        command = waiting.command
        first, *followed = self._desk.log.correlated(command.message_id)
        same = msgspec.structs.replace(command, occurred_at_ns=first.occurred_at_ns)
        if repeated and m.encode(same) != first.body:
            what = f"{command.message_id} is the id of another {first.type}"
            waiting.answer.set_exception(InputError("TMT-E005", what, fix="give a new command a new id"))
            return
        answers = tuple(m.decode(each.body) for each in followed if each.occurred_at_ns == first.occurred_at_ns)
        waiting.answer.set_result(
            Taken(message_id=command.message_id, position=first.position, repeated=repeated, answers=answers)
        )


_ASK_AGAIN: Final = "start the desk again, and send the same command with the same id to learn what became of it"


def _named(error: BaseException) -> str:
    return str(error) if isinstance(error, TmtError) else f"{type(error).__name__}: {error}"


def _stopped(failure: BaseException | None) -> AdapterUnavailable:
    why = "" if failure is None else f": {_named(failure)}"
    return AdapterUnavailable("TMT-E002", f"the desk has stopped{why}", fix="start it again")
