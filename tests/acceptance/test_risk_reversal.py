"""An order against a position is judged whole: the position's own target, or a person, may close it first."""

from decimal import Decimal
from pathlib import Path

import pytest

from tests.acceptance.trading_day import TradingDay, account_of, accounts
from tmt.domain.order import OrderType

PRICES = {"EURUSD": "1.10000"}


@pytest.mark.parametrize("closed_by", ["target", "person"])
def test_a_resting_order_against_a_position_keeps_every_limit_when_the_position_is_gone(
    tmp_path: Path, closed_by: str
) -> None:
    day = TradingDay(tmp_path / "book", "2026-06-03 09:00 UTC", PRICES, accounts(account_of("alpha", "EURUSD")))
    day.minutes(3)
    day.buys("100000", "EURUSD", stop="1.09000", take_profit_price="1.10100")
    day.minutes(2)
    assert day.held("EURUSD") == 100000
    asked = day.sells("400000", "EURUSD", order_type=OrderType.LIMIT, limit_price="1.10110", stop="1.10300")
    released = day.released(asked).order.quantity
    assert released * Decimal("1.10110") <= 2 * day.equity()
    check = day.check(asked, "aria.instrument_exposure")
    assert (check.outcome, check.limit) == ("reduce", Decimal(2))
    assert (
        check.measured > 3
    )  # risk_per_trade leaves what would be worth more than three times the equity, all of it short
    if closed_by == "person":
        day.closes("EURUSD")
    day.moves(EURUSD="1.10105")
    day.moves(EURUSD="1.10120")
    day.seconds(2)
    assert day.held("EURUSD") == -released
    assert abs(day.held("EURUSD")) * Decimal("1.10110") <= 2 * day.equity()
    day.ends()


def test_a_limit_without_reduce_only_is_no_way_to_close(tmp_path: Path) -> None:
    day = TradingDay(tmp_path / "book", "2026-06-03 09:00 UTC", PRICES, accounts(account_of("alpha", "EURUSD")))
    day.minutes(3)
    day.buys("100000", "EURUSD", stop="1.09000")
    day.minutes(2)
    refused = day.sells("100000", "EURUSD", order_type=OrderType.LIMIT, limit_price="1.10110")
    assert day.denial(refused).reason == "mandatory_stop"
    closes = day.sells("100000", "EURUSD", order_type=OrderType.LIMIT, limit_price="1.10110", reduce_only=True)
    assert day.released(closes).order.quantity == 100000
    day.ends()
