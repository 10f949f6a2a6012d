"""What somebody may see: everything of the desk, but only their own accounts' orders, money and positions."""

from __future__ import annotations

import msgspec

from tmt.access.roles import Principal
from tmt.projections.audience import UNKNOWN
from tmt.projections.desk_reader import DeskReader
from tmt.projections.desk_view import AgentLine, DeskSnapshot
from tmt.projections.order_trail import OrderTrail
from tmt.projections.trail import Step, Trail
from tmt.projections.why_not import WhyNot


def sees(who: Principal, account: str | None) -> bool:
    """Whether `who` may see what is about `account`; None is about everybody, `UNKNOWN` about nobody can say whom."""
    return not who.accounts or account is None or (account != UNKNOWN and account in who.accounts)


def visible_desk(who: Principal, desk: DeskSnapshot, reader: DeskReader) -> DeskSnapshot:
    """The snapshot without what is about others' accounts."""
    if not who.accounts:
        return desk
    return msgspec.structs.replace(
        desk,
        positions=tuple(each for each in desk.positions if sees(who, each.account)),
        orders=tuple(each for each in desk.orders if sees(who, each.account)),
        accounts=tuple(each for each in desk.accounts if sees(who, each.account)),
        agents=tuple(_without_others(who, each, reader) for each in desk.agents),
        breakers=tuple(each for each in desk.breakers if each.tier != "account" or sees(who, each.scope)),
        events=tuple(each for each in desk.events if sees(who, reader.owner_of(each.message_id))),
    )


def _without_others(who: Principal, agent: AgentLine, reader: DeskReader) -> AgentLine:
    if agent.last is None or sees(who, reader.owner_of(agent.last.message_id)):
        return agent
    return msgspec.structs.replace(agent, last=None)


def visible_trail(who: Principal, trail: Trail) -> Trail | None:
    """The trail without others' orders and events; None when nothing is left that `who` may see."""
    if not who.accounts:
        return trail
    if trail.event is not None and not sees(who, trail.causes[-1].account):
        return None
    orders = _own(who, trail.orders)
    if trail.proposal is not None and not sees(who, trail.proposal.account):
        return None
    if trail.orders and not orders:
        return None
    others_exit = trail.exit is not None and not sees(who, trail.exit.account)
    if others_exit and not orders:
        return None
    led_to = _seen(who, trail.led_to)
    return msgspec.structs.replace(
        trail,
        causes=_seen(who, trail.causes),
        led_to=led_to,
        led_to_count=len(led_to),
        orders=orders,
        others=(),
        exit=None if others_exit else trail.exit,
    )


def _seen(who: Principal, steps: tuple[Step, ...]) -> tuple[Step, ...]:
    return tuple(each for each in steps if sees(who, each.account))


def visible_why_not(who: Principal, answer: WhyNot) -> WhyNot:
    """The answer without others' orders."""
    if not who.accounts:
        return answer
    return msgspec.structs.replace(
        answer,
        timeframes=tuple(
            msgspec.structs.replace(
                each,
                signals=tuple(
                    msgspec.structs.replace(signal, orders=_own(who, signal.orders)) for signal in each.signals
                ),
            )
            for each in answer.timeframes
        ),
    )


def _own(who: Principal, orders: tuple[OrderTrail, ...]) -> tuple[OrderTrail, ...]:
    return tuple(each for each in orders if sees(who, each.account))
