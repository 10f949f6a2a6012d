"""From text to whole price quanta, lots and nanoseconds, without a float on the way."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Final

import numpy as np
import polars as pl

from tmt.market.quality import Column, Mask

_UNITS_MAX: Final = 2**62
_PLAIN: Final = r"^[0-9]{1,18}(\.[0-9]*)?$"
_GENERAL: Final = re.compile(r"\+?([0-9]{1,18}\.?[0-9]{0,40}|\.[0-9]{1,40})([eE][+-]?[0-9]{1,2})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Grid:
    """Numbers as whole units.

    Attributes:
        units: rounded down; 0 where `bad`.
        off: the number lies between two units.
        bad: empty, negative, too large (above 2**62 units) or no number.
    """

    units: Column
    off: Mask
    bad: Mask


def to_grid(text: pl.Series, unit: Decimal) -> Grid:
    """Every number in `text`, at least 0, in multiples of `unit`."""
    places = max(0, -int(unit.as_tuple().exponent))
    scale = 10**places
    unit_scaled = int(unit * scale)
    plain = text.str.contains(_PLAIN).fill_null(value=False).to_numpy()
    parts = text.str.split_exact(".", 1).struct.unnest()
    whole = parts.get_columns()[0].cast(pl.Int64, strict=False).fill_null(0).to_numpy()
    fraction = parts.get_columns()[1].fill_null("")
    plain = plain & (whole <= _UNITS_MAX // scale - 1)
    scaled = np.where(plain, whole, 0) * scale
    off = (fraction.str.slice(places).str.strip_chars_end("0") != "").to_numpy()
    if places:
        head = fraction.str.slice(0, places).str.pad_end(places, "0").cast(pl.Int64, strict=False)
        scaled = scaled + np.where(plain, head.fill_null(0).to_numpy(), 0)
    units, rest = np.divmod(scaled, unit_scaled)
    off = plain & (off | (rest != 0))
    bad = ~plain
    if bad.any():
        _read_singly(text, unit, units, off, bad)
    return Grid(units, off, bad)


def _read_singly(text: pl.Series, unit: Decimal, units: Column, off: Mask, bad: Mask) -> None:
    # Exponents and the like, as some writers of floats produce them: rare, so one at a time.
    for index in np.flatnonzero(bad).tolist():
        value = text[index]
        if value is None or _GENERAL.fullmatch(value) is None:
            continue
        count = Fraction(value) / Fraction(unit)
        if count < _UNITS_MAX:
            units[index] = count.numerator // count.denominator
            off[index] = count.denominator != 1
            bad[index] = False
