"""What breakers did, why and for how long, and patterns in it that a person should look at."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import pairwise
from statistics import fmean, pstdev
from typing import Final

import msgspec

from tmt import messages as m
from tmt.domain.money import ZERO, Exact, divide
from tmt.domain.session import NANOSECONDS_PER_SECOND
from tmt.ports.event_log import EventLog
from tmt.projections.sentences import sentence

STATES: Final[dict[type[m.Message], str]] = {
    m.BreakerOpened: "open",
    m.BreakerReduced: "reducing",
    m.BreakerHalfOpened: "half_open",
    m.BreakerClosed: "closed",
}
TURNS_MAX: Final = 1_000
"""Newest turns kept; activations are counted over all."""
CASCADE_SCOPES: Final = 3
CASCADE_SECONDS: Final = 300
PERIOD_ACTIVATIONS: Final = 4
PERIOD_VARIATION_MAX: Final = 0.2
"""Coefficient of variation of the gaps between activations, below which they are called regular."""
RISING_ACTIVATIONS: Final = 3


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """One transition of one breaker; fields as in `BreakerTransition`.

    Attributes:
        position: in the event log; 0 when it is not known.
        state, before: now and until now: "closed", "reducing", "open", "half_open"; `before` is empty for the first.
        lasted_seconds: how long the state before lasted; 0 for the first.
        cause_id: of the message that gave cause.
        cause: that message in a sentence; empty where it was not looked up.
    """

    position: int
    time_ns: int
    message_id: str
    tier: str
    scope: str
    state: str
    before: str
    trigger: str
    measured: Exact
    limit: Exact
    unit: str
    resumes_by: str
    detail: str
    lasted_seconds: Exact
    cause_id: str
    cause: str = ""

    @property
    def key(self) -> str:
        """Of the breaker."""
        return f"{self.tier}/{self.scope}"

    @property
    def activates(self) -> bool:
        """Whether the breaker opened, and was not open already."""
        return self.state == "open" and self.before != "open"


class BreakerStanding(msgspec.Struct, frozen=True, kw_only=True):
    """One breaker as it stands.

    Attributes:
        activations: how often it opened, since the book began.
        open_seconds: how long it was open in all, without the present state.
    """

    tier: str
    scope: str
    state: str
    trigger: str
    measured: Exact
    limit: Exact
    unit: str
    resumes_by: str
    detail: str
    since_ns: int
    activations: int
    open_seconds: Exact


class Pattern(msgspec.Struct, frozen=True, kw_only=True):
    """Something regular in activations.

    Attributes:
        kind: "cascading": several breakers open within a short time; "periodic": one opens at regular intervals;
            "gradual": one opens after it reduced for the same reason, or opens again and again at a higher measure.
        scopes: of the breakers, sorted.
        evidence: ids of the transitions it rests on, oldest first.
    """

    kind: str
    scopes: tuple[str, ...]
    from_ns: int
    to_ns: int
    detail: str
    evidence: tuple[str, ...]


class History(msgspec.Struct, frozen=True, kw_only=True):
    """Every breaker, the newest turns (newest first), and patterns among the turns that are kept."""

    breakers: tuple[BreakerStanding, ...]
    turns: tuple[Turn, ...]
    patterns: tuple[Pattern, ...]


class BreakerHistory:
    """Folds breakers' messages; keeps the newest turns."""

    def __init__(self) -> None:
        self._turns: deque[Turn] = deque(maxlen=TURNS_MAX)
        self._standing: dict[str, BreakerStanding] = {}

    def handle(self, turned: m.BreakerTransition, position: int = 0) -> None:
        """Fold one transition."""
        key = f"{turned.tier}/{turned.scope}"
        before = self._standing.get(key)
        turn = _turn(turned, before, position)
        self._turns.append(turn)
        activations, open_seconds = (0, ZERO) if before is None else (before.activations, before.open_seconds)
        self._standing[key] = BreakerStanding(
            tier=turned.tier,
            scope=turned.scope,
            state=turn.state,
            trigger=turned.trigger,
            measured=turned.measured,
            limit=turned.limit,
            unit=turned.unit,
            resumes_by=turned.resumes_by,
            detail=turned.detail,
            since_ns=before.since_ns if before is not None and turn.before == turn.state else turn.time_ns,
            activations=activations + turn.activates,
            open_seconds=open_seconds + (turn.lasted_seconds if _leaves_open(turn) else ZERO),
        )

    @property
    def breakers(self) -> tuple[BreakerStanding, ...]:
        """As they stand, sorted by key."""
        return tuple(standing for _, standing in sorted(self._standing.items()))

    @property
    def turns(self) -> tuple[Turn, ...]:
        """Newest first."""
        return tuple(reversed(self._turns))

    def patterns(self) -> tuple[Pattern, ...]:
        """Found in the turns that are kept, by kind."""
        opened = [turn for turn in self._turns if turn.activates]
        return (*_cascades(opened), *_periods(opened), *_gradual(list(self._turns)))


