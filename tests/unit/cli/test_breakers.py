"""`tmt breakers` in words, and the stops that `tmt status` says are in force."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.unit.projections.story import BAR_END_NS, Story
from tmt import messages as m
from tmt.cli.breakers import lines_of, run
from tmt.cli.folders import Chosen
from tmt.cli.status import stops_in
from tmt.cli.terminal import Terminal
from tmt.domain.stop import EVERYTHING, ScopeKind, StopLevel, StopScope
from tmt.errors import InputError
from tmt.projections.breaker_history import BreakerStanding, History, Pattern, Turn

ALPHA = StopScope(kind=ScopeKind.ACCOUNT, name="alpha")
WHY = "by daily_loss: 0.06 against 0.05 fraction"
BREAKER: dict[str, Any] = {
    "tier": "account",
    "scope": "alpha",
    "state": "open",
    "trigger": "daily_loss",
    "measured": Decimal("0.0600"),
    "limit": Decimal("0.05"),
    "unit": "fraction",
    "resumes_by": "cool_down",
    "detail": "too much lost",
}


def standing(**changes: Any) -> BreakerStanding:
    values = {**BREAKER, "since_ns": 0, "activations": 2, "open_seconds": Decimal(90), **changes}
    return BreakerStanding(**values)


def turn(**changes: Any) -> Turn:
    values = {
        **BREAKER,
        "position": 1,
        "time_ns": 0,
        "message_id": "m",
        "before": "reducing",
        "lasted_seconds": Decimal("2.5"),
        "cause_id": "c",
        "cause": "a bar closed",
        **changes,
    }
    return Turn(**values)


def test_a_history_is_told_line_by_line() -> None:
    pattern = Pattern(kind="gradual", scopes=("account/alpha",), from_ns=0, to_ns=0, detail="it rose", evidence=("m",))
    shown = History(
        breakers=(standing(), standing(state="closed"), standing(state="closed", activations=0)),
        turns=(turn(), turn(before="", cause="")),
        patterns=(pattern,),
    )
    assert lines_of(shown) == [
        f"account/alpha: OPEN {WHY}, since 1970-01-01T00:00:00.000Z, opened 2 times, 90 s in all",
        "account/alpha: closed, opened 2 times, 90 s in all",
        "account/alpha: closed",
        "",
        "1970-01-01T00:00:00.000Z account/alpha open after 2.5 s reducing: daily_loss 0.06 against 0.05 fraction",
        "    too much lost",
        "    because a bar closed",
        "1970-01-01T00:00:00.000Z account/alpha open: daily_loss 0.06 against 0.05 fraction",
        "    too much lost",
        "",
        "PATTERN gradual: it rose",
    ]


@pytest.mark.parametrize("limit", [-1, 1001])
def test_so_many_turns_are_shown_at_most(limit: int, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--limit must be 0 to 1000"):
        run(Terminal(json=True, plain=True), Chosen(state=str(tmp_path)), limit)


def told(*changes: tuple[str, StopScope, str]) -> Story:
    """A story of stops at a level, and of resumes by a role."""
    story = Story()
    for number, (what, scope, how) in enumerate(changes):
        fields: dict[str, Any] = {"person": "ann", "reason": "drill", "scope": scope}
        if what == "stop":
            level = StopLevel(how)
            story.tell(m.StopTrading.root("ann", BAR_END_NS, str(number), role="risk", level=level, **fields))
        else:
            story.tell(m.ResumeTrading.root("ann", BAR_END_NS, str(number), role=how, **fields))
    return story


@pytest.mark.parametrize(
    ("changes", "left"),
    [
        ([("stop", ALPHA, "pause")], ["account/alpha pause"]),
        ([("stop", ALPHA, "pause"), ("stop", ALPHA, "flatten")], ["account/alpha flatten"]),
        ([("stop", ALPHA, "flatten"), ("stop", ALPHA, "pause")], ["account/alpha flatten", "account/alpha pause"]),
        ([("stop", ALPHA, "pause"), ("stop", ALPHA, "pause")], ["account/alpha pause"]),
        ([("stop", ALPHA, "pause"), ("stop", EVERYTHING, "pause")], ["account/alpha pause", "system/desk pause"]),
        ([("stop", ALPHA, "pause"), ("stop", EVERYTHING, "pause"), ("resume", ALPHA, "risk")], ["system/desk pause"]),
        ([("stop", ALPHA, "pause"), ("stop", EVERYTHING, "pause"), ("resume", EVERYTHING, "risk")], []),
        ([("stop", ALPHA, "lock"), ("resume", ALPHA, "risk")], ["account/alpha lock"]),
        ([("stop", ALPHA, "lock"), ("resume", ALPHA, "admin")], []),
    ],
)
def test_stops_are_in_force_until_their_scope_is_resumed(
    changes: list[tuple[str, StopScope, str]], left: list[str], tmp_path: Path
) -> None:
    log = told(*changes).write(tmp_path)
    assert [f"{stop.scope.breaker} {stop.level}" for stop in stops_in(log)] == left
    log.close()
