"""Volatilities and shrunk correlations: against the definition in numpy, and where they are not known."""

from decimal import Decimal
from math import sqrt

import numpy as np
import pytest

from tests.unit.agents.anti_correlation.moves import COUNT, X, Y, Z, config_with, correlated, mixed, row
from tmt.agents.anti_correlation import correlation_matrix
from tmt.agents.anti_correlation.covariance import comove, correlate, volatility
from tmt.agents.anti_correlation.returns import ReturnSeries

STEP = Decimal("0.0001")
ROUGH = tuple(((7 * i * i + 3 * i) % 41 - 20) / 1000 for i in range(60))
OTHER = tuple(((5 * i * i + 11 * i) % 37 - 18) / 1000 + 0.4 * ROUGH[i] for i in range(60))
THIRD = tuple(((3 * i * i + 2 * i) % 29 - 14) / 100 - 3 * ROUGH[i] for i in range(60))
SERIES = {"A": row(ROUGH), "B": row(OTHER), "C": row(THIRD)}


def by_definition(rows: list[tuple[float, ...]], half_life: float) -> tuple[np.ndarray, float]:
    """The shrunk correlation matrix and the intensity, written from the formula with numpy's own covariance."""
    count = len(rows[0])
    weights = 2.0 ** (-np.arange(count)[::-1] / half_life)
    weights /= weights.sum()
    data = np.array(rows)
    sample = np.cov(data, aweights=weights, ddof=0)
    scale = np.sqrt(np.diag(sample))
    sample = sample / np.outer(scale, scale)
    standard = (data - (data @ weights)[:, None]) / scale[:, None]
    spread = sum(
        w**2 * (np.outer(z, z) - sample * (z[:, None] ** 2 + z[None, :] ** 2) / 2) ** 2
        for w, z in zip(weights, standard.T, strict=True)
    )
    off = ~np.eye(len(rows), dtype=bool)
    intensity = min(1.0, spread[off].sum() / (sample[off] ** 2).sum())
    return (1 - intensity) * sample + intensity * np.eye(len(rows)), intensity


@pytest.mark.parametrize("half_life", ["1", "7", "100"])
def test_a_matrix_is_what_its_definition_says(half_life: str) -> None:
    found = comove(SERIES, ("A", "B", "C"), config_with(half_life_bars=half_life, returns_min="60"))
    assert found is not None
    matrix, intensity = by_definition([ROUGH, OTHER, THIRD], float(half_life))
    expected = [matrix[0, 1], matrix[0, 2], matrix[1, 2]]
    assert [float(each) for each in found.coefficients] == pytest.approx(expected, abs=0.00005000001)
    assert float(found.shrinkage_fraction) == pytest.approx(intensity, abs=0.00005000001)
    assert (found.symbols, found.returns) == (("A", "B", "C"), 60)
    assert [each[:2] for each in found.pairs()] == [("A", "B"), ("A", "C"), ("B", "C")]
    assert [each[2] for each in found.pairs()] == list(found.coefficients)


@pytest.mark.parametrize(("first", "second"), [("A", "B"), ("B", "C")])
def test_a_pair_is_shrunk_by_itself_alone(first: str, second: str) -> None:
    config = config_with(half_life_bars="20")
    pair = correlate(SERIES, first, second, config)
    rows = [SERIES[first].returns, SERIES[second].returns]
    assert pair.coefficient is not None
    assert float(pair.coefficient) == pytest.approx(by_definition(rows, 20)[0][0, 1], abs=0.00005000001)
    assert pair.common == 60


@pytest.mark.parametrize("half_life", ["5", "50"])
def test_volatility_is_the_weighted_deviation_of_all_returns(half_life: str) -> None:
    found = volatility(SERIES["A"], config_with(half_life_bars=half_life))
    weights = 2.0 ** (-np.arange(60)[::-1] / float(half_life))
    expected = sqrt(float(np.cov(np.array(ROUGH), aweights=weights, ddof=0)))
    assert found is not None
    assert float(found) == pytest.approx(expected, abs=1e-10)
    assert found.as_tuple().exponent == -10


def test_newer_returns_weigh_more() -> None:
    quiet, wild = row((0.001, -0.001) * 20), row((0.01, -0.01) * 20)
    settled = row(wild.returns + quiet.returns)
    fast, slow = (volatility(settled, config_with(half_life_bars=half_life)) for half_life in ("5", "500"))
    assert fast is not None
    assert slow is not None
    assert fast < Decimal("0.002") < slow


def test_copies_are_never_shrunk_and_the_independent_not_below_nothing() -> None:
    config = config_with()
    rows = {"A": row(X), "B": row(X, 3.0), "C": row(Y), "D": row(tuple(-x for x in X))}
    assert correlate(rows, "A", "B", config).coefficient == 1
    assert correlate(rows, "A", "D", config).coefficient == -1
    independent = correlate(rows, "A", "C", config).coefficient
    assert str(independent) == "0.0000"


def test_copies_with_fat_tails_are_not_shrunk_either() -> None:
    jumps = (*X[:38], 30.0, -25.0)
    config = config_with(half_life_bars="20")
    assert correlate({"A": row(jumps), "B": row(jumps, 0.5)}, "A", "B", config).coefficient == 1


