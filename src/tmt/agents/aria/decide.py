"""ARIA's decision: quantity = equity x risk fraction x factors / risk of one unit, then limits, then whole lots down.

Limits come last, so no factor can lift an order above one.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec

from tmt.agents.aria.config import AriaConfig, KellyConfig
from tmt.agents.aria.factors import factors
from tmt.agents.aria.intent import Intent
from tmt.agents.aria.kelly import Edge, edge_key, risk_fraction_cap
from tmt.agents.aria.limits import Case, apply_limits
from tmt.agents.aria.state import AriaState, band_in_force, track_key
from tmt.agents.verdict import Approve, Deny, Waterfall
from tmt.domain.money import ONE, ROUNDING, ZERO, floor_to, is_multiple
from tmt.domain.order import Order
from tmt.projections.portfolio import Portfolio

GATE: Final = "aria"


def decide(state: AriaState, intent: Intent, portfolio: Portfolio, config: AriaConfig) -> Approve | Deny:
    """Size one order for one account, or refuse it."""
    waterfall = Waterfall(GATE, ZERO if intent.requested is None else intent.requested)
    case = _look_up(state, waterfall, intent, portfolio, config)
    if isinstance(case, Deny):
        return case
    if isinstance(case, Order):
        return _close(waterfall, case, portfolio)
    deny = _admit(waterfall, case, portfolio, config)
    if deny is None and case.unit_risk is not None:
        deny = _size(state, waterfall, case, case.unit_risk, config)
    if deny is None:
        deny = apply_limits(waterfall, case, state.returns, portfolio, config)
    if deny is None:
        deny = waterfall.denies_too_small(case.instrument, case.order.entry_price)
    if deny is not None:
        return deny
    return waterfall.approves(msgspec.structs.replace(case.order, quantity=waterfall.quantity))


def _look_up(
    state: AriaState, waterfall: Waterfall, intent: Intent, portfolio: Portfolio, config: AriaConfig
) -> Case | Order | Deny:
    account, instrument = portfolio.account(intent.account), portfolio.instrument(intent.instrument)
    if account is None:
        return waterfall.denies_missing("unknown_account", f"no account is called {intent.account}")
    if instrument is None:
        return waterfall.denies_missing("unknown_instrument", f"no instrument is called {intent.instrument}")
    if intent.quote is None:
        return waterfall.denies_missing("no_mark", f"no price known for {intent.instrument}")
    try:
        order = intent.order(instrument.quantity_min if intent.requested is None else intent.requested, intent.quote)
    except ValueError as error:
        return waterfall.denies_missing("invalid_order", str(error))
    prices = (order.limit_price, order.stop_price, order.stop_loss_price, order.take_profit_price, order.trail_offset)
    for price in prices:
        if price is not None and not is_multiple(price, instrument.tick_size):
            detail = f"prices of {instrument.symbol} go in steps of {instrument.tick_size}"
            return waterfall.denies("price_off_tick", price, instrument.tick_size, "price", detail=detail)
    if order.reduce_only:
        return order
    if intent.instrument not in account.instruments:
        return waterfall.denies_missing("instrument_not_allowed", f"{intent.account} may not trade {intent.instrument}")
    equity, drawdown = portfolio.equity(account.account_id), portfolio.drawdown_fraction(account.account_id)
    rate = portfolio.rate(instrument.quote_currency, account.currency)
    if rate is None or rate <= ZERO:
        pair = f"{instrument.quote_currency} to {account.currency}"
        return waterfall.denies_missing("no_conversion_rate", f"no rate known from {pair}")
    if equity is None:
        return waterfall.denies_missing("no_equity", f"the equity of {account.account_id} cannot be valued")
    if equity <= ZERO or drawdown is None:
        detail = f"{account.account_id} has no equity to risk"
        return waterfall.denies(
            "equity", equity, ZERO, account.currency, detail=detail, reason="no_equity", at_least=True
        )
    worth = instrument.point_value * rate
    stop = order.stop_loss_price
    return Case(
        order=order,
        intent=intent,
        account=account,
        instrument=instrument,
        equity=equity,
        unit_value=ROUNDING.multiply(order.entry_price, worth),
        unit_risk=None if stop is None else ROUNDING.multiply((order.entry_price - stop) * order.side.sign, worth),
        drawdown=drawdown,
        drawdown_band=band_in_force(state.drawdown_bands.get(order.account, 0), drawdown, config),
    )


def _close(waterfall: Waterfall, order: Order, portfolio: Portfolio) -> Approve | Deny:
    held = portfolio.position(order.account, order.instrument).quantity
    instrument = portfolio.instrument(order.instrument)
    assert instrument is not None
    shrinkable = max(ZERO, -held * order.side.sign)
    if shrinkable == ZERO:
        detail = f"{order.account} holds nothing in {order.instrument} that a {order.side} would close"
        return waterfall.denies("nothing_to_reduce", order.quantity, ZERO, "units", detail=detail)
    asked = floor_to(waterfall.quantity, instrument.lot_size)
    waterfall.caps(
        "reduce_only", order.quantity, shrinkable, "units",
        quantity_max=min(asked, shrinkable), lot_size=instrument.lot_size,
    )  # fmt: skip
    if waterfall.quantity == ZERO:
        detail = f"{order.quantity} is less than one lot of {order.instrument}"
        return waterfall.denies(
            "below_minimum_quantity", order.quantity, instrument.lot_size, "units", detail=detail, at_least=True
        )
    return waterfall.approves(order)


def _admit(waterfall: Waterfall, case: Case, portfolio: Portfolio, config: AriaConfig) -> Deny | None:
    order, equity = case.order, case.equity
    waterfall.passes("equity", equity, ZERO, case.account.currency, at_least=True)
    if case.drawdown_band == len(config.drawdown_bands):
        detail = f"{order.account} has fallen too far from its peak, or has not yet recovered enough"
        limit = config.drawdown_fraction_max
        return waterfall.denies("drawdown_halt", case.drawdown, limit, "fraction", detail=detail)
    waterfall.passes("drawdown_halt", case.drawdown, config.drawdown_fraction_max, "fraction")
    if case.intent.requested is None:
        held = portfolio.position(order.account, order.instrument).quantity != ZERO
        entries = Decimal(int(held) + _entries_working(order, portfolio))
        limit = Decimal(config.positions_per_instrument_max)
        if entries + ONE > limit:
            detail = f"{order.account} already holds or works {entries} in {order.instrument}"
            return waterfall.denies("position_open", entries + ONE, limit, "count", detail=detail)
        waterfall.passes("position_open", entries + ONE, limit, "count")
    if case.unit_risk is not None and case.unit_risk <= ZERO:
        detail = f"a {order.side} at {order.entry_price} is not protected by a stop at {order.stop_loss_price}"
        return waterfall.denies(
            "stop_not_protective", case.unit_risk, ZERO, case.account.currency, detail=detail, at_least=True
        )
    return None


def _entries_working(order: Order, portfolio: Portfolio) -> int:
    return sum(
        1
        for working in portfolio.working(order.account)
        if working.order.instrument == order.instrument and not working.order.reduce_only
    )


def _size(state: AriaState, waterfall: Waterfall, case: Case, unit_risk: Decimal, config: AriaConfig) -> Deny | None:
    risk_fraction = config.risk_fraction
    quantity = case.affordable(case.equity * risk_fraction, unit_risk)
    waterfall.resizes("risk_fraction", risk_fraction, config.risk_fraction_max, "fraction", quantity=quantity)
    track = state.volatility.get(track_key(case.order.instrument, case.intent.timeframe))
    for rule, measured, limit, unit, factor, at_least in factors(track, case, config):
        risk_fraction *= factor
        quantity = case.affordable(case.equity * risk_fraction, unit_risk)
        waterfall.resizes(rule, measured, limit, unit, quantity=quantity, at_least=at_least)
    deny = _bound_by_edge(state, waterfall, case, unit_risk, risk_fraction, config.kelly)
    if deny is not None:
        return deny
    requested = case.intent.requested
    if requested is not None:
        sized = waterfall.quantity
        waterfall.resizes("requested", sized, requested, "units", quantity=min(sized, requested))
    return None


def _bound_by_edge(
    state: AriaState,
    waterfall: Waterfall,
    case: Case,
    unit_risk: Decimal,
    risk_fraction: Decimal,
    config: KellyConfig,
) -> Deny | None:
    edge = state.edges.get(edge_key(case.order.account, case.order.strategy, case.order.setup), Edge())
    if edge.trades < config.trades_min:
        trades, trades_min = Decimal(edge.trades), Decimal(config.trades_min)
        waterfall.passes("kelly_trades", trades, trades_min, "count")
        return None
    cap = risk_fraction_cap(edge, config)
    if cap == ZERO:
        detail = f"{edge.trades} round trips of {case.order.setup} in {case.order.account} prove no edge"
        return waterfall.denies("kelly", risk_fraction, cap, "fraction", detail=detail)
    quantity = case.affordable(case.equity * min(risk_fraction, cap), unit_risk)
    waterfall.resizes("kelly", risk_fraction, cap, "fraction", quantity=quantity)
    return None
