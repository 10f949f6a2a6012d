"""Do volatility, gaps, slow and rejecting venues and repeated entries open their breakers just beyond their limits?"""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tests.unit.agents.circuit_breaker.hall import CONFIG, QUOTE, Hall, reason
from tests.unit.agents.desk import Desk, make_account, make_order
from tmt import messages as m
from tmt.agents.circuit_breaker.breakers import CircuitBreakerState, Status
from tmt.agents.circuit_breaker.measures import SENT_MAX, Measures
from tmt.domain.money import decode_hook
from tmt.domain.order import OrderType, Side
from tmt.market.bar import Bar, Timeframe

FEED, VENUE, WYCKOFF = "agent/instrument:EURUSD", "agent/venue:paper", "agent/wyckoff"


def bar(
    hall: Hall, close: str, *, opened: str | None = None, timeframe: Timeframe = Timeframe.M5, symbol: str = "EURUSD"
) -> list[m.Message]:
    """A bar of `timeframe` ends, one bar's length after the last."""
    hall.desk.now_ns += timeframe.nanoseconds
    first, last = Decimal(close if opened is None else opened), Decimal(close)
    return hall.say(
        m.BarClosed,
        bar=Bar(
            instrument=symbol,
            timeframe=timeframe,
            start_ns=hall.desk.now_ns - timeframe.nanoseconds,
            end_ns=hall.desk.now_ns,
            open=first,
            high=max(first, last),
            low=min(first, last),
            close=last,
            volume=Decimal(0),
            tick_count=1,
            bid=last,
            ask=last,
        ),
    )


def rooms(**changes: Any) -> Hall:
    instrument = msgspec.structs.replace(CONFIG.instrument, **changes)
    return Hall(msgspec.structs.replace(CONFIG, instrument=instrument))


def series(hall: Hall, symbol: str = "EURUSD") -> Any:
    return hall.agent.state.measures.series[symbol]


# Volatility


def test_the_deviation_is_exponentially_weighted_over_the_returns_before() -> None:
    hall = Hall()
    bar(hall, "100")
    assert (series(hall).returns, series(hall).variance, series(hall).sigmas) == (0, 0, ())
    bar(hall, "101")
    assert (series(hall).returns, series(hall).variance) == (1, Decimal("0.0001"))
    bar(hall, "101")
    assert series(hall).variance == Decimal("0.00009")
    bar(hall, "103.02")
    assert series(hall).variance == Decimal("0.9") * Decimal("0.00009") + Decimal("0.1") * Decimal("0.0004")
    assert series(hall).returns == 3


def steady(hall: Hall) -> None:
    """Four returns of 0.01 each: variance 0.0001, so a deviation of exactly 0.01; the next return is judged."""
    for close in ("100", "101", "102.01", "103.0301", "104.060401"):
        bar(hall, close)
    assert (series(hall).variance, series(hall).sigmas) == (Decimal("0.0001"), ())


def after(price: str, change: str) -> str:
    return str(Decimal(price) * (1 + Decimal(change)))


@pytest.mark.parametrize(("change", "sigmas"), [("0.03", "3"), ("-0.03", "3"), ("0.0301", "3.01"), ("0", "0")])
def test_a_return_is_judged_by_the_deviation_of_those_before_it(change: str, sigmas: str) -> None:
    hall = Hall()
    steady(hall)
    bar(hall, after("104.060401", change))
    assert series(hall).sigmas == (Decimal(sigmas),)


@pytest.mark.parametrize(
    ("first", "second", "status"),
    [
        ("0.03", "0.05", Status.CLOSED),
        ("0.0301", "0", Status.CLOSED),
        ("0.0301", "0.040", Status.CLOSED),
        ("0.0301", "0.041", Status.OPEN),
    ],
)
def test_two_of_three_bars_beyond_the_limit_open_and_one_does_not(first: str, second: str, status: Status) -> None:
    hall = rooms(gap_fraction_max=Decimal(1))
    steady(hall)
    price = after("104.060401", first)
    bar(hall, price)
    assert hall.status(FEED) is Status.CLOSED
    said = bar(hall, after(price, second))
    assert hall.status(FEED) is status
    if status is Status.OPEN:
        [opened] = said
        assert isinstance(opened, m.BreakerOpened)
        assert (opened.trigger, opened.limit, opened.unit) == ("volatility", Decimal(3), "sigmas")
        assert opened.measured > 3
        assert "2 of the last 2 5m bars" in opened.detail
        assert series(hall).sigmas == ()


