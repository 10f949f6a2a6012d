"""Does the breaker open at its limits, stay open as long as it must, try itself out, and always let positions close?"""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tests.unit.agents.circuit_breaker.hall import CONFIG, QUOTE, Hall, reason
from tests.unit.agents.desk import CONFIG_HASH, Desk, make_account, make_instrument, make_order, make_quote
from tmt import messages as m
from tmt.agents.circuit_breaker import CircuitBreakerAgent, CircuitBreakerConfig
from tmt.agents.circuit_breaker.breakers import CircuitBreakerState, Status, evolve
from tmt.config import load
from tmt.domain.money import decode_hook
from tmt.domain.order import Side
from tmt.domain.session import SessionHours

ALPHA = "account/alpha"
SYSTEM = "system/desk"
FEED = "agent/instrument:EURUSD"
WYCKOFF = "agent/wyckoff"
VENUE = "agent/venue:paper"


def closing(hall: Hall) -> m.Message:
    """The verdict on an order that closes what is held in EURUSD."""
    if hall.desk.portfolio.position("alpha", "EURUSD").quantity == 0:
        hall.desk.hold("EURUSD", Side.BUY, "1000", "1.1")
    return hall.order(Side.SELL, reduce_only=True)


def open_by_losses(hall: Hall) -> None:
    for _ in range(4):
        hall.trade("-10", strategy="operator")


# Beginning


def test_breakers_begin_closed_and_a_release_shows_every_check() -> None:
    hall = Hall()
    assert {hall.status(key) for key in (SYSTEM, VENUE, ALPHA, FEED, WYCKOFF)} == {Status.CLOSED}
    assert {said.trigger for said in hall.said} == {"initialised"}
    answer = hall.order()
    assert isinstance(answer, m.OrderReleased)
    rules = [check.rule.removeprefix("circuit_breaker.") for check in answer.checks]
    scopes = ["system", "venue", "account", "strategy", "instrument"]
    assert rules == ["approval_expired", *scopes, "mark_age", "daily_loss", "drawdown"]


def test_a_new_session_changes_no_breaker_that_has_a_state() -> None:
    hall = Hall()
    hall.stop()
    assert hall.hear(hall.desk.started) == []
    assert hall.hear(hall.desk.opened[0]) == []
    assert hall.status(SYSTEM) is Status.OPEN


def test_without_a_state_nothing_but_closing_passes() -> None:
    hall = Hall(begin=False)
    assert reason(hall.order()) == "breaker_state_missing"
    assert reason(closing(hall)) == "released"


@pytest.mark.parametrize("missing", [SYSTEM, VENUE, ALPHA, WYCKOFF, FEED])
def test_each_scope_must_have_a_state(missing: str) -> None:
    hall = Hall()
    breakers = {key: one for key, one in hall.agent.state.breakers.items() if key != missing}
    hall.agent.state = msgspec.structs.replace(hall.agent.state, breakers=breakers)
    assert reason(hall.order()) == "breaker_state_missing"


def test_a_strategy_nobody_named_is_refused() -> None:
    assert reason(Hall().order(strategy="hunch")) == "breaker_state_missing"


# Losses


@pytest.mark.parametrize(
    ("amount", "status"),
    [
        (-9000, Status.CLOSED),
        (4000, Status.CLOSED),
        (4001, Status.REDUCING),
        (5000, Status.REDUCING),
        (5001, Status.OPEN),
    ],
)
def test_the_daily_loss_reduces_beyond_its_share_and_opens_beyond_its_limit(amount: int, status: Status) -> None:
    hall = Hall()
    hall.lose(amount)
    assert hall.status(ALPHA) is status
    assert hall.breaker(ALPHA).trigger == ("initialised" if status is Status.CLOSED else "daily_loss")


@pytest.mark.parametrize(
    ("amount", "status"), [(6400, Status.CLOSED), (6401, Status.REDUCING), (8000, Status.REDUCING), (8001, Status.OPEN)]
)
def test_the_drawdown_reduces_and_opens_likewise(amount: int, status: Status) -> None:
    hall = Hall()
    hall.hold(Side.BUY, "1000", "500", "SPY")
    hall.lose(3000)
    hall.until_next_day()
    hall.lose(min(amount, 6800))
    hall.until_next_day()
    hall.lose(amount)
    assert hall.status(ALPHA) is status
    if status is Status.OPEN:
        assert (hall.breaker(ALPHA).trigger, hall.breaker(ALPHA).resumes_by) == ("drawdown", "person")


