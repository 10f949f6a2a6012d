"""Replays of the recorded market data through the whole desk, for tests."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tmt import messages as m
from tmt.adapters.clock.system import SystemClock
from tmt.adapters.feed.opening import open_replay
from tmt.bootstrap import Desk, open_desk
from tmt.market.batch import MarketBatch
from tmt.ports.feed import Feed
from tmt.sections import load_config


@dataclass(frozen=True)
class Recording:
    """One data set: what it is of, where it is, and what of the configuration it needs changed."""

    name: str
    symbol: str
    path: str
    overrides: tuple[str, ...] = ()


TAPE_TIMEFRAMES = ("market.timeframes=[1s, 5s, 15s, 1m]", "wyckoff.timeframes=[1s, 5s, 15s, 1m]")
RECORDINGS = (
    Recording("eurusd-ticks", "EURUSD", "eurusd_quotes_tick"),
    Recording("eurusd-hours", "EURUSD", "eurusd_bars_hour"),
    Recording("spy-hours", "SPY", "equity_bars_hour/spy.zip"),
    Recording("aapl-hours", "AAPL", "equity_bars_hour/aapl.zip"),
    Recording("spy-trades", "SPY", "spy_trades_tick"),
    Recording("btcusd-minutes", "BTCUSD", "btcusd_bars_minute"),
    Recording("btcusdt-tape", "BTCUSDT", "btcusdt_binance_tape/btcusdt_20240808.gz", TAPE_TIMEFRAMES),
)


def named(name: str) -> Recording:
    return next(recording for recording in RECORDINGS if recording.name == name)


def feed_of(recording: Recording, data: Path, *, overrides: tuple[str, ...] = (), batch_rows: int = 8192) -> Feed:
    loaded = load_config(None, overrides=(*recording.overrides, *overrides))
    instrument = next(i for i in loaded.sections["instruments"].instruments if i.symbol == recording.symbol)
    return open_replay([data / recording.path], instrument, loaded.sections["feeds"], batch_rows)


def open_recorded(
    recording: Recording,
    data: Path,
    book: Path,
    *,
    overrides: tuple[str, ...] = (),
    batch_rows: int = 8192,
    one_row_at_a_time: bool = False,
) -> Desk:
    book.mkdir(parents=True, exist_ok=True)
    return open_desk(
        load_config(None, overrides=(*recording.overrides, *overrides)),
        feed_of(recording, data, overrides=overrides, batch_rows=batch_rows),
        book,
        mode="replay",
        seed=1,
        clock=SystemClock(),
        one_row_at_a_time=one_row_at_a_time,
    )


def run(
    desk: Desk, *, rows_max: int | None = None, cut: Callable[[MarketBatch], Iterable[MarketBatch]] = lambda b: [b]
) -> tuple[str, str]:
    """Start, take what there is (up to `rows_max` rows), close; the hashes of decisions and ledger."""
    desk.start()
    taken = 0
    for batch in desk.batches():
        for part in cut(batch):
            wanted = part if rows_max is None else part.rows(0, min(len(part), rows_max - taken))
            if len(wanted):
                desk.take(wanted)
            taken += len(wanted)
        if taken == rows_max:
            break
    hashes = hashes_of(desk)
    desk.close()
    return hashes


def hashes_of(desk: Desk) -> tuple[str, str]:
    return desk.runner.decision_hash.hex(), desk.portfolio.ledger.hash.hex()


def decisions(desk: Desk) -> Iterator[m.Message]:
    kinds = tuple(sorted(kind.__name__ for kind in m.DECISIONS))
    return (m.decode(recorded.body) for recorded in desk.log.read(types=kinds))


def golden_line(message: m.Message) -> str:
    """One decision as a line that a reviewer can read and compare."""
    seconds, fraction = divmod(message.occurred_at_ns, 1_000_000_000)
    when = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S") + f".{fraction:09d}"
    return f"{when} {type(message).__name__} {message.correlation_id[:8]} {_told(message)}".rstrip()


def _told(message: m.Message) -> str:
    match message:
        case m.SignalRaised():
            plan = f"{message.entry_price} stop {message.stop_price} target {message.target_price}"
            return f"{message.timeframe} {message.setup} {message.side} {plan} confidence {message.confidence}"
        case m.GateApproval(order=order):
            return f"{order.account} {order.side} {order.quantity}"
        case m.OrderDenied():
            return f"{message.gate} {message.reason} {message.measured} against {message.limit} {message.unit}"
        case m.BreakerTransition():
            return f"{message.tier} {message.scope} {message.trigger} {message.measured} against {message.limit}"
        case m.OrderFilled():
            deal = f"{message.role} {message.side} {message.quantity} at {message.price} fee {message.fee}"
            return f"{deal} {message.liquidity} slippage {message.slippage}"
        case m.OrderAccepted():
            return f"{message.order_type} {message.side} {message.quantity} at {message.price}"
        case m.OrderCancelled() | m.OrderRejected() | m.CancelSubmitted():
            return f"{message.client_order_id[:8]} {message.reason}"
        case m.AccountSuspended():
            return f"{message.account} {message.rule} {message.measured} against {message.limit}"
        case _:
            return ""
