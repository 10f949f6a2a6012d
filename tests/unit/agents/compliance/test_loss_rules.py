"""Is an order refused when its stop and all others would take the account beyond a floor, wherever the floor is?"""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tests.unit.agents.compliance.court import LENIENT, QUOTE, Court, book_with, reason
from tests.unit.agents.desk import make_order, make_quote
from tmt import messages as m
from tmt.agents.compliance.case import Unknown
from tmt.agents.compliance.rules import DailyLoss, Drawdown, DrawdownFrom
from tmt.domain.money import ZERO
from tmt.domain.order import Side

BUY, SELL = Side.BUY, Side.SELL


def fall(measured_from: DrawdownFrom, fraction: str = "0.02", *, locks: bool = False) -> Drawdown:
    return Drawdown(
        id="fall",
        hard=True,
        loss_fraction_max=Decimal(fraction),
        measured_from=measured_from,
        locks_at_deposit=locks,
    )


def court_at(rule: Drawdown | DailyLoss, *equities: int) -> Court:
    """A flat account of 100,000 after days that closed with these equities; the last one is now, within its day."""
    court = Court(book_with(rule))
    before = 100_000
    for index, equity in enumerate(equities):
        if index:
            court.desk.pass_seconds(86_400)
            court.desk.mark("EURUSD", "1.0999", "1.1000")
        court.desk.hold("SPY", BUY, "100", "1000", stop="1")
        court.desk.hold("SPY", SELL, "100", str(1000 + Decimal(equity - before) / 100))
        before = equity
    assert court.desk.portfolio.equity("alpha") == before
    return court


def risking(court: Court, amount: int) -> str:
    """Whether an order that risks `amount` passes; 1,000 units risk 10."""
    return reason(court.buy(str(amount * 100), stop_loss="1.0900"))


CASES: list[tuple[Drawdown, tuple[int, ...], int]] = [
    # The floor, and what equity is above it: the risk that still passes.
    (fall(DrawdownFrom.DEPOSIT), (110_000, 105_000), 7_000),
    (fall(DrawdownFrom.DEPOSIT), (99_000,), 1_000),
    (fall(DrawdownFrom.PEAK, "0.1"), (110_000, 105_000), 6_000),
    (fall(DrawdownFrom.PEAK, "0.1"), (105_000, 110_000, 108_000), 9_000),
    (fall(DrawdownFrom.CLOSING_PEAK, "0.1"), (110_000, 105_000), 6_000),
    (fall(DrawdownFrom.CLOSING_PEAK, "0.1"), (110_000,), 20_000),  # today's profit moves the floor tomorrow
    (fall(DrawdownFrom.CLOSING_PEAK, "0.1"), (110_000, 120_000, 100_000, 110_000), 2_000),
    (fall(DrawdownFrom.CLOSING_PEAK, "0.1"), (95_000, 98_000), 8_000),  # never below the deposit's own
    (fall(DrawdownFrom.PEAK, "0.1", locks=True), (110_000, 105_000), 6_000),  # 99,000: not yet at the deposit
    (fall(DrawdownFrom.PEAK, "0.1", locks=True), (120_000, 110_000), 10_000),  # would be 108,000: locked
    (fall(DrawdownFrom.CLOSING_PEAK, "0.1", locks=True), (120_000, 110_000), 10_000),
    (fall(DrawdownFrom.CLOSING_PEAK, "0.1", locks=True), (110_000, 105_000), 6_000),
]


@pytest.mark.parametrize(("rule", "equities", "room"), CASES)
def test_the_room_above_the_floor_may_be_risked_and_no_more(
    rule: Drawdown, equities: tuple[int, ...], room: int
) -> None:
    court = court_at(rule, *equities)
    assert risking(court, room) == "approved"
    assert risking(court, room + 10) == "fall"
    assert risking(court, room - 10) == "approved"


def test_a_locked_floor_shows_the_limit_that_it_leaves() -> None:
    answer = court_at(fall(DrawdownFrom.PEAK, "0.1", locks=True), 120_000).buy("1000", stop_loss="1.0900")
    assert isinstance(answer, m.ComplianceApproved)
    [found] = [check for check in answer.checks if check.rule == "compliance.fall"]
    assert (found.measured, found.limit) == (Decimal("0.000083"), Decimal("0.166667"))


