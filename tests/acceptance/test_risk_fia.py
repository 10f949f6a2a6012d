"""What the FIA asks of automated trading ("Best Practices for Automated Trading Risk Controls", 2024), one by one.

| | control | tests |
|---|---|---|
| F1 | maximum order size | `test_f1_*` |
| F2 | maximum intraday position | `test_f2_*` |
| F3 | price tolerance, of one order and over a period | `test_f3_*`, `test_risk_tilt.py` |
| F4 | kill switch | `test_risk_emergency_stop.py`, `test_f4_*` |
| F5 | drop copy and reconciliation | `test_f5_*` |
| F6 | self-match prevention | `test_f6_*` |
| F7 | message throttles, outbound and inbound | `test_f7_*` |
| F8 | repeated automated execution limit | `test_f8_*` |
| F9 | market-data reasonability | `test_f9_*`, `test_risk_breakers.py` (stale data) |
"""

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.acceptance.trading_day import SECOND_NS, TradingDay, account_of, accounts, moment, rule
from tmt import messages as m
from tmt.domain.order import OrderType, Side
from tmt.domain.stop import ScopeKind, StopLevel, StopScope
from tmt.web.trading_forms import Resume, Stop

ALPHA = accounts(
    account_of("alpha", "EURUSD"), account_of("beta", "EURUSD"), account_of("gamma", "EURUSD", owner="somebody else")
)
LIMIT = OrderType.LIMIT


def opened(tmp_path: Path, *overrides: str) -> TradingDay:
    """EURUSD at 1.00000, so that a quantity is its notional."""
    return TradingDay(tmp_path / "book", "2026-06-03 09:00 UTC", {"EURUSD": "1.00000"}, ALPHA, *overrides)


def asks(day: TradingDay, quantity: str, **fields: Any) -> m.OrderProposed:
    return day.buys(quantity, "EURUSD", stop="0.99000", **fields)


def test_f1_an_order_above_the_largest_notional_is_refused_whole(tmp_path: Path) -> None:
    day = opened(tmp_path, *rule("default", "order_notional_max", amount_max="20000"))
    refused = day.denial(asks(day, "21000"))
    assert (refused.gate, refused.reason, refused.unit) == ("compliance", "order_notional_max", "USD")
    assert (refused.measured, refused.limit) == (Decimal(21_000), Decimal(20_000))
    assert day.released(asks(day, "20000")).order.quantity == 20_000
    day.ends()


def test_f1_an_order_of_too_many_lots_is_refused_whole(tmp_path: Path) -> None:
    day = opened(tmp_path, *rule("default", "order_quantity_max", lots_max="20"))
    refused = day.denial(asks(day, "21000"))
    assert (refused.reason, refused.measured, refused.limit, refused.unit) == (
        "order_quantity_max",
        Decimal(21),
        Decimal(20),
        "lots",
    )
    assert day.released(asks(day, "20000")).order.quantity == 20_000
    day.ends()


def test_f1_slices_do_not_hide_the_size_of_their_parent(tmp_path: Path) -> None:
    sliced = (
        "human_behavior.slicing.volume.lots_per_tick=1",
        "human_behavior.slicing.volume.bars_min=3",
        "human_behavior.slicing.trial.whole_fraction=0",
    )
    day = opened(tmp_path, *rule("default", "order_notional_max", amount_max="20000"), *sliced)
    day.minutes(5)
    refused = asks(day, "21000")
    assert day.denial(refused).reason == "order_notional_max"
    [approved] = day.of(refused, m.BehaviourApproved)
    assert approved.order.schedule is not None
    day.ends()


def test_f2_a_position_grows_to_its_limit_and_working_orders_count(tmp_path: Path) -> None:
    day = opened(tmp_path)
    resting = asks(day, "60000", order_type=LIMIT, limit_price="0.99500")
    assert day.released(resting).order.quantity == 60_000
    assert day.released(asks(day, "90000")).order.quantity == 90_000
    cut = asks(day, "80000")
    assert day.released(cut).order.quantity == 50_000
    exposure = day.check(cut, "aria.instrument_exposure")
    assert (exposure.measured, exposure.limit, exposure.outcome) == (Decimal("2.297"), Decimal(2), "reduce")
    assert day.denial(asks(day, "2000")).reason == "instrument_exposure"
    day.ends()


