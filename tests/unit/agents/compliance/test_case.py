"""Are the facts that rules measure of the right account, instrument and side of the quote?"""

from decimal import Decimal

import pytest

from tests.unit.agents.compliance.court import Court, book_with, reason
from tests.unit.agents.desk import Desk, make_account, make_order, make_quote
from tmt import messages as m
from tmt.agents.compliance.conduct_rules import NoHedging
from tmt.agents.compliance.rule_book import AnyRule
from tmt.agents.compliance.rules import Drawdown, DrawdownFrom, Leverage, PositionSizeMax
from tmt.domain.order import Side

BUY, SELL = Side.BUY, Side.SELL
FALL = Drawdown(id="fall", hard=True, loss_fraction_max=Decimal("0.01"), measured_from=DrawdownFrom.DEPOSIT)
HEDGE = NoHedging(id="hedge", hard=True)


def measured(answer: m.Message, rule: str) -> Decimal:
    assert isinstance(answer, m.OrderDenied | m.ComplianceApproved)
    [found] = [check for check in answer.checks if check.rule == f"compliance.{rule}"]
    return found.measured


def two_accounts(*rules: AnyRule) -> Court:
    return Court(book_with(*rules), desk=Desk(make_account("alpha"), make_account("beta")))


@pytest.mark.parametrize(
    ("side", "stop", "lost"),
    [
        (BUY, "1.2400", "0.0017"),  # 10,000 at a bid of 1.2430: 70 lost, 30 to the stop, and 70 of the order
        (SELL, "1.2600", "0.0017"),  # at an ask of 1.2550: 50 lost, 50 to the stop
    ],
)
def test_a_position_is_valued_at_the_side_of_the_quote_that_would_close_it(side: Side, stop: str, lost: str) -> None:
    court = Court(book_with(FALL))
    court.desk.hold("GBPUSD", side, "10000", "1.2500", stop=stop)
    court.desk.mark("GBPUSD", "1.2430", "1.2550")
    assert measured(court.buy("7000", stop_loss="1.0900"), "fall") == Decimal(lost)


@pytest.mark.parametrize(
    ("symbol", "side", "account", "opposing"),
    [
        ("EURUSD", SELL, "alpha", 4000),
        ("EURUSD", BUY, "alpha", 0),
        ("GBPUSD", SELL, "alpha", 0),
        ("GBPUSD", BUY, "alpha", 0),
        ("EURUSD", SELL, "beta", 0),
    ],
)
def test_what_stands_against_an_order_is_of_its_account_instrument_and_opposite(
    symbol: str, side: Side, account: str, opposing: int
) -> None:
    worked = two_accounts(HEDGE)
    worked.work(symbol, side, "4000", "1.2", stop=None, account=account)
    assert measured(worked.buy("1000"), "hedge") == opposing
    held = two_accounts(HEDGE)
    held.desk.hold(symbol, side, "4000", "1.1", account=account)
    assert measured(held.buy("1000"), "hedge") == opposing


def test_what_is_held_and_what_is_worked_against_an_order_add_up() -> None:
    court = two_accounts(HEDGE)
    court.desk.hold("EURUSD", SELL, "4000", "1.1")
    court.work("EURUSD", SELL, "2000", "1.1", stop=None)
    court.work("EURUSD", SELL, "1000", "1.1", stop=None)
    assert measured(court.buy("1000"), "hedge") == 7000
    assert reason(court.order("EURUSD", SELL, "1000", stop_loss="1.11")) == "approved"


# Exposure: equity is 100,000, the quote 1.0999 to 1.1000.

SIZE = PositionSizeMax(id="size", hard=True, equity_ratio_max=Decimal(50))
GEAR = Leverage(id="gear", hard=True, equity_ratio_max=Decimal(50))


@pytest.mark.parametrize(
    ("held", "worked", "side", "size"),
    [
        ((BUY, "2000"), (SELL, "3000"), BUY, "0.033"),  # 3,000 long, or 3,000 short once the position is closed
        ((BUY, "2000"), (SELL, "4000"), BUY, "0.044"),
        ((BUY, "2000"), (SELL, "2000"), BUY, "0.033"),
        ((SELL, "2000"), (SELL, "6000"), BUY, "0.088"),
        ((SELL, "2000"), (BUY, "6000"), BUY, "0.077"),
        ((BUY, "2000"), (SELL, "6000"), SELL, "0.077"),
        ((SELL, "2000"), (SELL, "6000"), SELL, "0.099"),
    ],
)
def test_exposure_is_of_the_largest_position_that_working_orders_can_lead_to(
    held: tuple[Side, str], worked: tuple[Side, str], side: Side, size: str
) -> None:
    court = two_accounts(SIZE)
    court.desk.hold("EURUSD", *held, "1.1000")
    court.desk.hold("EURUSD", BUY, "90000", "1.1000", account="beta")
    court.desk.mark("EURUSD", "1.0999", "1.1000")
    court.work("EURUSD", *worked, "1.1", stop=None)
    court.work("EURUSD", side, "80000", "1.1", stop=None, account="beta")
    assert measured(court.order("EURUSD", side, "1000", stop_loss="1.05"), "size") == Decimal(size)


def test_a_reduce_only_order_adds_no_exposure() -> None:
    court = two_accounts(SIZE, GEAR)
    court.desk.hold("EURUSD", SELL, "1000", "1.1000")
    court.desk.mark("EURUSD", "1.0999", "1.1000")
    answer = court.order("EURUSD", BUY, "5000", reduce_only=True)  # larger than the position: it does not just pass
    assert (measured(answer, "size"), measured(answer, "gear")) == (Decimal("0.011"), Decimal("0.011"))


@pytest.mark.parametrize(("limit", "size", "gear"), [("1.2", "0.012", "0.022"), ("1.05", "0.011", "0.021")])
def test_an_order_above_the_ask_is_valued_at_its_price_and_other_instruments_at_their_own_ask(
    limit: str, size: str, gear: str
) -> None:
    court = two_accounts(SIZE, GEAR)
    court.desk.mark("GBPUSD", "0.9", "1.0")
    court.work("GBPUSD", BUY, "1000", "1.0", stop="0.8")
    answer = court.buy("1000", limit=limit, stop_loss="1.0")
    assert (measured(answer, "size"), measured(answer, "gear")) == (Decimal(size), Decimal(gear))


def test_what_works_in_an_instrument_or_quote_that_nobody_knows_is_named() -> None:
    court = two_accounts(FALL)
    court.desk.approve(m.OrderReleased, make_order("XXXYYY", BUY, "1", make_quote("1"), order_id="works"))
    answer = court.buy("1000")
    assert isinstance(answer, m.OrderDenied)
    assert (answer.reason, answer.detail) == ("unknown_instrument", "'XXXYYY' is not an instrument of this desk")
    other = two_accounts(GEAR)
    other.desk.approve(m.OrderReleased, make_order("GBPUSD", BUY, "1000", make_quote("1"), order_id="works"))
    answer = other.buy("1000")
    assert isinstance(answer, m.OrderDenied)
    assert (answer.reason, answer.detail) == ("no_mark", "no quote of GBPUSD is known")
