"""Gates: the stages of an order through them, and the refusal."""

from __future__ import annotations

from tmt.domain.money import Exact
from tmt.domain.order import Order, Side
from tmt.messages.message import Check, Message


class GateApproval(Message, frozen=True, kw_only=True):
    """What the five approvals share.

    Attributes:
        checks: every rule of the gate, in the order applied.
        expires_at_ns: event time after which the approval may not be used.
        config_hash: the configuration that decided.
    """

    order: Order
    checks: tuple[Check, ...]
    expires_at_ns: int
    config_hash: str


class OrderSized(GateApproval, frozen=True, kw_only=True):
    """ARIA has set the quantity."""


class ConcentrationApproved(GateApproval, frozen=True, kw_only=True):
    """The order does not turn the book into one bet."""


class BehaviourApproved(GateApproval, frozen=True, kw_only=True):
    """The order is not what a trader on tilt would do."""


class ComplianceApproved(GateApproval, frozen=True, kw_only=True):
    """The order keeps every rule of the account's rule book."""

    rule_book: str
    rule_book_version: int


class OrderReleased(GateApproval, frozen=True, kw_only=True):
    """The breaker is closed, or the order shrinks a position: execution may submit it."""


class OrderDenied(Message, frozen=True, kw_only=True):
    """A gate says no; final. `measured` and `limit` are those of the rule that decided."""

    order_id: str
    account: str
    instrument: str
    side: Side
    quantity: Exact
    gate: str
    reason: str
    measured: Exact
    limit: Exact
    unit: str
    detail: str
    checks: tuple[Check, ...]
    config_hash: str
    rule_book: str = ""
    rule_book_version: int = 0
