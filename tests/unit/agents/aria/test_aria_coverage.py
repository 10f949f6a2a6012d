"""Value at risk against what real hours of EURUSD then did: as many losses beyond it as its confidence says."""

import zipfile
from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import pairwise
from math import log
from pathlib import Path

import pytest

from tests.unit.agents.aria.backtest import CHI_SQUARE_99, forecasts, independence, proportion_of_failures
from tests.unit.agents.desk import default_config
from tmt.agents.aria import AriaConfig
from tmt.agents.aria.value_at_risk import OUTCOME_DECIMALS, ewma, historical, outcomes

CONFIG = default_config(AriaConfig, "aria").value_at_risk
POSITION = Decimal(100_000)
STARTS, HOURS = range(500, 74_000, 7_500), 450  # ten windows, evenly over the years
Predict = Callable[[Sequence[int]], int]


@pytest.fixture(scope="module")
def gains(test_data: Path) -> list[int]:
    """Outcomes of a constant position in EURUSD at mid prices, an hour each, 2007 to 2018."""
    with zipfile.ZipFile(test_data / "eurusd_bars_hour" / "eurusd.zip") as archive:
        rows = [line.split(",") for line in archive.read("eurusd.csv").decode("ascii").splitlines()]
    mids = [float(row[4]) + float(row[9]) for row in rows]
    returns = [round((after / before - 1) * 10**9) for before, after in pairwise(mids)]
    return outcomes({"EURUSD": POSITION}, {"EURUSD": returns})


def predictor(method: str, confidence: Decimal) -> Predict:
    def predict(window: Sequence[int]) -> int:
        by_history = method == "historical"
        risk = historical(window, confidence) if by_history else ewma(window, confidence, CONFIG.ewma_decay)
        return int(risk.value_at_risk.scaleb(OUTCOME_DECIMALS))

    return predict


@pytest.mark.parametrize("confidence", ["0.95", "0.99"])
def test_losses_beyond_the_value_at_risk_are_as_many_as_they_should_be(gains: list[int], confidence: str) -> None:
    share = float(1 - Decimal(confidence))
    clustering = {}
    for method in ("historical", "ewma"):
        predict = predictor(method, Decimal(confidence))
        known = forecasts(gains, CONFIG.returns_max, STARTS, HOURS, predict)
        failed = [loss > at_risk for loss, at_risk in known]
        halved = [2 * loss > at_risk for loss, at_risk in known]
        assert proportion_of_failures(failed, share) <= CHI_SQUARE_99, (method, sum(failed))
        assert proportion_of_failures(halved, share) > 10 * CHI_SQUARE_99, (method, sum(halved))
        clustering[method] = independence(failed)
    if confidence == "0.95":
        # History alone lags behind volatility: its failures come together more than those of the EWMA method.
        assert clustering["ewma"] < clustering["historical"] / 2


def test_the_ratios_are_zero_where_all_is_as_it_should_be() -> None:
    failed = [True, True, False, False] * 25 + [True]
    assert proportion_of_failures(failed[:-1], 0.5) == 0
    assert independence(failed) == pytest.approx(0, abs=1e-9)


def test_the_ratios_are_those_of_the_formulas() -> None:
    failed = [False] * 18 + [True] * 2
    expected = 2 * (2 * log(0.1) + 18 * log(0.9) - 2 * log(0.05) - 18 * log(0.95))
    assert proportion_of_failures(failed, 0.05) == pytest.approx(expected)
    # After no failure 1 of 18, after a failure 1 of 1; 2 of 19 in all.
    chain, alike = log(1 / 18) + 17 * log(17 / 18), 2 * log(2 / 19) + 17 * log(17 / 19)
    assert independence(failed) == pytest.approx(2 * (chain - alike))


def test_no_failure_at_all_is_too_good() -> None:
    assert proportion_of_failures([False] * 1000, 0.01) > CHI_SQUARE_99