@pytest.mark.parametrize(("between", "status"), [(1, Status.OPEN), (2, Status.CLOSED)])
def test_confirmation_must_come_within_the_last_three_bars(between: int, status: Status) -> None:
    hall = rooms(gap_fraction_max=Decimal(1))
    steady(hall)
    price = after("104.060401", "0.04")
    bar(hall, price)
    for _ in range(between):
        bar(hall, price)
    bar(hall, after(price, "0.2"))
    assert hall.status(FEED) is status
    assert len(series(hall).sigmas) == (0 if status is Status.OPEN else 3)


def test_volatility_ends_in_trials_after_the_cool_down() -> None:
    hall = rooms(gap_fraction_max=Decimal(1))
    steady(hall)
    bar(hall, "110")
    bar(hall, "130")
    assert hall.breaker(FEED).trigger == "volatility"
    hall.wait(30)
    assert reason(hall.order()) == "released"
    assert hall.status(FEED) is Status.HALF_OPEN
    for _ in range(3):
        hall.trade("1")
    assert hall.status(FEED) is Status.CLOSED


def test_a_loss_in_a_half_open_instrument_opens_it_again() -> None:
    hall = rooms(gap_fraction_max=Decimal(1))
    steady(hall)
    bar(hall, "110")
    bar(hall, "130")
    hall.wait(30)
    hall.order()
    hall.trade("-1")
    assert (hall.status(FEED), hall.breaker(FEED).trigger) == (Status.OPEN, "trial_lost")


def test_losses_in_a_row_in_one_instrument_open_no_instrument() -> None:
    hall = Hall()
    for _ in range(6):
        hall.trade("-1", strategy="operator")
    assert hall.status(FEED) is Status.CLOSED


def test_an_instrument_that_never_moved_has_no_deviation_to_exceed() -> None:
    hall = Hall()
    for _ in range(7):
        bar(hall, "100")
    bar(hall, "104", opened="100")
    assert series(hall).sigmas == (0, 0, 0)
    assert hall.status(FEED) is Status.CLOSED


def test_shorter_bars_than_the_least_are_not_judged_and_the_shortest_of_the_others_are() -> None:
    hall = Hall()
    bar(hall, "100", timeframe=Timeframe.M1)
    assert hall.agent.state.measures == Measures()
    bar(hall, "100", timeframe=Timeframe.H1)
    bar(hall, "100", timeframe=Timeframe.M5)
    assert series(hall).timeframe is Timeframe.M5
    bar(hall, "200", timeframe=Timeframe.H1)
    assert (series(hall).timeframe, series(hall).close, series(hall).returns) == (Timeframe.M5, 100, 0)
    assert hall.status(FEED) is Status.CLOSED


def test_loose_multiplies_what_instruments_and_venues_bear() -> None:
    loose = msgspec.structs.replace(CONFIG, loose=True)
    assert (loose.sigmas_max, loose.gap_fraction_max) == (Decimal("4.5"), Decimal("0.075"))
    assert loose.answer_seconds_max == 3
    assert (CONFIG.sigmas_max, CONFIG.gap_fraction_max, CONFIG.answer_seconds_max) == (
        Decimal(3),
        Decimal("0.05"),
        Decimal(2),
    )


# Gaps


@pytest.mark.parametrize(
    ("opened", "status"),
    [("105", Status.CLOSED), ("105.01", Status.OPEN), ("95", Status.CLOSED), ("94.99", Status.OPEN)],
)
def test_a_bar_that_opens_beyond_the_limit_from_the_last_close_is_a_gap(opened: str, status: Status) -> None:
    hall = Hall()
    bar(hall, "100")
    bar(hall, "100", opened=opened)
    assert hall.status(FEED) is status
    if status is Status.OPEN:
        turned = hall.breaker(FEED)
        assert (turned.trigger, turned.limit, turned.unit) == ("price_gap", Decimal("0.05"), "fraction")
        assert turned.measured == Decimal("0.0501")


