"""What an account already has at stake, in its own currency: positions and working orders at their worst case."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from tmt.agents.aria.config import InitialMargin
from tmt.domain.instrument import Instrument
from tmt.domain.money import ZERO, Exact
from tmt.domain.order import Side
from tmt.domain.position import Position
from tmt.projections.portfolio import Portfolio
from tmt.projections.portfolio_state import WorkingOrder


class Unknown(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is needed is not known."""

    reason: str
    detail: str


class Commitment(msgspec.Struct, frozen=True, kw_only=True):
    """A position, or an order that may still fill.

    Attributes:
        value: signed worth: positive is long.
        loss: lost if the protective stop is hit; the whole worth where there is none.
        working: whether it is an order.
    """

    instrument: Instrument
    value: Exact
    loss: Exact
    working: bool


class Exposure(msgspec.Struct, frozen=True, kw_only=True):
    """An account's stakes as an order on one side of one instrument meets them; signed amounts are along that side.

    Attributes:
        instrument: the position with all working orders on that side filled.
        others: gross worst case of all other instruments; never negative.
        others_margin: initial margin of that worst case.
        base, quote: net exposure to the instrument's two currencies, working orders counted where they add;
            0 for instruments without a base currency, which are no bet on a currency.
        heat: lost if every stop were hit; never negative.
    """

    instrument: Exact
    others: Exact
    others_margin: Exact
    base: Exact
    quote: Exact
    heat: Exact


def commitments(portfolio: Portfolio, account: str) -> list[Commitment] | Unknown:
    """What `account` holds and works, positions first."""
    stakes = [_position(portfolio, position) for position in portfolio.positions(account)]
    stakes += [_order(portfolio, working) for working in portfolio.working(account)]
    known = []
    for stake in stakes:
        if isinstance(stake, Unknown):
            return stake
        known.append(stake)
    return known


def margin_used(stakes: list[Commitment], margins: InitialMargin) -> Decimal:
    """Initial margin of the worst case of `stakes`."""
    worst = worst_cases(stakes).values()
    return sum((value * margins.of(instrument.asset_class) for instrument, value in worst), ZERO)


def worst_cases(stakes: list[Commitment]) -> dict[str, tuple[Instrument, Decimal]]:
    """By symbol, the worth of the larger of what is held with all buys filled and with all sells filled, unsigned."""
    longest: dict[str, Decimal] = {}
    shortest: dict[str, Decimal] = {}
    instruments: dict[str, Instrument] = {}
    for c in stakes:
        symbol = c.instrument.symbol
        longest[symbol] = longest.get(symbol, ZERO) + _along(c, 1)
        shortest[symbol] = shortest.get(symbol, ZERO) + _along(c, -1)
        instruments[symbol] = c.instrument
    return {symbol: (each, max(longest[symbol], shortest[symbol])) for symbol, each in instruments.items()}


def measure(stakes: list[Commitment], instrument: Instrument, side: Side, margins: InitialMargin) -> Exposure:
    """What an account with `stakes` has at stake before a new order on `side` of `instrument`."""
    sign = side.sign
    here = [c for c in stakes if c.instrument.symbol == instrument.symbol]
    others = [c for c in stakes if c.instrument.symbol != instrument.symbol]
    return Exposure(
        instrument=sum((_along(c, sign) for c in here), ZERO),
        others=sum((value for _, value in worst_cases(others).values()), ZERO),
        others_margin=margin_used(others, margins),
        base=_currency(stakes, instrument.base_currency, sign),
        quote=_currency(stakes, instrument.quote_currency, -sign) if instrument.base_currency else ZERO,
        heat=sum((c.loss for c in stakes), ZERO),
    )


def _position(portfolio: Portfolio, position: Position) -> Commitment | Unknown:
    instrument = portfolio.instrument(position.instrument)
    mark = portfolio.mark(position.instrument)
    if instrument is None or mark is None:
        return Unknown(reason="no_mark", detail=f"no price known for {position.instrument}, which is held")
    price, way = (mark.bid, 1) if position.quantity > ZERO else (mark.ask, -1)
    stop = portfolio.protective_stop(position.account, position.instrument)
    to_stop = price if stop is None else max(ZERO, (price - stop) * way)
    return _commitment(portfolio, position.account, instrument, position.quantity, price, to_stop, working=False)


def _order(portfolio: Portfolio, working: WorkingOrder) -> Commitment | Unknown:
    order = working.order
    instrument = portfolio.instrument(order.instrument)
    if instrument is None:
        return Unknown(reason="unknown_instrument", detail=f"an order works in {order.instrument}, which is unknown")
    quantity = ZERO if order.reduce_only else working.remaining * order.side.sign
    price, stop = order.entry_price, order.stop_loss_price
    to_stop = price if stop is None else max(ZERO, (price - stop) * order.side.sign)
    return _commitment(portfolio, order.account, instrument, quantity, price, to_stop, working=True)


def _commitment(
    portfolio: Portfolio,
    account: str,
    instrument: Instrument,
    quantity: Decimal,
    price: Decimal,
    to_stop: Decimal,
    *,
    working: bool,
) -> Commitment | Unknown:
    owner = portfolio.account(account)
    rate = None if owner is None else portfolio.rate(instrument.quote_currency, owner.currency)
    if rate is None:
        return Unknown(reason="no_conversion_rate", detail=f"no rate from {instrument.quote_currency} for {account}")
    return Commitment(
        instrument=instrument,
        value=quantity * price * instrument.point_value * rate,
        loss=abs(quantity) * to_stop * instrument.point_value * rate,
        working=working,
    )


def _along(c: Commitment, sign: int) -> Decimal:
    """Its worth in the direction of `sign`; an order's only where it adds."""
    value = c.value * sign
    return max(ZERO, value) if c.working else value


def _currency(stakes: list[Commitment], currency: str, sign: int) -> Decimal:
    total = ZERO
    for c in stakes:
        if not c.instrument.base_currency:
            continue
        if c.instrument.base_currency == currency:
            total += _along(c, sign)
        if c.instrument.quote_currency == currency:
            total += _along(c, -sign)
    return total
