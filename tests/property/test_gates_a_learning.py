"""For any outcomes in any order the statistics are the same; for any bars a replay from a snapshot ends the same."""

from decimal import Decimal

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.agents.desk import Desk, default_config
from tmt.agents import anti_correlation
from tmt.agents.anti_correlation import AntiCorrelationConfig, AntiCorrelationState
from tmt.agents.anti_correlation.covariance import correlate
from tmt.agents.anti_correlation.returns import ReturnSeries
from tmt.agents.aria import AriaConfig
from tmt.agents.aria.state import band_in_force
from tmt.agents.aria.volatility import advance
from tmt.agents.improvement import ImprovementState, evolve
from tmt.domain.money import decode_hook
from tmt.market.bar import Timeframe

ARIA = default_config(AriaConfig, "aria")
CONCENTRATION = default_config(AntiCorrelationConfig, "anti_correlation")
TRIPS = st.lists(st.tuples(st.integers(-(10**9), 10**9), st.integers(0, 10**6)), min_size=1, max_size=20)
CLOSES = st.lists(st.integers(1, 10**7), min_size=1, max_size=30)
DRAWDOWNS = st.integers(0, 10_000).map(lambda n: Decimal(n) / 10_000)


@given(trips=TRIPS, data=st.data())
def test_the_order_of_outcomes_does_not_matter(trips: list[tuple[int, int]], data: st.DataObject) -> None:
    desk = Desk()
    closed = [desk.close_trip(realised=str(Decimal(cents) / 100), risk=str(risk)) for cents, risk in trips]
    shuffled = data.draw(st.permutations(closed))
    one, other = ImprovementState(), ImprovementState()
    for trip, moved in zip(closed, shuffled, strict=True):
        one, other = evolve(one, trip), evolve(other, moved)
    assert one == other
    outcomes = one.outcomes["spring_test/EURUSD"]
    if outcomes.trades:
        mean, low, high = outcomes.expectancy_r()
        assert low <= mean <= high


@given(closes=CLOSES, cut=st.integers(0, 30))
@settings(max_examples=50)
def test_a_restart_anywhere_ends_in_the_same_state(closes: list[int], cut: int) -> None:
    desk = Desk()
    bars = []
    for close in closes:
        desk.pass_seconds(300)
        bars.append(desk.bar("EURUSD", str(Decimal(close) / 100_000), timeframe=Timeframe.M5))
    straight = restarted = AntiCorrelationState()
    track = track_restarted = None
    for number, message in enumerate(bars):
        if number == cut:
            raw = msgspec.json.encode(restarted)
            restarted = msgspec.json.decode(raw, type=AntiCorrelationState, dec_hook=decode_hook)
            if track_restarted is not None:
                raw = msgspec.json.encode(track_restarted)
                track_restarted = msgspec.json.decode(raw, type=type(track_restarted), dec_hook=decode_hook)
        straight = anti_correlation.evolve(straight, message, CONCENTRATION)
        restarted = anti_correlation.evolve(restarted, message, CONCENTRATION)
        track = advance(track, message.bar, 14, 20, 10)
        track_restarted = advance(track_restarted, message.bar, 14, 20, 10)
    assert straight == restarted
    assert track == track_restarted


@given(values=st.lists(st.tuples(st.integers(-99, 99), st.integers(-99, 99)), min_size=30, max_size=40))
@settings(max_examples=50)
def test_a_correlation_is_symmetric_and_bounded_and_a_mirror_turns_its_sign(values: list[tuple[int, int]]) -> None:
    ends = tuple(range(len(values)))
    rows = {
        "A": tuple(x / 1000 for x, _ in values),
        "B": tuple(y / 1000 for _, y in values),
        "C": tuple(-y / 1000 for _, y in values),
    }
    series = {name: ReturnSeries(len(values), 1.0, ends, row) for name, row in rows.items()}
    there, back = (correlate(series, *pair, CONCENTRATION).coefficient for pair in (("A", "B"), ("B", "A")))
    mirrored = correlate(series, "A", "C", CONCENTRATION).coefficient
    assert there == back
    assert there is None or (mirrored is not None and mirrored == -there and abs(there) <= 1)


@given(band=st.integers(0, 5), drawdown=DRAWDOWNS, deeper=DRAWDOWNS)
@example(5, Decimal("0.12"), Decimal("0.1201"))
@example(0, Decimal("0.15"), Decimal("0.1501"))
def test_a_deeper_drawdown_never_gives_a_better_band(band: int, drawdown: Decimal, deeper: Decimal) -> None:
    shallow, deep = sorted((drawdown, deeper))
    assert band_in_force(band, shallow, ARIA) <= band_in_force(band, deep, ARIA)
    assert band_in_force(band, deep, ARIA) <= band_in_force(5, deep, ARIA)
