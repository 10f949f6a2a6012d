"""Value at risk and expected shortfall of an account over its next bar, from common returns applied to what it holds.

A hypothetical outcome is what the present exposures would have gained in one past bar. Historical simulation takes the
outcomes as they are. The EWMA method takes the variance around 0, weighted towards the newest, which is w' S w with
RiskMetrics' covariance matrix S of the returns; losses in multiples of the deviation are the normal distribution's, or
those that the outcomes had in multiples of the deviation forecast for each, whichever are worse.

Sources: J.P. Morgan/Reuters, RiskMetrics Technical Document (1996), for the EWMA; J. Hull and A. White, Incorporating
Volatility Updating into the Historical Simulation Method for Value at Risk (1998), for outcomes over their forecast
deviation; C. Acerbi and D. Tasche, On the Coherence of Expected Shortfall (2002), for the tail's mean.

Outcomes and worths are whole numbers, and so are all sums: no rounding depends on the machine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from math import isqrt
from operator import mul
from typing import Final, NamedTuple

from tmt.agents.aria.quantiles import TABULATED
from tmt.agents.aria.returns import RETURN_DECIMALS
from tmt.domain.money import ONE, ROUNDING, ZERO, round_half_even

WORTH_DECIMALS: Final = 8
OUTCOME_DECIMALS: Final = WORTH_DECIMALS + RETURN_DECIMALS
"""Outcomes are whole numbers of 10**-17 of the account's currency."""

CUTS_MAX: Final = 8
"""Times that an order is cut and measured again before nothing of it fits."""

_WEIGHT_DECIMALS: Final = 18
_UNIT: Final = 10**_WEIGHT_DECIMALS
_MULTIPLE_DECIMALS: Final = 6


class Risk(NamedTuple):
    """Losses, at least 0, in the account's currency."""

    value_at_risk: Decimal
    expected_shortfall: Decimal


class Fitting(NamedTuple):
    """Value at risk with an order as it is asked for, and the lots of it that fit."""

    loss: Decimal
    lots: int


def outcomes(worths: Mapping[str, Decimal], returns: Mapping[str, Sequence[int]]) -> list[int]:
    """What worths would have gained in each past bar.

    Args:
        worths: signed, in the account's currency, by symbol.
        returns: common returns in whole billionths, of the same symbols at least.
    """
    gains = [0] * len(next(iter(returns.values()), ()))
    for symbol, worth in worths.items():
        scaled = _scaled(worth, WORTH_DECIMALS)
        gains = [gain + scaled * change for gain, change in zip(gains, returns[symbol], strict=True)]
    return gains


def historical(gains: Sequence[int], confidence: Decimal) -> Risk:
    """By historical simulation, of at least one outcome."""
    tail = _tail([-gain for gain in gains], confidence)
    return Risk(_amount(tail.value_at_risk), _amount(tail.expected_shortfall))


def ewma(gains: Sequence[int], confidence: Decimal, decay: Decimal) -> Risk:
    """By the EWMA method, of at least one outcome, oldest first."""
    deviation, multiples = deviation_of(gains, decay), tail_multiples(gains, confidence, decay)
    return Risk(
        _amount(ROUNDING.multiply(deviation, multiples.value_at_risk)),
        _amount(ROUNDING.multiply(deviation, multiples.expected_shortfall)),
    )


