"""Value at risk: the arithmetic of both methods against plain formulas, and the size that keeps a limit."""

from decimal import Decimal
from math import sqrt
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.agents.desk import START_NS, Desk
from tmt.agents.aria import value_at_risk
from tmt.agents.aria.quantiles import TABULATED
from tmt.agents.aria.returns import ReturnSeries, advance, common_returns
from tmt.agents.aria.value_at_risk import (
    OUTCOME_DECIMALS,
    Risk,
    deviation_of,
    ewma,
    historical,
    lots_within,
    lots_within_loss,
    outcomes,
    tail_multiples,
    weighted,
)
from tmt.domain.money import ROUNDING

UNIT = 10**OUTCOME_DECIMALS
DECAY = Decimal("0.94")
CONFIDENCE = Decimal("0.95")
TENTH = Decimal("0.9")


def whole(*amounts: int) -> list[int]:
    return [amount * UNIT for amount in amounts]


@pytest.mark.parametrize("confidence", TABULATED)
def test_the_normal_quantiles_are_those_of_the_distribution(confidence: Decimal) -> None:
    z = NormalDist().inv_cdf(float(confidence))
    assert float(TABULATED[confidence].z) == pytest.approx(z, abs=6e-7)
    assert float(TABULATED[confidence].density) == pytest.approx(NormalDist().pdf(z), abs=6e-7)


def test_a_return_is_close_over_close_minus_one() -> None:
    desk = Desk()
    closes = ("1.00000", "1.10000", "1.10000", "0.99000", "0.99001")
    series = None
    for close in closes:
        desk.pass_seconds(60)
        series = advance(series, desk.bar("EURUSD", close).bar, 3, 0)
    assert series is not None
    assert (series.last_end_ns, series.last_pico) == (desk.now_ns, 990_010_000_000)
    assert series.returns_nano == (0, -100_000_000, 10_101)
    assert series.end_ns == tuple(desk.now_ns - 60_000_000_000 * age for age in (2, 1, 0))


def test_the_first_bar_has_no_return() -> None:
    assert advance(None, Desk().bar("EURUSD", "1.5").bar, 3, 0) == ReturnSeries(START_NS, 1_500_000_000_000)


def test_common_returns_are_of_the_bars_that_all_have() -> None:
    series = {
        "A": ReturnSeries(0, 1, (1, 2, 3, 5), (10, 20, 30, 50)),
        "B": ReturnSeries(0, 1, (2, 3, 4, 5), (-2, -3, -4, -5)),
        "C": ReturnSeries(0, 1, (7,), (1,)),
    }
    assert common_returns(series, ["B", "A", "B"]) == {"B": [-2, -3, -5], "A": [20, 30, 50]}
    assert common_returns(series, ["A"]) == {"A": [10, 20, 30, 50]}
    assert common_returns(series, ["A", "C"]) == {"A": [], "C": []}
    assert common_returns(series, ["A", "unknown"]) == {"A": [], "unknown": []}
    assert common_returns(series, []) == {}


def test_outcomes_are_worths_times_returns_in_each_bar() -> None:
    returns = {"A": [10_000_000, -20_000_000], "B": [1, 1], "C": [5, 5]}
    gains = outcomes({"A": Decimal(1000), "B": Decimal("-0.00000001")}, returns)
    assert gains == [10 * UNIT - 1, -20 * UNIT - 1]
    assert outcomes({}, {}) == []


def test_returns_that_are_not_common_are_refused() -> None:
    worths = {"A": Decimal(1), "B": Decimal(1)}
    for returns in ({"A": [1, 2], "B": [1]}, {"A": [1], "B": [1, 2]}):
        with pytest.raises(ValueError, match="zip"):
            outcomes(worths, returns)


def test_a_return_is_rounded_on_its_grid() -> None:
    first = advance(None, Desk().bar("EURUSD", "3").bar, 3, 0)
    desk = Desk()
    desk.pass_seconds(60)
    assert advance(first, desk.bar("EURUSD", "5").bar, 3, 0).returns_nano == (666_666_667,)


def test_a_tail_beyond_a_market_that_hardly_moved_is_in_units() -> None:
    found = tail_multiples([*[0] * 9, -2], Decimal("0.9"), DECAY)
    assert found.expected_shortfall == 2


def test_the_historical_value_at_risk_is_a_loss_that_few_exceed() -> None:
    gains = whole(*(-n for n in range(1, 101)))
    risk = historical(gains, CONFIDENCE)
    assert risk.value_at_risk == 95  # five of a hundred exceed it
    assert risk.expected_shortfall == 98  # the mean of 96 to 100


