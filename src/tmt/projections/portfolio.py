"""The portfolio: money, positions, working orders and risk of every account, folded from the log.

One portfolio a process: the runner folds each message once, before any agent handles it. Agents only read.
"""

from __future__ import annotations

from decimal import Decimal

from tmt import messages as m
from tmt.domain import ledger
from tmt.domain.account import Account
from tmt.domain.instrument import Instrument
from tmt.domain.money import ZERO, divide, round_half_even
from tmt.domain.order import Quote
from tmt.domain.position import Position, apply_fill
from tmt.domain.session import day_bounds_ns
from tmt.projections.portfolio_state import AccountState, ExitOrder, PortfolioState, RoundTrip, WorkingOrder
from tmt.projections.rates import rate
from tmt.projections.trips import follow_trip, protect_anew

EXIT_ROLES = ("stop_loss", "take_profit")
VALUE_DECIMALS = 8
"""Decimals of amounts converted into an account's currency; postings are never rounded."""


class Portfolio:
    """Reads are in the account's currency unless they say otherwise, and None when something needed is unknown."""

    def __init__(self) -> None:
        self.state = PortfolioState()
        self.ledger = ledger.Ledger()
        self._equity: dict[str, Decimal | None] = {}

    def restore(self, state: PortfolioState, saved: ledger.LedgerSnapshot) -> None:
        """Become what a snapshot saved."""
        self.state = state
        self.ledger.restore(saved)
        self._equity = {}

    # Fold

    def evolve(self, message: m.Message) -> None:
        """Fold one message. Market data and the passing of time come before what they lead to, and move nothing."""
        if isinstance(message, m.MarketDataReceived | m.TimeAdvanced):
            return
        if (now_ns := message.occurred_at_ns) > self.state.now_ns:
            self.state.now_ns = now_ns
            if now_ns >= self.state.next_turnover_ns:
                self._turn_over(now_ns)
        match message:
            case m.BarClosed():
                self._mark(message)
            case m.OrderFilled():
                self._fill(message)
            case m.GateApproval():
                self.state.working[message.order.order_id] = self._working(message)
            case m.OrderDenied():
                self._deny(message.order_id)
            case m.OrderSubmitted():
                self._submit(message)
            case m.OrderAccepted() if message.role in EXIT_ROLES:
                self.state.exits[message.client_order_id] = ExitOrder.accepted(message)
            case m.OrderReplaced():
                self._replace(message)
            case m.ScheduleEnded():
                self.state.working.pop(message.order_id, None)
            case m.OrderCancelled() | m.OrderExpired() | m.OrderRejected():
                self._end(message.client_order_id)
            case m.SessionStarted():
                self.state.instruments = {i.symbol: i for i in message.instruments}
            case m.AccountOpened():
                self._open_account(message)
            case _:
                pass

    def _open_account(self, message: m.AccountOpened) -> None:
        account = message.account
        name = account.account_id
        if not self.ledger.post(ledger.deposit(name, account.currency, account.deposit, message.message_id)):
            return
        _, day_end = day_bounds_ns(account.day(), message.occurred_at_ns)
        self.state.accounts[name] = AccountState(
            account=account,
            day_start_equity=account.deposit,
            peak_equity=account.deposit,
            closing_peak_equity=account.deposit,
            day_end_ns=day_end,
        )
        self.state.next_turnover_ns = min(state.day_end_ns for state in self.state.accounts.values())
        self._equity[name] = account.deposit

    def _turn_over(self, now_ns: int) -> None:
        for name, state in self.state.accounts.items():
            if now_ns >= state.day_end_ns:
                equity = self.equity(name)
                state.day_start_equity = state.day_start_equity if equity is None else equity
                state.closing_peak_equity = max(state.closing_peak_equity, state.day_start_equity)
                _, state.day_end_ns = day_bounds_ns(state.account.day(), now_ns)
        self.state.next_turnover_ns = min(
            (state.day_end_ns for state in self.state.accounts.values()), default=2**63 - 1
        )

    def _mark(self, message: m.BarClosed) -> None:
        bar = message.bar
        self.state.marks[bar.instrument] = Quote(bid=bar.bid, ask=bar.ask, time_ns=bar.end_ns)
        self._revalue(bar.instrument)

    def _revalue(self, symbol: str) -> None:
        for name, state in self.state.accounts.items():
            if f"{name}/{symbol}" in self.state.positions or len(state.currencies) > 1:
                self._equity.pop(name, None)
                self._raise_peak(name)

    def _raise_peak(self, account: str) -> None:
        equity, state = self.equity(account), self.state.accounts[account]
        if equity is not None and equity > state.peak_equity:
            state.peak_equity = equity

    def _working(self, approval: m.GateApproval) -> WorkingOrder:
        return WorkingOrder(order=approval.order, remaining=approval.order.quantity, client_order_id="")

    def _deny(self, order_id: str) -> None:
        known = self.state.working.get(order_id)
        if known is not None and not known.client_order_id:
            del self.state.working[order_id]

    def _submit(self, message: m.OrderSubmitted) -> None:
        order = message.order
        self.state.working[order.order_id] = WorkingOrder(
            order=order, remaining=order.quantity, client_order_id=message.client_order_id
        )
        self.state.order_by_client_id[message.client_order_id] = order.order_id
        parent = self.state.working.get(order.parent_id)
        if parent is not None:
            left = max(ZERO, parent.remaining - order.quantity)
            self.state.working[order.parent_id] = parent.with_remaining(left)

    def _replace(self, message: m.OrderReplaced) -> None:
        if (moved := self.state.exits.get(message.client_order_id)) is not None:
            self.state.exits[message.client_order_id] = moved.replaced(message)
            protect_anew(self.state, message.account, message.instrument)
            return
        order_id = self.state.order_by_client_id.get(message.client_order_id)
        known = None if order_id is None else self.state.working.get(order_id)
        if known is not None:
            self.state.working[known.order.order_id] = known.replaced(message)

    def _end(self, client_order_id: str) -> None:
        if (ended := self.state.exits.pop(client_order_id, None)) is not None:
            protect_anew(self.state, ended.account, ended.instrument)
            return
        order_id = self.state.order_by_client_id.pop(client_order_id, None)
        if order_id is not None:
            self.state.working.pop(order_id, None)

    def _fill(self, fill: m.OrderFilled) -> None:
        instrument = self.state.instruments[fill.instrument]
        posted = self.ledger.post(
            ledger.settle_fill(
                account=fill.account,
                instrument=instrument,
                side=fill.side,
                quantity=fill.quantity,
                price=fill.price,
                fee=fill.fee,
                fee_currency=fill.fee_currency,
                fill_id=fill.fill_id,
            )
        )
        if not posted:
            return
        key = f"{fill.account}/{fill.instrument}"
        before = self.state.positions.get(key, Position(account=fill.account, instrument=fill.instrument))
        after, realised = apply_fill(before, fill.side, fill.quantity, fill.price, instrument.point_value)
        self._account_for(fill, instrument, realised)
        follow_trip(self.state, fill, instrument, before, after, realised)
        if after.lots:
            self.state.positions[key] = after
        else:
            self.state.positions.pop(key, None)
            self.state.protective_stops.pop(key, None)
        self._shrink_working(fill)
        self.state.marks.setdefault(fill.instrument, fill.quote)
        self._equity.pop(fill.account, None)
        self._revalue(fill.instrument)
        self._raise_peak(fill.account)  # a fill that closes the position is no longer valued with it

    def _account_for(self, fill: m.OrderFilled, instrument: Instrument, realised: Decimal) -> None:
        state = self.state.accounts[fill.account]
        money = instrument.quote_currency
        state.realised[money] = state.realised.get(money, ZERO) + realised
        state.fees[fill.fee_currency] = state.fees.get(fill.fee_currency, ZERO) + fill.fee
        state.currencies = sorted({state.account.currency, *state.currencies, money, fill.fee_currency})

    def _shrink_working(self, fill: m.OrderFilled) -> None:
        if fill.client_order_id in self.state.exits and fill.remaining == ZERO:
            self._end(fill.client_order_id)
            return
        order_id = self.state.order_by_client_id.get(fill.client_order_id)
        working = None if order_id is None else self.state.working.get(order_id)
        if working is None:
            return
        if fill.remaining == ZERO:
            self._end(fill.client_order_id)
        else:
            self.state.working[working.order.order_id] = working.with_remaining(fill.remaining)

    # Reads

    @property
    def now_ns(self) -> int:
        """Event time of the newest message folded."""
        return self.state.now_ns

    @property
    def accounts(self) -> list[Account]:
        """All accounts, in the order opened."""
        return [state.account for state in self.state.accounts.values()]

    def account(self, account: str) -> Account | None:
        """One account, or None when it was never opened."""
        state = self.state.accounts.get(account)
        return None if state is None else state.account

    def instrument(self, symbol: str) -> Instrument | None:
        """One instrument, or None when unknown."""
        return self.state.instruments.get(symbol)

    def position(self, account: str, symbol: str) -> Position:
        """Net position; flat when there is none."""
        return self.state.positions.get(f"{account}/{symbol}") or Position(account=account, instrument=symbol)

    def positions(self, account: str | None = None) -> list[Position]:
        """Open positions of one account, or of all, in the order opened."""
        return [each for each in self.state.positions.values() if account in (None, each.account)]

    def working(self, account: str | None = None) -> list[WorkingOrder]:
        """Orders of one account, or of all, sized or further along and not yet ended, exits excluded, oldest first."""
        return [each for each in self.state.working.values() if account in (None, each.order.account)]

    def mark(self, symbol: str) -> Quote | None:
        """Newest bid and ask known from closed bars and fills."""
        return self.state.marks.get(symbol)

    def rate(self, source: str, target: str) -> Decimal | None:
        """Units of `target` for one unit of `source`; see `rates.rate`."""
        return rate(self.state, source, target)

    def convert(self, amount: Decimal, source: str, account: str) -> Decimal | None:
        """`amount` of currency `source` in the account's currency, rounded to 8 decimals."""
        state = self.state.accounts.get(account)
        rate = None if state is None else self.rate(source, state.account.currency)
        return None if rate is None else round_half_even(amount * rate, VALUE_DECIMALS)

    def equity(self, account: str) -> Decimal | None:
        """Cash and fees, plus positions at the price at which they could be closed."""
        if account not in self._equity:
            self._equity[account] = self._value(account)
        return self._equity[account]

    def _value(self, account: str) -> Decimal | None:
        if account not in self.state.accounts:
            return None
        totals: dict[str, Decimal] = {}
        for part in ("cash", "fees"):
            for unit in self.ledger.units_of(f"{account}/{part}"):
                totals[unit] = totals.get(unit, ZERO) + self.ledger.balance(f"{account}/{part}", unit)
        for position in self.positions(account):
            worth = self.market_value(position)
            if worth is None:
                return None
            currency = self.state.instruments[position.instrument].quote_currency
            totals[currency] = totals.get(currency, ZERO) + worth
        return self._sum_converted(totals, account)

    def _sum_converted(self, totals: dict[str, Decimal], account: str) -> Decimal | None:
        total = ZERO
        for currency, amount in sorted(totals.items()):
            if amount == ZERO:
                continue
            converted = self.convert(amount, currency, account)
            if converted is None:
                return None
            total += converted
        return total

    def market_value(self, position: Position) -> Decimal | None:
        """Signed worth in quote currency at the closing side of the mark: bid for a long, ask for a short."""
        mark = self.state.marks.get(position.instrument)
        if mark is None:
            return None
        price = mark.bid if position.quantity > ZERO else mark.ask
        return position.quantity * price * self.state.instruments[position.instrument].point_value

    def unrealised(self, account: str) -> Decimal | None:
        """Open profit of all positions, in the account's currency."""
        totals: dict[str, Decimal] = {}
        for position in self.positions(account):
            worth = self.market_value(position)
            if worth is None:
                return None
            instrument = self.state.instruments[position.instrument]
            profit = worth - position.cost * instrument.point_value
            totals[instrument.quote_currency] = totals.get(instrument.quote_currency, ZERO) + profit
        return self._sum_converted(totals, account)

    def realised(self, account: str) -> Decimal | None:
        """Profit of everything closed, before fees."""
        state = self.state.accounts.get(account)
        return None if state is None else self._sum_converted(state.realised, account)

    def fees(self, account: str) -> Decimal | None:
        """Fees paid; a rebate is negative."""
        state = self.state.accounts.get(account)
        return None if state is None else self._sum_converted(state.fees, account)

    def day_start_equity(self, account: str) -> Decimal | None:
        """Equity when the account's trading day began."""
        state = self.state.accounts.get(account)
        return None if state is None else state.day_start_equity

    def peak_equity(self, account: str) -> Decimal | None:
        """Highest equity so far."""
        state = self.state.accounts.get(account)
        return None if state is None else state.peak_equity

    def closing_peak_equity(self, account: str) -> Decimal | None:
        """Highest equity with which a trading day has ended; the deposit before any has ended higher."""
        state = self.state.accounts.get(account)
        return None if state is None else state.closing_peak_equity

    def daily_loss_fraction(self, account: str) -> Decimal | None:
        """Loss since the day began over the day's starting equity; 0 on a profit, never negative."""
        return _fall_fraction(self.day_start_equity(account), self.equity(account))

    def drawdown_fraction(self, account: str) -> Decimal | None:
        """Fall from the peak over the peak; 0 at the peak."""
        return _fall_fraction(self.peak_equity(account), self.equity(account))

    def exact_profit(self, account: str, currency: str) -> tuple[Decimal, Decimal]:
        """In one currency, never converted: (realised + unrealised − fees, equity − deposits). Always equal.

        Positions count at cost on the left and in the ledger's cash on the right; the mark cancels out.
        """
        state = self.state.accounts[account]
        explained = state.realised.get(currency, ZERO) - state.fees.get(currency, ZERO)
        gained = self.ledger.balance(f"{account}/cash", currency) + self.ledger.balance(f"{account}/fees", currency)
        gained += self.ledger.balance(f"{account}/deposits", currency)
        for position in self.positions(account):
            instrument = self.state.instruments[position.instrument]
            if instrument.quote_currency == currency:
                gained += position.cost * instrument.point_value
        return explained, gained

    def protective_stop(self, account: str, symbol: str) -> Decimal | None:
        """Stop price that protects the open position; None when flat or unprotected."""
        return self.state.protective_stops.get(f"{account}/{symbol}")

    def exits(self, account: str | None, symbol: str) -> list[ExitOrder]:
        """Exits of brackets that work in an instrument, of one account or (None) of all, oldest first."""
        exits = self.state.exits.values()
        return [each for each in exits if each.instrument == symbol and account in (None, each.account)]

    def protective_exit(self, client_order_id: str) -> ExitOrder | None:
        """The stop-loss of a bracket that works under this id at the venue, or None."""
        found = self.state.exits.get(client_order_id)
        return found if found is not None and found.role == "stop_loss" else None

    def trip(self, account: str, symbol: str) -> RoundTrip | None:
        """The round trip that is under way, or None when flat."""
        return self.state.trips.get(f"{account}/{symbol}")

    def closed_trip(self, account: str, symbol: str) -> RoundTrip | None:
        """The last round trip that ended in this instrument."""
        return self.state.closed_trips.get(f"{account}/{symbol}")


def _fall_fraction(reference: Decimal | None, equity: Decimal | None) -> Decimal | None:
    if equity is None or reference is None or reference <= ZERO:
        return None
    return ZERO if equity >= reference else max(ZERO, divide(reference - equity, reference))
