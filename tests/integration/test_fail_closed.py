"""When anything that a gate needs is missing, new risk is refused, and closing still works."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.simulated import ACCOUNT, SYMBOL, make_desk, proposal, take
from tmt import messages as m
from tmt.agents.circuit_breaker.breakers import CircuitBreakerState
from tmt.bootstrap import Desk
from tmt.domain.money import ZERO
from tmt.domain.order import Side


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = make_desk(tmp_path / "book")
    desk.start()
    take(desk, 5)
    desk.command(proposal(desk, "opens"))
    take(desk, 3)
    assert desk.portfolio.position(ACCOUNT, SYMBOL).quantity > ZERO
    yield desk
    desk.log.close()


def agent(desk: Desk, name: str) -> Any:
    return next(each for each in desk.runner.agents if each.name == name)


def no_breaker_state(desk: Desk) -> None:
    agent(desk, "circuit_breaker").state = CircuitBreakerState()


def no_rule_book(desk: Desk) -> None:
    agent(desk, "compliance")._books.clear()


def no_mark(desk: Desk) -> None:
    desk.portfolio.state.marks.clear()
    desk.portfolio._equity.clear()


def no_account(desk: Desk) -> None:
    desk.portfolio.state.accounts.clear()
    desk.portfolio._equity.clear()


def no_instrument(desk: Desk) -> None:
    desk.portfolio.state.instruments.clear()


def no_equity(desk: Desk) -> None:
    desk.portfolio._equity[ACCOUNT] = None


MISSING: tuple[Callable[[Desk], None], ...] = (
    no_breaker_state,
    no_rule_book,
    no_mark,
    no_account,
    no_instrument,
    no_equity,
)


def released(desk: Desk) -> int:
    return desk.runner.counts.get("OrderReleased", 0)


@pytest.mark.parametrize("remove", MISSING, ids=lambda remove: remove.__name__)
def test_new_risk_is_denied_with_a_reason(remove: Callable[[Desk], None], desk: Desk) -> None:
    order, before = proposal(desk, "more"), released(desk)
    remove(desk)
    desk.command(order)
    assert released(desk) == before
    said = [m.decode(recorded.body) for recorded in desk.log.read(types=("OrderDenied",))]
    denials = [each for each in said if isinstance(each, m.OrderDenied) and each.correlation_id == order.message_id]
    assert len(denials) == 1
    assert denials[0].reason
    assert denials[0].detail


@pytest.mark.parametrize("remove", [no_breaker_state, no_rule_book], ids=lambda remove: remove.__name__)
def test_closing_still_works(remove: Callable[[Desk], None], desk: Desk) -> None:
    held = desk.portfolio.position(ACCOUNT, SYMBOL).quantity
    remove(desk)
    close = proposal(desk, "close", side=Side.SELL, quantity=held, reduce_only=True, stop_loss_price=None)
    desk.command(close)
    take(desk, 5)
    assert desk.portfolio.position(ACCOUNT, SYMBOL).quantity == ZERO
