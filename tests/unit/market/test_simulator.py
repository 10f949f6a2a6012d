"""The simulator: the same rows from the same seed, sessions kept, markets that look like markets."""

from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256

import msgspec
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.feed.given import INSTRUMENTS, SIMULATOR
from tmt.adapters.feed.opening import open_simulator
from tmt.market.batch import COLUMNS, MarketBatch
from tmt.market.regimes import SCHEMATICS
from tmt.market.simulator import Simulator, SimulatorConfig
from tmt.ports.feed import Feed

HOUR_NS = 3600 * 10**9
START_NS = SIMULATOR.start_ns


def feed(batch_rows: int = 8192, **changes: object) -> Feed:
    return open_simulator(msgspec.structs.replace(SIMULATOR, **changes), INSTRUMENTS, batch_rows)


def whole(made: Feed, hours: int) -> MarketBatch:
    batches = list(made.batches(until_ns=START_NS + hours * HOUR_NS))
    columns = {name: np.concatenate([getattr(batch, name) for batch in batches]) for name, _ in COLUMNS}
    return MarketBatch(symbols=made.symbols, first_sequence=0, **columns)


def digest(batch: MarketBatch) -> str:
    return sha256(b"".join(np.ascontiguousarray(getattr(batch, name)).tobytes() for name, _ in COLUMNS)).hexdigest()


@pytest.fixture(scope="module")
def two_hours() -> MarketBatch:
    return whole(feed(), 2)


@pytest.fixture(scope="module")
def day() -> MarketBatch:
    return whole(feed(), 24)


def test_the_same_seed_gives_the_same_rows_and_another_seed_others() -> None:
    assert digest(whole(feed(), 2)) == digest(whole(feed(100), 2))
    assert digest(whole(feed(), 2)) != digest(whole(feed(seed=8), 2))


def test_the_rows_of_a_seed_are_the_ones_recorded_here() -> None:
    rows = whole(feed(), 1).rows(0, 4)
    assert (rows.time_ns - START_NS).tolist() == [62931881, 70138105, 128384572, 349074329]
    assert rows.bid.tolist() == [55996, 6499964, 239988, 55997]
    assert rows.instrument.tolist() == [2, 3, 1, 2]


def test_rows_are_in_time_order_with_a_spread_and_whole_ticks(day: MarketBatch) -> None:
    assert (np.diff(day.time_ns) >= 0).all()
    assert (day.bid > 0).all()
    assert (day.ask > day.bid).all()
    assert (day.bid_size > 0).all()
    assert (day.ask_size > 0).all()
    for index, symbol in enumerate(day.symbols):
        tick = INSTRUMENTS[symbol].quanta_of(INSTRUMENTS[symbol].tick_size)
        assert not (day.bid[day.instrument == index] % tick).any()


def test_a_trade_is_at_the_side_of_the_quote_that_its_aggressor_took(day: MarketBatch) -> None:
    trades = day.price > 0
    assert (day.price[trades] == np.where(day.aggressor > 0, day.ask, day.bid)[trades]).all()
    assert (day.size[trades] > 0).all()
    assert (np.abs(day.aggressor[trades]) == 1).all()
    assert not day.size[~trades].any()
    assert not day.aggressor[~trades].any()
    assert 0.2 < trades.mean() < 0.4


def test_a_trade_meets_the_quote_of_the_row_before_it(day: MarketBatch) -> None:
    for index in range(len(day.symbols)):
        mine = day.instrument == index
        trades = np.flatnonzero(day.price[mine] > 0)
        assert (day.bid[mine][trades] == day.bid[mine][trades - 1]).all()
        assert (day.ask[mine][trades] == day.ask[mine][trades - 1]).all()


def test_an_open_market_has_about_the_configured_rows_a_second(day: MarketBatch) -> None:
    rows = np.bincount(day.instrument)[day.symbols.index("BTCUSD.SIM")]
    assert 2 < rows / 86_400 < 5


def test_prices_wander_but_stay_near_what_volatility_allows(day: MarketBatch) -> None:
    for index, market in enumerate(SIMULATOR.markets):
        mid = (day.bid + day.ask)[day.instrument == index] / 2
        usual = float(market.volatility_daily_fraction)
        assert 0.5 * usual < np.ptp(mid) / mid[0] < 6 * usual


def test_lively_hours_have_more_rows_than_quiet_ones(day: MarketBatch) -> None:
    hour = (day.time_ns - START_NS) // HOUR_NS
    rows = np.bincount(hour, minlength=24)
    assert rows[14] > 1.5 * rows[4]


