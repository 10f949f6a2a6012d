"""What compliance says of accounts and conduct, as messages."""

from __future__ import annotations

from typing import Final, TypeAlias

import msgspec

from tmt.agents.compliance.barring import Barred
from tmt.agents.compliance.closing import Close
from tmt.agents.compliance.detectors import Suspicion
from tmt.agents.compliance.suspension import Reinstate, Suspend
from tmt.agents.verdict import Waterfall
from tmt.domain.money import ZERO
from tmt.messages import (
    AccountReinstated,
    AccountSuspended,
    ConductFlagged,
    CopyTradingSeen,
    EntriesBarred,
    ExitRaised,
    Message,
)

AGENT: Final = "compliance"
SURVEILLANCE: Final = "surveillance"
"""First part of the rule by which a finding suspends an account."""

Outcome: TypeAlias = Suspend | Reinstate | Close | Barred


def said(cause: Message, outcome: Outcome, config_hash: str) -> Message:
    """An outcome as a message that follows from `cause`."""
    fields = msgspec.structs.asdict(outcome)
    match outcome:
        case Suspend():
            return AccountSuspended.caused_by(cause, AGENT, outcome.account, **fields)
        case Reinstate():
            return AccountReinstated.caused_by(cause, AGENT, outcome.account, **fields)
        case Close():
            return _exit(cause, outcome, config_hash)
        case Barred():
            return EntriesBarred.caused_by(cause, AGENT, outcome.account, outcome.instrument, **fields)


def _exit(cause: Message, close: Close, config_hash: str) -> ExitRaised:
    waterfall = Waterfall(AGENT, close.quantity)
    waterfall.resizes(close.rule, close.measured, close.limit, close.unit, quantity=ZERO)
    return ExitRaised.caused_by(
        cause,
        AGENT,
        close.account,
        close.instrument,
        account=close.account,
        instrument=close.instrument,
        order_id=close.order_id,
        rule=close.rule,
        side=close.side,
        quantity=close.quantity,
        stop_price=None,
        quote=close.quote,
        checks=waterfall.checks,
        config_hash=config_hash,
    )


def flagged(cause: Message, suspicion: Suspicion) -> ConductFlagged:
    """A finding as a message."""
    fields = msgspec.structs.asdict(suspicion)
    return ConductFlagged.caused_by(cause, AGENT, fields.pop("key"), **fields)


def suspended_for(suspicion: Suspicion, account: str) -> Suspend:
    """The suspension of one of the accounts that a finding names: its positions stay as they are."""
    return Suspend(
        account=account,
        rule=f"{SURVEILLANCE}.{suspicion.detector}",
        measured=suspicion.measured,
        limit=suspicion.limit,
        unit=suspicion.unit,
        flatten=False,
    )


def copied(seen: CopyTradingSeen) -> ConductFlagged:
    """What anti-correlation saw, as a finding of surveillance."""
    return ConductFlagged.caused_by(
        seen,
        AGENT,
        seen.owner,
        detector="copy_trading",
        accounts=seen.accounts,
        instrument="",
        measured=seen.measured,
        limit=seen.limit,
        unit="fraction",
        evidence=seen.evidence,
        detail=f"accounts of {seen.owner} trade alike without being told to",
        suspends=False,
    )
