"""A desk on the simulator, for tests."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from tmt import messages as m
from tmt.adapters.clock.system import SystemClock
from tmt.adapters.feed.opening import open_simulator
from tmt.bootstrap import Desk, open_desk
from tmt.config import Loaded
from tmt.domain.order import OrderType, Side, TimeInForce
from tmt.ports.feed import Feed
from tmt.sections import load_config

ACCOUNT, SYMBOL = "paper-usd", "EURUSD.SIM"


def make_desk(book: Path, *, seed: int = 7, mode: str = "up", overrides: tuple[str, ...] = ()) -> Desk:
    book.mkdir(exist_ok=True)
    loaded = load_config(None, overrides=overrides)
    return open_desk(loaded, open_feed(loaded, seed), book, mode=mode, seed=seed, clock=SystemClock())


def open_feed(loaded: Loaded, seed: int, batch_rows: int = 1000) -> Feed:
    instruments = {each.symbol: each for each in loaded.sections["instruments"].instruments}
    simulator = msgspec.structs.replace(loaded.sections["simulator"], seed=seed)
    return open_simulator(simulator, instruments, batch_rows=batch_rows)


def take(desk: Desk, batches: int) -> None:
    for batch, _ in zip(desk.batches(), range(batches), strict=False):
        desk.take(batch)


def proposal(desk: Desk, key: str, **changes: Any) -> m.OrderProposed:
    mark = desk.portfolio.mark(SYMBOL)
    assert mark is not None
    wanted: dict[str, Any] = {
        "account": ACCOUNT,
        "instrument": SYMBOL,
        "side": Side.BUY,
        "quantity": Decimal(2000),
        "order_type": OrderType.MARKET,
        "time_in_force": TimeInForce.GTC,
        "person": "a trader",
        "strategy": "manual",
        "stop_loss_price": mark.bid - Decimal("0.05"),
    }
    return m.OrderProposed.root("person", desk.runner.timeline.now_ns, key, **{**wanted, **changes})


def killed(desk: Desk) -> None:
    """Leave the book as a killed process would: released, without a snapshot at the head."""
    desk.log.close()
    desk._open = False


def hashes(desk: Desk) -> tuple[bytes, bytes]:
    return desk.runner.decision_hash, desk.portfolio.ledger.hash
