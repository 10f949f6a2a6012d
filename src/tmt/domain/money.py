"""Exact numbers: how a Decimal enters, how it is computed with, how it is rounded.

The thread's context traps inexact results, so `+`, `-` and `*` on money either are exact or raise.
Division goes through `divide`, which names its rounding.
"""

from __future__ import annotations

import decimal
import re
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_UP, Decimal
from functools import cache
from typing import TYPE_CHECKING, Any, Final

DIGITS_MAX: Final = 50
"""Significant digits that exact arithmetic may need before it raises."""

MAGNITUDE_MAX: Final = Decimal(10) ** 18
FRACTION_DIGITS_MAX: Final = 18

_TRAPS: Final = [decimal.InvalidOperation, decimal.DivisionByZero, decimal.Overflow, decimal.FloatOperation]

EXACT: Final = decimal.Context(prec=DIGITS_MAX, rounding=ROUND_HALF_EVEN, traps=[*_TRAPS, decimal.Inexact])
"""Never mutated: `decimal` shares context objects between asyncio tasks."""

ROUNDING: Final = decimal.Context(prec=DIGITS_MAX, rounding=ROUND_HALF_EVEN, traps=_TRAPS)

ZERO: Final = Decimal(0)
ONE: Final = Decimal(1)

_PLAIN: Final = re.compile(r"-?[0-9]{1,19}(\.[0-9]{1,18})?", re.ASCII)
_IN_BOUNDS: Final = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?", re.ASCII)
_SCIENTIFIC: Final = re.compile(r"-?[0-9](\.[0-9]{1,18})?E[-+][0-9]{1,2}", re.ASCII)


def use_exact_arithmetic() -> None:
    """Make inexact money raise in this thread and in every thread started later."""
    decimal.DefaultContext.prec = DIGITS_MAX
    for trap in (*_TRAPS, decimal.Inexact):
        decimal.DefaultContext.traps[trap] = True
    decimal.setcontext(EXACT.copy())


use_exact_arithmetic()


def exact(text: str) -> Decimal:
    """Parse a plain ASCII decimal such as "-12.50".

    Refuses NaN, infinities, exponents, underscores, blanks, a leading plus and other scripts' digits.

    Raises:
        ValueError: when `text` is anything else, or its magnitude is above 10**18.
    """
    if _PLAIN.fullmatch(text) is None:
        raise ValueError(f"not a plain decimal number: {text!r}")
    return _bounded(text)


def _bounded(text: str) -> Decimal:
    value = Decimal(text)
    if abs(value) > MAGNITUDE_MAX:
        raise ValueError(f"magnitude above {MAGNITUDE_MAX}: {text!r}")
    if _fraction_digits(value) > FRACTION_DIGITS_MAX:
        raise ValueError(f"more than {FRACTION_DIGITS_MAX} decimals: {text!r}")
    return value


def _fraction_digits(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    return -exponent if isinstance(exponent, int) else 0


def checked(name: str, value: Decimal) -> None:
    """Raise ValueError unless `value` is a finite Decimal of bounded magnitude and scale."""
    if type(value) is not Decimal:
        raise ValueError(f"{name} must be a Decimal, was {type(value).__name__}")
    if _IN_BOUNDS.fullmatch(str(value)) is not None:
        return  # nearly every value, and twice as fast as asking for its digits; what follows finds the words
    if not value.is_finite():
        raise ValueError(f"{name} must be finite, was {value}")
    if abs(value) > MAGNITUDE_MAX:
        raise ValueError(f"{name} must be at most {MAGNITUDE_MAX} in magnitude, was {value}")
    if _fraction_digits(value) > FRACTION_DIGITS_MAX:
        raise ValueError(f"{name} must have at most {FRACTION_DIGITS_MAX} decimals, was {value}")


def positive(name: str, value: Decimal) -> None:
    """Raise ValueError unless `value` is finite and above zero."""
    checked(name, value)
    if value <= ZERO:
        raise ValueError(f"{name} must be positive, was {value}")


def not_negative(name: str, value: Decimal) -> None:
    """Raise ValueError unless `value` is finite and at least zero."""
    checked(name, value)
    if value < ZERO:
        raise ValueError(f"{name} must be at least 0, was {value}")


def fraction(name: str, value: Decimal) -> None:
    """Raise ValueError unless `value` lies in [0, 1]."""
    not_negative(name, value)
    if value > ONE:
        raise ValueError(f"{name} must be at most 1, was {value}")


def divide(numerator: Decimal, denominator: Decimal, places: int = 12) -> Decimal:
    """Quotient rounded half-even to `places` decimals; for ratios and valuations, never for postings."""
    return round_half_even(ROUNDING.divide(numerator, denominator), places)


def round_half_even(value: Decimal, places: int) -> Decimal:
    """`value` at `places` decimals, ties to even."""
    return value.quantize(_quantum(places), rounding=ROUND_HALF_EVEN, context=ROUNDING)


def round_up(value: Decimal, places: int) -> Decimal:
    """`value` at `places` decimals, away from zero; for fees, which never favour us."""
    return value.quantize(_quantum(places), rounding=ROUND_UP, context=ROUNDING)


@cache
def _quantum(places: int) -> Decimal:
    return Decimal(1).scaleb(-places)


def floor_to(value: Decimal, step: Decimal) -> Decimal:
    """Largest multiple of `step` whose magnitude is not above that of `value`."""
    steps = ROUNDING.divide(value, step).to_integral_value(rounding=ROUND_DOWN, context=ROUNDING)
    return steps * step


def is_multiple(value: Decimal, step: Decimal) -> bool:
    """Whether `value` is a whole number of steps."""
    return value % step == ZERO


class _ExactType(type):
    def __instancecheck__(cls, value: object) -> bool:
        return type(value) is Decimal


if TYPE_CHECKING:
    Exact = Decimal
else:

    class Exact(metaclass=_ExactType):
        """Annotation of a Decimal field that decodes only from the text that `exact` accepts or Decimal writes.

        msgspec alone decodes "NaN", "1_000" and other scripts' digits into Decimal; an unknown type makes it ask
        `decode_hook` instead, and the instance check lets the hook's plain Decimal through.
        """


def decode_hook(wanted: type, value: Any) -> Any:
    """Msgspec `dec_hook` for the types of this package."""
    if wanted is Exact:
        if type(value) is Decimal:
            return value
        if type(value) is not str:
            raise ValueError(f"money travels as text, was {type(value).__name__}")
        if _IN_BOUNDS.fullmatch(value) is not None:
            return Decimal(value)  # nearly every value; what follows says the same, slower
        # Decimal itself writes 0.0000001 as "1E-7" and a zero of 12 decimals as "0E-12".
        return _bounded(value) if _SCIENTIFIC.fullmatch(value) is not None else exact(value)
    raise NotImplementedError(f"no decoder for {wanted!r}")
