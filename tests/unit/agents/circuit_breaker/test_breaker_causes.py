"""Which messages give cause for a transition, whose breaker they are judged by, and which of two causes is said."""

from decimal import Decimal

import msgspec
import pytest

from tests.unit.agents.circuit_breaker.hall import CONFIG, QUOTE, Hall, reason
from tests.unit.agents.circuit_breaker.test_circuit_breaker import reinstate
from tests.unit.agents.circuit_breaker.test_conditions import margin, report
from tests.unit.agents.circuit_breaker.test_samples import bar, rooms, series, served, steady
from tests.unit.agents.desk import Desk, make_account, make_instrument, make_order
from tmt import messages as m
from tmt.agents.circuit_breaker.breakers import Status
from tmt.domain.order import Side
from tmt.domain.stop import ScopeKind, StopScope

SYSTEM, ALPHA, WYCKOFF = "system/desk", "account/alpha", "agent/wyckoff"
FEED, VENUE = "agent/instrument:EURUSD", "agent/venue:paper"


def triggers(said: list[m.Message]) -> list[str]:
    return [one.trigger for one in said if isinstance(one, m.BreakerTransition)]


# Names


def test_an_instrument_s_name_may_hold_the_separator_of_keys() -> None:
    bitcoin = make_instrument("BTC/USD", "BTC", "USD", tick_size="0.01")
    hall = Hall(desk=Desk(make_account(instruments=("BTC/USD",)), instruments=(bitcoin,)))
    hall.desk.mark("BTC/USD", "30000")
    assert reason(hall.order(symbol="BTC/USD")) == "released"
    hall.stop(scope=StopScope(kind=ScopeKind.INSTRUMENT, name="BTC/USD"))
    assert (hall.said[-1].tier, hall.said[-1].scope) == ("agent", "instrument:BTC/USD")
    denied = hall.order(symbol="BTC/USD")
    assert isinstance(denied, m.OrderDenied)
    assert denied.detail.startswith("the agent breaker of instrument:BTC/USD is open by manual_stop")


def test_an_account_s_losses_are_no_losses_of_the_strategy_that_bears_its_name() -> None:
    hall = Hall(desk=Desk(make_account("alpha"), make_account("wyckoff")))
    for _ in range(10):
        hall.order()
    assert hall.breaker(WYCKOFF).trigger == "repeated_execution"
    hall.hear(hall.desk.hold("SPY", Side.BUY, "1000", "500", account="wyckoff"))
    hall.mark("SPY", "495.5")
    assert hall.status("account/wyckoff") is Status.REDUCING
    hall.mark("SPY", "491")
    assert hall.status("account/wyckoff") is Status.OPEN
    assert hall.breaker(WYCKOFF).trigger == "repeated_execution"
    [said] = hall.resume(StopScope(kind=ScopeKind.STRATEGY, name="wyckoff"))
    assert isinstance(said, m.BreakerHalfOpened)
    assert (said.measured, said.limit, said.unit) == (Decimal(10), Decimal(9), "count")
    hall.wait(3600)
    hall.mark("SPY", "490")
    assert hall.status(WYCKOFF) is Status.HALF_OPEN


def test_an_account_s_recovery_is_none_of_the_strategy_that_bears_its_name() -> None:
    hall = Hall(desk=Desk(make_account("alpha"), make_account("wyckoff")))
    hall.say(
        m.BreakerReduced, tier="agent", scope="wyckoff", trigger="by_hand", measured=Decimal(2), limit=Decimal(1),
        unit="count", resumes_by="cool_down", detail="by hand",
    )  # fmt: skip
    hall.wait(3600)
    assert hall.mark("SPY", "500") == []
    assert hall.status(WYCKOFF) is Status.REDUCING


# Equity: at fills, orders and bars of whoever holds something


def test_a_fill_looks_at_the_losses_of_its_account_alone() -> None:
    hall = Hall(desk=Desk(make_account("alpha"), make_account("beta")))
    for account in ("alpha", "beta"):
        hall.desk.hold("SPY", Side.BUY, "1000", "500", account=account)
    hall.desk.mark("SPY", "494")  # the breaker does not hear of this bar
    assert triggers(hall.hear(hall.desk.hold("EURUSD", Side.BUY, "1000", "1.1"))) == ["daily_loss"]
    assert (hall.status(ALPHA), hall.status("account/beta")) == (Status.OPEN, Status.CLOSED)


def test_a_bar_looks_at_closed_accounts_that_hold_something_and_an_order_at_any() -> None:
    hall = Hall(desk=Desk(make_account("alpha"), make_account("beta")))
    hall.desk.hold("SPY", Side.BUY, "1000", "500")
    hall.desk.hold("SPY", Side.SELL, "1000", "494")  # the breaker hears of neither fill
    hall.hear(hall.desk.hold("GBPUSD", Side.BUY, "1000", "1.25", account="beta"))
    assert hall.mark("GBPUSD", "1.25") == []
    assert reason(hall.order()) == "breaker_open"
    assert hall.breaker(ALPHA).trigger == "daily_loss"


