"""People's orders pass the same gates as the desk's own, on the recorded quotes and trades of a real venue."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.replay.recorded import decisions, named, open_recorded
from tmt import messages as m
from tmt.bootstrap import Desk
from tmt.domain.order import OrderType, Side, TimeInForce
from tmt.domain.stop import StopLevel
from tmt.projections.causation import incomplete_fills

ACCOUNT, SYMBOL = "paper-usdt", "BTCUSDT"


def proposal(desk: Desk, key: str, **changes: Any) -> m.OrderProposed:
    wanted: dict[str, Any] = {
        "account": ACCOUNT,
        "instrument": SYMBOL,
        "side": Side.BUY,
        "quantity": Decimal("0.01"),
        "order_type": OrderType.MARKET,
        "time_in_force": TimeInForce.GTC,
        "person": "a trader",
        "strategy": "manual",
    }
    return m.OrderProposed.root("person", desk.runner.timeline.now_ns, key, **{**wanted, **changes})


@pytest.fixture
def desk(test_data: Path, tmp_path: Path) -> Desk:
    desk = open_recorded(named("btcusdt-tape"), test_data, tmp_path / "book", batch_rows=500)
    desk.start()
    return desk


def take(desk: Desk, batches: int) -> None:
    for batch, _ in zip(desk.batches(), range(batches), strict=False):
        desk.take(batch)


def mid(desk: Desk) -> Decimal:
    mark = desk.portfolio.mark(SYMBOL)
    assert mark is not None
    return mark.bid


def test_a_person_buys_at_the_market_and_the_bracket_ends_it(desk: Desk) -> None:
    take(desk, 30)
    price = mid(desk)
    desk.command(proposal(desk, "1", stop_loss_price=price - 40, take_profit_price=price + 40))
    take(desk, 100)
    told = list(decisions(desk))
    fills = [message for message in told if isinstance(message, m.OrderFilled)]
    entry, *exits = fills
    assert entry.role == "entry"
    assert {fill.role for fill in exits} <= {"stop_loss", "take_profit"}
    assert sum(fill.quantity * fill.side.sign for fill in fills) == 0
    assert incomplete_fills(desk.log) == ()
    assert desk.runner.watch.check_everything() == []
    assert "InvariantBroken" not in desk.runner.counts
    desk.close()


def test_a_resting_limit_fills_at_its_price_as_a_maker(desk: Desk) -> None:
    take(desk, 30)
    price = mid(desk) - 5
    order = proposal(
        desk, "1", order_type=OrderType.LIMIT, limit_price=price, post_only=True, stop_loss_price=price - 500
    )
    desk.command(order)
    take(desk, 100)
    fills = [message for message in decisions(desk) if isinstance(message, m.OrderFilled)]
    assert fills
    assert {(fill.price, fill.liquidity) for fill in fills if fill.role == "entry"} == {(price, "maker")}
    desk.close()


def test_a_persons_order_without_a_stop_is_denied_by_compliance(desk: Desk) -> None:
    take(desk, 30)
    desk.command(proposal(desk, "1"))
    denials = [message for message in decisions(desk) if isinstance(message, m.OrderDenied)]
    assert [(denial.gate, denial.reason) for denial in denials] == [("compliance", "mandatory_stop")]
    desk.close()


def test_after_an_emergency_stop_nothing_new_is_released_and_the_flatten_still_closes(desk: Desk) -> None:
    take(desk, 30)
    price = mid(desk)
    desk.command(proposal(desk, "1", stop_loss_price=price - 2000))
    take(desk, 2)
    assert desk.portfolio.position(ACCOUNT, SYMBOL).quantity == Decimal("0.01")
    now = desk.runner.timeline.now_ns
    stop = m.StopTrading.root(
        "person", now, "1", person="a trader", reason="drill", role="risk", level=StopLevel.FLATTEN
    )
    assert desk.command(stop)
    assert not desk.command(stop)
    desk.command(proposal(desk, "2", stop_loss_price=price - 2000))
    take(desk, 5)
    assert desk.portfolio.position(ACCOUNT, SYMBOL).quantity == 0
    denials = [message for message in decisions(desk) if isinstance(message, m.OrderDenied)]
    assert [(denial.gate, denial.reason) for denial in denials] == [("circuit_breaker", "breaker_open")]
    desk.command(
        m.ResumeTrading.root("person", desk.runner.timeline.now_ns, "1", person="a trader", role="risk", reason="over")
    )
    desk.command(proposal(desk, "3", side=Side.SELL, stop_loss_price=price + 2000))
    take(desk, 5)
    assert desk.portfolio.position(ACCOUNT, SYMBOL).quantity < 0
    assert "InvariantBroken" not in desk.runner.counts
    desk.close()
