"""A trader asks the desk, after a replay of real EURUSD data, why it traded and why it did not."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from tmt import messages as m
from tmt.adapters.clock.system import SystemClock
from tmt.adapters.feed.opening import open_replay
from tmt.bootstrap import Desk, open_desk
from tmt.invariants import REGISTRY
from tmt.projections.causation import incomplete_fills
from tmt.projections.desk_view import DeskView
from tmt.projections.report import result_of
from tmt.projections.trail import why
from tmt.projections.why_not import why_not
from tmt.sections import load_config

BATCHES = 4


@pytest.fixture(scope="module")
def desk(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    loaded = load_config(None)
    instruments = {each.symbol: each for each in loaded.sections["instruments"].instruments}
    feed = open_replay([test_data / "eurusd_bars_hour"], instruments["EURUSD"], loaded.sections["feeds"])
    book = tmp_path_factory.mktemp("book")
    desk = open_desk(loaded, feed, book, mode="replay", seed=1, clock=SystemClock())
    desk.start()
    for batch in islice(desk.batches(), BATCHES):
        desk.take(batch)
    yield desk
    desk.close()


def told(desk: Desk, kind: type[m.Message]) -> list[m.Message]:
    messages = [m.decode(recorded.body) for recorded in desk.log.read(types=(kind.__name__,))]
    assert messages, f"the replay is too short to hold a {kind.__name__}"
    return messages


def test_every_fill_is_explained_back_to_its_bar(desk: Desk) -> None:
    assert told(desk, m.OrderFilled)
    assert incomplete_fills(desk.log) == ()


def test_a_fill_is_told_through_all_five_gates(desk: Desk) -> None:
    [order] = why(desk.log, told(desk, m.OrderFilled)[0].message_id).orders
    assert [gate.outcome for gate in order.gates] == ["approved"] * 5
    assert all(gate.checks for gate in order.gates)
    assert order.complete


def test_every_closed_position_is_told_with_its_result(desk: Desk) -> None:
    for closed in told(desk, m.PositionClosed):
        [order] = why(desk.log, closed.message_id).orders
        assert order.closed == closed
        assert order.r_multiple is not None


def test_every_denial_says_what_would_have_changed_it(desk: Desk) -> None:
    for denial in told(desk, m.OrderDenied):
        trail = why(desk.log, denial.message_id)
        assert trail.complete
        assert all("would" in order.flip for order in trail.orders)


def test_asking_why_not_at_a_signals_bar_finds_the_signal(desk: Desk) -> None:
    for signal in told(desk, m.SignalRaised)[:5]:
        assert isinstance(signal, m.SignalRaised)
        answer = why_not(desk.log, "EURUSD", signal.occurred_at_ns - 1)
        found = [each.signal for then in answer.timeframes for each in then.signals]
        assert signal in found


def test_asking_why_not_anywhere_gives_a_signal_or_a_reason(desk: Desk) -> None:
    for closed in told(desk, m.BarClosed)[::1000]:
        assert isinstance(closed, m.BarClosed)
        answer = why_not(desk.log, "EURUSD", closed.bar.start_ns)
        assert all(then.signals or then.missing for then in answer.timeframes)


def test_the_result_is_what_the_log_holds(desk: Desk) -> None:
    runner = desk.runner
    result = result_of(
        log=desk.log,
        portfolio=desk.portfolio,
        counts=runner.counts,
        rows=runner.next_sequence,
        decision_hash=runner.decision_hash,
        quality=desk.feed.quality,
        invariants_checked=len(REGISTRY),
        resumed=False,
        elapsed_seconds=1.0,
    )
    assert result.events == desk.log.head()
    assert result.fills == len(told(desk, m.OrderFilled))
    assert sum(sum(reasons.values()) for reasons in result.denials.values()) == len(told(desk, m.OrderDenied))
    assert result.breaches == ()


def test_a_view_of_a_recovered_book_shows_its_accounts_and_agents(desk: Desk) -> None:
    view = DeskView(desk.portfolio, desk.runner.agents)
    view.catch_up(desk.log)
    snapshot = view.snapshot(desk.runner.counts, desk.feed.quality)
    assert [line.instrument for line in snapshot.market] == ["EURUSD"]
    assert len(snapshot.agents) == 8
    assert all(agent.handled for agent in snapshot.agents)
    assert snapshot.events
