"""`tmt replay`: the desk over recorded data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tmt import messages as m
from tmt.adapters.clock.system import SystemClock
from tmt.cli.folders import Chosen
from tmt.cli.interruption import ends_after, interruptible
from tmt.cli.plan import Plan
from tmt.cli.progress import Progress
from tmt.cli.session import Session, finish, open_session, same_command
from tmt.cli.terminal import Terminal
from tmt.cli.why import parse_time
from tmt.domain.identity import derive_id
from tmt.errors import InputError
from tmt.ports.event_log import EventLog
from tmt.projections.sentences import utc


def run(
    terminal: Terminal,
    chosen: Chosen,
    paths: Sequence[str],
    instrument: str,
    seed: int,
    until: str | None,
    speed: float | None,
    decisions: str | None,
) -> int:
    """`tmt replay`."""
    until_ns = None if until is None else _until(terminal, until)
    refuse_speed(speed)
    refuse_seed(seed)
    plan = Plan(
        mode="replay",
        paths=tuple(str(Path(path).resolve()) for path in paths),
        instrument=instrument,
        seed=seed,
        start="",
        live_from="",
        config=chosen.config_folder,
        overrides=tuple(chosen.overrides),
    )
    books = chosen.books
    name = chosen.book or _book_for(plan, chosen)
    with interruptible() as interruption, open_session(plan, books.ensure(name), terminal) as session:
        _announce(terminal, session, name)
        desk = session.desk
        first_row = desk.runner.next_sequence
        with Progress(terminal, desk.feed.total_rows(), first_row) as progress:

            def tell() -> None:
                progress.tell(desk.runner.next_sequence, desk.runner.timeline.now_ns)

            if speed is None:
                session.take_all(desk.batches(until_ns), interruption, tell)
            else:
                loop = session.loop(SystemClock(), speed=speed, until_ns=until_ns)
                loop.run(ends_after(interruption, None), tell)
        if desk.runner.next_sequence == first_row and not interruption:
            _say_nothing_was_to_do(terminal, first_row, until_ns)
        if decisions is not None:
            _write_decisions(desk.log, Path(decisions))
        return finish(terminal, session, interruption, name)


def refuse_speed(speed: float | None) -> None:
    """Raise InputError unless `speed` is above 0 and at most 1,000,000."""
    if speed is not None and not 0 < speed <= 1_000_000:
        raise InputError("TMT-X005", f"--speed must be above 0 and at most 1000000, was {speed:g}", fix="leave it out")


def refuse_seed(seed: int) -> None:
    """Raise InputError unless `seed` is from 0 to 2**63 - 1."""
    if not 0 <= seed < 2**63:
        what = f"--seed must be a whole number, 0 or more (below 2**63), was {seed}"
        raise InputError("TMT-X005", what, fix="leave it out for 7")


def _until(terminal: Terminal, text: str) -> int:
    time_ns, utc_assumed = parse_time(text)
    if utc_assumed:
        terminal.say("--until has no time zone: taken as UTC")
    return time_ns


def _say_nothing_was_to_do(terminal: Terminal, first_row: int, until_ns: int | None) -> None:
    if until_ns is None:
        terminal.say("nothing was to do: the book holds every row of the data already")
    elif first_row:
        terminal.say(f"nothing was to do: the book is at row {first_row:,}, past --until {utc(until_ns)} UTC")
    else:
        terminal.say(f"nothing was to do: --until {utc(until_ns)} UTC is not after the first row of the data")


def _book_for(plan: Plan, chosen: Chosen) -> str:
    # In a state folder that somebody chose, the book in use is meant; else replays must not fill the desk's own book.
    if chosen.state:
        return chosen.books.current()
    key = derive_id(*plan.paths, plan.instrument, str(plan.seed), plan.config, *plan.overrides, plan.load().hash)
    return f"replay-{key[:10]}"


def _announce(terminal: Terminal, session: Session, book: str) -> None:
    desk = session.desk
    if desk.feed.simulated:
        terminal.say("DEMO: the market data are made up")
    if session.recovery.resumed:
        terminal.say(
            f"book {book} goes on after row {desk.runner.next_sequence:,}; `tmt book reset {book}` starts over"
        )
    else:
        terminal.say(f"book {book} is new; ctrl-C keeps what is done, the same command goes on: {same_command()}")


def _write_decisions(log: EventLog, path: Path) -> None:
    kinds = tuple(sorted(kind.__name__ for kind in m.DECISIONS))
    try:
        with path.open("wb") as file:
            for recorded in log.read(types=kinds):
                file.write(recorded.body + b"\n")
    except OSError as error:
        raise InputError("TMT-X006", f"cannot write the decisions: {error.strerror}", where=str(path)) from error
