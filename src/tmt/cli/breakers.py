"""`tmt breakers`: every breaker, its turns with their causes, and patterns, read beside a running desk."""

from __future__ import annotations

from tmt.cli.folders import Chosen, reading
from tmt.cli.terminal import Terminal
from tmt.cli.times import iso
from tmt.errors import InputError
from tmt.projections.breaker_history import BreakerStanding, History, Pattern, Turn, history_of, with_causes
from tmt.projections.sentences import plain

TURNS_SHOWN_MAX = 1_000


def run(terminal: Terminal, chosen: Chosen, limit: int) -> None:
    """`tmt breakers`."""
    if not 0 <= limit <= TURNS_SHOWN_MAX:
        raise InputError("TMT-X005", f"--limit must be 0 to {TURNS_SHOWN_MAX}, was {limit}")
    with reading(chosen.books.path(chosen.book_name)) as log:
        history = history_of(log)
        shown = History(
            breakers=history.breakers, turns=with_causes(history.turns[:limit], log), patterns=history.patterns()
        )
    terminal.answer(shown, "\n".join(lines_of(shown)))


def lines_of(history: History) -> list[str]:
    """The history in words, a line each."""
    return [
        *(_standing(each) for each in history.breakers),
        "",
        *(line for turn in history.turns for line in _turn(turn)),
        "",
        *(_pattern(each) for each in history.patterns),
    ]


def _standing(each: BreakerStanding) -> str:
    often = f", opened {each.activations} times, {plain(each.open_seconds)} s in all" if each.activations else ""
    if each.state == "closed":
        return f"{each.tier}/{each.scope}: closed{often}"
    why = f"by {each.trigger}: {plain(each.measured)} against {plain(each.limit)} {each.unit}"
    return f"{each.tier}/{each.scope}: {each.state.upper()} {why}, since {iso(each.since_ns)}{often}"


def _turn(turn: Turn) -> list[str]:
    came = f" after {plain(turn.lasted_seconds)} s {turn.before}" if turn.before else ""
    why = f"{turn.trigger} {plain(turn.measured)} against {plain(turn.limit)} {turn.unit}"
    lines = [f"{iso(turn.time_ns)} {turn.tier}/{turn.scope} {turn.state}{came}: {why}"]
    return [*lines, f"    {turn.detail}", *([f"    because {turn.cause}"] if turn.cause else [])]


def _pattern(pattern: Pattern) -> str:
    return f"PATTERN {pattern.kind}: {pattern.detail}"