def test_a_gap_of_one_instrument_leaves_the_others_open() -> None:
    hall = Hall()
    bar(hall, "100", symbol="GBPUSD")
    bar(hall, "120", opened="120", symbol="GBPUSD")
    assert hall.status("agent/instrument:GBPUSD") is Status.OPEN
    assert reason(hall.order()) == "released"


# Venues


def submit(hall: Hall, number: int, account: str = "alpha") -> str:
    order = make_order("EURUSD", Side.BUY, "1000", QUOTE, order_id=f"sent-{number}", account=account)
    client = f"client-{number}"
    hall.say(
        m.OrderSubmitted,
        order=order,
        client_order_id=client,
        stop_loss_client_order_id=None,
        take_profit_client_order_id=None,
    )
    return client


def answer(hall: Hall, kind: type[m.VenueEvent], client: str, order_id: str = "", **fields: Any) -> list[m.Message]:
    names: dict[str, Any] = {"account": "alpha", "instrument": "EURUSD", "client_order_id": client}
    extra: dict[type[m.VenueEvent], dict[str, Any]] = {
        m.OrderRejected: {"reason": "no", "detail": ""},
        m.CancelRejected: {"reason": "no"},
        m.OrderExpired: {"filled": Decimal(0)},
        m.OrderAccepted: {
            "side": Side.BUY,
            "quantity": Decimal(1000),
            "order_type": OrderType.MARKET,
            "price": None,
            "reduce_only": False,
            "role": "entry",
        },
    }
    return hall.say(kind, order_id=order_id or client.replace("client", "sent"), **{**names, **extra[kind], **fields})


def served(hall: Hall, number: int, kind: type[m.VenueEvent], milliseconds: int = 0) -> list[m.Message]:
    client = submit(hall, number)
    hall.desk.now_ns += milliseconds * 1_000_000
    return answer(hall, kind, client)


@pytest.mark.parametrize(("milliseconds", "status"), [(2000, Status.CLOSED), (2001, Status.OPEN)])
def test_two_answers_of_three_beyond_the_limit_open_the_venue(milliseconds: int, status: Status) -> None:
    hall = Hall()
    served(hall, 1, m.OrderAccepted, milliseconds)
    served(hall, 2, m.OrderAccepted)
    assert hall.status(VENUE) is Status.CLOSED
    served(hall, 3, m.OrderAccepted, milliseconds)
    assert hall.status(VENUE) is status
    if status is Status.OPEN:
        turned = hall.breaker(VENUE)
        assert (turned.trigger, turned.measured, turned.limit) == ("latency", Decimal("2.001"), Decimal(2))
        assert "2 of the last 3 answers of paper" in hall.said[-1].detail
        assert reason(hall.order()) == "breaker_open"


def test_late_answers_must_be_among_the_last_three() -> None:
    hall = Hall()
    served(hall, 1, m.OrderAccepted, 3000)
    for number in (2, 3):
        served(hall, number, m.OrderAccepted)
    served(hall, 4, m.OrderAccepted, 3000)
    assert hall.status(VENUE) is Status.CLOSED
    assert hall.agent.state.measures.answer_seconds["paper"] == (Decimal(0), Decimal(0), Decimal(3))


@pytest.mark.parametrize(("seconds", "status"), [(2, Status.CLOSED), (3, Status.OPEN)])
def test_what_waits_too_long_counts_before_it_is_answered_and_not_again_after(seconds: int, status: Status) -> None:
    hall = Hall()
    first, second = submit(hall, 1), submit(hall, 2)
    hall.wait(seconds)
    hall.mark("EURUSD", "1.1")
    assert hall.status(VENUE) is status
    if status is Status.OPEN:
        hall.wait(10)
        answer(hall, m.OrderAccepted, first)
        answer(hall, m.OrderAccepted, second)
        assert "paper" not in hall.agent.state.measures.answer_seconds
        assert hall.agent.state.measures.sent == {}


