"""Quantiles of the normal distribution and of Student's t, as exact numbers: the same on every machine."""

from __future__ import annotations

from decimal import Decimal
from typing import Final, NamedTuple

from tmt.domain.money import ROUNDING, divide, round_half_even

QUANTILE_DECIMALS: Final = 6


class NormalQuantile(NamedTuple):
    """`z` has probability 1 - confidence above it; `density` is the standard normal density there."""

    z: Decimal
    density: Decimal


TABULATED: Final = {
    Decimal(confidence): NormalQuantile(Decimal(z), Decimal(density))
    for confidence, z, density in (
        ("0.9", "1.281552", "0.175498"),
        ("0.95", "1.644854", "0.103136"),
        ("0.975", "1.959964", "0.058445"),
        ("0.99", "2.326348", "0.026652"),
        ("0.995", "2.575829", "0.014460"),
        ("0.999", "3.090232", "0.003367"),
    )
}
"""By confidence. Source: NIST/SEMATECH e-Handbook of Statistical Methods, section 1.3.6.7.1."""


def student_quantile(confidence: Decimal, degrees: int) -> Decimal:
    """One-sided quantile of Student's t with `degrees` of freedom, at a tabulated confidence; from 9 on good to 0.01.

    Source: expansion about the normal quantile, Abramowitz & Stegun, Handbook of Mathematical Functions, 26.7.5.
    """
    z, nu = TABULATED[confidence].z, Decimal(degrees)
    power = [round_half_even(ROUNDING.power(z, exponent), 18) for exponent in range(8)]
    first = divide(power[3] + power[1], 4 * nu)
    second = divide(5 * power[5] + 16 * power[3] + 3 * power[1], 96 * nu**2)
    third = divide(3 * power[7] + 19 * power[5] + 17 * power[3] - 15 * power[1], 384 * nu**3)
    return round_half_even(z + first + second + third, QUANTILE_DECIMALS)
