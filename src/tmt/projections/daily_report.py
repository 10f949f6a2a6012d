"""An account's day: money, trades, what was refused and why, what stopped, what surveillance found, what is still open.

A day is the account's own: its time zone and hour, daylight saving included. Folded from the log alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

import msgspec

from tmt import messages as m
from tmt.domain.account import Account
from tmt.domain.money import ZERO, Exact, divide
from tmt.domain.order import Side
from tmt.domain.position import Position
from tmt.domain.session import day_bounds_ns, trading_day
from tmt.domain.stop import ScopeKind
from tmt.ports.event_log import EventLog
from tmt.projections.portfolio import Portfolio
from tmt.projections.sentences import sentence

RATIO_DECIMALS: Final = 6
_PASSED_OVER: Final = (m.MarketDataReceived, m.TimeAdvanced)
"""Rows and the passing of time move no money; what they lead to does."""

_NOTED: Final = (*m.SAFETY, m.ReinstateAccount, m.StopTrading, m.ResumeTrading)
FOLDED: Final = tuple(kind for kind in m.ALL if kind not in _PASSED_OVER)
_INITIALISED: Final = "initialised"
_UNANSWERED: Final = "; nothing came of it: the account was not suspended"
"""Of a request for reinstatement that compliance has not answered; it answers at once, if there is anything to say."""


class Trade(msgspec.Struct, frozen=True, kw_only=True):
    """One round trip that ended on the day. `profit` is after fees, in `currency`, the instrument's."""

    closed_at_ns: int
    opened_at_ns: int
    instrument: str
    side: Side
    quantity: Exact
    strategy: str
    setup: str
    closed_by: str
    realised: Exact
    fees: Exact
    profit: Exact
    currency: str


class RuleCount(msgspec.Struct, frozen=True, kw_only=True):
    """How often one rule of a gate spoke; `measured` against `limit`, in `unit`, is the newest."""

    gate: str
    rule: str
    count: int
    measured: Exact
    limit: Exact
    unit: str


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened, in a sentence; `message_id` leads to it in the log."""

    time_ns: int
    type: str
    text: str
    message_id: str


class Exposure(msgspec.Struct, frozen=True, kw_only=True):
    """One position that is open at the day's end; amounts in the account's currency, None without a price or rate."""

    instrument: str
    quantity: Exact
    average_price: Exact | None
    stop_price: Exact | None
    worth: Exact | None


class Money(msgspec.Struct, frozen=True, kw_only=True):
    """An account's cumulative figures at one moment, in its currency; None where a price or a rate is missing."""

    equity: Exact | None
    realised: Exact | None
    unrealised: Exact | None
    fees: Exact | None

    @classmethod
    def of(cls, portfolio: Portfolio, account: str) -> Money:
        """As they are now."""
        return cls(
            equity=portfolio.equity(account),
            realised=portfolio.realised(account),
            unrealised=portfolio.unrealised(account),
            fees=portfolio.fees(account),
        )


class DailyReport(msgspec.Struct, frozen=True, kw_only=True):
    """One account on one day, in its currency; None where a price or a rate is missing.

    Attributes:
        day: ISO date on which the trading day ends; it lasts from `from_ns` to `to_ns`, exclusive.
        over: whether the log goes on beyond it; else its figures are those so far.
        rule_book_version: as the gate's verdicts of the day, or else before it, say; None when there are none.
        realised, fees: of the day. Where other currencies are converted, at the rates of the day's two ends.
        unrealised: of what is open at the end; `unrealised_change` since the beginning.
        denials: by rule, the most frequent first; `warnings` likewise, of rules that warned and let the order pass:
            those of compliance would have refused it if strict.
        halts: breakers, emergency stops and resumptions that concern the account.
        exposure_ratio: gross exposure over equity.
    """

    account: str
    owner: str
    currency: str
    day: str
    from_ns: int
    to_ns: int
    over: bool
    rule_book: str
    rule_book_version: int | None
    config_hash: str
    software_version: str
    simulated: bool
    opening_equity: Exact | None
    closing_equity: Exact | None
    change: Exact | None
    realised: Exact | None
    unrealised: Exact | None
    unrealised_change: Exact | None
    fees: Exact | None
    drawdown_fraction: Exact | None
    fills: int
    trades: tuple[Trade, ...]
    denials: tuple[RuleCount, ...]
    warnings: tuple[RuleCount, ...]
    suspensions: tuple[Note, ...]
    halts: tuple[Note, ...]
    findings: tuple[Note, ...]
    exposures: tuple[Exposure, ...]
    gross_exposure: Exact | None
    exposure_ratio: Exact | None


