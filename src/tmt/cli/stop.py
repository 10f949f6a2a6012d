"""`tmt stop` and `tmt resume`: a person's command, through the book's inbox, obeyed by whichever desk has the book."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

import msgspec

from tmt import messages as m
from tmt.adapters.inbox.sqlite import SqliteInbox
from tmt.books import Books
from tmt.cli.folders import Chosen, reading
from tmt.cli.plan import Plan
from tmt.cli.results import CommandGiven
from tmt.cli.session import open_session, person
from tmt.cli.terminal import Terminal
from tmt.errors import AdapterUnavailable, InputError, TmtError

ANSWER_SECONDS_MAX: Final = 2.0
REASON_LENGTH_MAX: Final = 500
_POLL_SECONDS: Final = 0.02


def stop(terminal: Terminal, chosen: Chosen, flatten: bool, reason: str) -> None:
    """`tmt stop`."""
    who = person()
    message = m.StopTrading.root(who, 0, who, str(time.time_ns()), person=who, reason=_checked(reason), flatten=flatten)
    _give(terminal, chosen, message)


def resume(terminal: Terminal, chosen: Chosen, reason: str) -> None:
    """`tmt resume`."""
    who = person()
    message = m.ResumeTrading.root(who, 0, who, str(time.time_ns()), person=who, reason=_checked(reason))
    _give(terminal, chosen, message)


def _checked(reason: str) -> str:
    text = reason.strip()
    if not 0 < len(text) <= REASON_LENGTH_MAX:
        what = f"--reason must have 1 to {REASON_LENGTH_MAX} characters, has {len(text)}"
        raise InputError("TMT-X008", what, fix="say in a few words why; the log keeps it")
    return text


def _give(terminal: Terminal, chosen: Chosen, message: m.StopTrading | m.ResumeTrading) -> None:
    books, name = chosen.books, chosen.book_name
    path = books.ensure(name)
    inbox = SqliteInbox(path / "inbox.sqlite")
    try:
        inbox.put(message)
    finally:
        inbox.close()
    taken_by = _taken_by(terminal, chosen, books, name, message.message_id)
    event, closing_orders = _in_log(path, message.message_id)
    answer = CommandGiven(
        command=type(message).__name__,
        message_id=message.message_id,
        book=name,
        person=message.person,
        reason=message.reason,
        taken_by=taken_by,
        event=event,
        closing_orders=closing_orders,
    )
    closing = f", {closing_orders} closing orders" if closing_orders else ""
    where = f"event {event}{closing}" if event is not None else "kept in the inbox, obeyed first at the next start"
    terminal.answer(answer, f"{answer.command} for book {name}, taken by {taken_by}: {where}")


def _taken_by(terminal: Terminal, chosen: Chosen, books: Books, name: str, message_id: str) -> str:
    path = books.path(name)
    deadline_seconds = time.monotonic() + ANSWER_SECONDS_MAX
    while books.is_in_use(name):
        if _in_log(path, message_id)[0] is not None:
            return "running desk"
        if time.monotonic() > deadline_seconds:
            raise AdapterUnavailable(
                "TMT-N002",
                f"the running desk has not obeyed within {ANSWER_SECONDS_MAX:g} s",
                where=str(path),
                fix="the command stays in its inbox; see `tmt status`, or end the desk with ctrl-C",
            )
        time.sleep(_POLL_SECONDS)
    if _in_log(path, message_id)[0] is not None:
        return "running desk"
    plan = Plan.of(path)
    if plan is None:
        return "nobody yet"
    if chosen.config or chosen.overrides:
        changed = {"config": chosen.config_folder, "overrides": tuple(chosen.overrides)}
        plan = msgspec.structs.replace(plan, **changed)
    try:
        with open_session(plan, path, terminal):
            return "this command"
    except TmtError:
        terminal.say("the command is kept in the inbox and is obeyed first at the next start, but this start failed:")
        raise


def _in_log(path: Path, message_id: str) -> tuple[int | None, int]:
    if not (path / "events.sqlite").is_file():
        return None, 0
    with reading(path) as log:
        found = log.find(message_id, 1)
        position = found[0].position if found else None
        wanted = message_id.encode()
        proposals = log.read(types=("OrderProposed",), after=position or 0)
        return position, sum(wanted in each.body for each in proposals)
