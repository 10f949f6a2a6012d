"""One message of each type, every optional field set, some numbers such that Decimal writes 1E-8."""

from decimal import Decimal
from typing import Any, Final

import numpy as np

from tmt import messages as m
from tmt.domain.account import Account
from tmt.domain.instrument import AssetClass, Instrument
from tmt.domain.order import Order, OrderType, Quote, Side, TimeInForce
from tmt.domain.schedule import Algorithm
from tmt.domain.session import NANOSECONDS_PER_SECOND, SessionHours
from tmt.domain.stop import ScopeKind, StopLevel, StopScope
from tmt.market.bar import Bar, Timeframe
from tmt.market.batch import COLUMNS, MarketBatch

START_NS: Final = 1_700_000_000 * NANOSECONDS_PER_SECOND
ALWAYS_OPEN: Final = SessionHours(time_zone="UTC", open=(), day_starts_at="00:00")
QUOTE: Final = Quote(bid=Decimal("1.10000"), ask=Decimal("1.10002"), time_ns=START_NS)


def make_instrument(
    symbol: str, base: str, quote: str, quantum: str = "0.00001", lot: str = "1", **changes: Any
) -> Instrument:
    fields: dict[str, Any] = {
        "asset_class": AssetClass.FX,
        "tick_size": Decimal(quantum),
        "price_quantum": Decimal(quantum),
        "lot_size": Decimal(lot),
        "point_value": Decimal(1),
        "quantity_min": Decimal(lot),
        "notional_min": Decimal(0),
        "session": ALWAYS_OPEN,
        **changes,
    }
    return Instrument(symbol=symbol, base_currency=base, quote_currency=quote, **fields)


EURUSD: Final = make_instrument("EURUSD", "EUR", "USD")
USDJPY: Final = make_instrument("USDJPY", "USD", "JPY", "0.001")
EURGBP: Final = make_instrument("EURGBP", "EUR", "GBP", "0.0001", "0.01")
BTCUSD: Final = make_instrument("BTCUSD", "BTC", "USD", "0.01", "0.00000001")
INDEX: Final = make_instrument("DAX", "", "EUR", "0.5", point_value=Decimal(25))


def make_account(account_id: str = "alpha", **changes: Any) -> Account:
    fields: dict[str, Any] = {
        "currency": "USD",
        "deposit": Decimal(100_000),
        "instruments": ("EURUSD",),
        "rule_book": "default",
        "time_zone": "UTC",
        "day_starts_at": "00:00",
        **changes,
    }
    return Account(account_id=account_id, **fields)


def make_order(order_id: str = "order-1", **changes: Any) -> Order:
    fields: dict[str, Any] = {
        "account": "alpha",
        "instrument": "EURUSD",
        "side": Side.BUY,
        "quantity": Decimal(1000),
        "type": OrderType.MARKET,
        "time_in_force": TimeInForce.IOC,
        "quote": QUOTE,
        "strategy": "wyckoff",
        "setup": "spring",
        "stop_loss_price": Decimal("1.09000"),
        "take_profit_price": Decimal("1.12000"),
        **changes,
    }
    return Order(order_id=order_id, **fields)


def make_batch() -> MarketBatch:
    columns = {name: np.array([5, 6, 6], dtype=np.int64) for name, _ in COLUMNS}
    return MarketBatch(symbols=("EURUSD",), first_sequence=7, **columns)


BAR: Final = Bar(
    instrument="EURUSD",
    timeframe=Timeframe.M1,
    start_ns=START_NS,
    end_ns=START_NS + 60 * NANOSECONDS_PER_SECOND,
    open=Decimal("1.1"),
    high=Decimal("1.2"),
    low=Decimal("1.0"),
    close=Decimal("1.15"),
    volume=Decimal("0E-8"),
    tick_count=3,
    bid=Decimal("1.149995"),
    ask=Decimal("1.150005"),
)
SMALL: Final = Decimal("1E-8")
MEASURE: Final = m.Measure(name="spread", value=SMALL, unit="price")
CHECK: Final = m.Check(
    rule="risk_per_trade", measured=Decimal("0E-12"), limit=SMALL, unit="fraction", outcome="pass", quantity_after=SMALL
)
LIMIT_ORDER: Final = make_order(
    type=OrderType.STOP_LIMIT,
    time_in_force=TimeInForce.GTD,
    limit_price=Decimal("1.1"),
    stop_price=Decimal("1.1"),
    expire_at_ns=START_NS,
    reduce_only=True,
)