@pytest.mark.parametrize(("equity", "count"), [(100_000, 0), (99_999, 1)])
def test_an_account_at_its_locked_floor_trades_on_and_below_it_is_suspended(equity: int, count: int) -> None:
    court = court_at(fall(DrawdownFrom.PEAK, "0.1", locks=True), 120_000)
    court.desk.hold("SPY", BUY, "1000", "500", stop="400")
    answers = court.tell(court.desk.mark("SPY", str(500 + Decimal(equity - 120_000) / 1000)))
    assert len([each for each in answers if isinstance(each, m.AccountSuspended)]) == count


def test_what_a_book_does_not_say_is_not_done() -> None:
    plain = Drawdown(id="fall", hard=True, loss_fraction_max=Decimal(1), measured_from=DrawdownFrom.PEAK)
    assert (plain.flatten, plain.locks_at_deposit) == (False, False)


def test_a_floor_that_never_moves_cannot_lock() -> None:
    with pytest.raises(ValueError, match="locks_at_deposit"):
        fall(DrawdownFrom.DEPOSIT, locks=True)
    with pytest.raises(ValueError, match="loss_fraction_max"):
        fall(DrawdownFrom.PEAK, "1.1")


@pytest.mark.parametrize("measured_from", list(DrawdownFrom))
def test_an_account_that_nobody_knows_cannot_be_measured(measured_from: DrawdownFrom) -> None:
    court = with_room()
    with pytest.raises(Unknown, match="equity of ghost is not known") as caught:
        fall(measured_from).watch("ghost", court.desk.portfolio)
    assert (caught.value.reason, caught.value.detail) == ("no_equity", "the equity of ghost is not known")
    assert fall(measured_from).reference_amount("ghost", court.desk.portfolio) is None
    assert fall(measured_from).watch("alpha", court.desk.portfolio).breach is None


@pytest.mark.parametrize(("began_with", "known"), [("0.01", True), ("0", False), ("-1", False)])
def test_a_day_that_began_without_equity_cannot_be_measured(began_with: str, known: bool) -> None:
    court = Court(book_with(DailyLoss(id="day", hard=True, loss_fraction_max=Decimal("0.05"))))
    court.desk.portfolio.state.accounts["alpha"].day_start_equity = Decimal(began_with)
    assert reason(court.buy("1000")) == ("approved" if known else "no_equity")


def test_a_day_counts_from_where_it_began() -> None:
    rule = DailyLoss(id="day", hard=True, loss_fraction_max=Decimal("0.05"))
    court = court_at(rule, 120_000, 118_000)  # the floor is 114,000
    assert risking(court, 4_000) == "approved"
    assert risking(court, 4_010) == "day"
    court.desk.pass_seconds(86_400)
    court.desk.mark("EURUSD", "1.0999", "1.1000")  # now 112,100
    assert risking(court, 5_900) == "approved"
    assert risking(court, 5_910) == "day"


# What is lost if all stops are hit: 1,000 is the room.


def with_room() -> Court:
    return Court(book_with(fall(DrawdownFrom.DEPOSIT, "0.01")))


def at_risk(court: Court, quantity: str, *, side: Side = BUY, stop: str = "1.0900") -> str:
    return reason(court.order("EURUSD", side, quantity, stop_loss=stop))


@pytest.mark.parametrize(("quantity", "expected"), [("60000", "approved"), ("61000", "fall")])
def test_shorts_lose_up_to_their_stops(quantity: str, expected: str) -> None:
    court = with_room()
    court.desk.hold("GBPUSD", SELL, "40000", "1.2500", stop="1.2600")
    assert at_risk(court, quantity) == expected


@pytest.mark.parametrize(("quantity", "expected"), [("60000", "approved"), ("61000", "fall")])
def test_what_is_already_lost_and_what_can_be_lost_add_up(quantity: str, expected: str) -> None:
    court = with_room()
    court.desk.hold("GBPUSD", BUY, "40000", "1.2500", stop="1.2400")
    court.desk.mark("GBPUSD", "1.2430")  # 280 lost, 120 to the stop
    assert at_risk(court, quantity) == expected


@pytest.mark.parametrize(("quantity", "expected"), [("40000", "approved"), ("41000", "fall")])
def test_a_price_beyond_the_stop_gives_nothing_back(quantity: str, expected: str) -> None:
    court = with_room()
    court.desk.hold("GBPUSD", BUY, "40000", "1.2500", stop="1.2400")
    court.desk.mark("GBPUSD", "1.2350")  # a gap: 600 lost
    assert at_risk(court, quantity) == expected


