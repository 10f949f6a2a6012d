"""Too often, too long, or at the wrong hour."""

from typing import Any

import msgspec
import pytest

from tests.unit.agents.desk import ALWAYS_OPEN, Desk, make_account
from tests.unit.agents.human_behavior.floor import Floor, check_of, reason, shown, with_limits
from tmt import messages as m
from tmt.domain.session import day_bounds_ns


@pytest.fixture
def floor() -> Floor:
    return Floor()


@pytest.mark.parametrize(("seconds", "expected"), [(3599, "entries_per_hour"), (3600, "approved")])
def test_an_entry_counts_for_less_than_an_hour(floor: Floor, seconds: int, expected: str) -> None:
    for _ in range(3):
        floor.release()
    floor.desk.pass_seconds(seconds)
    assert reason(floor.buy()) == expected


def test_the_third_entry_of_three_allowed_in_an_hour_passes(floor: Floor) -> None:
    floor.release()
    floor.release()
    assert reason(floor.buy()) == "approved"


def test_the_day_has_its_own_limit_and_turns_over(floor: Floor) -> None:
    floor.desk.pass_seconds(2 * 3600)  # the next day begins 1 h 46 min 40 s after the desk starts
    for _ in range(4):
        floor.release()
        floor.desk.pass_seconds(1800)
    assert reason(floor.buy()) == "approved"
    floor.release()
    floor.desk.pass_seconds(3600)
    assert reason(floor.buy()) == "entries_per_day"
    floor.desk.pass_seconds(24 * 3600)
    assert reason(floor.buy()) == "approved"


WORKDAY = ("mon-fri 08:00 - 22:14",)  # the desk starts on a Tuesday at 22:13:20 UTC


@pytest.mark.parametrize(("seconds", "expected"), [(0, "approved"), (39, "approved"), (40, "trading_hours")])
def test_people_trade_within_their_hours(seconds: int, expected: str) -> None:
    floor = Floor(with_limits("sessions", people_open=WORKDAY))
    floor.desk.pass_seconds(seconds)
    answer = floor.buy(strategy="manual")
    assert reason(answer) == expected
    measured, outcome = ("1", "pass") if expected == "approved" else ("0", "deny")
    assert shown(check_of(answer, "trading_hours")) == (measured, "1", "count", outcome, True)


def test_hours_are_on_the_accounts_clock() -> None:
    account = msgspec.structs.replace(make_account(), time_zone="Europe/Berlin")
    floor = Floor(with_limits("sessions", people_open=("tue 23:13 - 23:14",)), Desk(account))
    assert reason(floor.buy(strategy="manual")) == "approved"
    floor.desk.pass_seconds(3600)
    answer = floor.buy("11000", strategy="manual")
    assert isinstance(answer, m.OrderDenied)
    assert answer.detail == "ann may open or add tue 23:13 - 23:14 (Europe/Berlin)"


def test_people_and_strategies_have_hours_of_their_own() -> None:
    night = ("tue 01:00 - 02:00",)
    floor = Floor(with_limits("sessions", people_open=night))
    assert [reason(floor.buy(strategy=each)) for each in ("manual", "operator", "wyckoff")] == [
        "trading_hours",
        "trading_hours",
        "approved",
    ]
    floor = Floor(with_limits("sessions", strategies_open=night))
    assert reason(floor.buy(strategy="manual")) == "approved"
    assert reason(floor.buy("11000", strategy="wyckoff")) == "trading_hours"


def test_a_strategy_out_of_hours_is_named() -> None:
    answer = Floor(with_limits("sessions", strategies_open=("mon 01:00 - 02:00",))).buy()
    assert isinstance(answer, m.OrderDenied)
    assert answer.detail == "strategy wyckoff may open or add mon 01:00 - 02:00 (UTC)"


BUSY = with_limits("entries", per_hour_max=99, per_day_max=99)


