"""What a replay, or a session, came to: one result for programs and people."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import msgspec

from tmt import messages as m
from tmt.domain.money import ONE, ZERO, Exact, divide
from tmt.market.quality import FeedQuality
from tmt.ports.event_log import EventLog
from tmt.projections.order_trail import r_multiple_of
from tmt.projections.portfolio import Portfolio

_COUNTED: Final = {
    "bars": "BarClosed",
    "signals": "SignalRaised",
    "orders": "OrderSubmitted",
    "fills": "OrderFilled",
    "rejected": "OrderRejected",
}
_HALTED: Final[dict[type[m.Message], str]] = {
    m.BreakerOpened: "open",
    m.BreakerReduced: "reducing",
    m.BreakerHalfOpened: "half_open",
}


class AccountResult(msgspec.Struct, frozen=True, kw_only=True):
    """One account at the end, in its currency; None where a price or a rate to value it is missing.

    Attributes:
        realised: profit of what is closed, before fees; `unrealised` of what is open.
        fees: paid; a rebate is negative.
        drawdown_fraction: fall from the highest equity, over it.
    """

    currency: str
    deposit: Exact
    equity: Exact | None
    realised: Exact | None
    unrealised: Exact | None
    fees: Exact | None
    drawdown_fraction: Exact | None
    positions_open: int


class SetupResult(msgspec.Struct, frozen=True, kw_only=True):
    """Round trips of one setup.

    Attributes:
        win_fraction: of trips whose profit after fees is above 0.
        expectancy_r: mean profit after fees in multiples of the risk taken, over the trips that had a stop.
        profit: after fees, by currency.
    """

    trips: int
    win_fraction: Exact
    expectancy_r: Exact | None
    profit: dict[str, Exact]


class Halt(msgspec.Struct, frozen=True, kw_only=True):
    """A breaker that is not closed.

    Attributes:
        tier, scope, trigger: as in `BreakerTransition`; `measured` against `limit`, in `unit`, is what tripped it.
        state: "open", "reducing" or "half_open".
        since_ns: event time of its newest transition.
        resumes_by: "person" when `tmt resume` lifts it, "test_trades" while half open, else "cool_down".
    """

    tier: str
    scope: str
    state: str
    trigger: str
    measured: Exact
    limit: Exact
    unit: str
    since_ns: int
    resumes_by: str


class ReplayResult(msgspec.Struct, frozen=True, kw_only=True):
    """Totals over the whole book, a resumed one included. Money is exact and travels as text.

    Attributes:
        inputs: what the market data came from, with hashes.
        simulated: whether they are made up.
        first_time_ns, last_time_ns: start of the first bar, and the newest event; None before the first bar.
        resumed: whether the book had events before this run.
        denials: by gate, then reason.
        outcomes: by setup.
        ruined: accounts whose equity is at or below zero.
        halts: breakers that are not closed at the end.
        decision_hash, ledger_hash: equal for equal decisions and equal money, hexadecimal.
        feed_quality: what was found in the data read by this run.
        elapsed_seconds: wall time of this run.
        invariants_checked: rules that were held against every message; `breaches`: what did not hold.
    """

    mode: str
    software_version: str
    inputs: tuple[str, ...]
    simulated: bool
    instruments: tuple[str, ...]
    config_hash: str
    seed: int
    first_time_ns: int | None
    last_time_ns: int
    resumed: bool
    events: int
    rows: int
    bars: int
    signals: int
    denials: dict[str, dict[str, int]]
    orders: int
    fills: int
    rejected: int
    outcomes: dict[str, SetupResult]
    accounts: dict[str, AccountResult]
    ruined: tuple[str, ...]
    halts: tuple[Halt, ...]
    decision_hash: str
    ledger_hash: str
    feed_quality: FeedQuality
    elapsed_seconds: float
    invariants_checked: int
    breaches: tuple[str, ...]


class Tally:
    """Counts of what is rare: denials, round trips, breaches, halts, sessions. Folded live, or from the log by `of`.

    Attributes:
        consumes: the types it needs; all of them few.
        session: the newest.
        denials: by gate, then reason.
        trips: by setup.
        halts: breakers that are not closed, by "tier/scope".
    """

    consumes: Final = (m.SessionStarted, m.OrderDenied, m.PositionClosed, m.InvariantBroken, *m.BREAKER)

    def __init__(self) -> None:
        self.session: m.SessionStarted | None = None
        self.denials: dict[str, dict[str, int]] = {}
        self.trips: dict[str, list[m.PositionClosed]] = {}
        self.breaches: list[str] = []
        self.halts: dict[str, Halt] = {}

    @classmethod
    def of(cls, log: EventLog) -> Tally:
        """The tally of a whole book."""
        tally = cls()
        for recorded in log.read(types=tuple(kind.__name__ for kind in cls.consumes)):
            tally.evolve(m.decode(recorded.body))
        return tally

    def evolve(self, message: m.Message) -> None:
        """Fold one message; others than `consumes` change nothing."""
        match message:
            case m.SessionStarted():
                self.session = message
            case m.OrderDenied(gate=gate, reason=reason):
                reasons = self.denials.setdefault(gate, {})
                reasons[reason] = reasons.get(reason, 0) + 1
            case m.PositionClosed():
                self.trips.setdefault(message.setup, []).append(message)
            case m.BreakerTransition():
                self._turn(message)
            case m.InvariantBroken():
                self.breaches.append(f"{message.invariant}: {message.detail}")
            case _:
                pass

    def _turn(self, turned: m.BreakerTransition) -> None:
        key = f"{turned.tier}/{turned.scope}"
        if isinstance(turned, m.BreakerClosed):
            self.halts.pop(key, None)
            return
        self.halts[key] = Halt(
            tier=turned.tier,
            scope=turned.scope,
            state=_HALTED[type(turned)],
            trigger=turned.trigger,
            measured=turned.measured,
            limit=turned.limit,
            unit=turned.unit,
            since_ns=turned.occurred_at_ns,
            resumes_by=_resumes_by(turned),
        )

    def outcomes(self) -> dict[str, SetupResult]:
        """Results by setup, sorted by name."""
        return {setup: _setup_result(trips) for setup, trips in sorted(self.trips.items())}


def result_of(
    *,
    log: EventLog,
    portfolio: Portfolio,
    counts: Mapping[str, int],
    rows: int,
    decision_hash: bytes,
    quality: FeedQuality,
    invariants_checked: int,
    resumed: bool,
    elapsed_seconds: float,
) -> ReplayResult:
    """The result of a book whose steps are all committed.

    Args:
        log: of the book; read for what is rare.
        portfolio: the fold of the whole log.
        counts: messages by type over the whole log.
        rows: rows of market data over the whole log.
        decision_hash: of the whole log.
        quality: of the feed, after its last row.
        invariants_checked: how many rules were held against every message.
        resumed: whether the book had events before this run.
        elapsed_seconds: wall time of this run.
    """
    tally = Tally.of(log)
    session = tally.session
    assert session is not None, "a desk that ran has said that a session began"
    accounts = {account.account_id: _account_result(portfolio, account.account_id) for account in portfolio.accounts}
    return ReplayResult(
        **_of_session(session),
        **_counted(counts),
        first_time_ns=_first_time_ns(log),
        last_time_ns=portfolio.now_ns,
        resumed=resumed,
        events=sum(counts.values()),
        rows=rows,
        denials={gate: dict(sorted(reasons.items())) for gate, reasons in sorted(tally.denials.items())},
        outcomes=tally.outcomes(),
        accounts=accounts,
        ruined=ruined_of(accounts),
        halts=tuple(halt for _, halt in sorted(tally.halts.items())),
        decision_hash=decision_hash.hex(),
        ledger_hash=portfolio.ledger.hash.hex(),
        feed_quality=quality,
        elapsed_seconds=elapsed_seconds,
        invariants_checked=invariants_checked,
        breaches=tuple(tally.breaches),
    )


def _resumes_by(turned: m.BreakerTransition) -> str:
    if isinstance(turned, m.BreakerHalfOpened):
        return "test_trades"
    # Two more that a person may lift, though they may also end by themselves.
    by_person = turned.trigger == "account_suspended" or (
        isinstance(turned, m.BreakerReduced) and turned.trigger == "drawdown"
    )
    return "person" if by_person else turned.resumes_by


def ruined_of(accounts: Mapping[str, AccountResult]) -> tuple[str, ...]:
    """Names of the accounts whose equity is known and at or below zero."""
    return tuple(name for name, each in accounts.items() if each.equity is not None and each.equity <= ZERO)


def _counted(counts: Mapping[str, int]) -> dict[str, Any]:
    return {name: counts.get(kind, 0) for name, kind in _COUNTED.items()}


def _of_session(session: m.SessionStarted) -> dict[str, Any]:
    names = ("mode", "software_version", "inputs", "simulated", "config_hash", "seed")
    symbols = tuple(instrument.symbol for instrument in session.instruments)
    return {**{name: getattr(session, name) for name in names}, "instruments": symbols}


def _first_time_ns(log: EventLog) -> int | None:
    first = next(log.read(types=("BarClosed",)), None)
    message = None if first is None else m.decode(first.body)
    return message.bar.start_ns if isinstance(message, m.BarClosed) else None


def _account_result(portfolio: Portfolio, account_id: str) -> AccountResult:
    account = portfolio.account(account_id)
    assert account is not None
    return AccountResult(
        currency=account.currency,
        deposit=account.deposit,
        equity=portfolio.equity(account_id),
        realised=portfolio.realised(account_id),
        unrealised=portfolio.unrealised(account_id),
        fees=portfolio.fees(account_id),
        drawdown_fraction=portfolio.drawdown_fraction(account_id),
        positions_open=len(portfolio.positions(account_id)),
    )


def _setup_result(trips: list[m.PositionClosed]) -> SetupResult:
    profits = [trip.realised - trip.fees for trip in trips]
    multiples = [multiple for trip in trips if (multiple := r_multiple_of(trip)) is not None]
    profit: dict[str, Decimal] = {}
    for trip, gained in zip(trips, profits, strict=True):
        profit[trip.currency] = profit.get(trip.currency, ZERO) + gained
    wins = sum((ONE for gained in profits if gained > ZERO), ZERO)
    return SetupResult(
        trips=len(trips),
        win_fraction=divide(wins, Decimal(len(trips)), 4),
        expectancy_r=divide(sum(multiples, ZERO), Decimal(len(multiples)), 4) if multiples else None,
        profit=dict(sorted(profit.items())),
    )