def test_a_reducing_account_only_shrinks_and_recovers_after_its_cool_down() -> None:
    hall = Hall()
    hall.lose(4500)
    assert reason(hall.order()) == "breaker_reducing"
    assert reason(closing(hall)) == "released"
    hall.wait(60)
    hall.lose(4001)
    assert hall.status(ALPHA) is Status.REDUCING
    hall.lose(3999)  # what `closing` holds has lost another 0.10
    assert hall.status(ALPHA) is Status.CLOSED


def test_a_person_ends_the_reducing_of_a_flat_account_that_cannot_earn_its_drawdown_back() -> None:
    hall = Hall()
    hall.lose(3000)
    hall.until_next_day()
    hall.lose(6500)
    hall.flatten()
    hall.until_next_day()
    assert hall.status(ALPHA) is Status.REDUCING
    assert reason(hall.order()) == "breaker_reducing"
    hall.resume()
    assert hall.status(ALPHA) is Status.HALF_OPEN
    assert reason(hall.order()) == "released"


def test_a_daily_loss_stays_open_until_the_day_turns_even_if_equity_recovers() -> None:
    hall = Hall()
    hall.lose(6000)
    hall.lose(-1000)
    hall.wait(6399)  # 23:59:59
    hall.mark("SPY", "501")
    assert hall.status(ALPHA) is Status.OPEN
    assert reason(hall.order()) == "breaker_open"
    hall.wait(1)
    hall.mark("SPY", "501")
    assert hall.status(ALPHA) is Status.HALF_OPEN


def test_a_denial_names_tier_scope_trigger_measure_and_limit() -> None:
    hall = Hall()
    hall.lose(6000)
    answer = hall.order()
    assert isinstance(answer, m.OrderDenied)
    assert (answer.reason, answer.measured, answer.limit) == ("breaker_open", Decimal("0.06"), Decimal("0.05"))
    assert "account breaker of alpha is open by daily_loss" in answer.detail


def test_a_decision_trips_before_it_decides_and_says_so_first() -> None:
    hall = Hall()
    hall.hold(Side.BUY, "1000", "500", "SPY")
    hall.desk.mark("SPY", "494")  # the breaker does not hear of this bar
    hall.desk.mark("EURUSD", "1.0999", "1.1000")
    order = make_order("EURUSD", Side.BUY, "1000", QUOTE)
    approval = hall.desk.approve(m.ComplianceApproved, order, rule_book="default", rule_book_version=1)
    said, answer = hall.hear(approval)
    assert isinstance(said, m.BreakerOpened)
    assert reason(answer) == "breaker_open"


def test_a_drawdown_waits_for_a_person_however_long() -> None:
    hall = Hall()
    hall.lose(9000)
    hall.flatten()
    for _ in range(9):
        hall.wait(86400)
        assert reason(hall.order()) == "breaker_open"
    hall.resume()
    assert hall.status(ALPHA) is Status.HALF_OPEN
    assert reason(hall.order()) == "released"


def test_only_a_deeper_drawdown_than_the_accepted_one_opens_again() -> None:
    hall = Hall()
    hall.lose(9000)
    hall.until_next_day()
    hall.resume()
    hall.lose(9000)
    assert hall.status(ALPHA) is Status.HALF_OPEN
    hall.lose(9001)
    assert (hall.status(ALPHA), hall.breaker(ALPHA).trigger) == (Status.OPEN, "drawdown")


def test_an_accepted_drawdown_ends_when_equity_recovers() -> None:
    hall = Hall()
    hall.lose(9000)
    hall.until_next_day()
    hall.resume()
    for _ in range(3):
        hall.trade("10")
    assert hall.breaker(ALPHA).accepted_drawdown_fraction == Decimal("0.09")
    hall.wait(60)
    hall.lose(6400)
    assert hall.breaker(ALPHA).trigger == "drawdown_recovered"
    hall.until_next_day()
    hall.lose(8001)
    assert hall.breaker(ALPHA).trigger == "drawdown"


