"""What every door promises: durable before it answers, once for each id, and no wrong word about what became of it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from threading import Event
from typing import Any, TypeVar

import pytest

from tests.integration.simulated import proposal
from tests.unit.engine.running import loop_over, running, started_desk
from tests.unit.engine.serving import served_engine
from tmt import messages as m
from tmt.adapters.door.http import HttpDoor
from tmt.adapters.door.local import LocalDoor
from tmt.adapters.event_log.sqlite import SqliteEventLog
from tmt.bootstrap import Desk
from tmt.engine.desk_loop import DeskLoop
from tmt.errors import AdapterUnavailable, InputError, OutcomeUnknown, TmtError
from tmt.ports.door import Door, Taken

ANSWER_SECONDS_MAX = 20.0
T = TypeVar("T")

Use = Callable[[Door], Awaitable[T]]


class Through:
    """One kind of door to one desk whose loop runs, or waits until it is let go."""

    def __init__(self, kind: str, desk: Desk, state: Path) -> None:
        self._kind = kind
        self._desk = desk
        self._state = state
        self.held = Event()

    @contextmanager
    def open(
        self, loop: DeskLoop | None = None, seconds_max: float = ANSWER_SECONDS_MAX
    ) -> Iterator[Callable[[Use[T]], T]]:
        turning = loop_over(self._desk) if loop is None else loop
        if self._kind == "local":
            with running(turning):
                yield lambda use: asyncio.run(_with_local(use, turning, seconds_max))
        else:
            with served_engine(self._desk, self._state, loop=turning) as served:
                yield lambda use: asyncio.run(_with_http(use, served.url, served.service_token, seconds_max))


async def _with_local(use: Use[T], loop: DeskLoop, seconds_max: float) -> T:
    return await use(LocalDoor(loop.submit, seconds_max))


async def _with_http(use: Use[T], url: str, token: Callable[[], str], seconds_max: float) -> T:
    door = HttpDoor(url, token, None, seconds_max)
    try:
        return await use(door)
    finally:
        await door.aclose()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = started_desk(tmp_path / "book")
    yield desk
    desk.close()


@pytest.fixture(params=["local", "http"])
def through(request: pytest.FixtureRequest, desk: Desk, tmp_path: Path) -> Through:
    return Through(str(request.param), desk, tmp_path / "state")


def submits(command: m.Message) -> Callable[[Door], Awaitable[Taken]]:
    async def submit(door: Door) -> Taken:
        return await door.submit(command)

    return submit


def refusal(ask: Callable[[Any], Any], command: m.Message) -> TmtError:
    with pytest.raises(TmtError) as caught:
        ask(submits(command))
    return caught.value


def test_a_command_is_in_the_log_when_it_is_answered(through: Through, desk: Desk, tmp_path: Path) -> None:
    order = proposal(desk, "one")
    with through.open() as ask:
        taken = ask(submits(order))
        log = SqliteEventLog(tmp_path / "book" / "events.sqlite", read_only=True)
        (stored,) = log.find(order.message_id)
        log.close()
    assert (taken.message_id, taken.position, taken.repeated) == (order.message_id, stored.position, False)
    assert [type(each) for each in taken.answers] == [*m.APPROVALS, m.OrderSubmitted]
    assert isinstance(taken.answers[-1], m.OrderSubmitted)
    assert taken.answers[-1].order.quantity == Decimal(2000)


def test_the_same_command_a_hundred_times_at_once_is_run_once(through: Through, desk: Desk) -> None:
    order = proposal(desk, "one")

    async def many(door: Door) -> list[Taken]:
        return await asyncio.gather(*(door.submit(order) for _ in range(100)))

    with through.open() as ask:
        answers = ask(many)
    assert sum(not each.repeated for each in answers) == 1
    assert len({(each.position, each.answers) for each in answers}) == 1
    assert desk.runner.counts["OrderProposed"] == 1


def test_another_command_under_the_same_id_is_refused(through: Through, desk: Desk) -> None:
    with through.open() as ask:
        ask(submits(proposal(desk, "one")))
        error = refusal(ask, proposal(desk, "one", quantity=Decimal(3000)))
    assert isinstance(error, InputError)
    assert error.code == "TMT-E005"


def test_a_full_queue_is_busy_and_nothing_is_taken(through: Through, desk: Desk) -> None:
    released = Event()
    loop = loop_over(desk, commands_waiting_max=1, obey_inbox=lambda: released.wait(ANSWER_SECONDS_MAX))
    waits = loop.submit(proposal(desk, "waits"))
    with through.open(loop) as ask:
        error = refusal(ask, proposal(desk, "one too many"))
        released.set()
        waits.result(ANSWER_SECONDS_MAX)
    assert type(error) is AdapterUnavailable
    assert error.code == "TMT-E001"
    assert desk.runner.counts["OrderProposed"] == 1


def test_a_desk_that_broke_on_the_way_leaves_the_outcome_unknown(
    through: Through, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = desk.runner.step

    def fail(message: m.Message) -> None:
        if isinstance(message, m.OrderProposed):
            raise ZeroDivisionError("a bug")
        step(message)

    monkeypatch.setattr(desk.runner, "step", fail)
    order = proposal(desk, "one")
    with through.open() as ask:
        error = refusal(ask, order)
        after = refusal(ask, order)
    assert isinstance(error, OutcomeUnknown)
    assert type(after) is AdapterUnavailable
    assert after.code == "TMT-E002"


def test_an_answer_that_does_not_come_in_time_is_unknown_and_asking_again_tells(
    through: Through, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    released, begun = Event(), Event()
    step = desk.runner.step

    def slow(message: m.Message) -> None:
        if isinstance(message, m.OrderProposed):
            begun.set()
            released.wait(ANSWER_SECONDS_MAX)
        step(message)

    monkeypatch.setattr(desk.runner, "step", slow)
    order = proposal(desk, "one")
    loop = loop_over(desk)
    with through.open(loop, seconds_max=0.3) as ask:
        error = refusal(ask, order)
        assert begun.is_set()
        released.set()
        first: Future[Taken] = loop.submit(order)
        assert first.result(ANSWER_SECONDS_MAX).repeated
        again = ask(submits(order))
    assert isinstance(error, OutcomeUnknown)
    assert order.message_id in error.what
    assert again.repeated
    assert desk.runner.counts["OrderProposed"] == 1


def test_what_is_no_command_is_refused(through: Through, desk: Desk) -> None:
    with through.open() as ask:
        error = refusal(ask, m.AccountOpened.root("a person", 0, "x", account=desk.portfolio.accounts[0]))
    assert isinstance(error, InputError)
    assert desk.runner.counts["AccountOpened"] == 1


def test_an_engine_that_is_not_there_is_unavailable(desk: Desk) -> None:
    error = refusal(
        lambda use: asyncio.run(_with_http(use, "http://127.0.0.1:9", lambda: "token", 1.0)), proposal(desk, "one")
    )
    assert type(error) is AdapterUnavailable
    assert error.code == "TMT-E009"


def test_an_engine_that_does_not_know_the_service_takes_nothing(desk: Desk, tmp_path: Path) -> None:
    with served_engine(desk, tmp_path / "state") as served:
        error = refusal(
            lambda use: asyncio.run(_with_http(use, served.url, lambda: "forged", 5.0)), proposal(desk, "one")
        )
    assert type(error) is AdapterUnavailable
    assert error.code == "TMT-E009"
    assert "OrderProposed" not in desk.runner.counts
