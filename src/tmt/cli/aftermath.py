"""What a person's command brought about in one book, as its log says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from tmt import messages as m
from tmt.agents.compliance import RuleBook
from tmt.agents.compliance.rules import DailyLoss
from tmt.cli.folders import has_log, reading
from tmt.cli.plan import Plan
from tmt.cli.results import Lifted
from tmt.domain.money import ZERO
from tmt.ports.event_log import EventLog

_LIFTING: Final[dict[type[m.Message], str]] = {m.BreakerClosed: "closed", m.BreakerHalfOpened: "half_open"}
_HALTS: Final = (*m.BREAKER, m.AccountSuspended, m.ResumeTrading)
_REFUSALS: Final = (m.OrderDenied, m.OrderRejected, m.OrderCancelled, m.OrderExpired)


class Aftermath(msgspec.Struct, frozen=True, kw_only=True):
    """See `results.BookCommanded`, whose fields these are."""

    event: int | None = None
    closing_orders: int = 0
    closing_orders_waiting: int = 0
    closing_orders_refused: int = 0
    lifted: tuple[Lifted, ...] = ()


def event_of(path: Path, message_id: str) -> int | None:
    """Position of a message in the log of the book in folder `path`, or None."""
    if not has_log(path):
        return None
    with reading(path) as log:
        found = log.find(message_id, 1)
        return found[0].position if found else None


def aftermath(path: Path, command: m.StopTrading | m.ResumeTrading) -> Aftermath:
    """What the command brought about in the book in folder `path`, so far."""
    if not has_log(path):
        return Aftermath()
    plan = Plan.of(path)
    with reading(path) as log:
        return aftermath_in(log, command, {} if plan is None else plan.load().sections["rule_books"])


def aftermath_in(
    log: EventLog, command: m.StopTrading | m.ResumeTrading, rule_books: Mapping[str, RuleBook]
) -> Aftermath:
    """What the command brought about in a log, so far."""
    found = log.find(command.message_id, 1)
    if not found:
        return Aftermath()
    event = found[0].position
    if isinstance(command, m.ResumeTrading):
        return Aftermath(event=event, lifted=_lifted(log, event, command.message_id, _daily_rules(rule_books)))
    answers = [_answer(log, proposal) for proposal in _closing(log, event, command.message_id)]
    return Aftermath(
        event=event,
        closing_orders=len(answers),
        closing_orders_waiting=answers.count("waiting"),
        closing_orders_refused=answers.count("refused"),
    )


def _closing(log: EventLog, event: int, command_id: str) -> list[m.Message]:
    proposals = [m.decode(recorded.body) for recorded in log.read(after=event, types=("OrderProposed",))]
    return [proposal for proposal in proposals if proposal.causation_id == command_id]


def _answer(log: EventLog, proposal: m.Message) -> str:
    for recorded in log.correlated(proposal.correlation_id):
        message = m.decode(recorded.body)
        if isinstance(message, m.OrderFilled) and message.remaining == ZERO:
            return "filled"
        if isinstance(message, _REFUSALS):
            return "refused"
    return "waiting"


def _daily_rules(books: Mapping[str, RuleBook]) -> frozenset[str]:
    """Rules whose suspensions end with the day: no command lifts them."""
    return frozenset(rule.id for book in books.values() for rule in book.rules if isinstance(rule, DailyLoss))


def _lifted(log: EventLog, event: int, command_id: str, daily_rules: frozenset[str]) -> tuple[Lifted, ...]:
    lifted: list[Lifted] = []
    triggers: dict[str, str] = {}
    suspended: dict[str, str] = {}
    for recorded in log.read(types=tuple(kind.__name__ for kind in _HALTS)):
        match m.decode(recorded.body):
            case m.ResumeTrading():
                if recorded.position == event:
                    lifted += [
                        Lifted(scope=f"account/{account}", halted_by=rule, state="reinstated")
                        for account, rule in sorted(suspended.items())
                    ]
                suspended = {}
            case m.AccountSuspended(account=account, rule=rule) if rule not in daily_rules:
                suspended[account] = rule
            case m.BreakerTransition() as turned:
                key = f"{turned.tier}/{turned.scope}"
                if turned.causation_id == command_id and type(turned) in _LIFTING:
                    lifted.append(Lifted(scope=key, halted_by=triggers[key], state=_LIFTING[type(turned)]))
                triggers[key] = turned.trigger
            case _:
                pass
    return tuple(lifted)