@pytest.mark.parametrize(("losses", "status"), [(3, Status.CLOSED), (4, Status.OPEN)])
def test_an_account_bears_so_many_losses_in_a_row(losses: int, status: Status) -> None:
    hall = Hall()
    for _ in range(losses):
        hall.trade("-10")
    assert hall.status(ALPHA) is status


def test_a_win_resets_the_run_and_a_trade_that_made_nothing_does_not() -> None:
    hall = Hall()
    for realised in ("-10", "-10", "-10", "0", "5", "-10", "-10", "-10"):
        hall.trade(realised)
    assert hall.status(ALPHA) is Status.CLOSED
    hall.trade("-10")
    assert hall.status(ALPHA) is Status.OPEN


def test_a_strategy_that_loses_everywhere_is_stopped_everywhere() -> None:
    hall = Hall(desk=Desk(make_account("alpha"), make_account("beta")))
    for number in range(6):
        hall.trade("-10", account="alpha" if number % 2 else "beta")
    assert hall.status(WYCKOFF) is Status.OPEN
    assert reason(hall.order(strategy="operator")) == "released"
    assert reason(hall.order()) == "breaker_open"


def test_loose_multiplies_account_and_agent_limits() -> None:
    hall = Hall(msgspec.structs.replace(CONFIG, loose=True))
    for _ in range(4):
        hall.trade("-10")
    hall.lose(6000)
    assert hall.status(ALPHA) is Status.CLOSED
    hall.lose(7501)
    assert (hall.status(ALPHA), hall.breaker(ALPHA).limit) == (Status.OPEN, Decimal("0.075"))


# Half-open


@pytest.mark.parametrize(("seconds", "status"), [(59, Status.OPEN), (60, Status.HALF_OPEN)])
def test_the_cool_down_ends_exactly_after_its_seconds(seconds: int, status: Status) -> None:
    hall = Hall()
    open_by_losses(hall)
    hall.wait(seconds)
    hall.mark("EURUSD", "1.1")
    assert hall.status(ALPHA) is status


def test_half_open_admits_only_so_many_test_orders_at_once() -> None:
    hall = Hall()
    open_by_losses(hall)
    hall.wait(60)
    answers = [reason(hall.order()) for _ in range(4)]
    assert answers == ["released", "released", "breaker_half_open", "breaker_half_open"]
    assert reason(closing(hall)) == "released"
    hall.end_trial("1")
    assert [reason(hall.order()) for _ in range(2)] == ["released", "breaker_half_open"]


def test_a_test_order_that_ends_unfilled_makes_room() -> None:
    hall = Hall()
    open_by_losses(hall)
    hall.wait(60)
    hall.order()
    hall.order()
    event: dict[str, Any] = {"account": "alpha", "instrument": "EURUSD", "client_order_id": "c"}
    hall.say(m.OrderCancelled, order_id=hall.released[0].order_id, reason="requested", filled=Decimal(0), **event)
    hall.say(m.OrderRejected, order_id=hall.released[1].order_id, reason="no", detail="", **event)
    assert [reason(hall.order()) for _ in range(3)] == ["released", "released", "breaker_half_open"]


def test_a_filled_test_order_is_outstanding_until_its_position_closes() -> None:
    hall = Hall()
    open_by_losses(hall)
    hall.wait(60)
    for number in range(2):
        hall.order()
        hall.hear(hall.desk.fill(hall.released[number], "1.1"))
    event: dict[str, Any] = {"account": "alpha", "instrument": "EURUSD", "client_order_id": "exit"}
    hall.say(m.OrderCancelled, order_id=hall.released[0].order_id, reason="sibling", filled=Decimal(0), **event)
    assert reason(hall.order()) == "breaker_half_open"
    hall.trade("1", order_id=hall.released[0].order_id)  # one position held them both
    assert hall.breaker(ALPHA).trials == ()


