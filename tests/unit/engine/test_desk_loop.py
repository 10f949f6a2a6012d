"""The desk's loop: durable before acknowledged, once for each id, bounded, loud when it breaks."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from threading import Event
from typing import Any

import msgspec
import pytest

from tests.integration.simulated import ACCOUNT, SYMBOL, proposal
from tests.unit.engine.running import ANSWER_SECONDS_MAX, loop_over, running, started_desk
from tmt import messages as m
from tmt.adapters.event_log.sqlite import SqliteEventLog
from tmt.bootstrap import Desk
from tmt.domain.stop import StopLevel
from tmt.errors import AdapterUnavailable, InputError, OutcomeUnknown, StoreUnavailable


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = started_desk(tmp_path / "book")
    yield desk
    desk.close()


def stop(key: str = "1", *, flatten: bool = False) -> m.StopTrading:
    return m.StopTrading.root(
        "a person",
        0,
        "a person",
        key,
        person="a person",
        reason="test",
        role="risk",
        level=StopLevel.FLATTEN if flatten else StopLevel.CANCEL,
    )


def wait_for_fill(book: Path) -> None:
    log, tick = SqliteEventLog(book / "events.sqlite", read_only=True), Event()
    while not any(True for _ in log.read(types=("OrderFilled",))):
        tick.wait(0.01)
    log.close()


def code_of(error: BaseException | None) -> str:
    assert isinstance(error, AdapterUnavailable | InputError)
    return error.code


def test_an_order_is_answered_with_its_whole_path_and_is_durable_by_then(desk: Desk, tmp_path: Path) -> None:
    order = proposal(desk, "one")
    with running(loop_over(desk)) as thread:
        taken = thread.ask(order)
        reader = SqliteEventLog(tmp_path / "book" / "events.sqlite", read_only=True)
        (stored,) = reader.find(order.message_id)
        reader.close()
    assert (taken.message_id, taken.repeated, taken.position) == (order.message_id, False, stored.position)
    assert [type(each) for each in taken.answers] == [*m.APPROVALS, m.OrderSubmitted]


def test_a_denied_order_is_answered_with_the_denial(desk: Desk) -> None:
    with running(loop_over(desk)) as thread:
        taken = thread.ask(proposal(desk, "one", stop_loss_price=None))
    denial = taken.answers[-1]
    assert isinstance(denial, m.OrderDenied)
    assert (denial.gate, denial.reason) == ("compliance", "mandatory_stop")


def test_the_same_command_twice_is_run_once_and_answered_alike(desk: Desk, tmp_path: Path) -> None:
    order = proposal(desk, "one")
    with running(loop_over(desk)) as thread:
        first, again = thread.loop.submit(order), thread.loop.submit(order)
        answers = [each.result(ANSWER_SECONDS_MAX) for each in (first, again)]
        wait_for_fill(tmp_path / "book")
        answers.append(thread.ask(order))
    assert [each.repeated for each in answers] == [False, True, True]
    assert len({(each.position, each.answers) for each in answers}) == 1
    assert desk.runner.counts["OrderProposed"] == 1


def test_an_id_used_for_another_command_is_refused(desk: Desk) -> None:
    with running(loop_over(desk)) as thread:
        thread.ask(proposal(desk, "one"))
        other = thread.loop.submit(proposal(desk, "one", quantity=Decimal(3000)))
        error = other.exception(ANSWER_SECONDS_MAX)
    assert code_of(error) == "TMT-E005"
    assert desk.runner.counts["OrderProposed"] == 1


@pytest.mark.parametrize("made", ["time", "opening", "consequence"])
def test_what_is_no_command_is_refused(desk: Desk, made: str) -> None:
    order = proposal(desk, "one")
    message: m.Message = {
        "time": m.TimeAdvanced.root("a person", 0, "x"),
        "opening": m.AccountOpened.root("a person", 0, "x", account=desk.portfolio.accounts[0]),
        "consequence": m.StopTrading.caused_by(
            order, "a person", person="p", reason="r", role="risk", level=StopLevel.CANCEL
        ),
    }[made]
    with pytest.raises(InputError) as caught:
        loop_over(desk).submit(message)
    assert caught.value.code == "TMT-E004"


def test_commands_that_wait_together_are_written_in_one_commit(desk: Desk) -> None:
    loop = loop_over(desk)
    answers = [loop.submit(proposal(desk, str(number))) for number in range(20)]
    head = desk.log.head()
    with running(loop):
        positions = [each.result(ANSWER_SECONDS_MAX).position for each in answers]
    written = {each.recorded_at_ns for each in desk.log.read(after=head, types=("OrderProposed",))}
    assert positions == sorted(positions)
    assert len(written) == 1


def test_an_emergency_stop_goes_ahead_of_waiting_commands_and_finds_room_in_a_full_queue(desk: Desk) -> None:
    loop = loop_over(desk, commands_waiting_max=3)
    orders = [loop.submit(proposal(desk, str(number))) for number in range(3)]
    with pytest.raises(AdapterUnavailable) as caught:
        loop.submit(proposal(desk, "one too many"))
    stopped = loop.submit(stop())
    with running(loop):
        position = stopped.result(ANSWER_SECONDS_MAX).position
        denied = [each.result(ANSWER_SECONDS_MAX) for each in orders]
    assert caught.value.code == "TMT-E001"
    assert all(position < each.position for each in denied)
    assert {type(each.answers[-1]) for each in denied} == {m.OrderDenied}


def test_a_flattening_stop_closes_what_is_open(desk: Desk, tmp_path: Path) -> None:
    with running(loop_over(desk)) as thread:
        thread.ask(proposal(desk, "one"))
        wait_for_fill(tmp_path / "book")
        thread.ask(stop(flatten=True))
        thread.ask(m.ResumeTrading.root("a person", 0, "r", person="a person", role="risk", reason="after the stop"))
    closing = [m.decode(each.body) for each in desk.log.read(types=("OrderProposed",))][-1]
    assert isinstance(closing, m.OrderProposed)
    assert (closing.account, closing.instrument, closing.reduce_only) == (ACCOUNT, SYMBOL, True)


def test_a_command_that_was_given_up_while_it_waited_is_not_run(desk: Desk) -> None:
    loop = loop_over(desk)
    given_up, kept = loop.submit(proposal(desk, "one")), loop.submit(proposal(desk, "two"))
    assert given_up.cancel()
    with running(loop):
        kept.result(ANSWER_SECONDS_MAX)
    assert desk.runner.counts["OrderProposed"] == 1


def test_event_time_goes_on_and_rows_are_taken_while_nobody_commands(desk: Desk) -> None:
    before, enough = desk.runner.timeline.now_ns, Event()
    rows = desk.runner.next_sequence

    def look() -> None:
        if desk.runner.next_sequence > rows + 100:
            enough.set()

    with running(loop_over(desk, speed=1000), look):
        assert enough.wait(ANSWER_SECONDS_MAX)
    assert desk.runner.timeline.now_ns > before


def test_a_step_that_raises_stops_the_desk_and_fails_whoever_waits(desk: Desk, monkeypatch: Any) -> None:
    loop = loop_over(desk)
    bad, after = proposal(desk, "bad"), proposal(desk, "after")
    step = desk.runner.step

    def fail(message: m.Message) -> None:
        if message.message_id == bad.message_id:
            raise ZeroDivisionError("an agent's bug")
        step(message)

    monkeypatch.setattr(desk.runner, "step", fail)
    good = loop.submit(proposal(desk, "good"))
    answers = [loop.submit(bad), loop.submit(after)]
    with running(loop) as thread:
        errors = [each.exception(ANSWER_SECONDS_MAX) for each in (good, *answers)]
    assert isinstance(thread.error, ZeroDivisionError)
    assert loop.failure is thread.error
    assert [code_of(error) for error in errors] == ["TMT-E003", "TMT-E003", "TMT-E002"]
    assert [isinstance(error, OutcomeUnknown) for error in errors] == [True, True, False]
    with pytest.raises(AdapterUnavailable, match="an agent's bug"):
        loop.submit(proposal(desk, "later"))


def test_a_commit_that_fails_leaves_the_outcome_unknown(desk: Desk, monkeypatch: Any) -> None:
    def fail() -> None:
        raise StoreUnavailable("TMT-L002", "the disk is full")

    loop = loop_over(desk)
    waiting = loop.submit(proposal(desk, "one"))
    with monkeypatch.context() as broken:
        broken.setattr(desk.runner, "commit", fail)
        with running(loop) as thread:
            error = waiting.exception(ANSWER_SECONDS_MAX)
    assert isinstance(error, OutcomeUnknown)
    assert code_of(thread.error) == "TMT-L002"


def test_a_loop_that_has_ended_takes_nothing(desk: Desk) -> None:
    loop = loop_over(desk)
    with running(loop):
        pass
    with pytest.raises(AdapterUnavailable) as caught:
        loop.submit(proposal(desk, "one"))
    assert caught.value.code == "TMT-E002"
    assert loop.failure is None


def test_the_inbox_is_looked_at_while_no_command_comes(desk: Desk) -> None:
    looked = Event()
    with running(loop_over(desk, obey_inbox=looked.set)):
        assert looked.wait(ANSWER_SECONDS_MAX)


def test_a_paced_loop_begins_where_a_new_desk_does(tmp_path: Path) -> None:
    desk = started_desk(tmp_path / "new", batches=0)
    enough = Event()
    began_ns = desk.runner.timeline.now_ns
    loop = loop_over(desk, speed=1000)
    with running(loop, lambda: enough.set() if desk.runner.next_sequence else None) as thread:
        assert enough.wait(ANSWER_SECONDS_MAX)
        thread.ask(stop())
    (stored,) = desk.log.find(stop().message_id)
    desk.close()
    assert stored.occurred_at_ns >= began_ns > 0


def test_the_present_is_the_desks_whatever_time_a_command_names(desk: Desk) -> None:
    before_ns = desk.runner.timeline.now_ns
    order = msgspec.structs.replace(proposal(desk, "one"), occurred_at_ns=2**62)
    with running(loop_over(desk)) as thread:
        thread.ask(order)
    (stored,) = desk.log.find(order.message_id)
    assert before_ns <= stored.occurred_at_ns <= desk.runner.timeline.now_ns < 2**62