def test_a_third_instrument_dilutes_the_matrix_but_not_the_pair() -> None:
    config, rows = config_with(), {"A": row(X), "B": row(X), "C": row(Y)}
    together = comove(rows, ("A", "B", "C"), config)
    assert together is not None
    # Two pairs of independent rows err by 1 / n each, against one copy: an intensity of 2 / n.
    assert together.shrinkage_fraction == Decimal(2) / COUNT
    assert together.coefficients == (Decimal("0.95"), Decimal(0), Decimal(0))
    assert correlate(rows, "A", "B", config).coefficient == 1


def test_the_intensity_is_at_most_whole() -> None:
    rows = {"A": row(X), "B": row(mixed(0.0001)), "C": row(Z)}
    together = comove(rows, ("A", "B", "C"), config_with())
    assert together is not None
    assert together.shrinkage_fraction == 1
    assert set(together.coefficients) == {Decimal(0)}


@pytest.mark.parametrize("coefficient", ["0.5", "-0.7001", "0.8999"])
def test_the_tests_own_mixture_is_exact(coefficient: str) -> None:
    series = correlated(coefficient).series
    assert correlate(series, "EURUSD", "GBPUSD", config_with()).coefficient == Decimal(coefficient)
    assert correlate(series, "GBPUSD", "EURUSD", config_with()).coefficient == Decimal(coefficient)


@pytest.mark.parametrize(("common", "known"), [(29, False), (30, True)])
def test_a_correlation_is_known_from_the_configured_number_of_common_returns(common: int, known: bool) -> None:
    series = {"EURUSD": row(X[:common]), "GBPUSD": row(mixed(0.6)[:common])}
    config = config_with()
    [pair] = correlation_matrix(series, config)
    assert (pair.first, pair.second, pair.common) == ("EURUSD", "GBPUSD", common)
    assert (pair.coefficient is not None) is known
    assert (comove(series, ("EURUSD", "GBPUSD"), config) is not None) is known
    assert (volatility(series["EURUSD"], config) is not None) is known


def test_only_bars_that_both_have_are_compared() -> None:
    later = ReturnSeries(49, 1.0, tuple(range(5, 45)), X)
    config = config_with()
    pair = correlate({"A": row(X), "B": later}, "A", "B", config)
    assert pair.common == 35
    shifted = by_definition([X[5:], X[:35]], 1e9)[0][0, 1]
    assert float(pair.coefficient or 0) == pytest.approx(shifted, abs=0.00005000001)
    assert correlate({"A": row(X), "B": ReturnSeries(99, 1.0, tuple(range(60, 100)), X)}, "A", "B", config).common == 0


def test_what_is_not_followed_is_not_known() -> None:
    config = config_with()
    pair = correlate({"A": row(X)}, "A", "B", config)
    assert (pair.coefficient, pair.common) == (None, 0)
    assert comove({"A": row(X)}, ("A", "B"), config) is None
    assert volatility(None, config) is None
    assert correlation_matrix({"A": row(X)}, config) == []


@pytest.mark.parametrize("move", [1e-9, 2.0**-52])
def test_correlation_keeps_its_digits_at_high_levels_and_small_moves(move: float) -> None:
    tiny = tuple(1.0 + move * (i % 2) for i in range(COUNT))
    series = {"A": row(tiny), "B": row(tuple(-x for x in tiny))}
    assert correlate(series, "A", "B", config_with()).coefficient == Decimal(-1)


@pytest.mark.parametrize("way", [1, -1])
@pytest.mark.parametrize("half_life", ["7", "20"])
def test_a_coefficient_is_at_most_one_where_floats_run_out_of_digits(way: int, half_life: str) -> None:
    # Squares of 1e-161 are subnormal: unbounded, the sum of products would be 1.12 or more.
    series = {"A": row(X, 1e-161), "B": row(X, way * 1e-161)}
    assert correlate(series, "A", "B", config_with(half_life_bars=half_life)).coefficient == way


def test_correlation_is_of_moves_about_their_means() -> None:
    series = {"A": row((2.0, 0.0, 2.0, 0.0) * 10), "B": row((2.0, 0.0, 0.0, 2.0) * 10)}
    assert correlate(series, "A", "B", config_with()).coefficient == 0


@pytest.mark.parametrize("level", [0.0, 0.001, 0.007])
def test_what_never_moves_correlates_with_nothing(level: float) -> None:
    still, config = row((level,) * COUNT), config_with(half_life_bars="3")
    assert correlate({"A": still, "B": row(X)}, "A", "B", config).coefficient is None
    assert correlate({"A": row(X), "B": still}, "A", "B", config).coefficient is None
    assert volatility(still, config) == 0
    for other in (row(X), row((1.7 * level,) * COUNT)):
        together = comove({"A": still, "B": other}, ("A", "B"), config)
        assert together is not None
        assert (together.coefficients, together.shrinkage_fraction) == ((Decimal(0),), Decimal(0))


def test_coefficients_are_on_a_grid_of_four_decimals() -> None:
    found = correlate(SERIES, "A", "B", config_with(half_life_bars="20")).coefficient
    assert found is not None
    assert found == found.quantize(STEP)
    assert found.as_tuple().exponent == -4
