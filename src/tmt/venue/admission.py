"""What the venue lists, and why it refuses an order on arrival, or a change of one."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from tmt.domain.instrument import Instrument
from tmt.domain.money import is_multiple
from tmt.domain.order import Order, Side
from tmt.errors import ConfigError
from tmt.messages import ReplaceSubmitted
from tmt.ports.venue import TouchQuote
from tmt.venue.config import VenueConfig
from tmt.venue.orders import Phase, WorkingOrder

_NANOSECONDS_PER_MINUTE = 60_000_000_000


class Refusal(NamedTuple):
    """Why the venue does not take an order."""

    reason: str
    detail: str


class Listing:
    """One instrument as the venue trades it.

    Raises:
        ConfigError: when the configuration has no decimals for fees in its quote currency.
    """

    __slots__ = ("_minute", "_open", "fee_decimals", "fees", "instrument", "slippage_quanta")

    def __init__(self, instrument: Instrument, config: VenueConfig) -> None:
        decimals = config.fee_decimals.get(instrument.quote_currency)
        if decimals is None:
            raise ConfigError(
                "TMT-C041",
                f"fees of {instrument.symbol} are in {instrument.quote_currency}, which fee_decimals does not name",
                where="venue.fee_decimals",
                fix=f"add {instrument.quote_currency} with the decimals its fees are rounded up to",
            )
        self.instrument = instrument
        self.fees = config.fees[instrument.asset_class]
        self.fee_decimals = decimals
        self.slippage_quanta = config.slippage_ticks * int(instrument.tick_size // instrument.price_quantum)
        self._minute = -1
        self._open = False

    def is_open(self, time_ns: int) -> bool:
        """Whether the instrument trades; sessions turn over on whole minutes, so one answer serves a minute."""
        minute = time_ns // _NANOSECONDS_PER_MINUTE
        if minute != self._minute:
            self._open = self.instrument.session.is_open(time_ns)
            self._minute = minute
        return self._open


def has_market(quote: TouchQuote | None) -> bool:
    """Whether there are two prices, the right way around."""
    return quote is not None and 0 < quote.bid <= quote.ask


def would_cross(order: Order, limit_price: Decimal, quote: TouchQuote, instrument: Instrument) -> bool:
    """Whether a limit order at `limit_price` would trade at once."""
    if order.side is Side.BUY:
        return limit_price >= instrument.price_of(quote.ask)
    return limit_price <= instrument.price_of(quote.bid)


def refusal(
    order: Order, listing: Listing, quote: TouchQuote | None, time_ns: int, closable_lots: int
) -> Refusal | None:
    """Why `order` may not work, or None.

    Args:
        order: as submitted.
        listing: of its instrument.
        quote: best prices in force.
        time_ns: of the arrival.
        closable_lots: how much of the account's position a reduce-only order could close.
    """
    instrument = listing.instrument
    if not listing.is_open(time_ns):
        return Refusal("session_closed", f"{instrument.symbol} does not trade now")
    if quote is None or not has_market(quote):
        return Refusal("no_market", f"no quote of {instrument.symbol}")
    if order.expire_at_ns is not None and order.expire_at_ns <= time_ns:
        return Refusal("expired_on_arrival", f"expired {time_ns - order.expire_at_ns} ns before it arrived")
    off_grid = _off_grid(order, instrument)
    if off_grid is not None:
        return off_grid
    if order.reduce_only:
        if closable_lots == 0:
            return Refusal("reduce_only_would_increase", f"no position that a {order.side} would reduce")
    else:
        too_small = _too_small(order, instrument, quote)
        if too_small is not None:
            return too_small
    if order.post_only and order.limit_price is not None and would_cross(order, order.limit_price, quote, instrument):
        return Refusal("post_only_would_cross", f"{order.limit_price} meets the quote")
    return None


def replace_refusal(
    request: ReplaceSubmitted, order: WorkingOrder, listing: Listing, quote: TouchQuote | None, time_ns: int
) -> str | None:
    """Why a working order may not become what `request` asks, or None. The order must work at `time_ns`."""
    instrument = listing.instrument
    if not listing.is_open(time_ns):
        return "session_closed"
    if quote is None or not has_market(quote):
        return "no_market"
    if not is_multiple(request.quantity, instrument.lot_size):
        return "off_lot"
    if request.quantity < instrument.quantity_of(order.filled_lots):
        return "quantity_below_filled"
    best = instrument.price_of(quote.ask if order.sign > 0 else quote.bid)
    return _limit_refusal(request, order, instrument, best) or _stop_refusal(request, order, instrument, best)


def _limit_refusal(
    request: ReplaceSubmitted, order: WorkingOrder, instrument: Instrument, opposite: Decimal
) -> str | None:
    price = request.limit_price
    if price is None:
        return None
    if order.limit_quanta is None:
        return "not_a_limit_order"
    if price <= 0 or not is_multiple(price, instrument.tick_size):
        return "off_tick"
    if order.post_only and (price - opposite) * order.sign >= 0:
        return "post_only_would_cross"
    return None


def _stop_refusal(request: ReplaceSubmitted, order: WorkingOrder, instrument: Instrument, best: Decimal) -> str | None:
    price = request.stop_price
    if price is None:
        return None
    if order.stop_quanta is None:
        return "not_a_stop_order"
    if order.phase is not Phase.WAITING:
        return "already_triggered"
    if price <= 0 or not is_multiple(price, instrument.tick_size):
        return "off_tick"
    if (best - price) * order.sign >= 0:
        return "stop_would_trigger"
    return None


def _off_grid(order: Order, instrument: Instrument) -> Refusal | None:
    for name in ("limit_price", "stop_price", "stop_loss_price", "take_profit_price", "trail_offset"):
        price = getattr(order, name)
        if price is not None and not is_multiple(price, instrument.tick_size):
            return Refusal("off_tick", f"{name} {price} is not a multiple of {instrument.tick_size}")
    if not is_multiple(order.quantity, instrument.lot_size):
        return Refusal("off_lot", f"quantity {order.quantity} is not a multiple of {instrument.lot_size}")
    return None


def _too_small(order: Order, instrument: Instrument, quote: TouchQuote) -> Refusal | None:
    if order.quantity < instrument.quantity_min:
        return Refusal("below_minimum_quantity", f"quantity {order.quantity} is below {instrument.quantity_min}")
    price = order.limit_price if order.limit_price is not None else order.stop_price
    if price is None:
        price = instrument.price_of(quote.ask if order.side is Side.BUY else quote.bid)
    notional = instrument.notional(order.quantity, price)
    if notional < instrument.notional_min:
        return Refusal("below_minimum_notional", f"notional {notional} is below {instrument.notional_min}")
    return None