def _turn(turned: m.BreakerTransition, before: BreakerStanding | None, position: int) -> Turn:
    lasted_ns = 0 if before is None else turned.occurred_at_ns - before.since_ns
    return Turn(
        position=position,
        time_ns=turned.occurred_at_ns,
        message_id=turned.message_id,
        tier=turned.tier,
        scope=turned.scope,
        state=STATES[type(turned)],
        before="" if before is None else before.state,
        trigger=turned.trigger,
        measured=turned.measured,
        limit=turned.limit,
        unit=turned.unit,
        resumes_by=turned.resumes_by,
        detail=turned.detail,
        lasted_seconds=Decimal(lasted_ns).scaleb(-9),
        cause_id=turned.causation_id,
    )


def _leaves_open(turn: Turn) -> bool:
    return turn.before == "open" and turn.state != "open"


def with_causes(turns: Sequence[Turn], log: EventLog) -> tuple[Turn, ...]:
    """The turns, each with its cause in a sentence, looked up in the log."""
    return tuple(msgspec.structs.replace(turn, cause=_cause(turn.cause_id, log)) for turn in turns)


def _cause(message_id: str, log: EventLog) -> str:
    found = log.find(message_id, 1)
    return sentence(m.decode(found[0].body)) if found else ""


def history_of(log: EventLog) -> BreakerHistory:
    """All of a log, folded."""
    history = BreakerHistory()
    for recorded in log.read(types=tuple(kind.__name__ for kind in m.BREAKER)):
        turned = m.decode(recorded.body)
        assert isinstance(turned, m.BreakerTransition)
        history.handle(turned, recorded.position)
    return history


# Patterns


def _cascades(opened: Sequence[Turn]) -> Iterator[Pattern]:
    """Groups of activations of distinct breakers, each within the window from the group's first; none in two groups."""
    start = 0
    while start < len(opened):
        until_ns = opened[start].time_ns + CASCADE_SECONDS * NANOSECONDS_PER_SECOND
        group = [turn for turn in opened[start:] if turn.time_ns <= until_ns]
        scopes = sorted({turn.key for turn in group})
        if len(scopes) < CASCADE_SCOPES:
            start += 1
            continue
        first, last = group[0], group[-1]
        seconds = Decimal(last.time_ns - first.time_ns).scaleb(-9)
        detail = f"{len(scopes)} breakers opened within {seconds:f} seconds, first {first.key} by {first.trigger}"
        yield _pattern("cascading", scopes, group, detail)
        start += len(group)


def _periods(opened: Sequence[Turn]) -> Iterator[Pattern]:
    for key in sorted({turn.key for turn in opened}):
        own = [turn for turn in opened if turn.key == key]
        gaps = [(later.time_ns - sooner.time_ns) / 1e9 for sooner, later in pairwise(own)]
        if len(own) < PERIOD_ACTIVATIONS or fmean(gaps) == 0:
            continue
        variation = round(pstdev(gaps) / fmean(gaps), 4)
        if variation < PERIOD_VARIATION_MAX:
            detail = (
                f"{key} opened {len(own)} times, about every {round(fmean(gaps))} seconds;"
                f" the gaps vary by a coefficient of {variation}"
            )
            yield _pattern("periodic", [key], own, detail)


def _gradual(turns: Sequence[Turn]) -> Iterator[Pattern]:
    for key in sorted({turn.key for turn in turns}):
        own = [turn for turn in turns if turn.key == key]
        for sooner, later in pairwise(own):
            if sooner.state == "reducing" and later.state == "open" and sooner.trigger == later.trigger:
                detail = (
                    f"{key} reduced at {sooner.measured:f} and opened at {later.measured:f} {later.unit}"
                    f" by {later.trigger}, {later.lasted_seconds:f} seconds later"
                )
                yield _pattern("gradual", [key], [sooner, later], detail)
        yield from _rising(key, [turn for turn in own if turn.activates])


def _rising(key: str, opened: Sequence[Turn]) -> Iterator[Pattern]:
    for trigger in sorted({turn.trigger for turn in opened}):
        same = [turn for turn in opened if turn.trigger == trigger and turn.limit > ZERO][-RISING_ACTIVATIONS:]
        ratios = [divide(turn.measured, turn.limit) for turn in same]
        if len(same) == RISING_ACTIVATIONS and all(one < two for one, two in pairwise(ratios)):
            values = ", ".join(f"{turn.measured:f}" for turn in same)
            detail = f"{key} opened by {trigger} at ever higher measures: {values} {same[-1].unit}"
            yield _pattern("gradual", [key], same, detail)


def _pattern(kind: str, scopes: Sequence[str], turns: Sequence[Turn], detail: str) -> Pattern:
    return Pattern(
        kind=kind,
        scopes=tuple(scopes),
        from_ns=turns[0].time_ns,
        to_ns=turns[-1].time_ns,
        detail=detail,
        evidence=tuple(turn.message_id for turn in turns),
    )