class _Day:
    """What is gathered of one account while its day lasts."""

    def __init__(self, account: Account, now_ns: int, opening: Money) -> None:
        self.account = account
        self.day = trading_day(account.day(), now_ns)
        self.from_ns, self.to_ns = day_bounds_ns(account.day(), now_ns)
        self.opening = opening
        self.fills = 0
        self.trades: list[Trade] = []
        self.denials: dict[tuple[str, str], RuleCount] = {}
        self.warnings: dict[tuple[str, str], RuleCount] = {}
        self.suspensions: list[Note] = []
        self.halts: list[Note] = []
        self.findings: list[Note] = []


class DailyReports:
    """Folds a book from its beginning, each message once, and gives the report of every account's every day.

    A day on which the log says nothing has no report.

    Attributes:
        portfolio: as of the newest message.
        finished: reports of days that are over, in the order in which they ended.
    """

    def __init__(self) -> None:
        self.portfolio = Portfolio()
        self.finished: list[DailyReport] = []
        self._days: dict[str, _Day] = {}
        self._versions: dict[str, tuple[str, int]] = {}
        self._session: m.SessionStarted | None = None

    @classmethod
    def of(cls, log: EventLog) -> DailyReports:
        """Those of a whole book."""
        reports = cls()
        for recorded in log.read(types=tuple(kind.__name__ for kind in FOLDED)):
            reports.handle(m.decode(recorded.body))
        return reports

    def all(self) -> list[DailyReport]:
        """Every day that is over, then those under way."""
        return [*self.finished, *(self._report(day, over=False) for day in self._days.values())]

    def handle(self, message: m.Message) -> None:
        """Fold one message."""
        if isinstance(message, _PASSED_OVER):
            return
        self._turn_over(message.occurred_at_ns)
        self.portfolio.evolve(message)
        if isinstance(message, m.AccountOpened):
            name = message.account.account_id
            opening = Money.of(self.portfolio, name)
            self._days.setdefault(name, _Day(message.account, message.occurred_at_ns, opening))
        self._gather(message)

    def _turn_over(self, now_ns: int) -> None:
        for name, day in self._days.items():
            if now_ns >= day.to_ns:
                self.finished.append(self._report(day, over=True))
                self._days[name] = _Day(day.account, now_ns, Money.of(self.portfolio, name))

    def _gather(self, message: m.Message) -> None:
        match message:
            case m.SessionStarted():
                self._session = message
            case m.GateApproval() if (day := self._days.get(message.order.account)) is not None:
                self._judged(day, message.source, message.checks)
                if isinstance(message, m.ComplianceApproved) and message.rule_book_version:
                    self._versions[message.order.account] = (message.rule_book, message.rule_book_version)
            case m.OrderDenied() if (day := self._days.get(message.account)) is not None:
                self._judged(day, message.gate, message.checks[:-1])
                _count(day.denials, message.gate, _rule_of(message), message)
                if message.rule_book:
                    self._versions[message.account] = (message.rule_book, message.rule_book_version)
            case m.OrderFilled() if (day := self._days.get(message.account)) is not None:
                day.fills += 1
            case m.PositionClosed() if (day := self._days.get(message.account)) is not None:
                day.trades.append(_trade(message))
            case _:
                self._note(message)

    def _judged(self, day: _Day, gate: str, checks: Iterable[m.Check]) -> None:
        for check in checks:
            if check.outcome == "warn":
                _count(day.warnings, gate, check.rule.removeprefix(f"{gate}."), check)

    def _note(self, message: m.Message) -> None:
        if not isinstance(message, _NOTED):
            return
        note = Note(
            time_ns=message.occurred_at_ns,
            type=type(message).__name__,
            text=sentence(message) + (_UNANSWERED if isinstance(message, m.ReinstateAccount) else ""),
            message_id=message.message_id,
        )
        for name, day in self._days.items():
            if not _concerns(message, name):
                continue
            match message:
                case m.AccountSuspended() | m.AccountReinstated() | m.ReinstateAccount():
                    day.suspensions = [*(_answered(each, message) for each in day.suspensions), note]
                case m.ConductFlagged():
                    day.findings.append(note)
                case _:
                    day.halts.append(note)

    def _report(self, day: _Day, *, over: bool) -> DailyReport:
        name, portfolio = day.account.account_id, self.portfolio
        closing, opening = Money.of(portfolio, name), day.opening
        exposures = tuple(self._exposure(position) for position in portfolio.positions(name))
        gross = _gross(exposures)
        version = self._versions.get(name, (day.account.rule_book, None))
        session = self._session
        return DailyReport(
            account=name,
            owner=day.account.owner,
            currency=day.account.currency,
            day=day.day,
            from_ns=day.from_ns,
            to_ns=day.to_ns,
            over=over,
            rule_book=version[0],
            rule_book_version=version[1],
            config_hash="" if session is None else session.config_hash,
            software_version="" if session is None else session.software_version,
            simulated=session is not None and session.simulated,
            opening_equity=opening.equity,
            closing_equity=closing.equity,
            change=_difference(closing.equity, opening.equity),
            realised=_difference(closing.realised, opening.realised),
            unrealised=closing.unrealised,
            unrealised_change=_difference(closing.unrealised, opening.unrealised),
            fees=_difference(closing.fees, opening.fees),
            drawdown_fraction=portfolio.drawdown_fraction(name),
            fills=day.fills,
            trades=tuple(day.trades),
            denials=_ranked(day.denials),
            warnings=_ranked(day.warnings),
            suspensions=tuple(day.suspensions),
            halts=tuple(day.halts),
            findings=tuple(day.findings),
            exposures=exposures,
            gross_exposure=gross,
            exposure_ratio=None if gross is None or not closing.equity else _ratio(gross, closing.equity),
        )

    def _exposure(self, position: Position) -> Exposure:
        instrument = self.portfolio.instrument(position.instrument)
        worth = self.portfolio.market_value(position)
        currency = "" if instrument is None else instrument.quote_currency
        return Exposure(
            instrument=position.instrument,
            quantity=position.quantity,
            average_price=position.average_price,
            stop_price=self.portfolio.protective_stop(position.account, position.instrument),
            worth=None if worth is None else self.portfolio.convert(worth, currency, position.account),
        )