def test_a_tail_that_is_no_whole_number_counts_its_last_loss_by_its_part() -> None:
    gains = whole(*(-n for n in range(1, 51)))
    risk = historical(gains, CONFIDENCE)
    assert risk.value_at_risk == 48
    assert risk.expected_shortfall == (50 + 49 + Decimal(48) / 2) / Decimal("2.5")


def test_few_outcomes_give_their_worst() -> None:
    assert historical(whole(5, -7, 1), Decimal("0.99")) == Risk(Decimal(7), Decimal(7))


def test_the_order_of_outcomes_is_nothing_to_history() -> None:
    assert historical(whole(3, -9, 4, -1) * 10, CONFIDENCE) == historical(whole(-1, 4, -9, 3) * 10, CONFIDENCE)


def test_what_only_gained_risks_nothing() -> None:
    assert historical(whole(1, 2, 3), CONFIDENCE) == Risk(Decimal(0), Decimal(0))


def test_the_deviation_weighs_the_newest_most() -> None:
    gains = [3, -1, 2, -4]
    variance = sum(x * x for x in gains) / 4
    for x in gains:  # RiskMetrics' recursion
        variance = 0.94 * variance + 0.06 * x * x
    assert float(deviation_of(whole(*gains), DECAY)) / UNIT == pytest.approx(sqrt(variance), rel=1e-12)


def test_equal_moves_have_their_own_size_as_deviation() -> None:
    assert abs(deviation_of(whole(*[7, -7] * 50), DECAY) - 7 * UNIT) <= UNIT // 10**9


def test_the_variance_of_two_instruments_is_that_of_their_covariance_matrix() -> None:
    first, second = whole(3, -1, 2, -4), whole(1, 1, -2, 5)
    together = [a + b for a, b in zip(first, second, strict=True)]
    parts = weighted(first, first, DECAY) + 2 * weighted(first, second, DECAY) + weighted(second, second, DECAY)
    assert weighted(together, together, DECAY) == parts


def test_thin_tails_take_the_normals_multiples() -> None:
    z, density = TABULATED[CONFIDENCE]
    multiples = tail_multiples(whole(*[7, -7] * 50), CONFIDENCE, DECAY)
    assert multiples.value_at_risk == z
    assert multiples.expected_shortfall == (density / (1 - CONFIDENCE)).quantize(Decimal("0.000001"))
    risk = ewma(whole(*[7, -7] * 50), CONFIDENCE, DECAY)
    assert float(risk.value_at_risk) == pytest.approx(7 * 1.644854, abs=1e-7)
    assert float(risk.expected_shortfall) == pytest.approx(7 * 2.06272, abs=1e-7)


def test_fat_tails_take_the_outcomes_own_multiples() -> None:
    gains = whole(*([1, -1] * 9 + [1, -9]) * 10)
    variance = sum(x * x for x in gains) / len(gains)
    multiples = []
    for x in gains:
        multiples.append(-x / sqrt(variance))
        variance = 0.94 * variance + 0.06 * x * x
    worst = sorted(multiples, reverse=True)[:11]
    own = tail_multiples(gains, CONFIDENCE, DECAY)
    assert float(own.value_at_risk) == pytest.approx(max(1.644854, worst[10]), abs=2e-6)
    assert float(own.expected_shortfall) == pytest.approx(sum(worst[:10]) / 10, abs=2e-6)


def test_the_multiple_of_a_fat_tail_is_the_loss_over_its_forecast_deviation() -> None:
    own = tail_multiples(whole(0, 0, 0, -8), Decimal("0.9"), DECAY)
    # The mean square is 16, kept by 0.94 three times before the loss of 8.
    assert float(own.value_at_risk) == pytest.approx(8 / sqrt(16 * 0.94**3), abs=2e-6)


def test_what_never_moves_risks_nothing() -> None:
    assert ewma(whole(0, 0, 0), CONFIDENCE, DECAY) == Risk(Decimal(0), Decimal(0))