@pytest.mark.parametrize("realised", ["1", "0"])
def test_three_positions_closed_without_a_loss_close_the_breaker(realised: str) -> None:
    hall = Hall()
    open_by_losses(hall)
    hall.wait(60)
    statuses = []
    for _ in range(3):
        hall.order()
        statuses.append(hall.status(ALPHA))
        hall.end_trial(realised)
    assert statuses == [Status.HALF_OPEN] * 3
    assert (hall.status(ALPHA), hall.breaker(ALPHA).trigger) == (Status.CLOSED, "trials_passed")


def test_one_loss_opens_a_half_open_breaker_again() -> None:
    hall = Hall()
    open_by_losses(hall)
    hall.wait(60)
    hall.order()
    hall.end_trial("5")
    hall.order()
    hall.end_trial("-1")
    assert (hall.status(ALPHA), hall.breaker(ALPHA).trigger) == (Status.OPEN, "trial_lost")
    assert reason(hall.order()) == "breaker_open"


def test_half_open_takes_no_risk_where_a_closed_breaker_would_reduce() -> None:
    hall = Hall()
    open_by_losses(hall)
    hall.lose(4500)
    hall.wait(60)
    assert reason(hall.order()) == "daily_loss"
    assert hall.status(ALPHA) is Status.HALF_OPEN


# Feeds


def test_a_stale_feed_stops_its_instrument_alone_until_it_recovers() -> None:
    hall = Hall()
    hall.desk.mark("GBPUSD", "1.25")
    hall.say(m.FeedStale, instrument="EURUSD", last_ns=hall.desk.now_ns - 300 * 10**9)
    assert hall.breaker(FEED).measured == 300
    hall.wait(600)
    assert reason(hall.order()) == "breaker_open"
    gbpusd = hall.desk.mark("GBPUSD", "1.25")
    hall.hear(gbpusd)
    assert reason(hall.order(symbol="GBPUSD")) == "released"
    hall.say(m.FeedRecovered, instrument="EURUSD")
    hall.wait(29)
    assert reason(hall.order()) == "breaker_open"
    hall.wait(1)
    assert reason(hall.order()) == "released"
    assert hall.status(FEED) is Status.CLOSED


@pytest.mark.parametrize(("seconds", "expected"), [(29, "breaker_open"), (30, "released")])
def test_a_feed_that_recovers_at_once_waits_for_its_cool_down(seconds: int, expected: str) -> None:
    hall = Hall()
    hall.say(m.FeedStale, instrument="EURUSD", last_ns=0)
    hall.say(m.FeedRecovered, instrument="EURUSD")
    hall.wait(seconds)
    assert reason(hall.order()) == expected


@pytest.mark.parametrize(("seconds", "expected"), [(29, "breaker_open"), (30, "released")])
def test_a_gap_stops_its_instrument_for_the_cool_down(seconds: int, expected: str) -> None:
    hall = Hall()
    hall.say(m.FeedGapFound, instrument="EURUSD", from_ns=hall.desk.now_ns - 10**12, to_ns=hall.desk.now_ns)
    hall.wait(seconds)
    assert reason(hall.order()) == expected


# People, broken rules, compliance


def test_a_manual_stop_stops_everything_but_closing_until_a_person_resumes() -> None:
    hall = Hall(desk=Desk(make_account("alpha"), make_account("beta")))
    hall.stop()
    hall.wait(10**6)
    assert reason(hall.order()) == "breaker_open"
    assert reason(hall.order(account="beta")) == "breaker_open"
    assert reason(closing(hall)) == "released"
    hall.resume()
    said = hall.said[-1]
    assert isinstance(said, m.BreakerClosed)
    assert (said.resumes_by, said.detail) == ("person", "ann: understood")
    assert reason(hall.order()) == "released"


def test_after_a_broken_invariant_a_person_resumes_into_test_orders() -> None:
    hall = Hall()
    hall.say(m.InvariantBroken, invariant="M1", detail="a sum is not zero")
    hall.stop()
    assert (hall.breaker(SYSTEM).trigger, hall.breaker(SYSTEM).beneath) == ("manual_stop", "invariant_broken")
    hall.resume()
    assert hall.status(SYSTEM) is Status.HALF_OPEN
    assert [reason(hall.order()) for _ in range(3)] == ["released", "released", "breaker_half_open"]
    hall.end_trial("-1")
    assert hall.status(SYSTEM) is Status.OPEN
    hall.wait(299)
    assert reason(hall.order()) == "breaker_open"
    hall.wait(1)
    assert reason(hall.order()) == "released"


