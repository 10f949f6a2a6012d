"""How instruments move: volatilities, and correlations shrunk towards none.

Weights w halve every `half_life_bars` common bars (RiskMetrics Technical Document, 1996, section 5.2). The sample
correlation matrix R is drawn towards the identity I, (1 - k) R + k I, by the k of least expected squared error,

    k = sum of Var(r_ij) / sum of r_ij^2 over all pairs,  within [0, 1],

Ledoit and Wolf, "Improved estimation of the covariance matrix of stock returns", Journal of Empirical Finance 10
(2003), with each instrument's own variance and no correlation as the target, on correlations so that every pair counts
alike (Schäfer and Strimmer, Statistical Applications in Genetics and Molecular Biology 4 (2005), target D). Var(r) is
the sum of (w (xy - r (x^2 + y^2) / 2))^2 over standardised returns x and y, from the influence function of r (Devlin,
Gnanadesikan and Kettenring, Biometrika 62 (1975)): nothing for copies, however fat their tails.

Floats are used within; sums are exact and rounded once (`fsum`), results are rounded to a grid.
"""

from __future__ import annotations

from decimal import Decimal
from itertools import combinations
from math import fsum, sqrt
from typing import Final

import msgspec

from tmt.agents.anti_correlation.config import AntiCorrelationConfig
from tmt.agents.anti_correlation.returns import ReturnSeries
from tmt.domain.money import ZERO, Exact, round_half_even

CORRELATION_DECIMALS: Final = 4
VOLATILITY_DECIMALS: Final = 10

Rows = list[list[float]]
"""One row an instrument, oldest return first, all of one length."""


class Correlation(msgspec.Struct, frozen=True, kw_only=True):
    """Correlation of two instruments' returns, in [-1, 1]; None when it is not known. `common` counts shared bars."""

    first: str
    second: str
    coefficient: Exact | None
    common: int


class Comovement(msgspec.Struct, frozen=True, kw_only=True):
    """Correlations of several instruments over the bars that all have; together they are one correlation matrix.

    Attributes:
        coefficients: of each pair of `symbols`, row by row of the upper triangle without the diagonal.
        shrinkage_fraction: weight of the identity, in [0, 1].
        returns: common returns used.
    """

    symbols: tuple[str, ...]
    coefficients: tuple[Exact, ...]
    shrinkage_fraction: Exact
    returns: int

    def pairs(self) -> list[tuple[str, str, Decimal]]:
        """Every two symbols and their coefficient."""
        named = combinations(self.symbols, 2)
        return [(*pair, coefficient) for pair, coefficient in zip(named, self.coefficients, strict=True)]


def correlate(series: dict[str, ReturnSeries], first: str, second: str, config: AntiCorrelationConfig) -> Correlation:
    """Shrunk correlation of two instruments, of their own common bars alone: no third one dilutes it."""
    rows = _common_returns(series, (first, second))
    coefficient = None
    if len(rows[0]) >= config.returns_min and all(len(set(row)) > 1 for row in rows):
        [found], _ = _shrunk(rows, config.half_life_bars)
        coefficient = _rounded(found, CORRELATION_DECIMALS)
    return Correlation(first=first, second=second, coefficient=coefficient, common=len(rows[0]))


def correlation_matrix(series: dict[str, ReturnSeries], config: AntiCorrelationConfig) -> list[Correlation]:
    """Every pair of instruments once, by name."""
    return [correlate(series, first, second, config) for first, second in combinations(sorted(series), 2)]


def comove(
    series: dict[str, ReturnSeries], symbols: tuple[str, ...], config: AntiCorrelationConfig
) -> Comovement | None:
    """Correlations of instruments together; None with fewer than `returns_min` bars that all have."""
    rows = _common_returns(series, symbols)
    if len(rows[0]) < config.returns_min:
        return None
    found, intensity = _shrunk(rows, config.half_life_bars)
    return Comovement(
        symbols=symbols,
        coefficients=tuple(_rounded(each, CORRELATION_DECIMALS) for each in found),
        shrinkage_fraction=_rounded(intensity, CORRELATION_DECIMALS),
        returns=len(rows[0]),
    )


def volatility(series: ReturnSeries | None, config: AntiCorrelationConfig) -> Decimal | None:
    """Standard deviation of an instrument's own returns; None with fewer than `returns_min`."""
    if series is None or len(series.returns) < config.returns_min:
        return None
    deviations, weights = _deviations(series.returns), _weights(len(series.returns), config.half_life_bars)
    return _rounded(_spread(deviations, weights), VOLATILITY_DECIMALS)


def _common_returns(series: dict[str, ReturnSeries], symbols: tuple[str, ...]) -> Rows:
    found = [dict(zip(each.end_ns, each.returns, strict=True)) for each in map(series.get, symbols) if each is not None]
    if len(found) < len(symbols):
        return [[] for _ in symbols]
    ends = [end for end in found[0] if all(end in each for each in found)]
    return [[each[end] for end in ends] for each in found]


def _weights(count: int, half_life: int) -> list[float]:
    """Of `count` returns, oldest first; they sum to 1."""
    falling = [0.5 ** (age / half_life) for age in reversed(range(count))]
    total = fsum(falling)
    return [each / total for each in falling]


def _deviations(row: list[float] | tuple[float, ...]) -> list[float]:
    # From the row's own first: what never moves deviates by exactly nothing, and small moves keep their digits.
    return [each - row[0] for each in row]


def _spread(deviations: list[float], weights: list[float]) -> float:
    mean = fsum(w * x for w, x in zip(weights, deviations, strict=True))
    return sqrt(fsum(w * (x - mean) ** 2 for w, x in zip(weights, deviations, strict=True)))


def _standardised(row: list[float], weights: list[float]) -> list[float]:
    deviations = _deviations(row)
    mean = fsum(w * x for w, x in zip(weights, deviations, strict=True))
    spread = _spread(deviations, weights)
    return [0.0 if spread == 0.0 else (x - mean) / spread for x in deviations]


def _shrunk(rows: Rows, half_life: int) -> tuple[list[float], float]:
    """Coefficients of all pairs, row by row of the upper triangle, and the intensity that they were shrunk by."""
    weights = _weights(len(rows[0]), half_life)
    sample: list[float] = []
    variances: list[float] = []
    for first, second in combinations([_standardised(row, weights) for row in rows], 2):
        terms = list(zip(weights, first, second, strict=True))
        r = max(-1.0, min(1.0, fsum(w * x * y for w, x, y in terms)))
        sample.append(r)
        variances.append(fsum((w * (x * y - r * (x * x + y * y) / 2)) ** 2 for w, x, y in terms))
    signal = fsum(each * each for each in sample)
    intensity = 0.0 if signal == 0.0 else min(1.0, fsum(variances) / signal)
    return [each * (1.0 - intensity) for each in sample], intensity


def _rounded(value: float, decimals: int) -> Decimal:
    return round_half_even(Decimal(repr(value)), decimals) + ZERO  # a negative zero becomes a plain one
