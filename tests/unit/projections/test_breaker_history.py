"""Every turn with its cause and duration, counts of activations, and patterns found only where they are."""

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from tests.unit.projections.story import BAR_END_NS, Story
from tmt import messages as m
from tmt.projections.breaker_history import (
    CASCADE_SECONDS,
    TURNS_MAX,
    BreakerHistory,
    Pattern,
    history_of,
    with_causes,
)

SECOND_NS = 10**9


class Turns:
    """A history told turn by turn; `at` is in seconds."""

    def __init__(self) -> None:
        self.history = BreakerHistory()
        self.count = 0

    def turn(
        self,
        kind: type[m.BreakerTransition],
        key: str = "account/alpha",
        at: float = 0,
        trigger: str = "daily_loss",
        measured: str = "0.06",
        limit: str = "0.05",
    ) -> str:
        self.count += 1
        tier, scope = key.split("/", 1)
        told = kind.root(
            "circuit_breaker",
            round(at * SECOND_NS),
            str(self.count),
            tier=tier,
            scope=scope,
            trigger=trigger,
            measured=Decimal(measured),
            limit=Decimal(limit),
            unit="fraction",
            resumes_by="cool_down",
            detail="why",
        )
        self.history.handle(told, self.count)
        return told.message_id

    def open_and_close(self, key: str, at: float, measured: str = "0.06", trigger: str = "latency") -> str:
        opened = self.turn(m.BreakerOpened, key, at, trigger=trigger, measured=measured)
        self.turn(m.BreakerClosed, key, at + 1, trigger="cooled_down")
        return opened

    def patterns(self, kind: str) -> list[Pattern]:
        return [each for each in self.history.patterns() if each.kind == kind]


# Turns


def test_a_turn_says_from_what_to_what_and_how_long_the_state_before_lasted() -> None:
    turns = Turns()
    turns.turn(m.BreakerClosed, trigger="initialised")
    turns.turn(m.BreakerReduced, at=10)
    turns.turn(m.BreakerOpened, at=12.5)
    turns.turn(m.BreakerHalfOpened, at=72.5, trigger="cooled_down")
    turns.turn(m.BreakerClosed, at=80, trigger="trials_passed")
    told = [(each.before, each.state, each.lasted_seconds) for each in reversed(turns.history.turns)]
    assert told == [
        ("", "closed", 0),
        ("closed", "reducing", 10),
        ("reducing", "open", Decimal("2.5")),
        ("open", "half_open", 60),
        ("half_open", "closed", Decimal("7.5")),
    ]
    [standing] = turns.history.breakers
    assert (standing.state, standing.activations, standing.open_seconds) == ("closed", 1, Decimal(60))
    assert standing.since_ns == 80 * SECOND_NS


def test_an_opening_said_again_is_no_activation_and_the_state_goes_on() -> None:
    turns = Turns()
    turns.turn(m.BreakerOpened, at=1)
    turns.turn(m.BreakerOpened, at=5, trigger="drawdown")
    [standing] = turns.history.breakers
    assert (standing.activations, standing.since_ns, standing.trigger) == (1, SECOND_NS, "drawdown")
    turns.turn(m.BreakerClosed, at=11)
    assert (turns.history.breakers[0].open_seconds, turns.history.turns[0].lasted_seconds) == (Decimal(10), Decimal(10))


def test_the_newest_turns_are_kept_and_activations_are_counted_over_all() -> None:
    turns = Turns()
    for number in range(TURNS_MAX):
        turns.open_and_close("agent/wyckoff", number * number)
    assert len(turns.history.turns) == TURNS_MAX
    assert turns.history.breakers[0].activations == TURNS_MAX


def test_breakers_are_listed_by_key() -> None:
    turns = Turns()
    for key in ("system/desk", "agent/venue:paper", "account/alpha"):
        turns.turn(m.BreakerClosed, key)
    assert [f"{each.tier}/{each.scope}" for each in turns.history.breakers] == [
        "account/alpha",
        "agent/venue:paper",
        "system/desk",
    ]


def test_a_log_s_history_names_positions_and_causes(tmp_path: Path) -> None:
    story = Story()
    stop = story.tell(
        m.StopTrading.root("ann", BAR_END_NS, "1", person="ann", role="risk", reason="drill", level="cancel")
    )
    story.tell(
        m.BreakerOpened.caused_by(
            stop,
            "circuit_breaker",
            tier="system",
            scope="desk",
            trigger="manual_stop",
            measured=Decimal(1),
            limit=Decimal(0),
            unit="count",
            resumes_by="person",
            detail="ann: drill",
        )
    )
    log = story.write(tmp_path)
    [turn] = with_causes(history_of(log).turns[:1], log)
    assert turn.position == log.head()
    assert (turn.key, turn.cause_id) == ("system/desk", stop.message_id)
    assert "ann" in turn.cause
    [orphan] = with_causes([msgspec.structs.replace(turn, cause_id="0" * 32)], log)
    assert orphan.cause == ""
    log.close()


# Cascading


