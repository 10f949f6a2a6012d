"""The usual volume: of the newest bars of the shortest timeframe, and by time of day."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tests.unit.agents.desk import BTCUSD, START_NS
from tests.unit.agents.human_behavior.floor import CONFIG
from tmt.agents.human_behavior.volume import (
    SLOT_BARS_MAX,
    Traded,
    Volumes,
    remember_bar,
    time_of_day_volume,
    usual_volume,
)
from tmt.market.bar import Bar, Timeframe

CONFIG_VOLUME = CONFIG.slicing.volume
DAY_NS = 86_400 * 10**9
MIDNIGHT_NS = START_NS - START_NS % DAY_NS


def bar(volume: str = "0", ticks: int = 1, timeframe: Timeframe = Timeframe.M1, start_ns: int = MIDNIGHT_NS) -> Bar:
    price = Decimal(100)
    return Bar(
        instrument="BTCUSD",
        timeframe=timeframe,
        start_ns=start_ns,
        end_ns=start_ns + timeframe.nanoseconds,
        open=price,
        high=price,
        low=price,
        close=price,
        volume=Decimal(volume),
        tick_count=ticks,
        bid=price,
        ask=price,
    )


def remember(*bars: Bar, **changes: Any) -> Volumes:
    known = None
    for each in bars:
        known = remember_bar(known, each, msgspec.structs.replace(CONFIG_VOLUME, **changes))
    assert known is not None
    return known


def usual(known: Volumes | None, seconds: int = 60, **changes: Any) -> Decimal | None:
    return usual_volume(known, BTCUSD, seconds, msgspec.structs.replace(CONFIG_VOLUME, **changes))


def test_nothing_is_usual_before_enough_bars() -> None:
    assert usual(None) is None
    assert usual(remember(bar("10"))) is None
    assert usual(remember(bar("10"), bar("20"))) == 15


def test_it_is_the_mean_of_the_newest_bars_for_the_seconds_asked_for() -> None:
    known = remember(bar("1000"), bar("1"), bar("2"), bar("3"), bar("4"))
    assert usual(known) == Decimal("2.5")
    assert usual(known, 30) == Decimal("1.25")
    assert usual(known, 7) == Decimal("0.29166667")


def test_the_shortest_timeframe_counts_alone() -> None:
    short, long = Timeframe.S5, Timeframe.M1
    known = remember(bar("60", timeframe=long), bar("60", timeframe=long), bar("5", timeframe=short))
    assert (known.timeframe, len(known.recent)) == (short, 1)
    assert remember_bar(known, bar("60", timeframe=long), CONFIG_VOLUME) is known
    assert usual(remember_bar(known, bar("7", timeframe=short), CONFIG_VOLUME), 5) == 6


def test_where_no_volume_is_known_a_tick_stands_for_lots() -> None:
    known = remember(bar(ticks=10), bar(ticks=30))
    assert usual(known) is None
    assert usual(known, lots_per_tick=Decimal(5)) == Decimal("0.01")  # 20 ticks of 5 lots of 0.0001


def test_one_bar_with_volume_makes_ticks_meaningless() -> None:
    known = remember(bar("0", ticks=1000), bar("3", ticks=1000))
    assert usual(known, lots_per_tick=Decimal(5)) == Decimal("1.5")


def test_bars_in_which_nothing_happened_make_the_volume_unknown() -> None:
    assert usual(remember(bar(ticks=0), bar(ticks=0)), lots_per_tick=Decimal(5)) is None


def test_times_of_day_are_kept_apart() -> None:
    noon_ns = MIDNIGHT_NS + DAY_NS // 2
    known = remember(bar("1"), bar("3", start_ns=MIDNIGHT_NS + DAY_NS), bar("10", start_ns=noon_ns))
    assert time_of_day_volume(known, MIDNIGHT_NS + 30 * 60 * 10**9 - 1, CONFIG_VOLUME) == 2
    assert time_of_day_volume(known, MIDNIGHT_NS + 30 * 60 * 10**9, CONFIG_VOLUME) is None
    assert time_of_day_volume(known, noon_ns - 1, CONFIG_VOLUME) is None
    assert time_of_day_volume(known, noon_ns + 5 * DAY_NS, CONFIG_VOLUME) == 10


def test_a_bar_belongs_to_the_time_at_which_it_starts() -> None:
    known = remember(bar("8", start_ns=MIDNIGHT_NS + 29 * 60 * 10**9))
    assert list(known.slots) == ["0"]
    assert list(remember(bar("8", start_ns=MIDNIGHT_NS + 30 * 60 * 10**9)).slots) == ["30"]


def test_without_volumes_times_of_day_are_compared_by_ticks() -> None:
    known = remember(bar(ticks=10), bar(ticks=30))
    assert time_of_day_volume(known, MIDNIGHT_NS, CONFIG_VOLUME) == 20


def test_a_quiet_time_of_day_is_quiet_though_it_had_ticks() -> None:
    known = remember(bar("0", ticks=50), bar("4", start_ns=MIDNIGHT_NS + DAY_NS // 2))
    assert time_of_day_volume(known, MIDNIGHT_NS, CONFIG_VOLUME) == 0


@pytest.mark.parametrize(
    ("bars", "after"), [(SLOT_BARS_MAX - 1, SLOT_BARS_MAX), (SLOT_BARS_MAX, SLOT_BARS_MAX // 2 + 1)]
)
def test_a_long_memory_is_halved_so_that_the_newer_weighs_more(bars: int, after: int) -> None:
    slot = Traded(Decimal("0.00000007"), 9, bars)
    known = Volumes(timeframe=Timeframe.M1, slots={"0": slot})
    grown = remember_bar(known, bar("1", ticks=2), CONFIG_VOLUME).slots["0"]
    assert grown.bars == after
    assert isinstance(grown.bars, int)
    if after < bars:
        assert (grown.units, grown.ticks) == (Decimal("1.00000004"), 6)
