"""What an account already has at stake, in its own currency: positions and working orders at their worst case."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from tmt.agents.aria.config import InitialMargin
from tmt.agents.verdict import side_filled
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
        instrument: the most that can be held on that side once the working orders there have filled; never negative.
        against: the same on the other side.
        others: gross worst case of all other instruments; never negative.
        others_margin: initial margin of that worst case.
        base, quote: net exposure to the instrument's two currencies, working orders counted where they add, a
            position against the order not at all; 0 for instruments without a base currency, no bet on a currency.
        heat: lost if every stop were hit; never negative.
    """

    instrument: Exact
    against: Exact
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
    """By symbol, the worth of the most that can be held either way, unsigned; see `_along`."""
    return {
        symbol: (here[0].instrument, max(_along(here, 1), _along(here, -1)))
        for symbol, here in _by_symbol(stakes).items()
    }


def without_opposite(stakes: list[Commitment], symbol: str, side: Side) -> list[Commitment]:
    """What an order on `side` of `symbol` is judged beside: what is against it may be gone before it fills."""
    return [c for c in stakes if c.instrument.symbol != symbol or c.value * side.sign > ZERO]


def measure(stakes: list[Commitment], instrument: Instrument, side: Side, margins: InitialMargin) -> Exposure:
    """What an account with `stakes` has at stake before a new order on `side` of `instrument`."""
    here = [c for c in stakes if c.instrument.symbol == instrument.symbol]
    others = [c for c in stakes if c.instrument.symbol != instrument.symbol]
    beside = without_opposite(stakes, instrument.symbol, side)
    return Exposure(
        instrument=max(ZERO, _along(here, side.sign)),
        against=max(ZERO, _along(here, -side.sign)),
        others=sum((value for _, value in worst_cases(others).values()), ZERO),
        others_margin=margin_used(others, margins),
        base=_currency(beside, instrument.base_currency, side.sign),
        quote=_currency(beside, instrument.quote_currency, -side.sign) if instrument.base_currency else ZERO,
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


def _by_symbol(stakes: list[Commitment]) -> dict[str, list[Commitment]]:
    grouped: dict[str, list[Commitment]] = {}
    for c in stakes:
        grouped.setdefault(c.instrument.symbol, []).append(c)
    return grouped


def _along(here: list[Commitment], sign: int) -> Decimal:
    """Worth of one instrument in the direction of `sign` with the orders that add to it filled; see `side_filled`."""
    held = sum((c.value for c in here if not c.working), ZERO) * sign
    filled = sum((max(ZERO, c.value * sign) for c in here if c.working), ZERO)
    return side_filled(held, filled)


def _currency(stakes: list[Commitment], currency: str, sign: int) -> Decimal:
    total = ZERO
    for here in _by_symbol(stakes).values():
        instrument = here[0].instrument
        if not instrument.base_currency:
            continue
        if instrument.base_currency == currency:
            total += _along(here, sign)
        if instrument.quote_currency == currency:
            total += _along(here, -sign)
    return total
