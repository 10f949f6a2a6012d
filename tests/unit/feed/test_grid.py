"""From text to whole units: exact for every decimal, refusing what is no number."""

from decimal import Decimal
from fractions import Fraction

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tmt.adapters.feed.grid import to_grid

UNITS = [Decimal(text) for text in ("0.00001", "0.0001", "0.01", "0.25", "1", "1000", "0.000000001", "0.5")]


NUMBER = st.from_regex(
    r"[0-9]{1,8}(\.[0-9]{0,20})?([eE][-+]?[0-9]{1,2})?", fullmatch=True, alphabet=st.characters(codec="ascii")
)


@given(texts=st.lists(NUMBER, max_size=10), unit=st.sampled_from(UNITS))
@example(texts=["1.38676"], unit=Decimal("0.00001"))
@example(texts=["0.29", "0.57", "1.005", "2."], unit=Decimal("0.01"))
@example(texts=["1.386760000000000000000000001"], unit=Decimal("0.00001"))
@example(texts=["1e-5", "1E+3", "1e99"], unit=Decimal("0.00001"))
@example(texts=[], unit=Decimal("0.01"))
def test_units_are_the_exact_floor_and_off_means_a_remainder(texts: list[str], unit: Decimal) -> None:
    grid = to_grid(pl.Series(texts, dtype=pl.String), unit)
    for index, text in enumerate(texts):
        count = Fraction(text) / Fraction(unit)
        assert grid.bad[index] == (count >= 2**62)
        if not grid.bad[index]:
            assert grid.units[index] == count.numerator // count.denominator
            assert grid.off[index] == (count.denominator != 1)


@given(quanta=st.integers(0, 10**12), unit=st.sampled_from(UNITS))
@example(quanta=138676, unit=Decimal("0.00001"))
def test_a_price_on_the_grid_survives_the_way_through_text(quanta: int, unit: Decimal) -> None:
    grid = to_grid(pl.Series([f"{unit * quanta:f}"]), unit)
    assert (grid.units[0], bool(grid.off[0]), bool(grid.bad[0])) == (quanta, False, False)


@pytest.mark.parametrize("text", ["NaN", "", None, "-1", "inf", "1_000", "0x1f", "1,5", " ", "1e999", "١٢", "9" * 19])
def test_what_is_no_number_from_zero_up_is_bad(text: str | None) -> None:
    grid = to_grid(pl.Series([text, "1"], dtype=pl.String), Decimal("0.01"))
    assert grid.bad.tolist() == [True, False]
    assert grid.units.tolist() == [0, 100]


def test_a_size_with_the_noise_of_a_float_is_floored_and_off() -> None:
    grid = to_grid(pl.Series(["0.029768000000000003", "0.0297"]), Decimal("0.0001"))
    assert grid.units.tolist() == [297, 297]
    assert grid.off.tolist() == [True, False]