def test_f2_a_rule_book_refuses_what_would_pass_its_position_limit(tmp_path: Path) -> None:
    day = opened(tmp_path, *rule("default", "position_size_max", equity_ratio_max="0.5"))
    day.released(asks(day, "30000"))
    refused = day.denial(asks(day, "21000"))
    assert (refused.reason, refused.measured, refused.limit) == ("position_size_max", Decimal("0.51"), Decimal("0.5"))
    day.released(asks(day, "20000"))
    day.ends()


def test_f3_a_limit_beyond_the_collar_is_refused(tmp_path: Path) -> None:
    day = opened(tmp_path, *rule("default", "price_collar", quote_fraction_max="0.02"))
    far = {"order_type": LIMIT, "stop": "0.97000"}
    refused = day.denial(day.buys("2000", "EURUSD", limit_price="0.97999", **far))
    assert (refused.gate, refused.reason) == ("compliance", "price_collar")
    assert (refused.measured, refused.limit) == (Decimal("0.02001"), Decimal("0.02"))
    day.released(day.buys("2000", "EURUSD", limit_price="0.98000", **far))
    day.ends()


def test_f3_nothing_chases_a_price_that_ran_away_within_a_quarter_of_an_hour(tmp_path: Path) -> None:
    day = opened(tmp_path, *rule("default", "price_drift", fraction_max="0.02"))
    day.minutes(20)
    day.moves(EURUSD="1.02000")
    day.released(day.buys("2000", "EURUSD", stop="1.01000"))
    day.moves(EURUSD="1.02001")
    refused = day.denial(day.buys("3000", "EURUSD", stop="1.01000"))
    assert (refused.gate, refused.reason) == ("compliance", "price_drift")
    assert (refused.measured, refused.limit) == (Decimal("0.02001"), Decimal("0.02"))
    day.minutes(16)
    day.released(day.buys("4000", "EURUSD", stop="1.01000"))
    day.ends()


@pytest.mark.parametrize(
    "scope",
    [
        StopScope(),
        StopScope(kind=ScopeKind.ACCOUNT, name="alpha"),
        StopScope(kind=ScopeKind.STRATEGY, name="manual"),
        StopScope(kind=ScopeKind.INSTRUMENT, name="EURUSD"),
        StopScope(kind=ScopeKind.VENUE, name="paper"),
    ],
    ids=lambda scope: str(scope.kind),
)
def test_f4_one_command_cancels_what_works_in_its_scope_until_a_person_resumes(
    tmp_path: Path, scope: StopScope
) -> None:
    day = opened(tmp_path)
    day.released(asks(day, "2000", order_type=LIMIT, limit_price="0.99500"))
    day.stops(StopLevel.CANCEL, scope, role="trader")
    day.seconds(1)
    assert day.desk.portfolio.working("alpha") == []
    [completed] = day.said(m.StopCompleted)
    assert (completed.cancelled, completed.filled) == (1, 0)
    day.minutes(60)
    assert day.denial(asks(day, "3000")).reason == "breaker_open", "time alone lifts no stop"
    day.resumes("risk", scope=scope)
    day.released(asks(day, "4000"))
    day.ends()


@pytest.mark.parametrize("form", [Stop, Resume])
def test_f4_neither_stop_nor_resume_is_taken_without_a_reason(form: Any) -> None:
    for body in (b"{}", b'{"reason": ""}'):
        with pytest.raises(msgspec.ValidationError, match="reason"):
            msgspec.json.decode(body, type=form)
    assert msgspec.json.decode(b'{"reason": "drill"}', type=form).reason == "drill"


