"""An agent elsewhere that does not answer is lost: the desk goes on and refuses, and one process comes to the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from tests.integration.simulated import ACCOUNT, SYMBOL, killed, open_feed, proposal, take
from tmt import messages as m
from tmt.adapters.clock.system import SystemClock
from tmt.adapters.event_log.sqlite import SqliteEventLog
from tmt.arrangement import Arrangement
from tmt.bootstrap import Desk, desk_over
from tmt.domain.order import OrderType
from tmt.domain.stop import StopLevel
from tmt.errors import AgentSilent
from tmt.parity import Parity, parity_of
from tmt.ports.event_log import Entry, Recorded
from tmt.projections.portfolio import Portfolio
from tmt.remote import AgentHost
from tmt.sections import load_config
from tmt.topology import PATH, AgentParts

LOADED = load_config(None)


class DirectPath:
    """Hosts one agent over the same log, without a bus between; silent when told."""

    def __init__(self, name: str, log: SqliteEventLog) -> None:
        portfolio = Portfolio()
        parts = AgentParts(sections=LOADED.sections, portfolio=portfolio, config_hash=LOADED.hash)
        self.agent = next(place.build(parts) for place in PATH if place.name == name)
        self.host = AgentHost([self.agent], portfolio, log, "0")
        self.host.start()
        self.silent = False
        self.asked = 0
        self.took_seconds = 0.0
        self._recalled: Mapping[str, Sequence[m.Message]] | None = None
        self._newest: Recorded | None = None

    def publish(self, recorded: Recorded, message: m.Message) -> None:
        self._newest = recorded

    def asks(self, kind: type[m.Message]) -> bool:
        return self._recalled is None and kind in self.agent.answers

    def answers(self, agent: str, message: m.Message) -> Sequence[m.Message]:
        if self._recalled is not None:
            return [each for each in self._recalled.get(message.message_id, ()) if each.source == agent]
        self.asked += 1
        if self.silent:
            raise AgentSilent("TMT-B004", f"{agent} is silent")
        assert self._newest is not None
        said = self.host.take(self._newest, self._newest.position - 1)
        return [m.decode(raw) for answer in said for raw in answer.messages]

    def answered_up_to(self, agent: str) -> int:
        if self.silent:
            return 0
        self.host.catch_up()
        return self.host.position

    def slowest_seconds(self) -> float:
        slowest, self.took_seconds = self.took_seconds, 0.0
        return slowest

    def recall(self, answers: Mapping[str, Sequence[m.Message]] | None) -> None:
        self._recalled = answers


def open_with(folder: Path, name: str) -> tuple[Desk, DirectPath]:
    log = SqliteEventLog(folder / "events.sqlite")
    path = DirectPath(name, log)
    arrangement = Arrangement(path=path, elsewhere=frozenset({name}), lag_seconds_max=5)
    feed = open_feed(LOADED, seed=7)
    desk = desk_over(log, LOADED, feed, mode="up", seed=7, clock=SystemClock(), arrangement=arrangement)
    desk.start()
    return desk, path


def parity(folder: Path) -> Parity:
    with closing(SqliteEventLog(folder / "events.sqlite", read_only=True)) as log:
        return parity_of(log, LOADED)


def told(desk: Desk, *kinds: type[m.Message]) -> list[m.Message]:
    return [m.decode(each.body) for each in desk.log.read(types=tuple(kind.__name__ for kind in kinds))]


def denials(desk: Desk) -> list[tuple[str, str]]:
    return [(each.gate, each.reason) for each in told(desk, m.OrderDenied) if isinstance(each, m.OrderDenied)]


def resting(desk: Desk, key: str) -> m.OrderProposed:
    mark = desk.portfolio.mark(SYMBOL)
    assert mark is not None
    price = mark.bid - Decimal("0.02")
    return proposal(desk, key, order_type=OrderType.LIMIT, limit_price=price)


GATES = ("aria", "anti_correlation", "human_behavior", "compliance", "circuit_breaker")


@pytest.mark.parametrize("name", GATES)
def test_what_a_lost_gate_would_have_to_approve_is_denied_until_it_returns(name: str, tmp_path: Path) -> None:
    desk, path = open_with(tmp_path, name)
    take(desk, 3)
    path.silent = True
    asked = path.asked
    desk.command(proposal(desk, "1"))
    desk.command(proposal(desk, "2", quantity=Decimal(3000)))
    desk.tend()
    assert denials(desk) == [(name, "agent_lost")] * 2
    assert [each.agent for each in told(desk, m.AgentLost) if isinstance(each, m.AgentLost)] == [name]
    assert path.asked == asked + 1, "a lost agent is not asked"
    path.silent = False
    desk.tend()
    desk.command(proposal(desk, "3", quantity=Decimal(4000)))
    take(desk, 1)
    assert len(told(desk, m.AgentReturned)) == 1
    assert ("OrderFilled" in desk.runner.counts) == (name != "circuit_breaker")
    desk.close()
    found = parity(tmp_path)
    assert found.holds, found.divergence


@pytest.mark.parametrize("name", ["wyckoff", "improvement"])
def test_without_an_agent_that_is_no_gate_orders_pass(name: str, tmp_path: Path) -> None:
    desk, path = open_with(tmp_path, name)
    path.silent = True
    take(desk, 3)
    desk.command(proposal(desk, "1"))
    take(desk, 1)
    assert "OrderFilled" in desk.runner.counts
    assert denials(desk) == []
    desk.close()
    assert parity(tmp_path).holds


def test_an_emergency_stop_cancels_though_the_breaker_is_lost_and_ends_when_it_returns(tmp_path: Path) -> None:
    desk, path = open_with(tmp_path, "circuit_breaker")
    take(desk, 3)
    desk.command(proposal(desk, "1"))
    desk.command(resting(desk, "2"))
    take(desk, 1)
    assert desk.portfolio.position(ACCOUNT, SYMBOL).quantity > 0
    path.silent = True
    stop = m.StopTrading.root(
        "ann", desk.runner.timeline.now_ns, "1", person="ann", role="risk", reason="drill", level=StopLevel.FLATTEN
    )
    desk.command(stop)
    take(desk, 1)
    assert "OrderCancelled" in desk.runner.counts
    assert desk.portfolio.working(ACCOUNT) == []
    assert denials(desk) == [], "the flattening waits for the breaker"
    path.silent = False
    desk.tend()
    take(desk, 1)
    assert desk.portfolio.position(ACCOUNT, SYMBOL).quantity == 0
    desk.command(proposal(desk, "3"))
    assert denials(desk)[-1] == ("circuit_breaker", "breaker_open")
    opened = [each for each in told(desk, m.BreakerOpened) if isinstance(each, m.BreakerOpened)]
    assert (opened[-1].scope, opened[-1].trigger, opened[-1].resumes_by) == ("desk", "agent_lost", "person")
    desk.close()
    assert parity(tmp_path).holds


def test_a_slow_bus_opens_the_systems_breaker_until_it_is_swift_again(tmp_path: Path) -> None:
    desk, path = open_with(tmp_path, "compliance")
    take(desk, 3)
    path.took_seconds = 5.0
    desk.tend()
    assert told(desk, m.ConditionReported) == [], "exactly the limit is no lag"
    path.took_seconds = 5.001
    desk.tend()
    desk.command(proposal(desk, "1"))
    assert denials(desk)[-1] == ("circuit_breaker", "breaker_open")
    killed(desk)
    again, path = open_with(tmp_path, "compliance")
    again.tend()
    again.tend()
    lags = [each for each in told(again, m.ConditionReported) if isinstance(each, m.ConditionReported)]
    assert [(each.condition, each.measured, each.limit, each.holds) for each in lags] == [
        ("bus_lag", Decimal("5.001"), Decimal(5), False),
        ("bus_lag", Decimal(0), Decimal(5), True),
    ]
    again.close()
    assert parity(tmp_path).holds


def test_who_is_lost_survives_a_restart(tmp_path: Path) -> None:
    desk, path = open_with(tmp_path, "compliance")
    take(desk, 3)
    path.silent = True
    desk.command(proposal(desk, "1"))
    killed(desk)
    again, path = open_with(tmp_path, "compliance")
    assert again.runner.lost == {"compliance"}
    path.silent = True
    again.command(proposal(again, "2", quantity=Decimal(3000)))
    assert path.asked == 0
    assert denials(again) == [("compliance", "agent_lost")] * 2
    again.close()
    third, _ = open_with(tmp_path, "compliance")
    assert third.runner.lost == {"compliance"}
    third.close()


def test_a_loss_that_the_log_does_not_hold_diverges(tmp_path: Path) -> None:
    desk, path = open_with(tmp_path, "compliance")
    take(desk, 3)
    path.silent = True
    desk.command(proposal(desk, "1"))
    desk.close()
    other = tmp_path / "other"
    other.mkdir()
    with (
        closing(SqliteEventLog(tmp_path / "events.sqlite", read_only=True)) as before,
        closing(SqliteEventLog(other / "events.sqlite")) as after,
    ):
        for recorded in before.read():
            if recorded.type != m.AgentLost.__name__:
                after.append([Entry(*recorded[2:])], recorded.recorded_at_ns)
    assert not parity(other).holds
