"""Exits: break-even, partials, trail, time and news, each exactly at its limit, one step under and one over."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tests.unit.agents.aria.room import EXITS, Room, only, raised, sized
from tests.unit.agents.desk import CONFIG_HASH, NO_NEWS, START_NS
from tmt import messages as m
from tmt.agents.aria import AriaState
from tmt.agents.aria.exit_config import ExitRule, ExitsConfig
from tmt.domain.money import ZERO, decode_hook
from tmt.domain.news import Impact, NewsCalendar, NewsEvent
from tmt.domain.order import OrderType, Side
from tmt.market.bar import Timeframe

# Break-even

BREAK_EVEN = only(ExitRule.BREAK_EVEN)


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize(("ticks", "moves"), [(99, False), (100, True), (101, True)])
def test_the_stop_comes_to_the_entry_from_one_r_on(side: Side, ticks: int, moves: bool) -> None:
    room = Room(BREAK_EVEN, side=side)
    assert raised(room.bar(ticks)) == ([("break_even", None, "1.10000")] if moves else [])


def test_an_exit_says_what_was_measured_and_begins_a_trail_of_its_own() -> None:
    room = Room(BREAK_EVEN)
    (said,) = room.bar(120)
    assert isinstance(said, m.ExitRaised)
    assert said.correlation_id == said.message_id
    assert (said.account, said.instrument, said.order_id) == ("alpha", "EURUSD", room.entry.order_id)
    assert (said.side, said.config_hash, said.source) == (Side.SELL, CONFIG_HASH, "aria")
    assert (said.quote.bid, said.quote.ask, said.quote.time_ns) == (
        Decimal("1.10120"),
        Decimal("1.10120"),
        room.desk.now_ns,
    )
    shown = [(each.rule, str(each.measured), str(each.limit), each.unit, each.at_least) for each in said.checks]
    assert shown == [
        ("aria.exit_break_even", "1.200000", "1.000000", "R", True),
        ("aria.exit_stop", "1.100000", "1.099000", "price", True),
    ]
    assert {each.quantity_after for each in said.checks} == {ZERO}
    (short,) = Room(BREAK_EVEN, side=Side.SELL).bar(120)
    assert isinstance(short, m.ExitRaised)
    assert short.side is Side.BUY
    assert [each.at_least for each in short.checks] == [True, False]


@pytest.mark.parametrize(
    ("side", "fee", "stop"),
    [
        (Side.BUY, "0.5", "1.10001"),
        (Side.BUY, "0.6", "1.10002"),
        (Side.SELL, "0.5", "1.09999"),
        (Side.SELL, "0.6", "1.09998"),
        (Side.BUY, "-0.6", "1.10000"),
    ],
)
def test_break_even_pays_the_way_in_and_out_rounded_to_the_tick_beyond(side: Side, fee: str, stop: str) -> None:
    # Twice 0.5 over 100,000 units is one tick.
    assert raised(Room(BREAK_EVEN, side=side, fee=fee).bar(100)) == [("break_even", None, stop)]


def test_break_even_counts_what_a_point_is_worth() -> None:
    room = Room(BREAK_EVEN, fee="5")
    instruments = room.desk.portfolio.state.instruments
    instruments["EURUSD"] = msgspec.structs.replace(instruments["EURUSD"], point_value=Decimal(10))
    assert raised(room.bar(100)) == [("break_even", None, "1.10001")]


@pytest.mark.parametrize(("fee", "moves"), [("50", False), ("49.5", True), ("49.6", False)])
def test_a_stop_is_never_moved_to_the_market(fee: str, moves: bool) -> None:
    # Costs of 100 ticks would put it at the price, which is 100 ticks away.
    assert bool(raised(Room(BREAK_EVEN, fee=fee).bar(100))) is moves


@pytest.mark.parametrize("stop", ["1.10000", "1.10001"])
def test_a_stop_at_the_entry_or_nearer_stays(stop: str) -> None:
    room = Room(BREAK_EVEN)
    room.desk.say(
        m.OrderReplaced,
        client_order_id="sl",
        order_id=room.entry.order_id,
        account="alpha",
        instrument="EURUSD",
        quantity=Decimal(100000),
        limit_price=None,
        stop_price=Decimal(stop),
    )
    assert raised(room.bar(150)) == []


def test_a_move_that_failed_is_asked_for_again_at_the_next_bar() -> None:
    room = Room(BREAK_EVEN)
    first, second = room.bar(150), room.bar(150)
    assert raised(first) == raised(second) == [("break_even", None, "1.10000")]
    assert first[0].message_id != second[0].message_id


def test_of_several_stops_the_furthest_decides() -> None:
    room = Room(BREAK_EVEN)
    room.accept_stop("nearer", "1.10050", "1000")
    room.accept_stop("target", "1.20000", "1000", role="take_profit")
    assert raised(room.bar(100)) == [("break_even", None, "1.10000")]


def test_profit_counts_at_the_price_at_which_the_position_could_be_closed() -> None:
    room = Room(BREAK_EVEN)
    room.desk.pass_seconds(300)
    closed = room.desk.bar("EURUSD", "1.10100", bid="1.10099", ask="1.10101", timeframe=Timeframe.M5)
    assert raised(room.hear(closed)) == []
    room = Room(BREAK_EVEN, side=Side.SELL)
    room.desk.pass_seconds(300)
    closed = room.desk.bar("EURUSD", "1.09900", bid="1.09899", ask="1.09901", timeframe=Timeframe.M5)
    assert raised(room.hear(closed)) == []


# Whose positions, and which bars


@pytest.mark.parametrize("stop", [None, "1.10000", "1.10100"])
def test_without_a_stop_that_risks_something_there_is_no_r(stop: str | None) -> None:
    room = Room(EXITS, stop=stop)
    for _ in range(300):
        assert room.bar(900) == []


def test_only_the_strategies_named_are_managed() -> None:
    room = Room(msgspec.structs.replace(BREAK_EVEN, strategies=("manual",)))
    assert room.bar(200) == []


def test_a_rule_that_is_not_in_force_says_nothing() -> None:
    room = Room(only(time=msgspec.structs.replace(EXITS.time, bars_max=1)))
    assert [room.bar(ticks) for ticks in (-50, 0, 300, 100)] == [[]] * 4


@pytest.mark.parametrize(
    ("earlier", "timeframe", "looked_at"),
    [
        ((), Timeframe.M1, False),
        ((), Timeframe.M5, True),
        ((), Timeframe.H1, True),
        ((Timeframe.M5,), Timeframe.H1, False),
        ((Timeframe.M1,), Timeframe.H1, True),
        ((Timeframe.M15, Timeframe.H1), Timeframe.H1, False),
    ],
)
def test_bars_of_the_timeframe_or_the_shortest_longer_one_count(
    earlier: tuple[Timeframe, ...], timeframe: Timeframe, looked_at: bool
) -> None:
    room = Room(BREAK_EVEN)
    for each in earlier:
        room.bar(0, timeframe=each)
    assert bool(room.bar(200, timeframe=timeframe)) is looked_at


def test_another_instruments_bar_is_not_this_positions() -> None:
    room = Room(only(ExitRule.TIME, time=msgspec.structs.replace(EXITS.time, bars_max=2)))
    room.bar(0)
    room.hear(room.desk.bar("GBPUSD", "1.3", timeframe=Timeframe.M5))
    assert room.agent.state.exits["alpha/EURUSD"].bars == 1


# Partials

PARTIAL = only(ExitRule.PARTIAL)


@pytest.mark.parametrize(
    ("ticks", "quantity"), [(99, None), (100, "25000"), (199, "25000"), (200, "50000"), (900, "50000")]
)
def test_a_quarter_goes_at_one_r_and_another_at_two(ticks: int, quantity: str | None) -> None:
    room = Room(PARTIAL)
    said = room.bar(ticks)
    assert raised(said) == ([] if quantity is None else [("partial", quantity, None)])
    assert [str(each.order.quantity) for each in sized(said)] == ([] if quantity is None else [quantity])


def test_a_partial_close_is_a_reduce_only_market_order_caused_by_the_exit() -> None:
    exit_, approved = Room(PARTIAL).bar(100)
    assert isinstance(exit_, m.ExitRaised)
    assert isinstance(approved, m.OrderSized)
    assert (approved.causation_id, approved.correlation_id) == (exit_.message_id, exit_.message_id)
    order = approved.order
    assert (order.type, order.time_in_force, order.reduce_only) == (OrderType.MARKET, "ioc", True)
    assert (order.side, order.account, order.instrument) == (Side.SELL, "alpha", "EURUSD")
    assert (order.strategy, order.setup, order.person) == ("wyckoff", "spring_test", "owner")
    assert (order.stop_loss_price, order.take_profit_price, order.quote) == (None, None, exit_.quote)
    (check,) = exit_.checks
    assert (check.rule, str(check.measured), str(check.limit), check.unit) == (
        "aria.exit_partial",
        "1.000000",
        "1.000000",
        "R",
    )
    assert (str(check.quantity_after), check.at_least) == ("25000", True)


def test_each_partial_is_taken_once() -> None:
    room = Room(PARTIAL)
    assert raised(room.bar(100)) == [("partial", "25000", None)]
    assert room.bar(150) == []  # the order works still
    room.desk.hold("EURUSD", Side.SELL, "25000", "1.10150")
    room.desk.portfolio.state.working.clear()
    assert room.bar(150) == []
    assert raised(room.bar(200)) == [("partial", "25000", None)]
    room.desk.hold("EURUSD", Side.SELL, "25000", "1.10200")
    room.desk.portfolio.state.working.clear()
    assert room.bar(400) == []


def test_what_a_partial_left_unfilled_is_tried_again_and_what_a_person_closed_counts() -> None:
    room = Room(PARTIAL)
    room.bar(100)
    room.desk.portfolio.state.working.clear()
    room.desk.hold("EURUSD", Side.SELL, "10000", "1.10100")
    assert raised(room.bar(100)) == [("partial", "15000", None)]


@pytest.mark.parametrize(("quantity", "first"), [("3000", None), ("4000", "1000"), ("7000", "1000"), ("8000", "2000")])
def test_a_partial_is_whole_lots_and_less_than_one_is_none(quantity: str, first: str | None) -> None:
    assert raised(Room(PARTIAL, quantity=quantity).bar(100)) == ([] if first is None else [("partial", first, None)])


# Trail

TRAIL = only(ExitRule.TRAIL)  # from 1.5 R on, 3 average ranges behind; a step is a quarter of one


def trailing(*, side: Side = Side.BUY, **changes: Any) -> Room:
    """A room whose bars have ranged over 40 ticks so far."""
    room = Room(only(ExitRule.TRAIL, **changes), side=side)
    for _ in range(8):
        assert room.bar(20, high=40, low=0) == []
    return room


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize(("ticks", "moves"), [(149, False), (150, True)])
def test_the_trail_begins_once_the_best_profit_was_there(side: Side, ticks: int, moves: bool) -> None:
    room = trailing(side=side, trail=msgspec.structs.replace(EXITS.trail, atr_multiple=Decimal(1)))
    said = raised(room.bar(ticks, high=ticks, low=ticks - 40))
    assert [rule for rule, _, _ in said] == (["trail"] if moves else [])


@pytest.mark.parametrize("side", Side)
def test_the_stop_stays_so_many_average_ranges_behind_the_best_price(side: Side) -> None:
    room = Room(TRAIL, side=side)
    room.bar(160, high=160, low=120)
    said = room.bar(160, high=200, low=160)  # two bars that ranged over 40 ticks
    assert raised(said) == [("trail", None, room.price(40))]
    (exit_,) = said
    assert isinstance(exit_, m.ExitRaised)
    shown = [(each.rule, str(each.measured), str(each.limit)) for each in exit_.checks]
    limit = "1.099000" if side is Side.BUY else "1.101000"
    assert shown == [("aria.exit_trail", "1.600000", "1.500000"), ("aria.exit_stop", f"{room.price(40)}0", limit)]


def test_no_trail_before_there_are_as_many_bars_as_the_average_takes() -> None:
    room = Room(TRAIL)
    assert room.bar(160, high=200, low=160) == []
    assert len(room.bar(160, high=200, low=160)) == 1


@pytest.mark.parametrize(
    ("at", "moves"), [("1.10030", True), ("1.10031", False), ("1.10040", False), ("1.10050", False)]
)
def test_the_trail_moves_by_a_step_at_least(at: str, moves: bool) -> None:
    room = Room(TRAIL)
    room.bar(160, high=160, low=120)
    room.accept_stop("sl", at, "100000")
    assert bool(raised(room.bar(160, high=200, low=160))) is moves  # to 1.10040; a step is 10 ticks


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize(("ticks", "leaves"), [(101, False), (100, True), (99, True)])
def test_a_position_behind_its_trail_is_closed(side: Side, ticks: int, leaves: bool) -> None:
    room = Room(only(ExitRule.TRAIL, trail=msgspec.structs.replace(EXITS.trail, atr_multiple=Decimal(1))), side=side)
    room.bar(160, high=160, low=100)
    said = room.bar(ticks, high=160, low=min(100, ticks))
    if not leaves:
        assert raised(said) == [("trail", None, room.price(100))]
        return
    assert raised(said) == [("trail", "100000", None)]
    exit_, approved = said
    assert isinstance(exit_, m.ExitRaised)
    assert isinstance(approved, m.OrderSized)
    assert str(approved.order.quantity) == "100000"
    assert [(each.rule, each.at_least) for each in exit_.checks] == [
        ("aria.exit_trail", True),
        ("aria.exit_trail_crossed", side is Side.SELL),
    ]


# Time


def timed(**changes: Any) -> ExitsConfig:
    return only(ExitRule.TIME, time=msgspec.structs.replace(EXITS.time, bars_max=3, **changes))


def test_a_position_that_goes_nowhere_is_closed_after_its_bars() -> None:
    room = Room(timed())
    assert room.bar(49) == room.bar(0) == []
    said = room.bar(49)
    assert raised(said) == [("time", "100000", None)]
    assert [str(each.order.quantity) for each in sized(said)] == ["100000"]
    (exit_, _) = said
    assert isinstance(exit_, m.ExitRaised)
    shown = [(each.rule, str(each.measured), str(each.limit), each.unit, each.at_least) for each in exit_.checks]
    assert shown == [
        ("aria.exit_time_bars", "3.000000", "3.000000", "count", True),
        ("aria.exit_time_reach", "0.490000", "0.500000", "R", False),
    ]


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize(("ticks", "leaves"), [(49, True), (50, False), (51, False)])
def test_a_position_that_once_went_far_enough_stays(side: Side, ticks: int, leaves: bool) -> None:
    room = Room(timed(), side=side)
    room.bar(ticks)
    room.bar(-20)
    assert bool(raised(room.bar(-20))) is leaves


def test_a_close_is_not_asked_for_while_one_works_and_is_again_when_it_failed() -> None:
    room = Room(timed())
    room.bar(0)
    room.bar(0)
    assert len(room.bar(0)) == 2
    assert room.bar(0) == []
    room.desk.portfolio.state.working.clear()
    assert raised(room.bar(0)) == [("time", "100000", None)]


def test_what_another_order_closes_already_is_left_to_it() -> None:
    room = Room(timed())
    room.bar(0)
    room.bar(0)
    order = msgspec.structs.replace(sized(room.bar(0))[0].order, order_id="part", quantity=Decimal(30000))
    room.desk.portfolio.state.working.clear()
    room.desk.approve(m.OrderReleased, order)
    entry = msgspec.structs.replace(order, order_id="entry", reduce_only=False)
    room.desk.approve(m.OrderReleased, entry)
    elsewhere = msgspec.structs.replace(order, order_id="else", instrument="GBPUSD")
    room.desk.approve(m.OrderReleased, elsewhere)
    assert raised(room.bar(0)) == [("time", "70000", None)]


def test_time_goes_before_everything_else_and_alone() -> None:
    room = Room(
        msgspec.structs.replace(EXITS, time=msgspec.structs.replace(EXITS.time, bars_max=1, reach_r=Decimal(9)))
    )
    assert raised(room.bar(300)) == [("time", "100000", None)]


def test_another_trip_counts_anew() -> None:
    room = Room(timed())
    room.bar(30)
    room.bar(30)
    room.desk.hold("EURUSD", Side.SELL, "100000", "1.1")
    room.desk.pass_seconds(1)
    room.desk.hold("EURUSD", Side.BUY, "100000", "1.10000", stop="1.09900")
    assert room.bar(0) == []
    track = room.agent.state.exits["alpha/EURUSD"]
    assert (track.bars, track.best_price) == (1, Decimal("1.10000"))


def test_an_order_that_opens_a_second_trip_counts_anew_too() -> None:
    room = Room(timed())
    room.bar(30)
    trip = room.desk.portfolio.state.trips["alpha/EURUSD"]
    room.desk.portfolio.state.trips["alpha/EURUSD"] = msgspec.structs.replace(trip, opened_at_ns=trip.opened_at_ns + 1)
    room.bar(0)
    assert room.agent.state.exits["alpha/EURUSD"].bars == 1


def test_closed_trips_are_forgotten() -> None:
    room = Room(timed())
    room.bar(0)
    assert list(room.agent.state.exits) == ["alpha/EURUSD"]
    room.desk.hold("EURUSD", Side.SELL, "100000", "1.1")
    assert room.bar(0) == []
    assert room.agent.state.exits == {}


def test_each_accounts_position_is_its_own() -> None:
    room = Room(timed())
    room.bar(0)
    room.desk.hold("EURUSD", Side.SELL, "50000", "1.10000", stop="1.10100", account="beta")
    room.bar(0)
    said = [each for each in room.bar(0) if isinstance(each, m.ExitRaised)]
    assert [(each.account, each.side) for each in said] == [("alpha", Side.SELL)]
    assert {key: track.bars for key, track in room.agent.state.exits.items()} == {"alpha/EURUSD": 3, "beta/EURUSD": 2}
    (other,) = [each for each in room.bar(0) if isinstance(each, m.ExitRaised)]
    assert (other.account, other.side, str(other.quantity)) == ("beta", Side.BUY, "50000")


# News


def calendar(minutes: int, *, currency: str = "USD", impact: Impact = Impact.HIGH) -> NewsCalendar:
    """One event so many minutes after the room's third bar ends."""
    seconds = START_NS // 1_000_000_000 + 3 * 300 + minutes * 60
    at = datetime.fromtimestamp(seconds - seconds % 60, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return NewsCalendar(events=(NewsEvent(at=at, currency=currency, impact=impact, title="payrolls"),))


def before_news(events: NewsCalendar, *, side: Side = Side.BUY) -> Room:
    """Two bars that ranged over 20 ticks; the third is a test's own. They end 20 seconds past a minute."""
    room = Room(only(ExitRule.NEWS), side=side, news=events)
    room.desk.bar("EURUSD", "1.10000")
    room.bar(10, high=20, low=0)
    return room


@pytest.mark.parametrize("side", Side)
def test_the_stop_comes_near_before_news(side: Side) -> None:
    room = before_news(calendar(18), side=side)
    assert room.bar(10, high=20, low=0) == []
    said = room.bar(10, high=20, low=0)
    assert raised(said) == [("news", None, room.price(-10))]
    (exit_,) = said
    assert isinstance(exit_, m.ExitRaised)
    first = exit_.checks[0]
    assert (first.rule, str(first.limit), first.unit) == ("aria.exit_news", "20.000000", "minutes")
    assert Decimal(17) < first.measured <= Decimal(18)


@pytest.mark.parametrize(("minutes", "tightens"), [(20, True), (21, False), (0, True), (-1, False)])
def test_the_last_bar_that_leaves_the_minutes_asked_for_tightens(minutes: int, tightens: bool) -> None:
    room = Room(only(ExitRule.NEWS), news=calendar(minutes))
    room.desk.now_ns -= room.desk.now_ns % (60 * 1_000_000_000)  # bars end on the minute
    for _ in range(2):
        room.bar(10, high=20, low=0)
        room.agent.state = msgspec.structs.replace(room.agent.state, exits={})
    assert bool(room.bar(10, high=20, low=0)) is tightens


@pytest.mark.parametrize(
    "events", [NO_NEWS, calendar(10, currency="JPY"), calendar(10, impact=Impact.MEDIUM)], ids=["none", "JPY", "medium"]
)
def test_other_news_changes_nothing(events: NewsCalendar) -> None:
    room = before_news(events)
    assert room.bar(10, high=20, low=0) == room.bar(10, high=20, low=0) == []


def test_both_currencies_of_a_pair_count() -> None:
    room = before_news(calendar(10, currency="EUR"))
    assert len([*room.bar(10, high=20, low=0), *room.bar(10, high=20, low=0)]) == 1


def test_news_tightens_once() -> None:
    room = before_news(calendar(18))
    first = [room.bar(10, high=20, low=0) for _ in range(2)]
    assert sum(len(each) for each in first) == 1
    for ticks in (20, 30, 40):  # the last ends 15 minutes later, and the news is still to come
        assert room.bar(ticks, high=ticks + 10, low=ticks - 10) == []


def test_a_stop_that_is_nearer_already_stays_before_news() -> None:
    room = before_news(calendar(18))
    room.bar(10, high=20, low=0)
    room.accept_stop("sl", "1.09990", "100000")
    assert room.bar(10, high=20, low=0) == []


# Together


@pytest.mark.parametrize("side", Side)
def test_the_nearest_of_several_stops_is_chosen_beside_a_partial(side: Side) -> None:
    room = Room(EXITS, side=side)
    room.bar(160, high=160, low=120)
    said = room.bar(160, high=200, low=160)
    # Break-even wants the entry and the trail 40 ticks more; the first bar's partial works still.
    assert raised(said) == [("trail", None, room.price(40))]
    assert raised(Room(EXITS, side=side).bar(160)) == [("partial", "25000", None), ("break_even", None, "1.10000")]


def test_the_same_bars_give_the_same_exits_after_a_snapshot() -> None:
    rooms = Room(EXITS), Room(EXITS)
    for room in rooms:
        for ticks in (10, 60, 110):
            room.bar(ticks, high=ticks + 20, low=ticks - 20)
    saved = msgspec.json.encode(rooms[1].agent.state)
    rooms[1].agent.state = msgspec.json.decode(saved, type=AriaState, dec_hook=decode_hook)
    later = (170, 220, 260, 140)
    said = [
        [m.encode(each) for ticks in later for each in room.bar(ticks, high=ticks + 20, low=ticks - 20)]
        for room in rooms
    ]
    assert said[0] == said[1] != []


# Configuration


@pytest.mark.parametrize(
    ("section", "name", "value", "good"),
    [
        ("break_even", "at_r", "0", False),
        ("break_even", "at_r", "0.1", True),
        ("break_even", "cost_multiple", "-0.1", False),
        ("break_even", "cost_multiple", "0", True),
        ("trail", "from_r", "-0.1", False),
        ("trail", "from_r", "0", True),
        ("trail", "atr_multiple", "0", False),
        ("trail", "atr_multiple", "0.1", True),
        ("trail", "step_atr_multiple", "-0.1", False),
        ("trail", "step_atr_multiple", "0", True),
        ("time", "reach_r", "0", False),
        ("time", "reach_r", "0.1", True),
        ("news", "atr_multiple", "0", False),
        ("news", "atr_multiple", "0.1", True),
    ],
)
def test_bounds_of_the_configuration(section: str, name: str, value: str, good: bool) -> None:
    part = getattr(EXITS, section)
    if good:
        assert getattr(msgspec.structs.replace(part, **{name: Decimal(value)}), name) == Decimal(value)
    else:
        with pytest.raises(ValueError, match=name):
            msgspec.structs.replace(part, **{name: Decimal(value)})


@pytest.mark.parametrize(("section", "name", "least"), [("time", "bars_max", 1), ("news", "minutes_before", 0)])
def test_whole_numbers_of_the_configuration(section: str, name: str, least: int) -> None:
    part = getattr(EXITS, section)
    assert getattr(msgspec.structs.replace(part, **{name: least}), name) == least
    with pytest.raises(ValueError, match=f"{name} must be at least {least}, was {least - 1}"):
        msgspec.structs.replace(part, **{name: least - 1})


@pytest.mark.parametrize(
    ("steps", "wrong"),
    [
        ([("1", "0.5"), ("2", "0.5")], None),
        ([("1", "1")], None),
        ([("1", "0.5"), ("2", "0.51")], "sum to at most 1"),
        ([("1", "0.1"), ("1", "0.1")], "must rise"),
        ([("2", "0.1"), ("1", "0.1")], "must rise"),
        ([("0", "0.1")], "at_r"),
        ([("1", "0")], "fraction"),
        ([("1", "1.1")], "fraction"),
    ],
)
def test_partials_rise_and_leave_nothing_below_zero(steps: list[tuple[str, str]], wrong: str | None) -> None:
    partials = [{"at_r": at_r, "fraction": fraction} for at_r, fraction in steps]
    values = {**msgspec.to_builtins(EXITS), "partials": partials}
    if wrong is None:
        assert len(msgspec.convert(values, ExitsConfig, dec_hook=decode_hook, strict=False).partials) == len(steps)
    else:
        with pytest.raises(msgspec.ValidationError, match=wrong):
            msgspec.convert(values, ExitsConfig, dec_hook=decode_hook, strict=False)