def test_what_waits_is_no_sample_until_it_is_late_and_then_one() -> None:
    hall = Hall()
    client = submit(hall, 1)
    hall.wait(2)
    hall.mark("EURUSD", "1.1")
    assert hall.agent.state.measures.answer_seconds == {}
    for _ in range(3):
        hall.wait(1)
        hall.mark("EURUSD", "1.1")
    assert hall.agent.state.measures.answer_seconds["paper"] == (Decimal(3),)
    answer(hall, m.OrderAccepted, client)
    assert hall.agent.state.measures.answer_seconds["paper"] == (Decimal(3),)


@pytest.mark.parametrize(("rejected", "status"), [(1, Status.CLOSED), (2, Status.OPEN)])
def test_two_rejections_of_three_open_the_venue(rejected: int, status: Status) -> None:
    hall = Hall()
    served(hall, 1, m.OrderAccepted)
    for number in range(rejected):
        served(hall, 2 + number, m.OrderRejected)
    assert hall.status(VENUE) is status
    if status is Status.OPEN:
        turned = hall.breaker(VENUE)
        assert (turned.trigger, turned.measured, turned.limit, turned.unit) == (
            "rejections",
            Decimal(2),
            Decimal(1),
            "count",
        )
        assert hall.said[-1].detail == "paper rejected 2 of the last 3 orders"
        assert hall.agent.state.measures.rejections == {}


def test_rejections_must_be_among_the_last_three_submissions() -> None:
    hall = Hall()
    served(hall, 1, m.OrderRejected)
    for number in (2, 3):
        served(hall, number, m.OrderAccepted)
    served(hall, 4, m.OrderRejected)
    assert hall.status(VENUE) is Status.CLOSED
    assert hall.agent.state.measures.rejections["paper"] == (False, False, True)


def test_an_answer_about_an_order_that_nobody_knows_judges_no_venue() -> None:
    hall = Hall()
    assert answer(hall, m.CancelRejected, "unknown", account="", instrument="") == []
    assert hall.status(VENUE) is Status.CLOSED


def test_only_the_first_answer_to_a_submission_counts_and_a_refused_cancel_is_none() -> None:
    hall = Hall()
    client = submit(hall, 1)
    answer(hall, m.CancelRejected, client)
    assert client in hall.agent.state.measures.sent
    answer(hall, m.OrderAccepted, client)
    hall.wait(60)
    answer(hall, m.OrderExpired, client)
    assert hall.agent.state.measures.answer_seconds["paper"] == (Decimal(0),)
    assert hall.agent.state.measures.rejections["paper"] == (False,)
    assert answer(hall, m.OrderRejected, "unknown") == []


def test_so_many_submissions_may_wait_and_the_oldest_are_forgotten() -> None:
    hall = Hall()
    for number in range(SENT_MAX + 1):
        submit(hall, number)
    waiting = list(hall.agent.state.measures.sent)
    assert (len(waiting), waiting[0]) == (SENT_MAX, "client-1")


def half_open(hall: Hall) -> None:
    for number in (1, 2):
        served(hall, number, m.OrderRejected)
    hall.wait(30)
    hall.mark("EURUSD", "1.1")
    assert hall.status(VENUE) is Status.HALF_OPEN


def test_a_venue_on_trial_is_judged_by_its_answers_and_not_by_what_trades_make() -> None:
    hall = Hall()
    half_open(hall)
    for number in range(3):
        assert reason(hall.order()) == "released"
        hall.trade("-1", strategy="operator")
        assert hall.status(VENUE) is Status.HALF_OPEN
        answer(hall, m.OrderAccepted, f"client-{number + 10}", order_id=hall.released[-1].order_id)
    assert (hall.status(VENUE), hall.breaker(VENUE).trigger) == (Status.CLOSED, "trials_passed")


def test_a_venue_on_trial_takes_so_many_test_orders_at_once_and_opens_at_a_rejection() -> None:
    hall = Hall()
    half_open(hall)
    assert [reason(hall.order()) for _ in range(3)] == ["released", "released", "breaker_half_open"]
    answer(hall, m.OrderAccepted, "client-10", order_id=hall.released[0].order_id)
    assert reason(hall.order()) == "released"
    [said] = answer(hall, m.OrderRejected, "client-11", order_id=hall.released[1].order_id)
    assert (said.trigger, hall.status(VENUE)) == ("trial_rejected", Status.OPEN)  # type: ignore[attr-defined]