def _answered(note: Note, answer: m.Message) -> Note:
    """A request for reinstatement with what came of it, if `answer` answers it; else the note as it is."""
    if answer.causation_id != note.message_id or note.type != m.ReinstateAccount.__name__:
        return note
    came = "reinstated" if isinstance(answer, m.AccountReinstated) else "refused: it stays suspended"
    return msgspec.structs.replace(note, text=f"{note.text.removesuffix(_UNANSWERED)}; {came}")


def _concerns(message: m.Message, account: str) -> bool:
    match message:
        case m.AccountSuspended() | m.AccountReinstated() | m.ReinstateAccount():
            return message.account == account
        case m.ConductFlagged():
            return account in message.accounts
        case m.BreakerTransition():
            return message.trigger != _INITIALISED and (message.tier != "account" or message.scope == account)
        case m.StopTrading() | m.ResumeTrading():
            return message.scope.kind is not ScopeKind.ACCOUNT or message.scope.name == account
        case _:
            return True


def _trade(closed: m.PositionClosed) -> Trade:
    return Trade(
        closed_at_ns=closed.occurred_at_ns,
        opened_at_ns=closed.opened_at_ns,
        instrument=closed.instrument,
        side=closed.side,
        quantity=closed.quantity,
        strategy=closed.strategy,
        setup=closed.setup,
        closed_by=closed.closing_role,
        realised=closed.realised,
        fees=closed.fees,
        profit=closed.realised - closed.fees,
        currency=closed.currency,
    )


def _rule_of(denied: m.OrderDenied) -> str:
    return denied.checks[-1].rule.removeprefix(f"{denied.gate}.") if denied.checks else denied.reason


def _count(counts: dict[tuple[str, str], RuleCount], gate: str, rule: str, said: m.Check | m.OrderDenied) -> None:
    earlier = counts.get((gate, rule))
    counts[gate, rule] = RuleCount(
        gate=gate,
        rule=rule,
        count=1 if earlier is None else earlier.count + 1,
        measured=said.measured,
        limit=said.limit,
        unit=said.unit,
    )


def _ranked(counts: dict[tuple[str, str], RuleCount]) -> tuple[RuleCount, ...]:
    return tuple(sorted(counts.values(), key=lambda each: (-each.count, each.gate, each.rule)))


def _difference(later: Decimal | None, earlier: Decimal | None) -> Decimal | None:
    return None if later is None or earlier is None else later - earlier


def _gross(exposures: Iterable[Exposure]) -> Decimal | None:
    gross = ZERO
    for exposure in exposures:
        if exposure.worth is None:
            return None
        gross += abs(exposure.worth)
    return gross


def _ratio(amount: Decimal, equity: Decimal) -> Decimal:
    return divide(amount, equity, RATIO_DECIMALS)
