"""ARIA's wiring."""

from __future__ import annotations

import msgspec

from tmt.agents.aria.account_risk import measure_accounts
from tmt.agents.aria.config import AriaConfig
from tmt.agents.aria.decide import decide
from tmt.agents.aria.exit_config import ExitRule
from tmt.agents.aria.exits import Exit, average_range, cases_of, exits_of, follow, judged
from tmt.agents.aria.intent import Intent, from_exit, from_proposal, from_signal
from tmt.agents.aria.margin import NORMAL, margin_level
from tmt.agents.aria.state import AriaState, evolve
from tmt.agents.aria.stop_out import STOP_OUT, given_up
from tmt.agents.verdict import Deny, Waterfall, approval_fields, denied
from tmt.domain.money import ZERO
from tmt.domain.news import NewsCalendar
from tmt.domain.order import Quote
from tmt.domain.position import Position
from tmt.messages import (
    BarClosed,
    ExitRaised,
    MarginLevelChanged,
    Message,
    OrderDenied,
    OrderFilled,
    OrderProposed,
    OrderSized,
    PositionClosed,
    RiskMeasured,
    SignalRaised,
)
from tmt.projections.portfolio import Portfolio
from tmt.projections.portfolio_state import RoundTrip


class AriaAgent:
    """Sizes a signal for every account that trades its instrument, and a person's order for its account.

    At the ends of bars it leaves positions, wholly or in part, or moves their stops nearer, and says what accounts may
    lose; margin levels it says when they change.
    """

    name = "aria"
    consumes = (
        SignalRaised,
        OrderProposed,
        BarClosed,
        OrderFilled,
        PositionClosed,
        ExitRaised,
        MarginLevelChanged,
    )
    answers = (SignalRaised, OrderProposed, BarClosed, OrderFilled, ExitRaised, MarginLevelChanged)
    produces = (OrderSized, OrderDenied, ExitRaised, RiskMeasured, MarginLevelChanged)

    def __init__(self, config: AriaConfig, portfolio: Portfolio, config_hash: str, news: NewsCalendar) -> None:
        self.config = config
        self.portfolio = portfolio
        self.config_hash = config_hash
        self.news = news
        self.state = AriaState()

    def handle(self, message: Message) -> list[Message]:
        """Answer each order with exactly one `OrderSized` or `OrderDenied`, and a closed bar with exits."""
        match message:
            case SignalRaised():
                return self._size_signal(message)
            case OrderProposed():
                quote = self.portfolio.mark(message.instrument)
                return [self._size(message, from_proposal(message, quote, self.config.proposal_timeframe))]
            case BarClosed():
                levels = self.state.margin_levels
                return [*self._follow(message), *self._measure(message), *self._exits_at(message, levels)]
            case ExitRaised():
                self._remember(message)
                return [] if message.source == self.name else self._size_exit(message)
            case MarginLevelChanged(level=level, account=account):
                return self._stop_out(message, account) if level == STOP_OUT else []
            case _:
                return self._follow(message)

    def _size_signal(self, signal: SignalRaised) -> list[Message]:
        traders = [account for account in self.portfolio.accounts if signal.instrument in account.instruments]
        if traders:
            return [self._size(signal, from_signal(signal, a.account_id, a.owner)) for a in traders]
        deny = Waterfall(self.name, ZERO).denies_missing("no_account", f"no account trades {signal.instrument}")
        return [denied(signal, self.name, from_signal(signal, account="", person=""), deny, self.config_hash)]

    def _size(self, cause: Message, intent: Intent) -> Message:
        outcome = decide(self.state, intent, self.portfolio, self.config)
        if isinstance(outcome, Deny):
            return denied(cause, self.name, intent, outcome, self.config_hash)
        fields = approval_fields(outcome, cause.occurred_at_ns, self.config.approval_seconds, self.config_hash)
        return OrderSized.caused_by(cause, self.name, intent.account, **fields)

    def _follow(self, message: Message) -> list[Message]:
        """Move the state, and say which margin levels have changed by it."""
        before = self.state.margin_levels
        self.state = evolve(self.state, message, self.portfolio, self.config)
        if self.state.margin_levels is before:
            return []
        changed = [name for name, level in self.state.margin_levels.items() if before.get(name, NORMAL) != level]
        return [said for name in changed for said in self._margin_level(message, name)]

    def _margin_level(self, cause: Message, account: str) -> list[Message]:
        level = margin_level(self.portfolio, account, self.config.margin)
        if level is None:
            return []
        return [
            MarginLevelChanged.caused_by(
                cause,
                self.name,
                account,
                account=account,
                level=level.name,
                measured=level.measured,
                limit=level.limit,
            )
        ]

    def _measure(self, closed: BarClosed) -> list[Message]:
        """What the accounts that hold the bar's instrument may lose over the next bar."""
        config = self.config.value_at_risk
        return [
            RiskMeasured.caused_by(
                closed,
                self.name,
                measured.account,
                method,
                account=measured.account,
                method=method,
                timeframe=config.timeframe,
                confidence=config.confidence,
                value_at_risk=risk.value_at_risk,
                expected_shortfall=risk.expected_shortfall,
                equity=measured.equity,
                currency=measured.currency,
                returns=measured.returns,
            )
            for measured in measure_accounts(self.state.returns, closed.bar, self.portfolio, config)
            for method, risk in measured.by_method
        ]

    def _exits_at(self, closed: BarClosed, levels_before: dict[str, str]) -> list[Message]:
        bar, exits = closed.bar, self.config.exits
        if not judged(bar, self.state.volatility, exits):
            return []
        self._remember(closed)
        stopped_out = [name for name, level in self.state.margin_levels.items() if level == STOP_OUT]
        # Those that this bar stops out hear of it by the message that says so.
        again = [name for name in stopped_out if levels_before.get(name) == STOP_OUT]
        typical = average_range(self.state.volatility, bar, self.config.atr_bars)
        quote = Quote(bid=bar.bid, ask=bar.ask, time_ns=bar.end_ns)
        leaves = [said for name in again for said in self._stop_out(closed, name)]
        return leaves + [
            said
            for case in cases_of(self.portfolio, bar, self.state.exits, typical, exits)
            if case.position.account not in stopped_out
            for exit_ in exits_of(case, self.news, exits)
            for said in self._leave(closed, case.trip, case.position, exit_, quote)
        ]

    def _stop_out(self, cause: Message, account: str) -> list[Message]:
        if ExitRule.MARGIN not in self.config.exits.rules:
            return []
        said: list[Message] = []
        for position, exit_ in given_up(self.portfolio, account, self.config.margin):
            trip = self.portfolio.trip(account, position.instrument)
            quote = self.portfolio.mark(position.instrument)
            assert trip is not None
            assert quote is not None
            said += self._leave(cause, trip, position, exit_, quote)
        return said

    def _remember(self, message: Message) -> None:
        exits = follow(self.state.exits, message, self.portfolio, self.config.exits)
        self.state = msgspec.structs.replace(self.state, exits=exits)

    def _leave(self, cause: Message, trip: RoundTrip, position: Position, exit_: Exit, quote: Quote) -> list[Message]:
        raised = ExitRaised.caused_by(
            cause,
            self.name,
            position.account,
            position.instrument,
            exit_.rule,
            account=position.account,
            instrument=position.instrument,
            order_id=trip.order_id,
            rule=exit_.rule,
            side=trip.side.opposite,
            quantity=exit_.quantity,
            stop_price=exit_.stop_price,
            quote=quote,
            checks=exit_.checks,
            config_hash=self.config_hash,
        )
        return [raised, *self._size_exit(raised)]

    def _size_exit(self, raised: ExitRaised) -> list[Message]:
        """The order of an exit, of this agent or of compliance; none when it only moves a stop."""
        account, trip = self.portfolio.account(raised.account), self.portfolio.trip(raised.account, raised.instrument)
        if raised.quantity is None or account is None or trip is None:
            return []
        timeframe = self.config.exits.timeframe
        intent = from_exit(raised, raised.quantity, trip.strategy, trip.setup, account.owner, timeframe)
        return [self._size(raised, intent)]
