"""The event-time loop: what happens at one instant in which order, and that nothing but the rows decides."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.market.tape import SECOND_NS, Row, batch_of, make_instrument
from tmt import messages as m
from tmt.domain.session import SessionHours
from tmt.market.bar import Timeframe
from tmt.market.bars import Bars
from tmt.timeline import BarTouch, Timeline, TimelineSnapshot

START_NS = 1_700_000_100 * SECOND_NS  # a whole quarter of an hour: Tuesday 2023-11-14 22:15:00 UTC
STALE_NS = 90 * SECOND_NS
SYMBOLS = ("AAA", "BBB")


class Bell:
    """A venue that rings when its time comes, or when a row reaches its bound, and plans the next ring from that."""

    def __init__(self, due: list[int], bounds: dict[str, tuple[int, int]]) -> None:
        self.due = sorted(due)
        self.limits = bounds
        self.dirty = sorted(bounds)
        self.rings = 0

    def _ring(self, time_ns: int, *key: str) -> list[m.Message]:
        self.rings += 1
        return [m.CancelRejected.root("bell", time_ns, *key, str(self.rings), **dict.fromkeys(FIELDS, key[0]))]

    def next_due_ns(self) -> int | None:
        return self.due[0] if self.due else None

    def on_time(self, time_ns: int) -> list[m.Message]:
        if not self.due or self.due[0] > time_ns:
            return []
        return self._ring(self.due.pop(0), "time")

    def on_row(
        self,
        symbol: str,
        sequence: int,
        time_ns: int,
        bid: int,
        ask: int,
        bid_size: int,
        ask_size: int,
        price: int,
        size: int,
        aggressor: int,
    ) -> list[m.Message]:
        low, high = self.bounds(symbol)
        if low < bid and ask < high and (price == 0 or low < price < high):
            return []
        self.limits[symbol] = (low - 3, high + 3)
        self.dirty = [symbol]
        self.due = sorted([*self.due, time_ns + 7 * SECOND_NS])
        return self._ring(time_ns, "row", symbol, str(sequence))

    def bounds(self, symbol: str) -> tuple[int, int]:
        return self.limits.get(symbol, (-1, 2**62))

    def dirty_symbols(self) -> list[str]:
        dirty, self.dirty = self.dirty, []
        return dirty


FIELDS = ("client_order_id", "order_id", "account", "instrument", "reason")
ALWAYS = SessionHours(time_zone="UTC", open=(), day_starts_at="00:00")


class Loop:
    def __init__(
        self,
        due: tuple[int, ...] = (),
        bounds: dict[str, tuple[int, int]] | None = None,
        *,
        oracle: bool = False,
        session: SessionHours = ALWAYS,
        timeframes: tuple[Timeframe, ...] = (Timeframe.M1, Timeframe.M5),
    ) -> None:
        instruments = tuple(msgspec.structs.replace(make_instrument(symbol), session=session) for symbol in SYMBOLS)
        self.said: list[m.Message] = []
        self.bars = Bars(instruments, timeframes, frozenset())
        self.bell = Bell(list(due), dict(bounds or {}))
        self.timeline = Timeline(
            self.bars, self.bell, [session] * len(SYMBOLS), STALE_NS, self.said.append, one_row_at_a_time=oracle
        )
        self.timeline.refresh_bounds()
        self.rows = 0

    def see(self, *rows: Row) -> Loop:
        self.timeline.consume(batch_of(list(rows), SYMBOLS, self.rows))
        self.rows += len(rows)
        return self

    def until(self, time_ns: int) -> Loop:
        self.timeline.advance(time_ns)
        return self

    def told(self) -> list[tuple[str, int]]:
        """(what, seconds since the start) of everything said."""
        return [(_name(message), (message.occurred_at_ns - START_NS) // SECOND_NS) for message in self.said]


def _name(message: m.Message) -> str:
    match message:
        case m.BarClosed(bar=bar):
            return f"{bar.instrument} {bar.timeframe}"
        case m.CancelRejected(reason=reason):
            return f"ring by {reason}"
        case m.FeedStale(instrument=symbol) | m.FeedGapFound(instrument=symbol) | m.FeedRecovered(instrument=symbol):
            return f"{symbol} {type(message).__name__}"
        case _:
            raise AssertionError(message)


def row(second: float, instrument: int = 0, bid: int = 100, ask: int = 102, price: int = 0) -> Row:
    return Row(START_NS + int(second * SECOND_NS), instrument, bid, ask, price)


def seconds(second: float) -> int:
    return START_NS + int(second * SECOND_NS)


def test_at_one_instant_bars_end_then_feeds_grow_stale_then_the_venue_acts_then_the_row_is_seen() -> None:
    loop = Loop(due=(seconds(300),), bounds={"BBB": (-1, 150)})
    loop.see(row(210, 0), row(210, 1), row(300, 1, 140, 150))
    assert loop.told() == [
        ("AAA 1m", 240),
        ("BBB 1m", 240),
        ("AAA 5m", 300),
        ("BBB 5m", 300),
        ("AAA FeedStale", 300),
        ("BBB FeedStale", 300),
        ("ring by time", 300),
        ("BBB FeedGapFound", 300),
        ("BBB FeedRecovered", 300),
        ("ring by row", 300),
    ]


def test_a_bar_that_closes_already_knows_only_the_rows_before_its_end() -> None:
    loop = Loop().see(row(59.9, bid=100, ask=102), row(60, bid=200, ask=202))
    (closed,) = loop.said
    assert isinstance(closed, m.BarClosed)
    assert (closed.bar.bid, closed.bar.ask) == (
        loop.bars.instruments[0].price_of(100),
        loop.bars.instruments[0].price_of(102),
    )


def test_time_that_has_passed_already_changes_nothing() -> None:
    loop = Loop().see(row(0)).until(seconds(60))
    told = loop.told()
    assert loop.until(seconds(30)).until(seconds(60)).told() == told == [("AAA 1m", 60)]
    assert loop.timeline.now_ns == seconds(60)


def test_an_empty_batch_changes_nothing() -> None:
    loop = Loop(due=(START_NS,)).see()
    assert loop.said == []
    assert loop.timeline.now_ns == 0


def test_a_batch_of_other_symbols_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        Loop().timeline.consume(batch_of([row(0)], ("BBB", "AAA")))


@pytest.mark.parametrize(("silence", "said"), [(89.999, []), (90, ["stale"]), (90.001, ["stale"])])
def test_a_feed_is_stale_exactly_when_the_allowed_silence_has_passed(silence: float, said: list[str]) -> None:
    loop = Loop(timeframes=(Timeframe.D1,)).see(row(10)).until(seconds(10 + silence))
    assert loop.told() == [("AAA FeedStale", 100) for _ in said]


def test_staleness_counts_from_the_newest_row_though_it_was_folded_without_attention() -> None:
    loop = Loop(timeframes=(Timeframe.D1,)).see(row(10), row(50), row(70)).until(seconds(159))
    assert loop.said == []
    stale = loop.until(seconds(160)).said[0]
    assert isinstance(stale, m.FeedStale)
    assert (stale.last_ns, stale.occurred_at_ns) == (seconds(70), seconds(160))
    assert stale.stale_after_ns == seconds(160) - seconds(70)


def test_a_stale_feed_is_told_once_and_its_gap_and_recovery_at_the_next_row() -> None:
    loop = Loop(timeframes=(Timeframe.D1,)).see(row(0)).until(seconds(1000)).see(row(1000), row(1001))
    stale, gap, recovered = loop.said
    assert isinstance(stale, m.FeedStale)
    assert isinstance(gap, m.FeedGapFound)
    assert (gap.from_ns, gap.to_ns) == (seconds(0), seconds(1000))
    assert isinstance(recovered, m.FeedRecovered)
    assert recovered.causation_id == gap.message_id
    assert loop.until(seconds(1090)).told() == loop.told()[:3]
    assert loop.until(seconds(1091)).told()[3:] == [("AAA FeedStale", 1091)]


def test_one_feed_may_be_stale_while_another_flows() -> None:
    loop = Loop(timeframes=(Timeframe.D1,)).see(row(0, 0), row(0, 1), row(60, 1), row(120, 1))
    assert loop.told() == [("AAA FeedStale", 90)]


def test_silence_while_the_session_is_closed_is_neither_stale_nor_a_gap() -> None:
    closes = SessionHours(time_zone="UTC", open=("tue 00:00 - 22:16", "wed 00:00 - 24:00"), day_starts_at="00:00")
    loop = Loop(session=closes, timeframes=(Timeframe.D1,)).see(row(0)).until(seconds(80)).see(row(6350), row(6351))
    assert [name for name, _ in loop.told()] == ["AAA 1d"]


def test_a_session_that_opens_without_a_row_grows_stale_once_it_has_been_open_as_long_as_silence_may_last() -> None:
    closes = SessionHours(time_zone="UTC", open=("tue 00:00 - 22:16", "wed 00:00 - 24:00"), day_starts_at="00:00")
    loop = Loop(session=closes, timeframes=(Timeframe.D1,)).see(row(0)).until(seconds(6_300 + 89))
    assert [name for name, _ in loop.told()] == ["AAA 1d"]
    loop.until(seconds(6_300 + 180))
    assert [type(message).__name__ for message in loop.said][-1] == "FeedStale"


def test_the_touch_is_the_newest_row_and_nothing_before_the_first() -> None:
    loop = Loop()
    touch = BarTouch(loop.bars)
    assert touch.quote("AAA") is None
    assert touch.quote("ZZZ") is None
    loop.see(row(0), row(1, bid=103, ask=105))
    quote = touch.quote("AAA")
    assert quote is not None
    assert (quote.sequence, quote.time_ns, quote.bid, quote.ask) == (1, seconds(1), 103, 105)
    assert touch.quote("BBB") is None


@st.composite
def tapes(draw: st.DrawFn) -> list[Row]:
    time_ns = START_NS
    rows = []
    for _ in range(draw(st.integers(1, 40))):
        time_ns += draw(st.sampled_from([0, 1, SECOND_NS, 20 * SECOND_NS, 60 * SECOND_NS, STALE_NS, 400 * SECOND_NS]))
        bid = draw(st.integers(90, 110))
        price = draw(st.sampled_from([0, 0, bid, bid + 3]))
        rows.append(Row(time_ns, draw(st.integers(0, 1)), bid, bid + draw(st.integers(0, 2)), price, 1 if price else 0))
    return rows


DUE = (seconds(0), seconds(60), seconds(61), seconds(300))
BOUNDS = {"AAA": (95, 105), "BBB": (-1, 108)}
BOUNDARY = [row(0), row(60, bid=95, ask=96), row(60, bid=96, ask=105), row(60, bid=96, ask=104, price=105), row(150)]


def said_of(rows: list[Row], act: Callable[[Loop], object], *, oracle: bool = False) -> list[m.Message]:
    loop = Loop(DUE, BOUNDS, oracle=oracle)
    act(loop)
    loop.until(rows[-1].time_ns + 86_400 * SECOND_NS)
    return loop.said


@settings(max_examples=60)
@given(tapes())
@example(BOUNDARY)
def test_one_row_at_a_time_gives_the_same_messages_as_the_compiled_scan(rows: list[Row]) -> None:
    whole = said_of(rows, lambda loop: loop.see(*rows))
    assert said_of(rows, lambda loop: loop.see(*rows), oracle=True) == whole


@settings(max_examples=60)
@given(tapes(), st.data())
@example(BOUNDARY, None)
def test_how_often_time_is_advanced_and_where_batches_are_cut_changes_no_message(
    rows: list[Row], data: st.DataObject | None
) -> None:
    def in_pieces(loop: Loop) -> None:
        for index, each in enumerate(rows):
            loop.see(each)
            after = rows[index + 1].time_ns if index + 1 < len(rows) else each.time_ns
            loop.until(after if data is None else data.draw(st.integers(each.time_ns, after)))

    assert said_of(rows, in_pieces) == said_of(rows, lambda loop: loop.see(*rows))


@settings(max_examples=40)
@given(tapes(), st.integers(0, 40))
@example(BOUNDARY, 2)
def test_the_loop_goes_on_from_a_snapshot_as_if_never_interrupted(rows: list[Row], cut: int) -> None:
    whole = said_of(rows, lambda loop: loop.see(*rows))
    first = Loop(DUE, BOUNDS).see(*rows[:cut])
    saved = msgspec.json.decode(msgspec.json.encode(first.timeline.snapshot()), type=TimelineSnapshot)
    second = Loop(DUE, BOUNDS)
    second.bell.__dict__.update(first.bell.__dict__)
    second.rows = first.rows
    second.timeline.restore(saved)
    second.see(*rows[cut:]).until(rows[-1].time_ns + 86_400 * SECOND_NS)
    assert first.said + second.said == whole