def test_markets_are_correlated_by_the_minute(day: MarketBatch) -> None:
    minutes = np.arange(START_NS, START_NS + 20 * HOUR_NS, HOUR_NS // 60)
    returns = []
    for symbol in ("EURUSD.SIM", "US500.SIM"):
        mine = day.instrument == day.symbols.index(symbol)
        mid = (day.bid + day.ask)[mine][np.searchsorted(day.time_ns[mine], minutes)]
        returns.append(np.diff(mid) / mid[:-1])
    assert np.corrcoef(returns)[0, 1] > 0.1


def test_a_closed_market_gives_no_row() -> None:
    weekend = feed(start="2026-01-09T12:00:00+00:00")
    rows = list(weekend.batches(until_ns=int(datetime(2026, 1, 11, tzinfo=UTC).timestamp()) * 10**9))
    for batch in rows:
        for index, symbol in enumerate(batch.symbols):
            times = batch.time_ns[batch.instrument == index].tolist()
            assert all(INSTRUMENTS[symbol].session.is_open(time_ns) for time_ns in times[:3] + times[-3:])
    assert set(rows[-1].instrument.tolist()) == {rows[-1].symbols.index("BTCUSD.SIM")}


@settings(max_examples=20)
@given(from_sequence=st.integers(0, 60_000), batch_rows=st.integers(1_000, 20_000))
@example(from_sequence=0, batch_rows=100)
@example(from_sequence=40_000, batch_rows=20_000)
def test_resuming_gives_the_same_rows_and_totals(two_hours: MarketBatch, from_sequence: int, batch_rows: int) -> None:
    until_ns = START_NS + 2 * HOUR_NS
    resumed = feed(batch_rows)
    sequence = from_sequence = min(from_sequence, len(two_hours) - 1)
    for batch in resumed.batches(from_sequence, until_ns):
        assert batch.first_sequence == sequence
        sequence += len(batch)
        expected = two_hours.rows(batch.first_sequence, sequence)
        assert all((getattr(batch, name) == getattr(expected, name)).all() for name, _ in COLUMNS)
    assert sequence == len(two_hours)
    trades = int((two_hours.price > 0).sum())
    found = resumed.quality.instruments.values()
    assert sum(market.rows for market in found) == len(two_hours)
    assert sum(market.trades for market in found) == trades


def test_totals_are_those_of_the_rows_delivered(day: MarketBatch) -> None:
    made = feed()
    whole(made, 24)
    for index, symbol in enumerate(day.symbols):
        mine = day.instrument == index
        found = made.quality.instruments[symbol]
        assert (found.rows, found.trades) == (int(mine.sum()), int((mine & (day.price > 0)).sum()))
        assert found.quotes == found.rows - found.trades


def test_the_feed_says_that_it_is_simulated_and_has_no_end() -> None:
    made = feed()
    assert made.simulated
    assert made.total_rows() is None
    assert "SIMULATED" in made.sources[0]
    assert "seed 7" in made.sources[0]


def test_minutes_follow_on_one_another_without_a_jump() -> None:
    blocks = Simulator(SIMULATOR, INSTRUMENTS).blocks()
    first, second = next(blocks), next(blocks)
    assert (first.opening[1:, 3] == first.closing[:-1, 3]).all()
    assert second.opening[0, 3] == first.closing[-1, 3]
    assert second.start_ns == first.start_ns + SIMULATOR.block_minutes * HOUR_NS // 60


def test_every_schematic_holds_what_a_reader_of_ranges_looks_for() -> None:
    for schematic in SCHEMATICS:
        assert all(phase.minutes > 0 and phase.volatility > 0 and phase.volume > 0 for phase in schematic.phases)
    names = [phase.name for phase in SCHEMATICS[0].phases]
    assert [name for name in names if name != "range"] == [
        "markdown",
        "selling climax",
        "automatic rally",
        "secondary test",
        "spring",
        "recovery",
        "test",
        "sign of strength",
        "last point of support",
        "markup",
        "reaction",
        "markup",
    ]


@pytest.mark.parametrize(
    ("name", "bad", "good"),
    [
        ("seed", -1, 0),
        ("start", "2026-01-05T00:00:00", "2026-01-05T00:00:00Z"),
        ("rows_per_second", Decimal("0.19"), Decimal("0.2")),
        ("rows_per_second", Decimal("1000.1"), Decimal(1000)),
        ("block_minutes", 0, 1),
        ("block_minutes", 1441, 1440),
        ("markets", (), SIMULATOR.markets[:1]),
    ],
)
def test_a_setting_out_of_range_is_refused_by_name(name: str, bad: object, good: object) -> None:
    fields = {field: getattr(SIMULATOR, field) for field in SimulatorConfig.__struct_fields__}
    with pytest.raises(ValueError, match=name):
        SimulatorConfig(**fields | {name: bad})
    assert getattr(SimulatorConfig(**fields | {name: good}), name) == good


@pytest.mark.parametrize(
    ("name", "bad", "good"),
    [
        ("start_price", Decimal(0), Decimal(1)),
        ("volatility_daily_fraction", Decimal("0.201"), Decimal("0.2")),
        ("correlation", Decimal("-1.01"), Decimal(-1)),
        ("trade_fraction", Decimal("0.91"), Decimal("0.9")),
        ("spread_ticks", 0, 1),
        ("size_lots", 0, 1),
    ],
)
def test_a_markets_setting_out_of_range_is_refused_by_name(name: str, bad: object, good: object) -> None:
    market = SIMULATOR.markets[0]
    fields = {field: getattr(market, field) for field in market.__struct_fields__}
    with pytest.raises(ValueError, match=name):
        type(market)(**fields | {name: bad})
    assert getattr(type(market)(**fields | {name: good}), name) == good


def test_a_real_instrument_is_never_simulated() -> None:
    real = msgspec.structs.replace(SIMULATOR.markets[0], symbol="EURUSD")
    with pytest.raises(ValueError, match="EURUSD"):
        feed(markets=(real,))