def test_an_invariant_broken_during_a_manual_stop_is_not_forgotten() -> None:
    hall = Hall()
    hall.stop()
    hall.say(m.InvariantBroken, invariant="M1", detail="a sum is not zero")
    hall.resume()
    assert hall.status(SYSTEM) is Status.HALF_OPEN


def suspend(hall: Hall) -> list[m.Message]:
    amounts = {"measured": Decimal("0.04"), "limit": Decimal("0.03"), "unit": "fraction"}
    return hall.say(m.AccountSuspended, account="alpha", rule="daily_loss", **amounts)


def reinstate(hall: Hall, person: str = "") -> list[m.Message]:
    return hall.say(
        m.AccountReinstated, account="alpha", rule="daily_loss", person=person, role="", reason="its day has turned"
    )


def test_a_suspended_account_is_stopped_until_it_is_reinstated_and_then_tried_out() -> None:
    hall = Hall()
    suspend(hall)
    hall.until_next_day()
    assert reason(hall.order()) == "breaker_open"
    assert hall.resume() == []
    assert hall.status(ALPHA) is Status.OPEN
    reinstate(hall)
    assert (hall.status(ALPHA), hall.breaker(ALPHA).trigger) == (Status.HALF_OPEN, "reinstated")
    assert [reason(hall.order()) for _ in range(3)] == ["released", "released", "breaker_half_open"]


def test_who_was_not_suspended_is_not_reinstated() -> None:
    hall = Hall()
    assert reinstate(hall) == []
    hall.lose(9000)
    assert reinstate(hall) == []
    assert hall.breaker(ALPHA).trigger == "drawdown"


def test_a_suspension_outlasts_the_drawdown_that_a_person_accepts() -> None:
    hall = Hall()
    hall.lose(9000)
    suspend(hall)
    hall.until_next_day()
    hall.resume()
    assert (hall.status(ALPHA), hall.breaker(ALPHA).trigger) == (Status.OPEN, "account_suspended")
    reinstate(hall, "ann")
    assert hall.status(ALPHA) is Status.HALF_OPEN
    assert "by ann" in hall.said[-1].detail


def test_a_suspension_does_not_soften_a_drawdown() -> None:
    hall = Hall()
    hall.lose(9000)
    assert suspend(hall) == []
    assert hall.breaker(ALPHA).trigger == "drawdown"


def test_what_was_said_before_a_breaker_opened_does_not_lift_it_and_is_taken_back() -> None:
    hall = Hall()
    open_by_losses(hall)
    hall.wait(60)
    late = hall.agent.handle(hall.desk.mark("EURUSD", "1.1"))  # says half-open, but is not delivered yet
    assert [type(said) for said in late] == [m.BreakerHalfOpened]
    suspend(hall)
    again = hall.hear(hall.desk.tell(late[0]))
    assert hall.status(ALPHA) is Status.OPEN
    assert [(type(said), said.trigger) for said in again if isinstance(said, m.BreakerTransition)] == [
        (m.BreakerOpened, "account_suspended")
    ]


def test_an_account_told_late_to_reduce_stays_open() -> None:
    hall = Hall()
    hall.hold(Side.BUY, "1000", "500", "SPY")
    late = hall.agent.handle(hall.desk.mark("SPY", "495.5"))
    assert [type(said) for said in late] == [m.BreakerReduced]
    suspend(hall)
    hall.hear(hall.desk.tell(late[0]))
    assert hall.status(ALPHA) is Status.OPEN


def test_half_opening_twice_forgets_no_test_order() -> None:
    hall = Hall()
    open_by_losses(hall)
    hall.wait(60)
    [late] = hall.agent.handle(hall.desk.mark("EURUSD", "1.1"))
    assert reason(hall.order()) == "released"
    hall.hear(hall.desk.tell(late))
    assert len(hall.breaker(ALPHA).trials) == 1


def test_time_alone_says_nothing_of_what_a_person_must_lift() -> None:
    hall = Hall()
    hall.stop()
    hall.wait(10**6)
    assert hall.mark("EURUSD", "1.1") == []


