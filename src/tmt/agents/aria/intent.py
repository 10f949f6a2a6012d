"""What somebody wants before ARIA has given it a quantity: a signal for one account, or a person's proposal."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from tmt.domain.identity import derive_id
from tmt.domain.money import ZERO, Exact
from tmt.domain.order import Order, OrderType, Quote, Side, TimeInForce
from tmt.market.bar import Timeframe
from tmt.messages import ExitRaised, OrderProposed, SignalRaised

SIGNAL_STRATEGY = "wyckoff"
PERSON_SETUP = "manual"


class Intent(msgspec.Struct, frozen=True, kw_only=True):
    """An order without a quantity; the fields it shares with `Order` mean the same.

    Attributes:
        requested: the quantity a person asks for, an upper bound; None for a signal.
        timeframe: bars whose volatility counts.
    """

    order_id: str
    account: str
    instrument: str
    side: Side
    requested: Exact | None
    timeframe: Timeframe
    type: OrderType
    time_in_force: TimeInForce
    strategy: str
    setup: str
    quote: Quote | None
    person: str
    limit_price: Exact | None = None
    stop_price: Exact | None = None
    stop_loss_price: Exact | None = None
    take_profit_price: Exact | None = None
    trail_offset: Exact | None = None
    expire_at_ns: int | None = None
    reduce_only: bool = False
    post_only: bool = False

    def order(self, quantity: Decimal, quote: Quote) -> Order:
        """The order for `quantity`.

        Raises:
            ValueError: when the fields do not go together, such as a limit order without a limit, or an entry with its
                target on the losing side.
        """
        order = Order(
            order_id=self.order_id,
            account=self.account,
            instrument=self.instrument,
            side=self.side,
            quantity=quantity,
            type=self.type,
            time_in_force=self.time_in_force,
            quote=quote,
            strategy=self.strategy,
            setup=self.setup,
            limit_price=self.limit_price,
            stop_price=self.stop_price,
            stop_loss_price=self.stop_loss_price,
            take_profit_price=self.take_profit_price,
            trail_offset=self.trail_offset,
            expire_at_ns=self.expire_at_ns,
            person=self.person,
            reduce_only=self.reduce_only,
            post_only=self.post_only,
        )
        target = order.take_profit_price
        gains = target is None or (target - order.entry_price) * order.side.sign > ZERO
        if not (gains or order.reduce_only):
            raise ValueError(f"take_profit_price of a {order.side} at {order.entry_price} was {target}")
        return order


def from_signal(signal: SignalRaised, account: str, person: str) -> Intent:
    """A signal for one account, for which `person` answers: a market order, filled at once or not, and a bracket."""
    return Intent(
        order_id=derive_id(signal.message_id, account),
        account=account,
        instrument=signal.instrument,
        side=signal.side,
        requested=None,
        timeframe=signal.timeframe,
        type=OrderType.MARKET,
        time_in_force=TimeInForce.IOC,
        strategy=SIGNAL_STRATEGY,
        setup=signal.setup,
        quote=signal.quote,
        person=person,
        stop_loss_price=signal.stop_price,
        take_profit_price=signal.target_price,
    )


def from_exit(
    raised: ExitRaised, quantity: Decimal, strategy: str, setup: str, person: str, timeframe: Timeframe
) -> Intent:
    """What an exit closes at the market: a reduce-only order, filled at once or not at all.

    `strategy` and `setup` opened the position, and `person` answers for the order.
    """
    return Intent(
        order_id=derive_id(raised.message_id, raised.account),
        account=raised.account,
        instrument=raised.instrument,
        side=raised.side,
        requested=quantity,
        timeframe=timeframe,
        type=OrderType.MARKET,
        time_in_force=TimeInForce.IOC,
        strategy=strategy,
        setup=setup,
        quote=raised.quote,
        person=person,
        reduce_only=True,
    )


def from_proposal(proposal: OrderProposed, quote: Quote | None, timeframe: Timeframe) -> Intent:
    """A person's order, at the newest quote known."""
    return Intent(
        order_id=derive_id(proposal.message_id, proposal.account),
        account=proposal.account,
        instrument=proposal.instrument,
        side=proposal.side,
        requested=proposal.quantity,
        timeframe=timeframe,
        type=proposal.order_type,
        time_in_force=proposal.time_in_force,
        strategy=proposal.strategy,
        setup=PERSON_SETUP,
        person=proposal.person,
        quote=quote,
        limit_price=proposal.limit_price,
        stop_price=proposal.stop_price,
        stop_loss_price=proposal.stop_loss_price,
        take_profit_price=proposal.take_profit_price,
        trail_offset=proposal.trail_offset,
        expire_at_ns=proposal.expire_at_ns,
        reduce_only=proposal.reduce_only,
        post_only=proposal.post_only,
    )
