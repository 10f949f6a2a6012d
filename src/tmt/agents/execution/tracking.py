"""An order at the venue, as execution follows it."""

from __future__ import annotations

import msgspec

from tmt.domain.money import ZERO, Exact
from tmt.domain.order import OrderState, Side


class TrackedOrder(msgspec.Struct, frozen=True, kw_only=True):
    """One order that the venue was sent, by its client order id.

    Attributes:
        strategy: whose it is; empty for an exit of a bracket.
        limit_price, stop_price: as released, which a replacement may better and never worsen.
        stop_loss_price: where its bracket will protect it.
        filled: units so far.
        fill_ids: of those fills, so that none counts twice.
        exit_ids: client order ids of its bracket.
        cancelling: a cancel has been sent and not been refused.
    """

    order_id: str
    account: str
    instrument: str
    side: Side
    quantity: Exact
    reduce_only: bool
    exit_ids: tuple[str, ...]
    strategy: str = ""
    limit_price: Exact | None = None
    stop_price: Exact | None = None
    stop_loss_price: Exact | None = None
    state: OrderState = OrderState.SUBMITTED
    filled: Exact = ZERO
    fill_ids: tuple[str, ...] = ()
    cancelling: bool = False