# What is not known


@pytest.mark.parametrize(("seconds", "expected"), [(600, "released"), (601, "stale_mark")])
def test_new_risk_needs_a_quote_no_older_than_the_limit(seconds: int, expected: str) -> None:
    hall = Hall()
    hall.desk.mark("GBPUSD", "1.25")
    hall.wait(seconds)
    assert reason(hall.order(symbol="GBPUSD")) == expected


@pytest.mark.parametrize(("hours", "expected"), [((), "stale_mark"), (("mon-fri 09:30 - 16:00",), "released")])
def test_a_held_instrument_needs_a_fresh_quote_only_while_it_trades(hours: tuple[str, ...], expected: str) -> None:
    session = SessionHours(time_zone="America/New_York", open=hours, day_starts_at="00:00")
    spy = make_instrument("SPY", "", "USD", tick_size="0.01", lot_size="1", session=session)
    hall = Hall(desk=Desk(instruments=(spy, make_instrument("EURUSD", "EUR", "USD"))))
    hall.hold(Side.BUY, "10", "450", "SPY")
    hall.wait(601)
    assert reason(hall.order()) == expected


def test_unknown_equity_takes_no_new_risk_but_closes() -> None:
    hall = Hall(desk=Desk(make_account(currency="CHF")))
    hall.hold(Side.BUY, "1000", "1.1")
    assert reason(hall.order()) == "no_equity"
    assert reason(closing(hall)) == "released"


def test_without_a_quote_the_order_is_refused() -> None:
    assert reason(Hall().order(symbol="GBPUSD")) == "no_mark"


def test_an_expired_approval_is_refused() -> None:
    hall = Hall()
    order = make_order("EURUSD", Side.BUY, "1000", make_quote("1.1"))
    approval = hall.desk.approve(m.ComplianceApproved, order, rule_book="default", rule_book_version=1)
    hall.wait(31)
    hall.desk.mark("EURUSD", "1.1")
    assert reason(hall.hear(approval)[-1]) == "approval_expired"


# State and configuration


def test_state_is_a_fold_of_messages_and_survives_a_snapshot() -> None:
    hall = Hall()
    open_by_losses(hall)
    hall.wait(60)
    hall.order()
    folded = CircuitBreakerState()
    for said in hall.said:
        folded = evolve(folded, said, hall.desk.portfolio, CONFIG)
    assert {key: one.status for key, one in folded.breakers.items()} == {
        key: one.status for key, one in hall.agent.state.breakers.items()
    }
    saved = msgspec.json.encode(hall.agent.state)
    assert msgspec.json.decode(saved, type=CircuitBreakerState, dec_hook=decode_hook) == hall.agent.state


def test_a_bar_of_a_flat_and_healthy_desk_says_nothing_and_changes_nothing() -> None:
    hall = Hall()
    before = hall.agent.state
    assert hall.mark("EURUSD", "1.2") == []
    assert hall.agent.state is before


def test_the_packaged_configuration_loads() -> None:
    config = load({"circuit_breaker": CircuitBreakerConfig}, directory=None, environment={}).sections["circuit_breaker"]
    assert config.daily_loss_fraction_max == Decimal("0.05")
    assert CircuitBreakerAgent(config, Desk().portfolio, CONFIG_HASH).state == CircuitBreakerState()


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: msgspec.structs.replace(CONFIG, loose_factor=Decimal("0.9")), "loose_factor"),
        (lambda: msgspec.structs.replace(CONFIG, loose_factor=Decimal(13)), "drawdown_fraction_max"),
        (lambda: msgspec.structs.replace(CONFIG, strategies=()), "strategies"),
        (lambda: msgspec.structs.replace(CONFIG.account, reduce_at_fraction=Decimal(0)), "reduce_at_fraction"),
        (lambda: msgspec.structs.replace(CONFIG.half_open, test_orders_max=0), "test_orders_max"),
        (lambda: msgspec.structs.replace(CONFIG.cool_down_seconds, system=0), "system"),
    ],
)
def test_a_senseless_limit_is_refused_by_name(make: Any, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        make()
