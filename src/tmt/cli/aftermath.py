"""What a person's command brought about in one book, as its log says."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from tmt import messages as m
from tmt.cli.folders import has_log, reading
from tmt.cli.results import Lifted
from tmt.config import Loaded
from tmt.domain.money import ZERO
from tmt.domain.stop import EVERYTHING, ScopeKind, StopScope
from tmt.ports.event_log import EventLog

_LIFTING: Final[dict[type[m.Message], str]] = {m.BreakerClosed: "closed", m.BreakerHalfOpened: "half_open"}
_REFUSALS: Final = (m.OrderDenied, m.OrderRejected, m.OrderCancelled, m.OrderExpired)
_TURNS: Final = tuple(kind.__name__ for kind in m.BREAKER)


class Aftermath(msgspec.Struct, frozen=True, kw_only=True):
    """See `results.BookCommanded`, whose fields these are."""

    event: int | None = None
    closing_orders: int = 0
    closing_orders_waiting: int = 0
    closing_orders_refused: int = 0
    cancels: int = 0
    completed: bool = False
    cancelled: int = 0
    filled: int = 0
    positions_closed: tuple[str, ...] = ()
    positions_open: tuple[str, ...] = ()
    lifted: tuple[Lifted, ...] = ()
    refused: tuple[str, ...] = ()


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
    with reading(path) as log:
        return aftermath_in(log, command)


def aftermath_in(log: EventLog, command: m.StopTrading | m.ResumeTrading) -> Aftermath:
    """What the command brought about in a log, so far."""
    found = log.find(command.message_id, 1)
    if not found:
        return Aftermath()
    event = found[0].position
    if isinstance(command, m.ResumeTrading):
        lifted, refused = _lifted(log, command.message_id)
        return Aftermath(event=event, lifted=lifted, refused=refused)
    answers = [_answer(log, proposal) for proposal in _closing(log, event, command.message_id)]
    brought = Aftermath(
        event=event,
        closing_orders=len(answers),
        closing_orders_waiting=answers.count("waiting"),
        closing_orders_refused=answers.count("refused"),
        cancels=_cancels(log, event, command.message_id),
    )
    completed = _completed(log, event, command.message_id)
    if completed is None:
        return brought
    return msgspec.structs.replace(
        brought,
        completed=True,
        cancelled=completed.cancelled,
        filled=completed.filled,
        positions_closed=completed.positions_closed,
        positions_open=completed.positions_open,
    )


def _cancels(log: EventLog, event: int, command_id: str) -> int:
    asked = (m.decode(recorded.body) for recorded in log.read(after=event, types=("CancelSubmitted",)))
    return sum(each.causation_id == command_id for each in asked)


def _completed(log: EventLog, event: int, command_id: str) -> m.StopCompleted | None:
    for recorded in log.read(after=event, types=("StopCompleted",)):
        message = m.decode(recorded.body)
        if isinstance(message, m.StopCompleted) and message.stop_id == command_id:
            return message
    return None


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


def _lifted(log: EventLog, command_id: str) -> tuple[tuple[Lifted, ...], tuple[str, ...]]:
    lifted: list[Lifted] = []
    refused: list[str] = []
    triggers: dict[str, str] = {}
    for recorded in log.read(types=_TURNS):
        turned = m.decode(recorded.body)
        assert isinstance(turned, m.BreakerTransition)
        key = f"{turned.tier}/{turned.scope}"
        if turned.causation_id == command_id:
            if type(turned) in _LIFTING:
                lifted.append(Lifted(scope=key, halted_by=triggers[key], state=_LIFTING[type(turned)]))
            else:
                refused.append(turned.detail)
        triggers[key] = turned.trigger
    return tuple(lifted), tuple(refused)


def known_breakers(log: EventLog) -> frozenset[str]:
    """Keys, "tier/scope", of the breakers that ever spoke in a log."""
    keys = set()
    for recorded in log.read(types=_TURNS):
        turned = m.decode(recorded.body)
        assert isinstance(turned, m.BreakerTransition)
        keys.add(f"{turned.tier}/{turned.scope}")
    return frozenset(keys)


def configured_breakers(loaded: Loaded) -> frozenset[str]:
    """Keys of the breakers that a desk will have, by its configuration: for a log in which none ever spoke."""
    accounts = loaded.sections["accounts"].accounts
    names = {
        ScopeKind.ACCOUNT: [each.account_id for each in accounts],
        ScopeKind.VENUE: [each.venue for each in accounts],
        ScopeKind.INSTRUMENT: [each.symbol for each in loaded.sections["instruments"].instruments],
        ScopeKind.STRATEGY: loaded.sections["circuit_breaker"].strategies,
    }
    scopes = [StopScope(kind=kind, name=name) for kind, named in names.items() for name in named]
    return frozenset(each.breaker for each in (EVERYTHING, *scopes))