APPROVAL: Final[dict[str, Any]] = {
    "order": LIMIT_ORDER,
    "checks": (CHECK,),
    "expires_at_ns": START_NS,
    "config_hash": "c0ffee",
}
TRANSITION: Final[dict[str, Any]] = {
    "tier": "account",
    "scope": "alpha",
    "trigger": "daily_loss",
    "measured": SMALL,
    "limit": Decimal("0.05"),
    "unit": "fraction",
    "resumes_by": "person",
    "detail": "é \u2028 \x00 'quoted\"",
}
EVENT: Final[dict[str, Any]] = {
    "client_order_id": "client-1",
    "order_id": "order-1",
    "account": "alpha",
    "instrument": "EURUSD",
}
PROPOSED: Final[dict[str, Any]] = {
    "account": "alpha",
    "instrument": "EURUSD",
    "side": Side.SELL,
    "quantity": SMALL,
    "order_type": OrderType.LIMIT,
    "time_in_force": TimeInForce.GTD,
    "person": "ann",
    "strategy": "manual",
    "limit_price": SMALL,
    "stop_price": SMALL,
    "stop_loss_price": SMALL,
    "take_profit_price": SMALL,
    "expire_at_ns": 1,
    "reduce_only": True,
    "post_only": True,
}
SEEN: Final[dict[str, Any]] = {
    "instrument": "EURUSD",
    "timeframe": Timeframe.H4,
    "event": "SC",
    "direction": Side.BUY,
    "rule": "climax",
    "bar_start_ns": 0,
    "bar_end_ns": 1,
    "price": SMALL,
    "evidence": (MEASURE,),
    "range_id": "range",
}
SIGNAL: Final[dict[str, Any]] = {
    "instrument": "EURUSD",
    "timeframe": Timeframe.D1,
    "side": Side.SELL,
    "setup": "utad",
    "entry_price": Decimal("1.1"),
    "stop_price": Decimal("1.2"),
    "target_price": Decimal("0.9"),
    "confidence": Decimal(1),
    "quote": QUOTE,
    "evidence": (MEASURE,),
    "range_id": "range",
}
DENIED: Final[dict[str, Any]] = {
    "order_id": "order-1",
    "account": "alpha",
    "instrument": "EURUSD",
    "side": Side.BUY,
    "quantity": Decimal(0),
    "gate": "compliance",
    "reason": "daily_loss",
    "measured": SMALL,
    "limit": SMALL,
    "unit": "fraction",
    "detail": "",
    "checks": (CHECK,),
    "config_hash": "c0ffee",
    "rule_book": "default",
    "rule_book_version": 3,
}
FILL: Final[dict[str, Any]] = {
    **EVENT,
    "fill_id": "fill-1",
    "side": Side.BUY,
    "quantity": SMALL,
    "price": SMALL,
    "fee": -SMALL,
    "fee_currency": "BNB",
    "remaining": Decimal("0E-8"),
    "role": "entry",
    "liquidity": "maker",
    "slippage": -SMALL,
    "quote": QUOTE,
    "setup": "spring",
    "strategy": "wyckoff",
}
CLOSED: Final[dict[str, Any]] = {
    "order_id": "order-1",
    "account": "alpha",
    "instrument": "EURUSD",
    "setup": "spring",
    "strategy": "wyckoff",
    "side": Side.BUY,
    "quantity": SMALL,
    "opened_at_ns": 1,
    "realised": -SMALL,
    "fees": SMALL,
    "currency": "USD",
    "risk_amount": Decimal(0),
    "closing_role": "stop_loss",
}

