"""Exits as a whole: every field of what is raised, and what of a position, its bars and its stops they hang on."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tests.unit.agents.aria.room import CONFIG, EXITS, Room, only, raised, rows
from tests.unit.agents.desk import CONFIG_HASH, make_instrument, make_quote
from tmt import messages as m
from tmt.agents.aria.exit_config import ExitRule, ExitsConfig
from tmt.agents.aria.exits import Case, ExitTrack, cases_of, follow
from tmt.domain.news import Impact, NewsCalendar, NewsEvent
from tmt.domain.order import Side
from tmt.market.bar import Timeframe

MINUTE_NS = 60 * 10**9
NEAR = msgspec.structs.replace(EXITS.trail, atr_multiple=Decimal(1))
"""A trail one average range behind."""


def timed(bars_max: int, reach_r: str = "0.5") -> Any:
    return msgspec.structs.replace(EXITS.time, bars_max=bars_max, reach_r=Decimal(reach_r))


def event_at(time_ns: int) -> NewsCalendar:
    """One event, at a whole minute."""
    at = datetime.fromtimestamp(time_ns // 10**9, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return NewsCalendar(events=(NewsEvent(at=at, currency="USD", impact=Impact.HIGH, title="payrolls"),))


def before_news(*, minutes: int, side: Side = Side.BUY, exits: ExitsConfig, stop: str | None = "") -> Room:
    """A room whose bars end on the minute; the event is so many minutes after the end of its second bar."""
    room = Room(exits, side=side, stop=stop)
    room.desk.now_ns -= room.desk.now_ns % MINUTE_NS
    room.agent.news = event_at(room.desk.now_ns + (10 + minutes) * MINUTE_NS)
    return room


# What is raised, whole. Bars are the ticks of profit at which they close, and their high and low.

SCENES: dict[str, tuple[ExitsConfig, list[tuple[int, int, int]]]] = {
    "time": (only(ExitRule.TIME, time=timed(2)), [(49, 49, 49), (-20, -20, -20)]),
    "crossed": (only(ExitRule.TRAIL, trail=NEAR), [(160, 160, 100), (100, 160, 100)]),
    "partial": (only(ExitRule.PARTIAL), [(20, 20, 20), (210, 210, 210)]),
    "break_even": (only(ExitRule.BREAK_EVEN), [(20, 20, 20), (120, 120, 120)]),
    "trail": (only(ExitRule.TRAIL), [(160, 160, 120), (155, 195, 155)]),
    "between ticks": (only(ExitRule.TRAIL, trail=NEAR), [(160, 160, 120), (160, 201, 160)]),
    "news": (only(ExitRule.NEWS), [(10, 20, 0), (10, 31, 10)]),
}


def expected(name: str, room: Room, *, long: bool) -> tuple[str, str | None, str | None, list[tuple[Any, ...]]]:
    def price(ticks: int) -> str:
        return room.price(ticks).rstrip("0").rstrip(".")

    def stop(ticks: int) -> tuple[Any, ...]:
        return ("exit_stop", price(ticks), price(-100), "price", "pass", "0", long)

    match name:
        case "time":
            return "time", "100000", None, [
                ("exit_time_bars", "2", "2", "count", "pass", "100000", True),
                ("exit_time_reach", "0.49", "0.5", "R", "pass", "100000", False),
            ]  # fmt: skip
        case "crossed":
            return "trail", "100000", None, [
                ("exit_trail", "1.6", "1.5", "R", "pass", "100000", True),
                ("exit_trail_crossed", price(100), price(100), "price", "pass", "100000", not long),
            ]  # fmt: skip
        case "partial":
            return "partial", "50000", None, [("exit_partial", "2.1", "2", "R", "pass", "50000", True)]
        case "break_even":
            rows = [("exit_break_even", "1.2", "1", "R", "pass", "0", True), stop(0)]
            return "break_even", None, room.price(0), rows
        case "trail":
            return "trail", None, room.price(40), [("exit_trail", "1.6", "1.5", "R", "pass", "0", True), stop(40)]
        case "between ticks":  # 40.5 behind 160, and half a tick further
            return "trail", None, room.price(119), [("exit_trail", "1.6", "1.5", "R", "pass", "0", True), stop(119)]
        case _:  # 20.5 behind 10, and half a tick further
            rows = [("exit_news", "20", "20", "minutes", "pass", "0", False), stop(-11)]
            return "news", None, room.price(-11), rows


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("name", SCENES)
def test_an_exit_is_raised_with_all_that_was_measured(name: str, side: Side) -> None:
    exits, (first, second) = SCENES[name]
    room = before_news(minutes=20, side=side, exits=exits)
    assert room.bar(first[0], high=first[1], low=first[2]) == []
    exit_, *_ = said = room.bar(second[0], high=second[1], low=second[2])
    assert isinstance(exit_, m.ExitRaised)
    rule, quantity, stop, checks = expected(name, room, long=side is Side.BUY)
    assert raised(said) == [(rule, quantity, stop)]
    assert rows(exit_) == checks
    assert exit_.quote == make_quote(room.price(second[0]), time_ns=room.desk.now_ns)
    assert (exit_.account, exit_.instrument, exit_.side) == ("alpha", "EURUSD", side.opposite)
    assert (exit_.order_id, exit_.config_hash) == (room.entry.order_id, CONFIG_HASH)


@pytest.mark.parametrize("name", SCENES)
def test_nothing_is_raised_by_a_rule_that_is_not_in_force(name: str) -> None:
    exits, bars = SCENES[name]
    room = before_news(minutes=20, exits=msgspec.structs.replace(exits, rules=()))
    assert [room.bar(close, high=high, low=low) for close, high, low in bars] == [[], []]


def test_of_two_reasons_to_close_one_is_given() -> None:
    room = Room(only(ExitRule.TIME, ExitRule.TRAIL, time=timed(2, "9"), trail=NEAR))
    room.bar(160, high=160, low=100)
    assert raised(room.bar(90, high=160, low=90)) == [("time", "100000", None)]


# Without a stop at work there is nothing to move


@pytest.mark.parametrize("name", ["break_even", "trail", "news"])
def test_a_stop_that_does_not_work_is_not_moved(name: str) -> None:
    exits, (first, second) = SCENES[name]
    room = before_news(minutes=20, exits=exits)
    room.bar(first[0], high=first[1], low=first[2])
    room.desk.portfolio.state.exits.clear()
    assert room.bar(second[0], high=second[1], low=second[2]) == []


def test_the_stops_of_another_account_are_not_this_ones() -> None:
    room = Room(only(ExitRule.BREAK_EVEN))
    mine = room.desk.portfolio.exits("alpha", "EURUSD")[0]
    theirs = msgspec.structs.replace(mine, client_order_id="theirs", account="beta", price=Decimal("1.05"))
    room.desk.portfolio.state.exits["theirs"] = theirs
    (exit_,) = room.bar(100)
    assert isinstance(exit_, m.ExitRaised)
    assert rows(exit_)[1] == ("exit_stop", "1.1", "1.099", "price", "pass", "0", True)


# What is remembered of a trip


@pytest.mark.parametrize("side", Side)
def test_the_best_price_is_the_best_at_which_it_could_have_been_closed(side: Side) -> None:
    room = Room(only(), side=side)
    found = []
    for ticks in (50, 30, 80, 60):
        room.desk.pass_seconds(300)
        ends = sorted((room.price(ticks - 7), room.price(ticks + 9)))  # a long is closed at the bid, a short at the ask
        bar = room.desk.bar("EURUSD", room.price(ticks), bid=ends[0], ask=ends[1], timeframe=Timeframe.M5)
        assert room.hear(bar) == []
        found.append(room.agent.state.exits["alpha/EURUSD"])
    assert found == [
        ExitTrack(
            order_id=room.entry.order_id,
            opened_at_ns=room.entry.occurred_at_ns,
            bars=bars,
            best_price=Decimal(room.price(best - 7)),
        )
        for bars, best in ((1, 50), (2, 50), (3, 80), (4, 80))
    ]


def test_a_flat_account_hides_no_other() -> None:
    room = Room(only())
    room.desk.hold("EURUSD", Side.SELL, "100000", "1.10000")
    room.desk.hold("EURUSD", Side.BUY, "1000", "1.10000", stop="1.09900", account="beta")
    room.bar(0)
    assert list(room.agent.state.exits) == ["beta/EURUSD"]


TRACK = ExitTrack(order_id="entry", opened_at_ns=1, bars=2, best_price=Decimal("1.1"))


def test_a_trip_that_ended_is_forgotten_whatever_its_instrument_is_called() -> None:
    room = Room(only())
    name = "EUR/USD"
    room.desk.portfolio.state.instruments[name] = make_instrument(name, "EUR", "USD")
    bar = room.desk.bar(name, "1.1", timeframe=Timeframe.M5)
    tracks = {f"alpha/{name}": TRACK, "alpha/USD": TRACK}
    assert follow(tracks, bar, room.desk.portfolio, EXITS) == {"alpha/USD": TRACK}


def exit_of(room: Room, rule: str, instrument: str = "EURUSD") -> m.ExitRaised:
    return room.desk.say(
        m.ExitRaised,
        account="alpha",
        instrument=instrument,
        order_id="entry",
        rule=rule,
        side=Side.SELL,
        quantity=None,
        stop_price=Decimal("1.09"),
        quote=make_quote("1.1"),
        checks=(),
        config_hash=CONFIG_HASH,
    )


def test_only_a_tightening_before_news_is_remembered() -> None:
    room = Room(only())
    portfolio, tracks = room.desk.portfolio, {"alpha/EURUSD": TRACK}
    tightened = exit_of(room, "news")
    until_ns = tightened.occurred_at_ns + 20 * MINUTE_NS  # 15 minutes before the event, and a bar of five
    remembered = {"alpha/EURUSD": msgspec.structs.replace(TRACK, tightened_until_ns=until_ns)}
    assert follow(tracks, tightened, portfolio, EXITS) == remembered
    for rule in ("time", "friday_close"):
        assert follow(tracks, exit_of(room, rule), portfolio, EXITS) == tracks
    for rule in ("news", "friday_close"):
        assert follow(tracks, exit_of(room, rule, "GBPUSD"), portfolio, EXITS) is tracks
    assert follow(tracks, room.desk.started, portfolio, EXITS) is tracks


@pytest.mark.parametrize(("earlier_ns", "tightens"), [(0, False), (1, True)])
def test_a_tightening_holds_until_its_end_inclusive(earlier_ns: int, tightens: bool) -> None:
    exits, (first, second) = SCENES["news"]
    room = before_news(minutes=20, exits=exits)
    room.bar(first[0], high=first[1], low=first[2])
    until_ns = room.desk.now_ns + 5 * MINUTE_NS - earlier_ns
    track = msgspec.structs.replace(room.agent.state.exits["alpha/EURUSD"], tightened_until_ns=until_ns)
    room.agent.state = msgspec.structs.replace(room.agent.state, exits={"alpha/EURUSD": track})
    assert bool(room.bar(second[0], high=second[1], low=second[2])) is tightens


# Which positions are looked at


def cases(room: Room, bar: m.BarClosed, tracks: dict[str, ExitTrack]) -> list[Case]:
    return list(cases_of(room.desk.portfolio, bar.bar, tracks, Decimal("0.0004"), CONFIG.exits))


@pytest.mark.parametrize("side", Side)
def test_a_case_holds_all_that_the_rules_judge_by(side: Side) -> None:
    room = Room(only(), side=side)
    closed = room.desk.bar("EURUSD", room.price(50), bid="1.09950", ask="1.10050")
    portfolio, sign = room.desk.portfolio, side.sign
    position, trip = portfolio.position("alpha", "EURUSD"), portfolio.trip("alpha", "EURUSD")
    assert trip is not None
    track = msgspec.structs.replace(TRACK, best_price=Decimal(room.price(70)))
    (case,) = cases(room, closed, {"alpha/EURUSD": track})
    assert case == Case(
        position=position,
        trip=trip,
        track=track,
        instrument=portfolio.state.instruments["EURUSD"],
        price=Decimal(room.price(-50)),
        profit=Decimal(-50),
        best_profit=Decimal(70),
        risk=Decimal(100),
        average_range=Decimal("0.0004"),
        stops=portfolio.exits("alpha", "EURUSD"),
        closing=Decimal(0),
        bar=closed.bar,
    )
    assert (case.long, case.sign, case.stop) == (sign == 1, sign, Decimal(room.price(-100)))


@pytest.mark.parametrize("missing", ["track", "trip", "instrument", "initial_stop", "strategy"])
def test_a_position_of_which_something_is_not_known_is_no_case(missing: str) -> None:
    room = Room(only())
    closed = room.desk.bar("EURUSD", "1.1")
    state, tracks = room.desk.portfolio.state, {"alpha/EURUSD": TRACK}
    assert len(cases(room, closed, tracks)) == 1
    trip = state.trips["alpha/EURUSD"]
    match missing:
        case "track":
            tracks = {"beta/EURUSD": TRACK}
        case "trip":
            del state.trips["alpha/EURUSD"]
        case "instrument":
            del state.instruments["EURUSD"]
        case "initial_stop":
            state.trips["alpha/EURUSD"] = msgspec.structs.replace(trip, initial_stop=None)
        case _:
            state.trips["alpha/EURUSD"] = msgspec.structs.replace(trip, strategy="manual")
    assert cases(room, closed, tracks) == []