def test_f5_an_order_that_is_not_ours_is_found_at_the_next_bar_and_cancelled(tmp_path: Path) -> None:
    day = opened(tmp_path)
    day.released(asks(day, "2000", order_type=LIMIT, limit_price="0.99500"))
    venue: Any = day.desk.runner._venue
    [known] = venue._state.orders.values()
    venue._state.orders["not-ours"] = msgspec.structs.replace(known, client_order_id="not-ours", placed=False)
    day.minutes(2)
    [found] = day.said(m.OrderReconciled)
    assert (found.repair, found.client_order_id, found.account) == ("unknown_cancelled", "not-ours", "alpha")
    assert list(venue.listing().orders) == [known.client_order_id], "ours stays"
    day.released(asks(day, "3000"))
    day.ends()


def test_f5_a_fill_that_is_not_ours_halts_the_desk_which_may_still_close(tmp_path: Path) -> None:
    day = opened(tmp_path)
    day.released(asks(day, "2000", order_type=LIMIT, limit_price="0.99500"))
    [ours] = day.said(m.OrderSubmitted)
    order = msgspec.structs.replace(ours.order, order_id="not-ours", type=OrderType.MARKET, limit_price=None)
    order = msgspec.structs.replace(order, stop_loss_price=None)
    foreign = m.OrderSubmitted.root(
        "somebody else",
        day.now_ns,
        "1",
        client_order_id="not-ours",
        order=order,
        stop_loss_client_order_id=None,
        take_profit_client_order_id=None,
    )
    day.desk.runner._venue.handle(foreign)
    day.seconds(1)
    assert "O1" in {each.invariant for each in day.said(m.InvariantBroken)}
    assert day.breaker("system", "desk") == "Opened"
    assert day.denial(asks(day, "3000")).reason == "breaker_open"
    assert day.held("EURUSD") == 2000, "the books follow the venue"
    day.closes("EURUSD")
    assert day.held("EURUSD") == 0
    day.desk.close()


def test_f6_no_order_meets_another_of_the_same_owner(tmp_path: Path) -> None:
    day = opened(tmp_path)
    rests = {"order_type": LIMIT, "stop": "1.02000"}
    day.released(day.sells("2000", "EURUSD", limit_price="1.00100", **rests))
    crossing = {"order_type": LIMIT, "limit_price": "1.00100", "account": "beta"}
    refused = day.denial(asks(day, "3000", **crossing))
    assert (refused.gate, refused.reason, refused.unit) == ("compliance", "self_crossing", "units")
    assert (refused.measured, refused.limit) == (Decimal(2000), Decimal(0))
    day.released(asks(day, "3000", **{**crossing, "limit_price": "1.00099"}))
    day.released(asks(day, "3000", **{**crossing, "account": "gamma"}))
    day.ends()