@pytest.mark.parametrize(("quantity", "expected"), [("40000", "approved"), ("41000", "fall")])
def test_a_short_beyond_its_stop_gives_nothing_back(quantity: str, expected: str) -> None:
    court = with_room()
    court.desk.hold("GBPUSD", SELL, "40000", "1.2500", stop="1.2600")
    court.desk.mark("GBPUSD", "1.2650")
    assert at_risk(court, quantity) == expected


def half_filled(court: Court, **changes: Any) -> None:
    """An order of 40,000 GBPUSD at 1.2500 with its stop at 1.2400, half of it filled."""
    order = make_order("GBPUSD", BUY, "40000", make_quote("1.2500"), order_id="half", stop_loss="1.2400")
    order = msgspec.structs.replace(order, **changes)
    court.desk.say(
        m.OrderSubmitted,
        client_order_id="half-client",
        order=order,
        stop_loss_client_order_id=None,
        take_profit_client_order_id=None,
    )
    court.desk.say(
        m.OrderFilled,
        client_order_id="half-client",
        order_id="half",
        account="alpha",
        instrument="GBPUSD",
        fill_id="half-fill",
        side=BUY,
        quantity=Decimal(20000),
        price=Decimal("1.2500"),
        fee=ZERO,
        fee_currency="USD",
        remaining=Decimal(20000),
        role="entry",
        liquidity="taker",
        slippage=ZERO,
        quote=make_quote("1.2500"),
        setup=order.setup,
        strategy=order.strategy,
    )


@pytest.mark.parametrize(("quantity", "expected"), [("60000", "approved"), ("61000", "fall")])
def test_between_two_fills_what_is_filled_and_what_is_not_count_once_each(quantity: str, expected: str) -> None:
    court = with_room()
    half_filled(court)
    assert at_risk(court, quantity) == expected


@pytest.mark.parametrize(("quantity", "expected"), [("100000", "approved"), ("101000", "fall")])
def test_an_order_does_not_count_beside_itself(quantity: str, expected: str) -> None:
    court = with_room()
    order = make_order("EURUSD", BUY, quantity, QUOTE, order_id="same", stop_loss="1.0900")
    court.desk.approve(m.ConcentrationApproved, order)
    assert reason(court.judge(order)) == expected


@pytest.mark.parametrize(("quantity", "expected"), [("100000", "approved"), ("101000", "fall")])
def test_working_exits_and_other_accounts_do_not_count(quantity: str, expected: str) -> None:
    court = with_room()
    court.desk.hold("GBPUSD", BUY, "40000", "1.2500", stop="1.2500")
    court.work("GBPUSD", SELL, "40000", "1.2500", stop=None, reduce_only=True)
    assert at_risk(court, quantity) == expected


@pytest.mark.parametrize(("side", "quantity", "stop"), [(SELL, "100000", "1.1099"), (BUY, "100000", "1.0900")])
def test_both_sides_risk_the_way_to_their_stop(side: Side, quantity: str, stop: str) -> None:
    assert at_risk(with_room(), quantity, side=side, stop=stop) == "approved"
    assert at_risk(with_room(), str(int(quantity) + 1000), side=side, stop=stop) == "fall"


def test_an_order_against_a_position_risks_all_of_itself() -> None:
    court = with_room()
    court.desk.hold("EURUSD", BUY, "100000", "1.1000", stop="1.1000")
    court.desk.mark("EURUSD", "1.1000")
    assert at_risk(court, "100000", side=SELL, stop="1.1099") == "approved"  # 990: the long may be gone by then
    assert at_risk(court, "103000", side=SELL, stop="1.1099") == "fall"


def test_a_hard_floor_holds_in_lenient_mode() -> None:
    court = Court(book_with(fall(DrawdownFrom.DEPOSIT, "0.01")), config=LENIENT)
    assert at_risk(court, "101000") == "fall"


@pytest.mark.parametrize(("price", "known"), [("400.01", True), ("400", False), ("399", False)])
def test_an_account_without_equity_may_only_close(price: str, known: bool) -> None:
    court = Court(book_with())
    court.desk.hold("SPY", BUY, "1000", "500", stop="1")
    court.desk.hold("SPY", SELL, "999", price)
    court.desk.hold("SPY", SELL, "1", price)
    assert (at_risk(court, "1000") == "no_equity") is not known
    court.desk.hold("EURUSD", BUY, "1000", "1.1")
    assert reason(court.order("EURUSD", SELL, "1000", reduce_only=True)) == "approved"
