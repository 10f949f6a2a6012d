"""The gate's decision: is this order the same bet as what the owner's accounts already hold or work?"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from tmt.agents.anti_correlation.bets import Bet, alike, legs, net_exposure, open_bets, total_equity
from tmt.agents.anti_correlation.config import AntiCorrelationConfig, UnknownCorrelation
from tmt.agents.anti_correlation.returns import AntiCorrelationState, advance, correlate
from tmt.agents.verdict import Approve, Deny, Waterfall, closable_quantity, shrinks_position
from tmt.domain.instrument import Instrument
from tmt.domain.money import ZERO, divide
from tmt.domain.order import Order
from tmt.messages import BarClosed, Message, OrderSized
from tmt.projections.portfolio import Portfolio

GATE: Final = "anti_correlation"


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """The order under judgement and what the owner has beside it; `closable` units of it only close a position."""

    order: Order
    instrument: Instrument
    currency: str
    bets: dict[str, Bet]
    closable: Decimal


def decide(
    state: AntiCorrelationState, sized: OrderSized, portfolio: Portfolio, config: AntiCorrelationConfig
) -> Approve | Deny:
    """Approve the order, at most at its size, or refuse it."""
    order = sized.order
    waterfall = Waterfall(GATE, order.quantity)
    deny = waterfall.denies_expired(sized, portfolio.now_ns)
    if deny is not None:
        return deny
    account, instrument = portfolio.account(order.account), portfolio.instrument(order.instrument)
    if account is None:
        return waterfall.denies_missing("unknown_account", f"no account is called {order.account}")
    if instrument is None:
        return waterfall.denies_missing("unknown_instrument", f"no instrument is called {order.instrument}")
    if shrinks_position(order, portfolio):
        held = abs(portfolio.position(order.account, order.instrument).quantity)
        waterfall.passes("shrinks_position", order.quantity, held, "units")
        return waterfall.approves(order)
    case = Case(
        order=order,
        instrument=instrument,
        currency=account.currency,
        bets=open_bets(portfolio, order.order_id),
        closable=closable_quantity(portfolio, order.account, order.instrument, order.side, order.order_id),
    )
    deny = _judge_correlations(state, waterfall, case, portfolio, config)
    if deny is None:
        deny = _net_currencies(waterfall, case, portfolio, config)
    if deny is None:
        deny = waterfall.denies_too_small(instrument, order.entry_price)
    return waterfall.approves(order) if deny is None else deny


def evolve(state: AntiCorrelationState, message: Message, config: AntiCorrelationConfig) -> AntiCorrelationState:
    """Follow closed bars of the configured timeframe; any other message changes nothing."""
    match message:
        case BarClosed(bar=bar) if bar.timeframe == config.timeframe:
            series = advance(state.series.get(bar.instrument), bar, config.window_bars)
            return AntiCorrelationState(series={**state.series, bar.instrument: series})
        case _:
            return state


def _judge_correlations(
    state: AntiCorrelationState,
    waterfall: Waterfall,
    case: Case,
    portfolio: Portfolio,
    config: AntiCorrelationConfig,
) -> Deny | None:
    for symbol in sorted(case.bets):
        net = case.bets[symbol].net
        if symbol == case.order.instrument or net == ZERO:
            continue
        direction = case.order.side.sign * (1 if net > ZERO else -1)
        found = correlate(state, case.order.instrument, symbol, config.returns_min)
        if found.coefficient is None:
            other = portfolio.instrument(symbol)
            if other is None:
                return waterfall.denies_missing("unknown_instrument", f"{symbol} is held and unknown")
            _judge_unknown(waterfall, case, other, direction, found.common, config)
            continue
        deny = _judge_known(waterfall, case, symbol, found.coefficient * direction, config)
        if deny is not None:
            return deny
    return None


def _judge_known(
    waterfall: Waterfall, case: Case, symbol: str, correlation: Decimal, config: AntiCorrelationConfig
) -> Deny | None:
    """Above `correlation_reduce` keep (refuse - correlation) / (refuse - reduce) of what opens."""
    rule, refuse, reduce = f"correlation.{symbol}", config.correlation_refuse, config.correlation_reduce
    if correlation < config.correlation_inform:
        waterfall.passes(rule, correlation, config.correlation_inform, "ratio")
        return None
    if correlation <= reduce:
        waterfall.warns(rule, correlation, config.correlation_inform, "ratio")
        return None
    keep = max(ZERO, divide(refuse - correlation, refuse - reduce))
    quantity_max = case.closable + max(ZERO, case.order.quantity - case.closable) * keep
    limit = refuse if correlation >= refuse else reduce
    if quantity_max < min(waterfall.quantity, case.instrument.quantity_min):
        detail = f"with {symbol}, which is held or worked, this would be one bet"
        return waterfall.denies(rule, correlation, limit, "ratio", detail=detail, reason="correlation")
    waterfall.caps(rule, correlation, limit, "ratio", quantity_max=quantity_max, lot_size=case.instrument.lot_size)
    return None


def _judge_unknown(
    waterfall: Waterfall, case: Case, other: Instrument, direction: int, common: int, config: AntiCorrelationConfig
) -> None:
    rule, measured, limit = f"unknown_correlation.{other.symbol}", Decimal(common), Decimal(config.returns_min)
    cautious = config.unknown_correlation is UnknownCorrelation.REDUCE
    if not cautious or not alike(case.instrument, other, direction):
        waterfall.warns(rule, measured, limit, "count")
        return
    opening = max(ZERO, case.order.quantity - case.closable)
    quantity_max = case.closable + opening * config.unknown_keep_fraction
    waterfall.caps(rule, measured, limit, "count", quantity_max=quantity_max, lot_size=case.instrument.lot_size)


def _net_currencies(
    waterfall: Waterfall, case: Case, portfolio: Portfolio, config: AntiCorrelationConfig
) -> Deny | None:
    instrument, order = case.instrument, case.order
    equity = total_equity(portfolio, case.currency)
    rate = portfolio.rate(instrument.quote_currency, case.currency)
    if equity is None:
        return waterfall.denies_missing("no_equity", "the equity of some account cannot be valued")
    if rate is None or rate <= ZERO:
        return waterfall.denies_missing("no_conversion_rate", f"no rate known from {instrument.quote_currency}")
    if equity <= ZERO:
        return waterfall.denies("no_equity", equity, ZERO, case.currency, detail="the accounts have no equity together")
    unit_value = order.entry_price * instrument.point_value * rate
    amount_max = config.currency_net_ratio_max * equity
    for leg, way in sorted(legs(instrument).items()):
        used = net_exposure(portfolio, case.bets, leg, way * order.side.sign, case.currency)
        if used is None:
            return waterfall.denies_missing("no_mark", f"exposure to {leg} cannot be valued")
        lots = max(ZERO, amount_max - used) // (unit_value * instrument.lot_size)
        quantity_max = max(case.closable, lots * instrument.lot_size)
        measured = divide(used + waterfall.quantity * unit_value, equity)
        rule, limit = f"currency_net.{leg}", config.currency_net_ratio_max
        if quantity_max < min(waterfall.quantity, instrument.quantity_min):
            detail = f"all accounts together would be exposed to {leg} beyond {limit} x their equity"
            return waterfall.denies(rule, measured, limit, "ratio", detail=detail, reason="currency_net")
        waterfall.caps(rule, measured, limit, "ratio", quantity_max=quantity_max, lot_size=instrument.lot_size)
    return None