def test_the_end_of_a_condition_looks_at_the_losses() -> None:
    hall = Hall()
    margin(hall, "critical")
    hall.desk.hold("SPY", Side.BUY, "1000", "500")
    hall.desk.mark("SPY", "494")  # the breaker hears of neither
    assert triggers(margin(hall, "normal")) == ["daily_loss"]
    assert hall.status(ALPHA) is Status.OPEN


@pytest.mark.parametrize(("amount", "trigger"), [(6000, "daily_loss"), (9000, "drawdown")])
def test_an_account_open_by_its_losses_says_so_once(amount: int, trigger: str) -> None:
    hall = Hall()
    assert triggers(hall.lose(amount)) == [trigger]
    assert hall.lose(amount + 1) == []
    assert hall.breaker(ALPHA).measured == Decimal(amount) / 100_000


# Round trips


def test_a_loss_counts_for_the_account_while_the_desk_is_open_and_no_more_once_it_is_open_itself() -> None:
    hall = Hall()
    report(hall, "bus_lag", "desk", holds=False)
    for _ in range(3):
        assert hall.trade("-10", strategy="hunch") == []
    assert triggers(hall.trade("-10", strategy="hunch")) == ["consecutive_losses"]
    assert hall.breaker(SYSTEM).trigger == "bus_lag"
    for _ in range(4):
        assert hall.trade("-10", strategy="hunch") == []


def test_a_trip_of_a_strategy_without_a_state_still_ends_the_trial_of_its_instrument() -> None:
    hall = rooms(gap_fraction_max=Decimal(1))
    steady(hall)
    for close in ("110", "130"):
        bar(hall, close)
    hall.wait(30)
    hall.order()
    hall.trade("-1", strategy="hunch", order_id=hall.released[0].order_id)
    assert hall.breaker(FEED).trigger == "trial_lost"


# Broken rules and suspensions


def test_a_broken_invariant_halts_the_desk_whatever_its_breaker_says() -> None:
    hall = Hall()
    report(hall, "bus_lag", "desk", holds=False)
    assert triggers(hall.say(m.InvariantBroken, invariant="M1", detail="a sum is not zero")) == ["invariant_broken"]
    hall = Hall(begin=False)
    assert triggers(hall.say(m.InvariantBroken, invariant="M1", detail="a sum is not zero")) == ["invariant_broken"]


def test_an_account_that_nobody_knows_is_not_reinstated() -> None:
    assert reinstate(Hall(begin=False)) == []


# Venues and samples


def test_a_venue_that_rejects_slowly_is_stopped_once_for_rejecting() -> None:
    hall = Hall()
    served(hall, 1, m.OrderRejected, 3000)
    assert triggers(served(hall, 2, m.OrderRejected, 3000)) == ["rejections"]


def test_a_venue_without_a_state_is_opened_but_not_tried_out() -> None:
    hall = Hall(begin=False)
    assert served(hall, 1, m.OrderRejected) == []
    assert triggers(served(hall, 2, m.OrderRejected)) == ["rejections"]


def test_the_newest_of_the_late_answers_is_shown() -> None:
    hall = Hall(msgspec.structs.replace(CONFIG, venue=msgspec.structs.replace(CONFIG.venue, answer_confirmations=3)))
    for number, milliseconds in ((1, 3000), (2, 4000), (3, 5000)):
        served(hall, number, m.OrderAccepted, milliseconds)
    turned = hall.breaker(VENUE)
    assert (turned.trigger, turned.measured, turned.unit) == ("latency", Decimal(5), "seconds")


def test_the_newest_of_the_volatile_bars_is_shown() -> None:
    hall = rooms(gap_fraction_max=Decimal(1), volatility_confirmations=3)
    steady(hall)
    bar(hall, "110")
    bar(hall, "150")
    first, second = series(hall).sigmas
    [opened] = bar(hall, "290")
    assert isinstance(opened, m.BreakerOpened)
    assert (opened.trigger, opened.limit, opened.unit) == ("volatility", Decimal(3), "sigmas")
    assert opened.measured not in (first, second)
    assert opened.detail == "3 of the last 3 5m bars of EURUSD moved beyond it"


# Marks


def test_a_mark_that_another_account_holds_may_be_old() -> None:
    hall = Hall(desk=Desk(make_account("alpha"), make_account("beta")))
    hall.desk.hold("GBPUSD", Side.BUY, "1000", "1.25", account="beta")
    hall.wait(601)
    assert reason(hall.order()) == "released"
    assert reason(hall.order(account="beta")) == "stale_mark"


def test_of_marks_as_old_as_each_other_the_order_s_own_is_named() -> None:
    hall = Hall()
    hall.desk.mark("SPY", "500")
    hall.hold(Side.BUY, "1000", "1.25", "GBPUSD")
    hall.wait(601)
    own = make_order("SPY", Side.BUY, "1", QUOTE)
    approval = hall.desk.approve(m.ComplianceApproved, own, rule_book="default", rule_book_version=1)
    denied = hall.hear(approval)[-1]
    assert isinstance(denied, m.OrderDenied)
    assert (denied.reason, denied.detail) == ("stale_mark", "the newest quote of SPY is 601.000000000 seconds old")