FIELDS: Final[dict[type[m.Message], dict[str, Any]]] = {
    m.SessionStarted: {
        "mode": "backtest",
        "software_version": "0.1",
        "config_hash": "c0ffee",
        "seed": 2**60,
        "inputs": ("file sha256",),
        "simulated": True,
        "instruments": (EURUSD, BTCUSD, INDEX),
    },
    m.AccountOpened: {"account": make_account()},
    m.TimeAdvanced: {},
    m.OrderProposed: PROPOSED,
    m.CancelOrder: {"client_order_id": "client-1", "person": "ann"},
    m.ReplaceOrder: {"client_order_id": "client-1", "quantity": SMALL, "limit_price": SMALL, "person": "ann"},
    m.StopTrading: {
        "person": "ann",
        "role": "risk",
        "reason": "news",
        "level": StopLevel.FLATTEN,
        "scope": StopScope(kind=ScopeKind.ACCOUNT, name="alpha"),
    },
    m.ResumeTrading: {"person": "ann", "role": "risk", "reason": "over"},
    m.ReinstateAccount: {"account": "alpha", "person": "ann", "role": "risk", "reason": "looked at"},
    m.AgentReturned: {"agent": "aria"},
    m.ConditionReported: {
        "condition": "bus_lag",
        "scope": "desk",
        "measured": SMALL,
        "limit": SMALL,
        "unit": "seconds",
        "holds": True,
    },
    m.BarClosed: {"bar": BAR},
    m.FeedGapFound: {"instrument": "EURUSD", "from_ns": 1, "to_ns": 2},
    m.FeedStale: {"instrument": "EURUSD", "last_ns": 1},
    m.FeedRecovered: {"instrument": "EURUSD"},
    m.SliceDue: {"order_id": "order-1", "account": "alpha", "number": 0},
    m.WyckoffEventSeen: SEEN,
    m.PhaseChanged: {
        "instrument": "EURUSD",
        "timeframe": Timeframe.S1,
        "direction": Side.SELL,
        "range_id": "range",
        "phase_before": "A",
        "phase": "B",
    },
    m.SignalRaised: SIGNAL,
    m.ExitRaised: {
        "account": "alpha",
        "instrument": "EURUSD",
        "order_id": "order-1",
        "rule": "partial",
        "side": Side.SELL,
        "quantity": SMALL,
        "stop_price": SMALL,
        "quote": QUOTE,
        "checks": (CHECK,),
        "config_hash": "c0ffee",
    },
    m.RiskMeasured: {
        "account": "alpha",
        "method": "ewma",
        "timeframe": Timeframe.H1,
        "confidence": Decimal("0.99"),
        "value_at_risk": SMALL,
        "expected_shortfall": SMALL,
        "equity": SMALL,
        "currency": "USD",
        "returns": 250,
    },
    m.MarginLevelChanged: {"account": "alpha", "level": "warn", "measured": SMALL, "limit": SMALL},
    m.CorrelationsMeasured: {
        "timeframe": Timeframe.H1,
        "symbols": ("BTCUSD", "EURUSD"),
        "coefficients": (-SMALL,),
        "shrinkage_fraction": SMALL,
        "returns": 100,
        "effective_bets": None,
    },
    m.CopyTradingSeen: {
        "owner": "ann",
        "accounts": ("alpha", "beta"),
        "measured": SMALL,
        "limit": SMALL,
        "evidence": ("order-1",),
    },
    m.OrderSized: APPROVAL,
    m.ConcentrationApproved: APPROVAL,
    m.BehaviourApproved: APPROVAL,
    m.ComplianceApproved: {**APPROVAL, "rule_book": "default", "rule_book_version": 3},
    m.OrderReleased: APPROVAL,
    m.OrderDenied: DENIED,
    m.BreakerOpened: TRANSITION,
    m.BreakerReduced: TRANSITION,
    m.BreakerHalfOpened: TRANSITION,
    m.BreakerClosed: TRANSITION,
    m.AccountSuspended: {"account": "alpha", "rule": "drawdown", "measured": SMALL, "limit": SMALL, "unit": "fraction"},
    m.AccountReinstated: {
        "account": "alpha",
        "rule": "drawdown",
        "person": "ann",
        "role": "risk",
        "reason": "looked at",
    },
    m.EntriesBarred: {
        "account": "alpha",
        "instrument": "EURUSD",
        "rule": "news_blackout",
        "from_ns": 1_704_461_280_000_000_000,
    },
    m.ConductFlagged: {
        "detector": "wash",
        "accounts": ("alpha", "beta"),
        "instrument": "EURUSD",
        "measured": SMALL,
        "limit": SMALL,
        "unit": "count",
        "evidence": ("fill-1", "fill-2"),
        "detail": "",
        "suspends": False,
    },
    m.StopCompleted: {
        "stop_id": "stop-1",
        "cancelled": 2,
        "filled": 1,
        "positions_closed": ("alpha/EURUSD",),
        "positions_open": (),
    },
    m.AgentLost: {"agent": "aria"},
    m.InvariantBroken: {"invariant": "M2", "detail": "all accounts together hold 1 USD"},
    m.OrderSubmitted: {
        "client_order_id": "client-1",
        "order": LIMIT_ORDER,
        "stop_loss_client_order_id": "client-2",
        "take_profit_client_order_id": "client-3",
    },
    m.CancelSubmitted: {"client_order_id": "client-1", "reason": "asked"},
    m.ReplaceSubmitted: {"client_order_id": "client-1", "quantity": SMALL, "limit_price": SMALL},
    m.OrderAccepted: {
        **EVENT,
        "side": Side.BUY,
        "quantity": SMALL,
        "order_type": OrderType.STOP,
        "price": SMALL,
        "reduce_only": True,
        "role": "entry",
    },
    m.OrderTriggered: {**EVENT, "trigger_price": SMALL},
    m.OrderReplaced: {**EVENT, "quantity": SMALL, "limit_price": SMALL},
    m.OrderFilled: FILL,
    m.OrderRejected: {**EVENT, "reason": "off_tick", "detail": "1.1"},
    m.OrderCancelled: {**EVENT, "reason": "asked", "filled": SMALL},
    m.OrderExpired: {**EVENT, "filled": SMALL},
    m.CancelRejected: {**EVENT, "reason": "unknown_order"},
    m.ScheduleStarted: {"order": LIMIT_ORDER, "arrival_price": SMALL},
    m.ScheduleEnded: {
        "order_id": "order-1",
        "account": "alpha",
        "instrument": "EURUSD",
        "algorithm": Algorithm.POV,
        "reason": "completed",
        "filled": SMALL,
        "arrival_price": SMALL,
        "average_price": SMALL,
        "shortfall_fraction": -SMALL,
        "immediate_fraction": None,
    },
    m.OrderReconciled: {**EVENT, "repair": "end_missed", "detail": "it ended while we were away"},
    m.PositionClosed: CLOSED,
    m.StatisticsUpdated: {
        "setup": "spring",
        "instrument": "EURUSD",
        "trades": 3,
        "win_rate": Decimal("0E-12"),
        "expectancy_r": -SMALL,
        "expectancy_r_low": -SMALL,
        "expectancy_r_high": SMALL,
        "profit_factor": SMALL,
    },
    m.ParameterProposed: {
        "agent": "aria",
        "parameter": "risk_fraction",
        "value_before": SMALL,
        "value": SMALL,
        "trades": 200,
        "evidence": (MEASURE,),
    },
}


def sample(kind: type[m.Message]) -> m.Message:
    if kind is m.MarketDataReceived:
        return m.MarketDataReceived.of("replay", make_batch())
    root = m.TimeAdvanced.root("clock", START_NS, "1")
    return kind.caused_by(root, "test", "key", **FIELDS[kind])
