"""Safety: breakers, suspensions, surveillance, stops, and broken invariants."""

from __future__ import annotations

from tmt.domain.money import Exact
from tmt.messages.message import Message


class BreakerTransition(Message, frozen=True, kw_only=True):
    """What breaker messages share.

    Attributes:
        tier: "agent", "account" or "system".
        scope: the agent's or account's name; "desk" for the system tier.
        trigger: the condition's name.
        resumes_by: "person" when only a person may lift it, else "cool_down".
    """

    tier: str
    scope: str
    trigger: str
    measured: Exact
    limit: Exact
    unit: str
    resumes_by: str
    detail: str


class BreakerOpened(BreakerTransition, frozen=True, kw_only=True):
    """No new risk in the scope."""


class BreakerReduced(BreakerTransition, frozen=True, kw_only=True):
    """Only orders that shrink a position pass in the scope."""


class BreakerHalfOpened(BreakerTransition, frozen=True, kw_only=True):
    """A bounded number of test trades may pass in the scope."""


class BreakerClosed(BreakerTransition, frozen=True, kw_only=True):
    """The scope trades normally."""


class AccountSuspended(Message, frozen=True, kw_only=True):
    """Compliance takes an account out of trading until its day turns or a person reinstates it; it may only close.

    Said again when somebody asked for its reinstatement and it stays suspended.

    Attributes:
        rule: of its rule book, or "surveillance.<detector>".
        flatten: its positions are closed.
    """

    account: str
    rule: str
    measured: Exact
    limit: Exact
    unit: str
    flatten: bool = False


class AccountReinstated(Message, frozen=True, kw_only=True):
    """A suspended account trades again: its day has turned (no person), or a person said so."""

    account: str
    rule: str
    person: str
    role: str
    reason: str


class EntriesBarred(Message, frozen=True, kw_only=True):
    """A rule of the account's book refuses entries in the instrument now, or before another bar ends: none may rest.

    Said at the end of a bar while the account has working entries there. What only closes rests on.

    Attributes:
        rule: of its rule book.
        from_ns: since when, or from when on, the rule refuses.
    """

    account: str
    instrument: str
    rule: str
    from_ns: int


class ConductFlagged(Message, frozen=True, kw_only=True):
    """Surveillance found conduct that a market's rules forbid or that nobody intends.

    Attributes:
        detector: "self_crossing", "wash", "layering", "order_rate", "momentum_ignition",
            "minimum_hold", "copy_trading".
        accounts: sorted.
        evidence: ids of the messages it rests on.
        suspends: whether the accounts are suspended for it.
    """

    detector: str
    accounts: tuple[str, ...]
    instrument: str
    measured: Exact
    limit: Exact
    unit: str
    evidence: tuple[str, ...]
    detail: str
    suspends: bool


class StopCompleted(Message, frozen=True, kw_only=True):
    """Everything that an emergency stop asked for has been answered by the venue.

    Attributes:
        stop_id: message id of the `StopTrading`.
        cancelled: working orders that ended without a further fill.
        filled: those that filled before the cancel reached the venue.
        positions_closed: "account/instrument" of those flat now.
        positions_open: those that are not, with `FLATTEN` and `LOCK`; empty when all went well.
    """

    stop_id: str
    cancelled: int
    filled: int
    positions_closed: tuple[str, ...]
    positions_open: tuple[str, ...]


class AgentLost(Message, frozen=True, kw_only=True):
    """An agent in another process did not answer: until it returns, what it would have to approve is denied."""

    agent: str


class InvariantBroken(Message, frozen=True, kw_only=True):
    """A rule that must always hold does not; the system breaker opens."""

    invariant: str
    detail: str
