"""Does the gate remember the marks that rules ask for, no more, and through a snapshot?"""

import msgspec
import pytest

from tests.unit.agents.compliance.court import Court, book_with
from tests.unit.agents.desk import START_NS, Desk
from tmt.agents.compliance.decide import ComplianceState
from tmt.agents.compliance.history import History
from tmt.domain.money import decode_hook
from tmt.domain.order import Side
from tmt.domain.session import NANOSECONDS_PER_SECOND

MINUTE_NS = 60 * NANOSECONDS_PER_SECOND


def heard(*seconds: int) -> list[int]:
    """Ages in seconds, from START, of the marks remembered after marks with these seconds between them."""
    desk, history = Desk(), History()
    for passed in seconds:
        desk.pass_seconds(passed)
        history = history.after(desk.mark("EURUSD", "1.1"), desk.portfolio)
    return [(mark.time_ns - START_NS) // NANOSECONDS_PER_SECOND for mark in history.marks["EURUSD"]]


@pytest.mark.parametrize(
    ("seconds", "kept"),
    [
        ((0, 59), [0]),
        ((0, 60), [0, 60]),
        ((0, 30, 30), [0, 60]),
        ((0, 61, 59, 1), [0, 61, 121]),
        ((0, 0), [0]),
    ],
)
def test_one_mark_a_minute_is_remembered(seconds: tuple[int, ...], kept: list[int]) -> None:
    assert heard(*seconds) == kept


def test_an_hour_and_the_newest_mark_before_it_are_remembered() -> None:
    assert heard(0, *[60] * 60) == [60 * minute for minute in range(61)]
    assert heard(0, *[60] * 61) == [60 * minute for minute in range(1, 62)]
    assert heard(0, 60, 60, 7200) == [120, 7320]
    assert heard(0, 60, 3599) == [0, 60, 3659]
    assert heard(0, 60, 3600) == [60, 3660]


def test_instruments_are_remembered_apart() -> None:
    court = Court(book_with())
    court.agent.handle(court.desk.mark("GBPUSD", "1.25"))
    assert sorted(court.agent.state.history.marks) == ["EURUSD", "GBPUSD"]


def test_the_history_survives_a_snapshot() -> None:
    court = Court(book_with())
    court.buy("1000")
    state = court.agent.state
    assert state.history.marks
    assert state.history.orders
    assert msgspec.json.decode(msgspec.json.encode(state), type=ComplianceState, dec_hook=decode_hook) == state


def test_what_does_not_concern_it_changes_nothing() -> None:
    desk, history = Desk(), History()
    assert history.after(desk.hold("EURUSD", Side.BUY, "1000", "1.1"), desk.portfolio) is history
