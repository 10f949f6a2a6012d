"""Round trips, from flat to flat, and the stops that protect what is open."""

from __future__ import annotations

from decimal import Decimal

from tmt import messages as m
from tmt.domain.instrument import Instrument
from tmt.domain.money import ZERO
from tmt.domain.order import Side
from tmt.domain.position import Position
from tmt.projections.portfolio_state import PortfolioState, RoundTrip


def follow_trip(
    state: PortfolioState,
    fill: m.OrderFilled,
    instrument: Instrument,
    before: Position,
    after: Position,
    realised: Decimal,
) -> None:
    """Fold a fill that turned the position `before` into `after` and realised a profit, in quote currency."""
    key = f"{fill.account}/{fill.instrument}"
    trip = state.trips.get(key)
    held, holds = before.quantity, after.quantity
    crosses = held != ZERO and (holds == ZERO or (holds > ZERO) != (held > ZERO))
    if trip is not None:
        trip = trip.after(fill, realised)
        state.trips[key] = trip
    if crosses and trip is not None:
        state.closed_trips[key] = trip.closed_by(fill)
        del state.trips[key]
        trip = None
    if holds != ZERO and trip is None:
        trip = RoundTrip.opened_by(fill, abs(holds), instrument.quote_currency, crosses)
        state.trips[key] = trip
        state.protective_stops.pop(key, None)
    if fill.role == "entry" and trip is not None:
        working = state.working.get(fill.order_id)
        _protect(state, key, trip, fill, instrument, None if working is None else working.order.stop_loss_price)


def _protect(
    state: PortfolioState,
    key: str,
    trip: RoundTrip,
    fill: m.OrderFilled,
    instrument: Instrument,
    stop: Decimal | None,
) -> None:
    if stop is None or trip.side is not fill.side:
        return
    known = state.protective_stops.get(key)
    furthest = min if fill.side is Side.BUY else max
    state.protective_stops[key] = stop if known is None else furthest(known, stop)
    risk = abs(fill.price - stop) * min(fill.quantity, trip.quantity) * instrument.point_value
    state.trips[key] = trip.with_risk(trip.risk_amount + risk, stop)


def protect_anew(state: PortfolioState, account: str, symbol: str) -> None:
    """Derive what protects a position from its working stops: with several, the one furthest from the market counts."""
    key = f"{account}/{symbol}"
    position = state.positions.get(key)
    stops = [
        each.price
        for each in state.exits.values()
        if (each.account, each.instrument, each.role) == (account, symbol, "stop_loss")
    ]
    if position is None or not stops:
        state.protective_stops.pop(key, None)
    else:
        state.protective_stops[key] = min(stops) if position.quantity > ZERO else max(stops)
