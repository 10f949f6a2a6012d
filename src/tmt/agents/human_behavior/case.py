"""One order under judgement, and what every rule may look at."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from tmt.agents.human_behavior.config import HumanBehaviorConfig
from tmt.agents.human_behavior.habits import Habits, HumanBehaviorState
from tmt.agents.verdict import Deny, Waterfall
from tmt.domain.account import Account
from tmt.domain.instrument import Instrument
from tmt.domain.order import Order
from tmt.projections.portfolio import Portfolio


@dataclass(frozen=True)
class Case:
    """An order that may open or add, with its account and its instrument."""

    order: Order
    account: Account
    instrument: Instrument
    state: HumanBehaviorState
    portfolio: Portfolio
    config: HumanBehaviorConfig
    waterfall: Waterfall

    @property
    def habits(self) -> Habits:
        """What is remembered of the account."""
        return self.state.accounts.get(self.order.account, Habits())

    @property
    def asked(self) -> Decimal:
        """The quantity that a person asked for, before any gate cut it; the order's own when nobody did."""
        return self.state.asked.get(self.order.order_id, self.order.quantity)

    @property
    def now_ns(self) -> int:
        """Event time."""
        return self.portfolio.now_ns

    def rate(self) -> Decimal | Deny:
        """Units of the account's currency for one of the instrument's quote currency, or the refusal without it."""
        rate = self.portfolio.rate(self.instrument.quote_currency, self.account.currency)
        return self.no_rate(self.instrument.quote_currency) if rate is None else rate

    def no_rate(self, currency: str) -> Deny:
        """The refusal for want of a rate from `currency`."""
        detail = f"no rate from {currency} to {self.account.currency} is known"
        return self.waterfall.denies_missing("no_conversion_rate", detail)


def seconds(nanoseconds: int) -> Decimal:
    """Exact seconds."""
    return Decimal(nanoseconds).scaleb(-9)
