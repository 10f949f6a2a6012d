"""What must hold of the log of a desk that was attacked while it answered orders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from typing import NamedTuple

from tests.integration.process_desk import TRADER, ProcessDesk
from tests.integration.process_load import Answered
from tmt import messages as m
from tmt.adapters.event_log.postgres import PostgresEventLog
from tmt.adapters.postgres.database import Database
from tmt.domain.identity import derive_id
from tmt.domain.money import exact
from tmt.invariants import WatchState
from tmt.parity import parity_of
from tmt.ports.event_log import Recorded
from tmt.projections.portfolio import Portfolio
from tmt.watch import Watch

_INPUTS = tuple(kind.__name__ for kind in m.INPUTS)


class WholeSteps(PostgresEventLog):
    """A log that goes on while it is read, up to the last step that is whole."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, writer=False, source="oracle")
        self._end = 0
        head = super().head()
        for recorded in self.read(types=_INPUTS, until=head):
            self._end = recorded.position - 1

    def head(self) -> int:
        return self._end


class Logged(NamedTuple):
    """The log's whole steps, decoded, market data left out."""

    recorded: list[Recorded]
    messages: list[m.Message]
    watch: WatchState
    breaches: list[str]


@contextmanager
def whole_steps(desk: ProcessDesk) -> Iterator[WholeSteps]:
    with closing(Database(desk.dsn, "tmt")) as database, closing(WholeSteps(database)) as log:
        yield log


def logged(log: WholeSteps) -> Logged:
    portfolio = Portfolio()
    watch = Watch(portfolio)
    found = Logged([], [], watch.state, [])
    for recorded in log.read():
        message = m.decode(recorded.body)
        portfolio.evolve(message)
        found.breaches.extend(f"{recorded.position} {each.invariant} {each.detail}" for each in watch.see(message))
        if not isinstance(message, m.MarketDataReceived):
            found.recorded.append(recorded)
            found.messages.append(message)
    found.breaches.extend(f"end {each.invariant} {each.detail}" for each in watch.check_everything())
    return found


def check(desk: ProcessDesk, answered: Iterable[Answered]) -> Logged:
    """Everything that must hold at any time."""
    with whole_steps(desk) as log:
        found = logged(log)
        holds = parity_of(log, desk.loaded)
    assert holds.divergence is None, holds.divergence
    assert holds.holds, holds
    assert found.breaches == []
    assert not [each for each in found.messages if isinstance(each, m.InvariantBroken)]
    check_once(found.messages)
    check_answers(found, answered)
    return found


def check_once(messages: list[m.Message]) -> None:
    """Nothing is in the log twice; one release, one submit an order; a fill belongs to what was submitted."""
    submits = [each for each in messages if isinstance(each, m.OrderSubmitted)]
    releases = [each.order.order_id for each in messages if isinstance(each, m.OrderReleased)]
    fills = [each for each in messages if isinstance(each, m.OrderFilled)]
    working = [
        working_id
        for each in submits
        for working_id in (each.client_order_id, each.stop_loss_client_order_id, each.take_profit_client_order_id)
        if working_id is not None
    ]
    for ids in (
        [each.message_id for each in messages],
        [each.order.order_id for each in submits],
        releases,
        working,
        [each.fill_id for each in fills],
    ):
        assert not [each for each, times in Counter(ids).items() if times > 1]
    assert {each.order.order_id for each in submits} <= set(releases)
    assert {each.client_order_id for each in fills} <= set(working)


def check_answers(found: Logged, answered: Iterable[Answered]) -> None:
    """Every order that was answered is in the log once, with the outcome that was answered."""
    proposals = Counter(each.message_id for each in found.messages if isinstance(each, m.OrderProposed))
    positions = {each.message_id: each.position for each in found.recorded}
    submits = {each.order.order_id: each for each in found.messages if isinstance(each, m.OrderSubmitted)}
    denials = {each.order_id: each for each in found.messages if isinstance(each, m.OrderDenied)}
    assert all(times == 1 for times in proposals.values())
    for each in answered:
        proposal_id = derive_id(m.OrderProposed.__name__, TRADER, each.client_order_id)
        order_id = each.body["order_id"]
        assert proposals[proposal_id] == 1, f"{each} is not in the log"
        if each.status == 200:
            assert positions[proposal_id] == each.body["position"], each
            assert each.body["status"] == "submitted", each
            assert submits[order_id].order.quantity == exact(str(each.body["quantity"])), each
            assert order_id not in denials, each
        else:
            denial = denials[order_id]
            told = [each.body[name] for name in ("gate", "reason", "measured", "limit", "unit")]
            logged_too = [denial.gate, denial.reason, str(denial.measured), str(denial.limit), denial.unit]
            assert [str(one) for one in told] == logged_too, each
            assert order_id not in submits, each
