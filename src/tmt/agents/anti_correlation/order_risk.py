"""The owner's risk as a function of one order's quantity.

Risk is the standard deviation, over one bar, of the worth of what is held and worked, over the owner's equity. With x_i
the signed risk of instrument i alone and C the correlation matrix, the book's variance is x'Cx. Instrument i
contributes x_i (Cx)_i / x'Cx of it (Euler; Litterman, "Hot spots and hedges", 1996). The effective number of bets is
the squared diversification ratio, (sum of |x_i|)^2 / x'Cx: 1 for copies of one bet, n for n equal and independent ones
(Choueifaty, Froidure and Reynier, "Properties of the most diversified portfolio", Journal of Investment Strategies 2
(2013)), here at most the number of instruments.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from tmt.agents.anti_correlation.bets import Bet, unit_value
from tmt.agents.anti_correlation.case import Case
from tmt.agents.anti_correlation.config import AntiCorrelationConfig
from tmt.agents.anti_correlation.covariance import comove, volatility
from tmt.agents.anti_correlation.state import AntiCorrelationState
from tmt.domain.money import ROUNDING, ZERO, divide, round_half_even
from tmt.projections.portfolio import Portfolio

RISK_DECIMALS: Final = 10
UNIT_RISK_DECIMALS: Final = 18
BETS_DECIMALS: Final = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderRisk:
    """What the order adds to is `others`; everything is signed by the order's direction.

    Attributes:
        start: risk of the order's own instrument before it, along the order; negative when it is held against it.
        unit: risk of one unit of the order.
        covariance: sum over the others of their risk times their correlation with the order's instrument.
        others_variance: of all other instruments together.
        others_total: sum of the sizes of their risks.
        others_count: how many of them there are.
    """

    start: Decimal
    unit: Decimal
    covariance: Decimal
    others_variance: Decimal
    others_total: Decimal
    others_count: int

    def after(self, quantity: Decimal) -> Decimal:
        """Risk of the order's instrument once `quantity` of the order has filled."""
        return self.start + round_half_even(quantity * self.unit, RISK_DECIMALS)

    def variance(self, risk: Decimal) -> Decimal:
        """Of the book when the order's instrument has `risk`; never negative."""
        return max(ZERO, risk * risk + 2 * risk * self.covariance + self.others_variance)

    def lowers(self, quantity: Decimal) -> bool:
        """Whether the book is at most as risky with `quantity` of the order as without it."""
        return self.variance(self.after(quantity)) <= self.variance(self.start)

    def deviation(self, risk: Decimal) -> Decimal:
        """Square root of that."""
        return round_half_even(self.variance(risk).sqrt(ROUNDING), RISK_DECIMALS)

    def contribution(self, risk: Decimal) -> Decimal:
        """Share of the order's instrument in the variance; negative when it hedges, 0 when there is none."""
        variance = self.variance(risk)
        return ZERO if variance == ZERO else divide(risk * risk + risk * self.covariance, variance)

    def bets(self, risk: Decimal) -> Decimal:
        """Effective number of bets."""
        count = self.others_count + (risk != ZERO)
        return effective_bets(self.others_total + abs(risk), self.variance(risk), count)


def effective_bets(total: Decimal, variance: Decimal, count: int) -> Decimal:
    """Squared diversification ratio of `count` risks whose sizes sum to `total`, at most `count`."""
    if variance == ZERO:
        return Decimal(count)
    return min(Decimal(count), divide(total * total, variance, BETS_DECIMALS))


def risk_of(units: Decimal, value: Decimal, moves: Decimal, equity: Decimal) -> Decimal:
    """Signed risk of `units` worth `value` each, of an instrument whose volatility is `moves`, over `equity`."""
    return round_half_even(divide(units * value, equity) * moves, RISK_DECIMALS)


def unit_risk(case: Case, moves: Decimal) -> Decimal:
    """Risk of one unit of the order, of an instrument whose volatility is `moves`."""
    return divide(case.unit_value * moves, case.equity, UNIT_RISK_DECIMALS)


def measure_risks(
    state: AntiCorrelationState,
    bets: dict[str, Bet],
    portfolio: Portfolio,
    config: AntiCorrelationConfig,
    equity: Decimal,
    currency: str,
) -> dict[str, Decimal] | None:
    """Signed risk of what is held or worked of each instrument; None when a price, rate or volatility is missing."""
    risks: dict[str, Decimal] = {}
    for symbol, bet in bets.items():
        if bet.net == ZERO:
            continue
        value, moves = unit_value(portfolio, symbol, currency), volatility(state.series.get(symbol), config)
        if value is None or moves is None:
            return None
        risks[symbol] = risk_of(bet.net, value, moves, equity)
    return risks


def measure_order(
    state: AntiCorrelationState, case: Case, portfolio: Portfolio, config: AntiCorrelationConfig
) -> OrderRisk | None:
    """None when something that it takes is not known; see `measure_risks` and `comove`."""
    own, sign = case.order.instrument, case.order.side.sign
    risks = measure_risks(state, case.bets, portfolio, config, case.equity, case.currency)
    moves = volatility(state.series.get(own), config)
    if risks is None or moves is None:
        return None
    start = risks.pop(own, ZERO) * sign
    symbols = tuple(sorted((own, *risks)))
    together = comove(state.series, symbols, config)
    if together is None:
        return None
    covariance, variance = ZERO, sum((risk * risk for risk in risks.values()), ZERO)
    for first, second, coefficient in together.pairs():
        if own in (first, second):
            covariance += risks[second if first == own else first] * coefficient * sign
        else:
            variance += 2 * risks[first] * risks[second] * coefficient
    return OrderRisk(
        start=start,
        unit=unit_risk(case, moves),
        covariance=covariance,
        others_variance=max(ZERO, variance),
        others_total=sum((abs(risk) for risk in risks.values()), ZERO),
        others_count=len(risks),
    )


def largest(lots: int, holds: Callable[[int], bool]) -> int:
    """Largest number of lots, at most `lots`, up to which `holds` is true; it must not come back once it is false."""
    low, high = 0, lots
    while low < high:
        middle = (low + high + 1) // 2
        if holds(middle):
            low = middle
        else:
            high = middle - 1
    return low
