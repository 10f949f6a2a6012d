"""`tmt parity`: does one process come to what the log says?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tmt.adapters.event_log.postgres import PostgresEventLog
from tmt.cli.exit_codes import ExitCode
from tmt.cli.folders import Chosen, reading
from tmt.cli.plan import Plan
from tmt.cli.settings import load_settings
from tmt.cli.terminal import Terminal, table
from tmt.config import Loaded
from tmt.errors import InputError
from tmt.parity import Divergence, Parity, parity_of
from tmt.ports.event_log import EventLog
from tmt.processes import open_database


def run(terminal: Terminal, chosen: Chosen, log: str | None, shared: bool) -> int:
    """`tmt parity`."""
    if log is not None and shared:
        raise InputError(
            "TMT-X007", "--shared is the one log of several processes; it has no name", fix="leave one out"
        )
    with _opened(chosen, log, shared) as (events, loaded):
        answer = parity_of(events, loaded)
    terminal.answer(answer, _text(answer))
    return ExitCode.OK if answer.holds else ExitCode.CORRUPT_LOG


@contextmanager
def _opened(chosen: Chosen, log: str | None, shared: bool) -> Iterator[tuple[EventLog, Loaded]]:
    if shared:
        loaded = load_settings(chosen.config_folder, chosen.overrides)
        with open_database(loaded, "tmt-parity") as database:
            reader = PostgresEventLog(database, writer=False, source="parity")
            with closing(reader):
                yield reader, loaded
        return
    folder = _folder(chosen, log or chosen.book_name)
    plan = Plan.of(folder)
    # What the desk ran with, unless something else is asked for.
    own = plan is not None and not chosen.config_folder and not chosen.overrides
    loaded = plan.load() if plan is not None and own else load_settings(chosen.config_folder, chosen.overrides)
    with reading(folder) as events:
        yield events, loaded


def _folder(chosen: Chosen, log: str) -> Path:
    path = Path(log).expanduser()
    if path.name == "events.sqlite":
        return path.parent
    return path if path.is_dir() and "/" in log else chosen.books.path(log)


def _text(answer: Parity) -> str:
    rows: list[tuple[str, ...]] = [
        ("events", f"{answer.events} in {answer.sessions} sessions"),
        ("decision hash", answer.recorded.decision_hash),
        ("ledger hash", answer.recorded.ledger_hash),
    ]
    if answer.unfinished:
        return table(rows) + "\nparity holds so far: the log ends inside a step, which the engine's next start will end"
    if answer.divergence is not None:
        return table(rows) + "\n" + _shown(answer.divergence)
    if not answer.holds and answer.gives is not None:
        rows += [("one process", answer.gives.decision_hash), ("", answer.gives.ledger_hash)]
        return table(rows) + "\nparity does NOT hold: the hashes differ"
    return table(rows) + "\nparity holds: one process decides the same, message by message"


def _shown(divergence: Divergence) -> str:
    where = f"event {divergence.position}" if divergence.position else "the end of a step"
    lines = [
        f"parity does NOT hold: the first message that differs is at {where}",
        f"  the log holds   {divergence.recorded or 'nothing'}",
        f"  one process has {divergence.gives or 'nothing'}",
        "  causes, the root first:",
        *(f"    {cause}" for cause in divergence.causes),
    ]
    return "\n".join(lines)