def test_f7_what_exceeds_the_burst_is_refused_and_closing_never_waits(tmp_path: Path) -> None:
    day = opened(tmp_path, "execution.messages_burst=3", "execution.messages_per_second=1")
    day.minutes(1)
    for number in range(3):
        day.released(asks(day, str(2000 + 1000 * number), wait=0))
    refused = asks(day, "5000", wait=0)
    [denied] = day.of(refused, m.OrderDenied)
    assert (denied.gate, denied.reason, denied.unit) == ("execution", "message_rate", "messages")
    assert (denied.measured, denied.limit) == (Decimal(4), Decimal(3))
    day.passes_to(day.now_ns + SECOND_NS // 2)
    day.released(day.closes("EURUSD"))
    assert day.held("EURUSD") == 0
    day.ends()


def test_f7_the_bucket_gains_a_message_on_the_second(tmp_path: Path) -> None:
    day = opened(tmp_path, "execution.messages_burst=1", "execution.messages_per_second=1")
    day.released(asks(day, "2000", wait=0))
    sent_ns = day.now_ns
    day.passes_to(sent_ns + SECOND_NS - 1)
    assert [each.reason for each in day.of(asks(day, "3000", wait=0), m.OrderDenied)] == ["message_rate"]
    day.passes_to(sent_ns + SECOND_NS)
    day.released(asks(day, "4000"))
    day.ends()


def test_f7_an_account_that_asks_too_often_is_refused_until_a_minute_has_passed(tmp_path: Path) -> None:
    day = opened(tmp_path, *rule("default", "order_rate", per_minute_max="3"))
    first_ns = day.now_ns
    for number in range(3):
        day.released(asks(day, str(2000 + 1000 * number)))
    day.passes_to(first_ns + 60 * SECOND_NS - 1)
    refused = day.denial(asks(day, "5000", wait=0))
    assert (refused.gate, refused.reason, refused.measured, refused.limit) == (
        "compliance",
        "order_rate",
        Decimal(4),
        Decimal(3),
    )
    day.passes_to(first_ns + 60 * SECOND_NS)
    day.released(asks(day, "6000"))
    day.ends()


def test_f8_a_strategy_that_repeats_itself_is_out_until_a_person_looks(tmp_path: Path) -> None:
    day = opened(tmp_path)
    for number in range(5):
        day.released(asks(day, str(2000 + 1000 * number), strategy="wyckoff"))
    refused = day.denial(asks(day, "7000", strategy="wyckoff"))
    assert (refused.gate, refused.reason) == ("circuit_breaker", "breaker_open")
    [opening] = day.said(m.BreakerOpened)
    assert (opening.trigger, opening.measured, opening.limit) == ("repeated_execution", Decimal(6), Decimal(5))
    assert (opening.scope, opening.resumes_by) == ("wyckoff", "person")
    day.released(asks(day, "7000"))  # a person goes on
    day.until("2026-06-03 12:00 UTC", step=4)
    assert day.denial(asks(day, "8000", strategy="wyckoff")).reason == "breaker_open"
    day.resumes("trader")
    assert day.denial(asks(day, "9000", strategy="wyckoff")).reason == "breaker_open"
    day.resumes("risk")
    day.released(asks(day, "10000", strategy="wyckoff"))
    day.ends()


def test_f8_as_many_entries_spread_over_the_window_repeat_nothing(tmp_path: Path) -> None:
    day = opened(tmp_path)
    first_ns = day.now_ns
    for number in range(5):
        day.released(asks(day, str(2000 + 1000 * number), strategy="wyckoff"))
    day.until("2026-06-03 09:11 UTC")
    assert day.now_ns == first_ns + 600 * SECOND_NS == moment("2026-06-03 09:11 UTC")
    day.released(asks(day, "7000", strategy="wyckoff"))
    assert day.said(m.BreakerOpened) == []
    day.ends()


def jumps(day: TradingDay, price: str) -> None:
    """From the last row of one bar of five minutes to the first of the next."""
    day.until("2026-06-03 09:09 UTC")
    day.passes_to(moment("2026-06-03 09:10 UTC"))
    day.moves(EURUSD=price)


@pytest.mark.parametrize("factor", ["10", "0.1"])
def test_f9_a_price_ten_times_off_is_not_traded_on(tmp_path: Path, factor: str) -> None:
    day = opened(tmp_path)
    price = Decimal(factor)
    jumps(day, str(price))
    stop = str(price * Decimal("0.99"))
    refused = day.denial(day.buys("2000", "EURUSD", stop=stop))
    assert (refused.gate, refused.reason) == ("compliance", "price_drift")
    assert (refused.measured, refused.limit) == (abs(price - 1), Decimal("0.05"))
    day.minutes(5)
    [opening] = day.said(m.BreakerOpened)
    assert (opening.scope, opening.trigger, opening.limit) == ("instrument:EURUSD", "price_gap", Decimal("0.05"))
    assert opening.measured == abs(price - 1)
    day.ends()


def test_f9_a_gap_of_exactly_the_limit_is_borne(tmp_path: Path) -> None:
    day = opened(tmp_path)
    jumps(day, "1.05000")
    day.minutes(5)
    assert day.said(m.BreakerOpened) == []
    day.released(day.orders(Side.BUY, "2000", "EURUSD", stop_loss_price="1.04000"))
    day.ends()
