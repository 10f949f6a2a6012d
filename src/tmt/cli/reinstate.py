"""`tmt reinstate`: a person asks to take a suspended account back into trading, through the inbox of a book."""

from __future__ import annotations

import time
from contextlib import closing
from typing import Any, Final

import msgspec

from tmt import messages as m
from tmt.adapters.event_log.postgres import PostgresEventLog
from tmt.adapters.inbox.postgres import PostgresInbox
from tmt.cli.aftermath import configured_breakers, known_breakers
from tmt.cli.exit_codes import ExitCode
from tmt.cli.folders import Chosen, has_log, reading
from tmt.cli.session import person
from tmt.cli.settings import load_settings
from tmt.cli.stop import ANSWER_SECONDS_MAX, checked_reason, leave, refuse_unknown, refuse_unless_known, taken_by
from tmt.cli.terminal import Terminal
from tmt.domain.money import Exact
from tmt.domain.stop import ScopeKind, StopScope
from tmt.ports.event_log import EventLog
from tmt.processes import open_database
from tmt.projections.sentences import plain

ROLE: Final = "admin"
"""Whoever owns the state folder is the desk's administrator."""

_POLL_SECONDS: Final = 0.02


class ReinstatementAsked(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the request.

    Attributes:
        outcome: "reinstated"; "suspended": the account stays out; "not_suspended": there was nothing to lift;
            "waiting": nobody has taken the request yet, which is obeyed first at the next start.
        event: position of the request in the log; None while it waits.
        rule: by which the account was, or is, suspended; `measured` against `limit`, in `unit`, while it is.
    """

    account: str
    book: str
    person: str
    reason: str
    outcome: str
    event: int | None = None
    rule: str = ""
    measured: Exact | None = None
    limit: Exact | None = None
    unit: str = ""


def run(terminal: Terminal, chosen: Chosen, account: str, reason: str, shared: bool) -> int:
    """`tmt reinstate`."""
    who, text = person(), checked_reason(reason)
    key = str(time.time_ns())
    request = m.ReinstateAccount.root(who, 0, who, key, account=account, person=who, role=ROLE, reason=text)
    answer = _through_database(chosen, request) if shared else _through_inbox(terminal, chosen, request)
    terminal.answer(answer, _sentence(answer))
    return _status(answer)


def _status(answer: ReinstatementAsked) -> ExitCode:
    return ExitCode.OK if answer.outcome in ("reinstated", "waiting") else ExitCode.NOTHING_FOUND


def _through_inbox(terminal: Terminal, chosen: Chosen, request: m.ReinstateAccount) -> ReinstatementAsked:
    name = chosen.book_name
    path = chosen.books.existing(name)
    refuse_unknown(chosen, _scope(request), [path])
    leave(chosen.books.ensure(name), request)
    taken_by(terminal, chosen, name, request.message_id, time.monotonic() + ANSWER_SECONDS_MAX)
    if not has_log(path):
        return _asked(request, name, "waiting")
    with reading(path) as log:
        return _became_of(log, request, name)


def _through_database(chosen: Chosen, request: m.ReinstateAccount) -> ReinstatementAsked:
    loaded = load_settings(chosen.config_folder, chosen.overrides)
    with (
        open_database(loaded, "tmt-command") as database,
        closing(PostgresEventLog(database, writer=False, source="command")) as log,
    ):
        refuse_unless_known(_scope(request), known_breakers(log) or configured_breakers(loaded))
        with closing(PostgresInbox(database)) as inbox:
            inbox.put(request)
        deadline_seconds = time.monotonic() + ANSWER_SECONDS_MAX
        while not log.contains(request.message_id) and time.monotonic() < deadline_seconds:
            time.sleep(_POLL_SECONDS)
        return _became_of(log, request, database.where)


def _scope(request: m.ReinstateAccount) -> StopScope:
    return StopScope(kind=ScopeKind.ACCOUNT, name=request.account)


def _became_of(log: EventLog, request: m.ReinstateAccount, book: str) -> ReinstatementAsked:
    found = log.find(request.message_id, 1)
    if not found:
        return _asked(request, book, "waiting")
    event = found[0].position
    for recorded in log.correlated(request.message_id):
        match m.decode(recorded.body):
            case m.AccountReinstated(rule=rule):
                return _asked(request, book, "reinstated", event=event, rule=rule)
            case m.AccountSuspended() as said:
                stands = {name: getattr(said, name) for name in ("rule", "measured", "limit", "unit")}
                return _asked(request, book, "suspended", event=event, **stands)
            case _:
                pass
    return _asked(request, book, "not_suspended", event=event)


def _asked(request: m.ReinstateAccount, book: str, outcome: str, **fields: Any) -> ReinstatementAsked:
    return ReinstatementAsked(
        account=request.account, book=book, person=request.person, reason=request.reason, outcome=outcome, **fields
    )


def _sentence(answer: ReinstatementAsked) -> str:
    match answer.outcome:
        case "reinstated":
            return f"{answer.account} is reinstated; it was suspended by {answer.rule} (event {answer.event})"
        case "suspended":
            assert answer.measured is not None
            assert answer.limit is not None
            stands = f"{answer.rule}, {plain(answer.measured)} against {plain(answer.limit)} {answer.unit}"
            return f"REFUSED: {answer.account} stays suspended by {stands} (event {answer.event})"
        case "waiting":
            return f"kept in the inbox of book {answer.book}, obeyed first at the next start"
        case _:
            return f"{answer.account} is not suspended: there was nothing to lift (event {answer.event})"
