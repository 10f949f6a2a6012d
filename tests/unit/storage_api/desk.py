"""A desk that has traded, and everything that a series made of its log answers."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from tests.integration.simulated import ACCOUNT, SYMBOL, make_desk, proposal, take
from tmt.bootstrap import Desk
from tmt.domain.order import Side
from tmt.market.bar import Timeframe
from tmt.ports.series import SCHEMAS, STAGE_DURATION, Key, Page, Series, Window
from tmt.storage_api.writer import BREAKER_STATE, SIGNAL_EXECUTION

SYMBOLS = (SYMBOL, "XAUUSD.SIM", "BTCUSD.SIM", "US500.SIM")
METRICS = (STAGE_DURATION, SIGNAL_EXECUTION, BREAKER_STATE, "tmt_setup_trades", "tmt_setup_win_rate")


def traded(book: Path, batches: int = 10) -> Desk:
    """Two round trips by hand, with market data in between; open, and to be closed."""
    desk = make_desk(book)
    desk.start()
    take(desk, batches)
    for number in range(2):
        desk.command(proposal(desk, f"buy{number}"))
        take(desk, batches)
        desk.command(proposal(desk, f"sell{number}", side=Side.SELL, stop_loss_price=None, reduce_only=True))
        take(desk, batches)
    return desk


def whole(series: Series) -> dict[str, list[dict[str, Any]]]:
    """Every row, table by table."""
    questions: dict[str, list[Callable[[Window], Page]]] = {
        "quotes": [partial(series.quotes, symbol) for symbol in SYMBOLS],
        "trades": [partial(series.trades, symbol) for symbol in SYMBOLS],
        "bars": [
            partial(series.candles, symbol, length) for symbol in SYMBOLS for length in (Timeframe.M1, Timeframe.M5)
        ],
        "equity": [partial(series.equity, ACCOUNT)],
        "metrics": [partial(series.metrics, name) for name in METRICS],
    }
    assert questions.keys() == SCHEMAS.keys()
    return {name: [row for ask in asked for row in every(ask)] for name, asked in questions.items()}


def every(ask: Callable[[Window], Page]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    after: Key | None = None
    while True:
        page = ask(Window(limit=10_000, after=after))
        rows += page.rows.to_pylist()
        after = page.next
        if after is None:
            return rows