@pytest.mark.parametrize(("limit", "lots"), [(70, 10), (69, 9), (76, 10), (77, 11), (6, 0), (7, 1)])
def test_the_most_lots_keep_the_deviation_within_its_limit(limit: int, lots: int) -> None:
    lot = whole(*[7, -7] * 50)
    flat = whole(*[0] * 100)
    slack = Decimal(limit * UNIT + UNIT // 10**6)
    assert lots_within(flat, lot, slack, DECAY) == lots


def test_more_of_what_is_held_adds_up_and_its_hedge_nets_out() -> None:
    held, lot = whole(*[14, -14] * 50), whole(*[7, -7] * 50)
    hedge = [-gain for gain in lot]
    slack = Decimal(35 * UNIT + UNIT // 10**6)
    assert lots_within(held, lot, slack, DECAY) == 3
    assert lots_within(held, hedge, slack, DECAY) == 7


def test_beyond_the_limit_only_what_adds_no_risk_passes() -> None:
    held, lot = whole(*[14, -14] * 50), whole(*[7, -7] * 50)
    assert lots_within(held, lot, Decimal(UNIT), DECAY) == 0
    assert lots_within(held, [-gain for gain in lot], Decimal(UNIT), DECAY) == 4  # from 14 long to 14 short


def test_what_does_not_move_is_not_limited() -> None:
    assert lots_within(whole(3, -3), whole(0, 0), Decimal(0), DECAY) is None


@pytest.mark.parametrize("limit", range(1, 60, 7))
def test_one_lot_more_would_pass_the_limit(limit: int) -> None:
    gains, lot = whole(5, -3, 8, -2, 4, -6), whole(1, -2, 1, 3, -1, 2)
    most = lots_within(gains, lot, Decimal(limit * UNIT), DECAY)
    assert most is not None
    now = deviation_of(gains, DECAY)
    for lots, keeps in ((most, True), (most + 1, False)):
        after = deviation_of([g + lots * more for g, more in zip(gains, lot, strict=True)], DECAY)
        assert (after <= max(now, Decimal(limit * UNIT))) is keeps


def loss_with(gains: list[int], lot: list[int], lots: int, confidence: Decimal = TENTH) -> Decimal:
    with_order = [gain + lots * more for gain, more in zip(gains, lot, strict=True)]
    deviation = deviation_of(with_order, DECAY)
    return ROUNDING.multiply(tail_multiples(with_order, confidence, DECAY).value_at_risk, deviation)


def within_loss(gains: list[int], lot: list[int], lots: int, loss_max: Decimal) -> tuple[Decimal, int]:
    return lots_within_loss(gains, lot, lots, loss_max, confidence=TENTH, decay=DECAY)


@pytest.mark.parametrize(("over", "lots"), [(-1, 9), (0, 10), (1, 10)])
def test_an_order_whose_loss_is_at_the_limit_is_not_cut(over: int, lots: int) -> None:
    flat, lot = whole(*[0] * 100), whole(*[7, -7] * 50)
    loss = loss_with(flat, lot, 10)
    assert within_loss(flat, lot, 10, loss + over) == (loss, lots)


def test_what_a_cut_leaves_is_measured_with_its_own_tail() -> None:
    gains, lot, limit = whole(0, 30, -30, 50, 0, -50), whole(2, -3, 0, -5, 1, -5), Decimal(80 * UNIT)
    with_all = [gain + 330 * more for gain, more in zip(gains, lot, strict=True)]
    multiple = tail_multiples(with_all, TENTH, DECAY).value_at_risk
    once = lots_within(gains, lot, ROUNDING.divide(limit, multiple), DECAY)
    assert once is not None
    assert loss_with(gains, lot, once) > limit
    loss, lots = within_loss(gains, lot, 330, limit)
    assert loss == loss_with(gains, lot, 330)
    assert 0 < lots < once
    assert loss_with(gains, lot, lots) <= limit


def test_nothing_passes_that_does_not_fit_after_the_last_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    flat, lot = whole(*[0] * 100), whole(*[7, -7] * 50)
    loss = loss_with(flat, lot, 10)
    monkeypatch.setattr(value_at_risk, "CUTS_MAX", 0)
    assert within_loss(flat, lot, 10, loss) == (loss, 10)
    assert within_loss(flat, lot, 10, loss - 1) == (loss, 0)
    monkeypatch.setattr(value_at_risk, "CUTS_MAX", 1)
    assert within_loss(flat, lot, 10, loss - 1) == (loss, 9)


@given(
    bars=st.lists(st.tuples(st.integers(-9, 9), st.integers(-30, 9)), min_size=2, max_size=20),
    lots=st.integers(0, 40),
    limit=st.integers(1, 60),
)
def test_what_passes_keeps_the_limit_or_makes_it_no_worse(bars: list[tuple[int, int]], lots: int, limit: int) -> None:
    gains, lot = whole(*(gain for gain, _ in bars)), whole(*(more for _, more in bars))
    loss_max = Decimal(limit * UNIT)
    loss, kept = within_loss(gains, lot, lots, loss_max)
    assert loss == loss_with(gains, lot, lots)
    assert 0 <= kept <= lots
    assert loss_with(gains, lot, kept) <= max(loss_max, loss_with(gains, lot, 0))
    if loss <= loss_max:
        assert kept == lots
