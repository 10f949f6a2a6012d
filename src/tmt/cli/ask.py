"""`tmt why` and `tmt why-not`: finds the book, asks its log, prints the answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

import msgspec
from rich.console import Console

from tmt.adapters.event_log.sqlite import SqliteEventLog
from tmt.cli.exit_codes import ExitCode
from tmt.cli.folders import Chosen, reading
from tmt.cli.terminal import Terminal
from tmt.cli.why import parse_time, render_trail, render_why_not
from tmt.errors import InputError
from tmt.projections.trail import why as trail_of
from tmt.projections.why_not import why_not as answer_of

_UNKNOWN = ("TMT-T001", "TMT-T003", "TMT-T004", "TMT-S006")
"""Errors that mean: not in this book. Another may know."""

Answer = TypeVar("Answer")


def why(terminal: Terminal, chosen: Chosen, id: str) -> None:  # noqa: A002
    """`tmt why`."""
    trail = _ask(lambda log: trail_of(log, id), terminal, chosen)
    _print(terminal, trail, lambda console: render_trail(trail, console))


def why_not(terminal: Terminal, chosen: Chosen, instrument: str, time: str) -> None:
    """`tmt why-not`."""
    time_ns, utc_assumed = parse_time(time)
    answer = _ask(lambda log: answer_of(log, instrument, time_ns), terminal, chosen)
    _print(terminal, answer, lambda console: render_why_not(answer, console, utc_assumed=utc_assumed))


def _print(terminal: Terminal, answer: msgspec.Struct, render: Callable[[Console], None]) -> None:
    if terminal.json:
        terminal.answer(answer, "")
    else:
        render(terminal.console(answers=True))


def _ask(question: Callable[[SqliteEventLog], Answer], terminal: Terminal, chosen: Chosen) -> Answer:
    first: InputError | None = None
    books = chosen.books
    for name in _books_to_ask(chosen):
        try:
            with reading(books.path(name)) as log:
                answer = question(log)
        except InputError as error:
            if error.code not in _UNKNOWN:
                raise
            first = first or error
            continue
        if name != books.current() and chosen.book is None:
            terminal.say(f"from book {name}")
        return answer
    assert first is not None, "there is always one book to ask"
    first.exit_code = ExitCode.NOTHING_FOUND
    raise first


def _books_to_ask(chosen: Chosen) -> Iterator[str]:
    if chosen.book is not None:
        yield chosen.book
        return
    books = chosen.books
    current = books.current()
    yield current
    yield from (name for name in books.names() if name != current)