def test_an_acceptance_ends_the_trial_of_the_venue_alone() -> None:
    hall = Hall()
    half_open(hall)
    for _ in range(4):
        hall.trade("-1", strategy="operator")
    hall.wait(60)
    hall.order()
    answer(hall, m.OrderAccepted, "client-10", order_id=hall.released[0].order_id)
    assert len(hall.breaker("account/alpha").trials) == 1
    assert hall.breaker(VENUE).trials == ()


def test_venues_are_told_apart_by_the_account_of_the_order() -> None:
    beta = msgspec.structs.replace(make_account("beta"), venue="binance")
    hall = Hall(desk=Desk(make_account("alpha"), beta))
    for number in (1, 2):
        served(hall, number, m.OrderRejected)
    assert reason(hall.order()) == "breaker_open"
    assert reason(hall.order(account="beta")) == "released"


# Repeated execution


def test_one_entry_more_than_the_limit_opens_the_strategy_until_a_person_resumes() -> None:
    hall = Hall()
    answers = [reason(hall.order()) for _ in range(10)]
    assert answers == ["released"] * 9 + ["breaker_open"]
    turned = hall.breaker(WYCKOFF)
    assert (turned.trigger, turned.measured, turned.limit) == ("repeated_execution", Decimal(10), Decimal(9))
    assert turned.resumes_by == "person"
    hall.wait(10**5)
    assert reason(hall.order()) == "breaker_open"
    assert reason(hall.order(strategy="operator")) == "released"
    hall.resume()
    assert hall.status(WYCKOFF) is Status.HALF_OPEN
    assert reason(hall.order()) == "released"


def test_after_a_person_resumed_the_entries_before_count_no_more() -> None:
    hall = Hall()
    for _ in range(10):
        hall.order()
    assert hall.agent.state.measures.entries == {}
    hall.resume()
    assert reason(hall.order()) == "released"


def test_the_entries_of_other_strategies_go_on_counting() -> None:
    hall = Hall(msgspec.structs.replace(CONFIG, strategies=("wyckoff", "trend")))
    hall.order(strategy="trend")
    for _ in range(10):
        hall.order()
    assert list(hall.agent.state.measures.entries) == ["alpha/trend/EURUSD/buy"]


@pytest.mark.parametrize(("seconds", "last"), [(59, "breaker_open"), (60, "released")])
def test_entries_count_for_the_window(seconds: int, last: str) -> None:
    hall = Hall()
    for _ in range(9):
        hall.order()
    hall.wait(seconds)
    assert reason(hall.order()) == last


@pytest.mark.parametrize(
    "other", [{"side": Side.SELL}, {"symbol": "GBPUSD"}, {"account": "beta"}, {"strategy": "operator"}]
)
def test_only_like_entries_are_repetitions(other: dict[str, Any]) -> None:
    hall = Hall(desk=Desk(make_account("alpha"), make_account("beta")))
    hall.desk.mark("GBPUSD", "1.25")
    for _ in range(9):
        hall.order()
    assert reason(hall.order(**other)) == "released"


def test_what_people_order_is_no_repetition_of_a_machine() -> None:
    hall = Hall()
    assert [reason(hall.order(strategy="operator")) for _ in range(12)] == ["released"] * 12


def test_closing_again_and_again_is_no_repetition() -> None:
    hall = Hall()
    hall.desk.hold("EURUSD", Side.BUY, "100000", "1.1")
    for _ in range(12):
        assert reason(hall.order(Side.SELL, reduce_only=True)) == "released"
    assert hall.agent.state.measures.entries == {}


def test_samples_survive_a_snapshot() -> None:
    hall = Hall()
    steady(hall)
    served(hall, 1, m.OrderAccepted)
    submit(hall, 2)
    hall.order()
    saved = msgspec.json.encode(hall.agent.state)
    assert msgspec.json.decode(saved, type=CircuitBreakerState, dec_hook=decode_hook) == hall.agent.state
