"""The history of correlation matrices keeps the newest."""

from decimal import Decimal

import pytest

from tests.unit.agents.desk import Desk
from tmt import messages as m
from tmt.market.bar import Timeframe
from tmt.projections.correlations import MATRICES_MAX, CorrelationHistory


def measured(desk: Desk, returns: int) -> m.CorrelationsMeasured:
    return desk.make(
        m.CorrelationsMeasured,
        timeframe=Timeframe.M5,
        symbols=("EURUSD", "GBPUSD"),
        coefficients=(Decimal("0.5"),),
        shrinkage_fraction=Decimal("0.1"),
        returns=returns,
        effective_bets=None,
    )


@pytest.mark.parametrize(("limit", "expected"), [(1, [3]), (2, [3, 2]), (3, [3, 2, 1]), (9, [3, 2, 1])])
def test_the_newest_come_first_and_other_messages_are_nothing(limit: int, expected: list[int]) -> None:
    desk, history = Desk(), CorrelationHistory()
    for returns in (1, 2, 3):
        history.handle(measured(desk, returns))
        history.handle(desk.mark("EURUSD", "1"))
    assert [each.returns for each in history.newest(limit)] == expected


def test_the_oldest_go_when_there_are_too_many() -> None:
    desk, history = Desk(), CorrelationHistory()
    for returns in range(MATRICES_MAX + 1):
        history.handle(measured(desk, returns))
    kept = history.newest(MATRICES_MAX + 1)
    assert (len(kept), kept[-1].returns) == (MATRICES_MAX, 1)
