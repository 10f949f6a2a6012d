"""Which positions a stop's scope reaches, and whether one is being closed."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tests.unit.agents.desk import Desk, make_account, make_order, make_quote
from tmt import messages as m
from tmt.domain.order import OrderType, Side
from tmt.domain.stop import EVERYTHING, ScopeKind, StopScope
from tmt.projections.reach import covers, is_closing, positions_in, venue_of


@pytest.fixture
def desk() -> Desk:
    """alpha holds EURUSD by wyckoff and SPY by hand; beta, at another venue, EURUSD by wyckoff."""
    desk = Desk(make_account("alpha"), msgspec.structs.replace(make_account("beta"), venue="binance"))
    held = (("alpha", "EURUSD", "wyckoff"), ("alpha", "SPY", "manual"), ("beta", "EURUSD", "wyckoff"))
    for number, (account, symbol, strategy) in enumerate(held):
        order = make_order(
            symbol,
            Side.BUY,
            "1000",
            make_quote("100"),
            account=account,
            strategy=strategy,
            order_id=f"order-{number}",
        )
        desk.fill(order, "100")
    return desk


@pytest.mark.parametrize(
    ("scope", "reached"),
    [
        (EVERYTHING, ["alpha/EURUSD", "alpha/SPY", "beta/EURUSD"]),
        (StopScope(kind=ScopeKind.ACCOUNT, name="alpha"), ["alpha/EURUSD", "alpha/SPY"]),
        (StopScope(kind=ScopeKind.STRATEGY, name="wyckoff"), ["alpha/EURUSD", "beta/EURUSD"]),
        (StopScope(kind=ScopeKind.STRATEGY, name="manual"), ["alpha/SPY"]),
        (StopScope(kind=ScopeKind.INSTRUMENT, name="EURUSD"), ["alpha/EURUSD", "beta/EURUSD"]),
        (StopScope(kind=ScopeKind.VENUE, name="binance"), ["beta/EURUSD"]),
        (StopScope(kind=ScopeKind.VENUE, name="paper"), ["alpha/EURUSD", "alpha/SPY"]),
        (StopScope(kind=ScopeKind.ACCOUNT, name="gamma"), []),
    ],
)
def test_a_scope_reaches_the_positions_that_belong_to_it(scope: StopScope, reached: list[str], desk: Desk) -> None:
    found = [f"{each.account}/{each.instrument}" for each in positions_in(scope, desk.portfolio)]
    assert sorted(found) == reached


def test_an_account_that_is_not_known_has_no_venue(desk: Desk) -> None:
    assert venue_of(desk.portfolio, "beta") == "binance"
    assert venue_of(desk.portfolio, "gamma") == ""
    assert not covers(StopScope(kind=ScopeKind.VENUE, name="paper"), desk.portfolio, "gamma", "wyckoff", "EURUSD")


@pytest.mark.parametrize(
    ("symbol", "account", "reduce_only", "closing"),
    [
        ("EURUSD", "alpha", True, True),
        ("EURUSD", "alpha", False, False),
        ("SPY", "alpha", True, False),
        ("EURUSD", "beta", True, False),
    ],
)
def test_a_position_is_being_closed_by_a_reduce_only_order_of_its_own(
    symbol: str, account: str, reduce_only: bool, closing: bool, desk: Desk
) -> None:
    order = make_order(
        symbol, Side.SELL, "1000", make_quote("100"), account=account, reduce_only=reduce_only, order_id="close"
    )
    desk.approve(m.OrderSized, order)
    position = desk.portfolio.position("alpha", "EURUSD")
    assert is_closing(desk.portfolio, position) is closing


@pytest.mark.parametrize(
    ("side", "quantity", "changes", "closing"),
    [
        (Side.SELL, "1000", {}, True),
        (Side.SELL, "999", {}, False),
        (Side.BUY, "1000", {}, False),
        (Side.SELL, "1000", {"type": OrderType.LIMIT, "limit_price": Decimal(200)}, False),
    ],
)
def test_only_an_order_at_the_market_for_all_of_it_closes_a_position(
    side: Side, quantity: str, changes: dict[str, Any], closing: bool, desk: Desk
) -> None:
    order = make_order("EURUSD", side, quantity, make_quote("100"), account="alpha", reduce_only=True, order_id="close")
    desk.approve(m.OrderSized, msgspec.structs.replace(order, **changes))
    assert is_closing(desk.portfolio, desk.portfolio.position("alpha", "EURUSD")) is closing