@pytest.mark.parametrize(("seconds", "found"), [(CASCADE_SECONDS, 1), (CASCADE_SECONDS + 0.001, 0)])
def test_three_breakers_that_open_within_the_window_cascade(seconds: float, found: int) -> None:
    turns = Turns()
    ids = [
        turns.turn(m.BreakerOpened, "agent/venue:paper", 100, trigger="latency"),
        turns.turn(m.BreakerOpened, "account/alpha", 150),
        turns.turn(m.BreakerOpened, "agent/wyckoff", 100 + seconds),
    ]
    cascades = turns.patterns("cascading")
    assert len(cascades) == found
    if found:
        [cascade] = cascades
        assert cascade.evidence == tuple(ids)
        assert cascade.scopes == ("account/alpha", "agent/venue:paper", "agent/wyckoff")
        assert (cascade.from_ns, cascade.to_ns) == (100 * SECOND_NS, (100 + CASCADE_SECONDS) * SECOND_NS)
        assert cascade.detail == "3 breakers opened within 300.000000000 seconds, first agent/venue:paper by latency"


def test_one_breaker_that_opens_often_is_no_cascade_and_a_cascade_is_told_once() -> None:
    turns = Turns()
    for number in range(5):
        turns.open_and_close("account/alpha", number * 7)
    assert turns.patterns("cascading") == []
    turns.turn(m.BreakerOpened, "account/beta", 40)
    turns.turn(m.BreakerOpened, "account/gamma", 41)
    turns.turn(m.BreakerOpened, "account/delta", 42)
    assert len(turns.patterns("cascading")) == 1


def test_a_cascade_is_found_behind_a_breaker_that_opened_alone() -> None:
    turns = Turns()
    turns.turn(m.BreakerOpened, "account/early", 0)
    for number, key in enumerate(("account/alpha", "account/beta", "account/gamma")):
        turns.turn(m.BreakerOpened, key, 1000 + number)
    [cascade] = turns.patterns("cascading")
    assert "account/early" not in cascade.scopes


# Periodic


@pytest.mark.parametrize(("times", "found"), [((0, 60, 120), 0), ((0, 60, 120, 180), 1), ((0, 60, 70, 200), 0)])
def test_a_breaker_that_opens_four_times_at_regular_intervals_is_periodic(times: tuple[int, ...], found: int) -> None:
    turns = Turns()
    ids = [turns.open_and_close("agent/venue:paper", at, measured=str(3 - at / 1000)) for at in times]
    patterns = turns.patterns("periodic")
    assert len(patterns) == found
    if found:
        assert (patterns[0].scopes, patterns[0].evidence) == (("agent/venue:paper",), tuple(ids))
        assert "opened 4 times, about every 60 seconds" in patterns[0].detail
        assert "coefficient of 0.0" in patterns[0].detail


@pytest.mark.parametrize(("last", "found"), [(191, 1), (220, 0)])
def test_regular_is_a_small_variation_of_the_gaps(last: int, found: int) -> None:
    turns = Turns()
    for at in (0, 60, 120, last):
        turns.open_and_close("agent/venue:paper", at)
    assert len(turns.patterns("periodic")) == found


def test_openings_at_one_moment_are_no_period() -> None:
    turns = Turns()
    for _ in range(5):
        turns.turn(m.BreakerOpened, at=7)
        turns.turn(m.BreakerClosed, at=7)
    assert turns.patterns("periodic") == []


# Gradual


def test_an_opening_after_reducing_for_the_same_reason_is_gradual() -> None:
    turns = Turns()
    reduced = turns.turn(m.BreakerReduced, at=10, measured="0.041", limit="0.04")
    opened = turns.turn(m.BreakerOpened, at=70)
    [pattern] = turns.patterns("gradual")
    assert pattern.evidence == (reduced, opened)
    assert pattern.detail == (
        "account/alpha reduced at 0.041 and opened at 0.06 fraction by daily_loss, 60.000000000 seconds later"
    )


@pytest.mark.parametrize("between", ["closed", "other trigger", "other breaker"])
def test_an_opening_for_another_reason_or_after_recovery_is_not_gradual(between: str) -> None:
    turns = Turns()
    turns.turn(m.BreakerReduced, at=10)
    if between == "closed":
        turns.turn(m.BreakerClosed, at=20)
    key = "account/beta" if between == "other breaker" else "account/alpha"
    turns.turn(m.BreakerOpened, key, at=30, trigger="drawdown" if between == "other trigger" else "daily_loss")
    assert turns.patterns("gradual") == []


@pytest.mark.parametrize(
    ("measures", "found"),
    [(("1", "2", "3"), 1), (("1", "2", "2"), 0), (("3", "2", "4"), 0), (("1", "2"), 0), (("9", "1", "2", "3"), 1)],
)
def test_three_openings_at_ever_higher_measures_are_gradual(measures: tuple[str, ...], found: int) -> None:
    turns = Turns()
    ids = [
        turns.open_and_close("agent/venue:paper", number * number * 100, measured)
        for number, measured in enumerate(measures)
    ]
    patterns = turns.patterns("gradual")
    assert [each.evidence for each in patterns] == ([tuple(ids[-3:])] if found else [])
    if found:
        assert patterns[0].detail.endswith("at ever higher measures: 1, 2, 3 fraction")


def test_openings_without_a_limit_or_by_different_triggers_are_not_compared() -> None:
    turns = Turns()
    for number in range(3):
        turns.turn(m.BreakerOpened, at=number * number * 100, trigger="manual_stop", measured=str(number), limit="0")
        turns.turn(m.BreakerClosed, at=number * number * 100 + 1)
    for number, trigger in enumerate(("latency", "rejections", "margin")):
        turns.open_and_close("agent/venue:paper", number * number * 77 + 5, str(number + 1), trigger)
    assert turns.patterns("gradual") == []
