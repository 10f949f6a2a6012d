"""Returns made to measure: patterns of +1 and -1 that are exactly independent, and mixtures of two of them."""

from math import sqrt
from typing import Any

from tests.unit.agents.desk import Desk, default_config, make_account
from tmt.agents.anti_correlation import AntiCorrelationAgent, AntiCorrelationConfig, AntiCorrelationState
from tmt.agents.anti_correlation.returns import ReturnSeries

COUNT = 40
X = (1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0) * 5
Y = (1.0, -1.0, -1.0, 1.0, 1.0, -1.0, -1.0, 1.0) * 5
Z = (1.0, 1.0, -1.0, -1.0, -1.0, -1.0, 1.0, 1.0) * 5
ALIKE = {"half_life_bars": "1000000000"}
"""Every return weighs the same."""

NOTHING_ELSE = {
    **ALIKE,
    "currency_net_ratio_max": "1000",
    "owner_gross_ratio_max": "1000",
    "firm_gross_ratio_max": "1000",
    "cluster_risk_fraction_max": "1000",
    "book_instruments_min": "99",
}
"""Limits that nothing reaches, for a test of one rule."""


def config_with(**changes: Any) -> AntiCorrelationConfig:
    return default_config(AntiCorrelationConfig, "anti_correlation", **{**NOTHING_ELSE, **changes})


def row(values: tuple[float, ...], scale: float = 1.0) -> ReturnSeries:
    """A series whose standard deviation is `scale` where `values` are of size 1."""
    ends = tuple(range(len(values)))
    return ReturnSeries(ends[-1], 1.0, ends, tuple(value * scale for value in values))


def mixed(coefficient: float) -> tuple[float, ...]:
    """What correlates with X so that exactly `coefficient` is left of it once shrunk, with equal weights.

    Of two such rows the variance of r is (1 - r^2)^3 / n, and c = r - (1 - r^2)^3 / (n r) is solved for r by halving.
    """
    low, high = 0.001, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        too_low = middle - (1 - middle**2) ** 3 / (COUNT * middle) < abs(coefficient)
        low, high = (middle, high) if too_low else (low, middle)
    sample = high if coefficient > 0 else -high
    rest = sqrt(max(0.0, 1 - sample**2))
    return tuple(sample * x + rest * y for x, y in zip(X, Y, strict=True))


def correlated(coefficient: str, scale: float = 1.0) -> AntiCorrelationState:
    """EURUSD and GBPUSD whose shrunk returns correlate exactly so."""
    return AntiCorrelationState(series={"EURUSD": row(X, scale), "GBPUSD": row(mixed(float(coefficient)), scale)})


def independent(scale: float = 0.01) -> AntiCorrelationState:
    """EURUSD, GBPUSD and SPY whose returns have nothing in common."""
    rows = {"EURUSD": X, "GBPUSD": Y, "SPY": Z}
    return AntiCorrelationState(series={name: row(values, scale) for name, values in rows.items()})


def make_desk() -> Desk:
    """Two accounts of one owner, 200,000 USD together; what is traded costs 1, and a dollar 100 yen."""
    desk = Desk(make_account("alpha"), make_account("beta"))
    for symbol in ("EURUSD", "GBPUSD", "SPY"):
        desk.mark(symbol, "1.0000")
    desk.mark("USDJPY", "100.000")
    return desk


def make_agent(desk: Desk, state: AntiCorrelationState | None = None, **changes: Any) -> AntiCorrelationAgent:
    agent = AntiCorrelationAgent(config_with(**changes), desk.portfolio, "hash")
    agent.state = AntiCorrelationState() if state is None else state
    return agent
