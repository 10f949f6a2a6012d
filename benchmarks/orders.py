"""The order of the benchmarks: one that every gate lets pass at any time, and that leaves nothing behind.

To buy 0.01 BTCUSD.SIM with a stop-loss, at a limit below the market, immediate or cancel: the venue takes it and
cancels it at once, so each order is judged by a desk that holds nothing. Bitcoin, because its market never closes.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

import msgspec

SYMBOL: Final = "BTCUSD.SIM"
QUANTITY: Final = Decimal("0.01")
LIMIT_PRICE: Final = Decimal("63000.00")
STOP_LOSS_PRICE: Final = Decimal("62000.00")
PATH: Final = "/api/v1/orders"


def body(client_order_id: str, **changes: str) -> bytes:
    """The JSON that is posted."""
    wanted: dict[str, Any] = {
        "symbol": SYMBOL,
        "side": "buy",
        "type": "limit",
        "time_in_force": "ioc",
        "quantity": QUANTITY,
        "price": LIMIT_PRICE,
        "stop_loss_price": STOP_LOSS_PRICE,
        "client_order_id": client_order_id,
    }
    return msgspec.json.encode({**wanted, **changes})