def deviation_of(gains: Sequence[int], decay: Decimal) -> Decimal:
    """Standard deviation forecast for the next outcome, in the unit of the outcomes."""
    return Decimal(isqrt(weighted(gains, gains, decay) // _UNIT))


def tail_multiples(gains: Sequence[int], confidence: Decimal, decay: Decimal) -> Risk:
    """Value at risk and shortfall in multiples of the deviation: the normal's, or the outcomes' own where worse."""
    z, density = TABULATED[confidence]
    kept = int(decay.scaleb(_MULTIPLE_DECIMALS))
    whole = 10**_MULTIPLE_DECIMALS
    variance = sum(map(mul, gains, gains)) // len(gains)
    multiples = []
    for gain in gains:
        multiples.append(-gain * whole // (isqrt(variance) or 1))
        variance = (kept * variance + (whole - kept) * gain * gain) // whole
    own = _tail(multiples, confidence)
    shortfall = ROUNDING.divide(density, ONE - confidence)
    return Risk(
        max(z, own.value_at_risk.scaleb(-_MULTIPLE_DECIMALS)),
        round_half_even(max(shortfall, ROUNDING.divide(own.expected_shortfall, whole)), _MULTIPLE_DECIMALS),
    )


def _tail(losses: list[int], confidence: Decimal) -> Risk:
    """The least loss that at most 1 - confidence of the losses exceed, and the mean of the worst 1 - confidence.

    The last of the worst counts by the part of it that belongs there.
    """
    losses = sorted(losses, reverse=True)
    share = (ONE - confidence) * len(losses)
    beyond = int(share)
    within = ROUNDING.add(sum(losses[:beyond]), ROUNDING.multiply(share - beyond, losses[beyond]))
    return Risk(Decimal(losses[beyond]), ROUNDING.divide(within, share))


def weighted(first: Sequence[int], second: Sequence[int], decay: Decimal) -> int:
    """Mean of the products of two series of outcomes by their EWMA weights, times 10**18."""
    return sum(map(mul, map(mul, first, second), _weights(len(first), decay)))


@lru_cache(maxsize=64)
def _weights(count: int, decay: Decimal) -> tuple[int, ...]:
    """Oldest first: (1 - decay) decay**age, the newest of age 0; what is left before the first is shared by all."""
    weights, weight = [], ONE - decay
    for _ in range(count):
        weights.append(weight)
        weight = ROUNDING.multiply(weight, decay)
    share = ROUNDING.divide(weight, (ONE - decay) * count)
    return tuple(int(ROUNDING.add(each, share).scaleb(_WEIGHT_DECIMALS)) for each in reversed(weights))


def lots_within_loss(
    gains: Sequence[int],
    lot_gains: Sequence[int],
    lots: int,
    loss_max: Decimal,
    *,
    confidence: Decimal,
    decay: Decimal,
) -> Fitting:
    """How many of `lots` more keep the value at risk within `loss_max`, or no worse than it is without them.

    All losses are in the unit of the outcomes. A tail's multiple of the deviation depends on the quantity, so what a
    cut leaves is measured again; fewer may be left than would fit.
    """

    def measure(count: int) -> tuple[Decimal, Decimal]:
        """Value at risk with `count` lots, and the multiple of the deviation that it is."""
        with_order = [gain + count * more for gain, more in zip(gains, lot_gains, strict=True)]
        multiple = tail_multiples(with_order, confidence, decay).value_at_risk
        return ROUNDING.multiply(multiple, deviation_of(with_order, decay)), multiple

    loss, multiple = measure(lots)
    if loss <= loss_max:
        return Fitting(loss, lots)
    allowed, after, fitting = max(loss_max, measure(0)[0]), loss, lots
    for _ in range(CUTS_MAX):
        if after <= allowed:
            return Fitting(loss, fitting)
        most = lots_within(gains, lot_gains, ROUNDING.divide(allowed, multiple), decay)
        fitting = max(0, most) if most is not None and most < fitting else fitting // 2
        after, multiple = measure(fitting)
    return Fitting(loss, fitting if after <= allowed else 0)


def lots_within(gains: Sequence[int], lot_gains: Sequence[int], deviation_max: Decimal, decay: Decimal) -> int | None:
    """The most lots that keep the deviation within `deviation_max`, or no worse than it is; None: any number.

    With a, c the weighted variances of `gains` and of one lot's, and b their covariance, the variance with q lots is
    a + 2 b q + c q^2, which must not exceed M, the larger of the limit's and a: q is the larger root of the quadratic.
    """
    a, b = weighted(gains, gains, decay), weighted(gains, lot_gains, decay)
    c = weighted(lot_gains, lot_gains, decay)
    if c == 0:
        return None
    variance_max = max(a, int(deviation_max) ** 2 * _UNIT)
    return (isqrt(b * b + c * (variance_max - a)) - b) // c


def _scaled(value: Decimal, decimals: int) -> int:
    return int(round_half_even(value, decimals).scaleb(decimals))


def _amount(whole: Decimal) -> Decimal:
    return round_half_even(ROUNDING.scaleb(max(ZERO, whole), Decimal(-OUTCOME_DECIMALS)), WORTH_DECIMALS)
