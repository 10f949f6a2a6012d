"""The peer of `benchmarks/replay.py`: NautilusTrader on the same quotes with the same order rule.

Runs in an environment of its own: `python nautilus_replay.py QUOTES.npz EVERY`, where EVERY is 0 for no
orders. Prints one JSON object.
"""

# mypy: ignore-errors
# Its imports are in its own environment alone.

from __future__ import annotations

import json
import resource
import sys
import time
from decimal import Decimal
from importlib.metadata import version

import numpy as np
from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.config import LoggingConfig, StrategyConfig
from nautilus_trader.model.currencies import USD
from nautilus_trader.model.data import QuoteTick
from nautilus_trader.model.enums import AccountType, OmsType, OrderSide
from nautilus_trader.model.identifiers import InstrumentId, Venue
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.test_kit.providers import TestInstrumentProvider
from nautilus_trader.trading.strategy import Strategy

FIRST_ORDER_TICK = 1000
"""As in `tmt_replay.py`."""


class EveryConfig(StrategyConfig, frozen=True):
    instrument_id: InstrumentId
    every: int


class Every(Strategy):
    """A market order every `every` ticks, buying and selling in turn; no orders when it is 0."""

    def __init__(self, config: EveryConfig) -> None:
        super().__init__(config)
        self.seen = 0
        self.orders = 0
        self.fills = 0

    def on_start(self) -> None:
        self.instrument = self.cache.instrument(self.config.instrument_id)
        self.subscribe_quote_ticks(self.config.instrument_id)

    def on_quote_tick(self, tick: QuoteTick) -> None:
        self.seen += 1
        every = self.config.every
        if every == 0 or self.seen % every or self.seen < FIRST_ORDER_TICK:
            return
        side = OrderSide.BUY if self.orders % 2 == 0 else OrderSide.SELL
        self.orders += 1
        order = self.order_factory.market(self.config.instrument_id, side, self.instrument.make_qty(Decimal(1000)))
        self.submit_order(order)

    def on_order_filled(self, event: object) -> None:
        self.fills += 1


def main() -> None:
    quotes = np.load(sys.argv[1])
    every = int(sys.argv[2])
    venue = Venue("SIM")
    engine = BacktestEngine(BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True)))
    engine.add_venue(
        venue=venue,
        oms_type=OmsType.NETTING,
        account_type=AccountType.MARGIN,
        base_currency=USD,
        starting_balances=[Money(1_000_000, USD)],
    )
    instrument = TestInstrumentProvider.default_fx_ccy("EUR/USD", venue)
    engine.add_instrument(instrument)
    size = Quantity.from_int(1_000_000)
    columns = zip(quotes["bid"].tolist(), quotes["ask"].tolist(), quotes["time_ns"].tolist(), strict=True)
    engine.add_data(
        [
            QuoteTick(instrument.id, Price(bid / 1e5, 5), Price(ask / 1e5, 5), size, size, at, at)
            for bid, ask, at in columns
        ]
    )
    strategy = Every(EveryConfig(instrument_id=instrument.id, every=every))
    engine.add_strategy(strategy)
    cpu, wall = time.process_time(), time.perf_counter()
    engine.run()
    print(
        json.dumps(
            {
                "engine": f"NautilusTrader {version('nautilus_trader')}",
                "ticks": strategy.seen,
                "orders": strategy.orders,
                "fills": strategy.fills,
                "cpu_seconds": time.process_time() - cpu,
                "wall_seconds": time.perf_counter() - wall,
                "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            }
        )
    )


if __name__ == "__main__":
    main()