def tired(minutes: int, *, then_seconds: int = 0, **fields: Any) -> Floor:
    """Somebody who has entered every ten minutes for `minutes`, the last `then_seconds` ago."""
    floor = Floor(BUSY)
    for _ in range(minutes // 10):
        floor.release(**{"strategy": "manual", **fields})
        floor.desk.pass_seconds(600)
    floor.release(**{"strategy": "manual", **fields})
    floor.desk.pass_seconds(then_seconds)
    return floor


@pytest.mark.parametrize(("then", "expected"), [(0, "approved"), (1, "fatigue")])
def test_a_person_enters_for_two_hours_and_not_a_second_longer(then: int, expected: str) -> None:
    answer = tired(120, then_seconds=then).buy(strategy="manual")
    assert reason(answer) == expected
    outcome = "pass" if expected == "approved" else "deny"
    assert shown(check_of(answer, "fatigue")) == (str(7200 + then), "7200", "seconds", outcome, False)


@pytest.mark.parametrize(("rest", "expected"), [(1799, "fatigue"), (1800, "approved"), (1801, "approved")])
def test_half_an_hour_is_a_rest(rest: int, expected: str) -> None:
    assert reason(tired(120, then_seconds=rest).buy(strategy="manual")) == expected


def test_after_a_rest_time_counts_anew() -> None:
    floor = tired(120, then_seconds=1800)
    floor.release(strategy="manual")
    floor.desk.pass_seconds(1799)
    assert shown(check_of(floor.buy(strategy="manual"), "fatigue"))[0] == "1799"


def test_a_break_that_is_no_rest_does_not_count_time_anew() -> None:
    floor = tired(0, then_seconds=1799)
    floor.release(strategy="manual")
    floor.desk.pass_seconds(10)
    assert shown(check_of(floor.buy(strategy="manual"), "fatigue"))[0] == "1809"


def test_a_refused_order_is_no_activity_and_cannot_put_off_the_rest() -> None:
    floor = tired(120, then_seconds=1)
    floor.buy(strategy="manual")
    floor.desk.pass_seconds(1799)
    assert reason(floor.buy("11000", strategy="manual")) == "approved"


def test_neither_another_person_nor_a_strategy_is_tired() -> None:
    floor = tired(120, then_seconds=1)
    assert reason(floor.buy(strategy="manual", person="bob")) == "approved"
    assert reason(floor.buy("11000", strategy="wyckoff", person="ann")) == "approved"
    assert floor.agent.state.people.keys() == {"ann"}
    assert tired(120, strategy="wyckoff").agent.state.people == {}


def test_tiredness_follows_the_person_from_account_to_account() -> None:
    floor = Floor(BUSY, Desk(make_account("alpha"), make_account("beta")))
    floor.release(strategy="manual")
    floor.desk.pass_seconds(60)
    assert shown(check_of(floor.buy(strategy="manual", account="beta"), "fatigue"))[0] == "60"


def test_entries_show_how_many_this_would_be(floor: Floor) -> None:
    floor.release()
    answer = floor.buy()
    assert shown(check_of(answer, "entries_per_hour")) == ("2", "3", "count", "pass", False)
    assert shown(check_of(answer, "entries_per_day")) == ("2", "5", "count", "pass", False)
    floor.release()
    floor.release()
    assert shown(check_of(floor.buy("11000"), "entries_per_hour")) == ("4", "3", "count", "deny", False)


def test_an_entry_at_the_very_start_of_the_day_counts() -> None:
    floor = Floor(with_limits("entries", per_hour_max=5, per_day_max=5))
    day_start_ns, _ = day_bounds_ns(ALWAYS_OPEN, floor.desk.now_ns + 86_400 * 10**9)
    floor.desk.now_ns = day_start_ns - 1
    floor.release()
    floor.desk.now_ns = day_start_ns
    floor.release()
    assert shown(check_of(floor.buy(), "entries_per_day"))[0] == "2"


def test_refusals_say_who_and_how_much(floor: Floor) -> None:
    tired_answer = tired(120, then_seconds=1).buy(strategy="manual")
    for _ in range(3):
        floor.release()
    answers = [tired_answer, floor.buy()]
    assert [each.detail for each in answers if isinstance(each, m.OrderDenied)] == [
        "ann has been trading for 7201.000000000 seconds, and rests for 1800 first",
        "this would be entry 4 of alpha, 3 are allowed",
    ]
