"""Agents that do not answer: what is said in their place, so that the desk goes on, and refuses.

A lost agent takes no part: what it would have approved is denied, and what it would have noticed is not. It folds what
it missed when it returns. The circuit breaker's absence ends with the system breaker open until a person resumes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from tmt import messages as m
from tmt.domain.identity import derive_id
from tmt.domain.money import ONE, ZERO

ENGINE: Final = "engine"
_STAGES: Final = ((m.SignalRaised, m.OrderProposed), *((approval,) for approval in m.APPROVALS))


class Named(Protocol):
    """As much of an agent as matters here."""

    @property
    def name(self) -> str: ...
    @property
    def produces(self) -> tuple[type[m.Message], ...]: ...


def lost(agent: Named, cause: m.Message) -> m.AgentLost:
    """The fact that `agent` did not answer `cause`."""
    return m.AgentLost.caused_by(cause, ENGINE, agent.name, agent=agent.name)


def stand_in(agent: Named, message: m.Message) -> Sequence[m.Message]:
    """What is said for a lost agent: a denial where it is the gate that `message` has come to, else nothing."""
    for takes, gives in zip(_STAGES, m.APPROVALS, strict=False):
        if gives in agent.produces and isinstance(message, takes):
            return [_denial(agent, message)]
    return []


def _denial(agent: Named, message: m.Message) -> m.OrderDenied:
    account, order_id, quantity = "", derive_id(message.message_id, ""), ZERO
    match message:
        case m.GateApproval(order=order):
            account, order_id, quantity = order.account, order.order_id, order.quantity
            instrument, side = order.instrument, order.side
        case m.OrderProposed():
            account, order_id = message.account, derive_id(message.message_id, message.account)
            instrument, side, quantity = message.instrument, message.side, message.quantity
        case m.SignalRaised():
            instrument, side = message.instrument, message.side
        case _:
            raise AssertionError(f"no gate takes {type(message).__name__}")
    check = m.Check(
        rule=f"{agent.name}.agent_lost",
        measured=ZERO,
        limit=ONE,
        unit="count",
        outcome="deny",
        quantity_after=quantity,
        at_least=True,
    )
    return m.OrderDenied.caused_by(
        message,
        ENGINE,
        order_id,
        order_id=order_id,
        account=account,
        instrument=instrument,
        side=side,
        quantity=quantity,
        gate=agent.name,
        reason="agent_lost",
        measured=ZERO,
        limit=ONE,
        unit="count",
        detail=f"{agent.name} does not answer, so nothing passes it",
        checks=(check,),
        config_hash=message.config_hash if isinstance(message, m.GateApproval) else "",
    )
