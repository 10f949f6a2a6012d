"""A past, a range and a bar in round numbers, to hold rules against."""

from tmt.agents.wyckoff.track import Figures, Reading, Track
from tmt.agents.wyckoff.trading_range import TradingRange

# True range and mean spread are 100 units, mean effort 10; 100 bars between 1000 and 1100, then a bar under judgement.
TRACK = Track(
    places=3,
    bars=100,
    window=(Figures(1_100.0, 1_000.0, 1_050.0, 10.0),) * 100,
    true_range=100.0,
    spread=100.0,
    effort=10.0,
    effort_deviation=2.0,
    close=1_050.0,
)
RANGE = TradingRange(
    range_id="r",
    phase="B",
    opened=50,
    atr=100.0,
    origin=2_000.0,
    support=1_000.0,
    resistance=1_400.0,
    peak=1_400.0,
    climax_spread=300.0,
    climax_effort_ratio=4.0,
    climax_strength=0.9,
    edges_known=True,
    thrust_low=950.0,
)
READING = Reading(
    sign=1,
    number=101,
    high=1_120.0,
    low=1_040.0,
    close=1_110.0,
    spread=80.0,
    location=0.875,
    spread_ratio=0.8,
    effort_ratio=0.7,
    effort_tells=True,
    atr=100.0,
)
