"""A book with one signal and what two accounts made of it, message by message, as the desk would have said it."""

from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from tests.unit.agents.desk import CONFIG_HASH, EURUSD, GBPUSD, START_NS, make_account, make_order, make_quote
from tmt import messages as m
from tmt.adapters.event_log.sqlite import SqliteEventLog
from tmt.domain.money import ZERO
from tmt.domain.order import Order, OrderType, Side
from tmt.domain.session import NANOSECONDS_PER_SECOND
from tmt.market.bar import Bar, Timeframe
from tmt.ports.event_log import Entry

Told = TypeVar("Told", bound=m.Message)

BAR_START_NS = START_NS - START_NS % (300 * NANOSECONDS_PER_SECOND)
BAR_END_NS = BAR_START_NS + 300 * NANOSECONDS_PER_SECOND
QUOTE = make_quote("1.10000", "1.10010", BAR_END_NS)
GATES: tuple[tuple[type[m.GateApproval], str], ...] = (
    (m.OrderSized, "aria"),
    (m.ConcentrationApproved, "anti_correlation"),
    (m.BehaviourApproved, "human_behavior"),
    (m.ComplianceApproved, "compliance"),
    (m.OrderReleased, "circuit_breaker"),
)


def make_check(rule: str, measured: str, limit: str, outcome: str = "pass", *, unit: str = "fraction") -> m.Check:
    return m.Check(
        rule=rule,
        measured=Decimal(measured),
        limit=Decimal(limit),
        unit=unit,
        outcome=outcome,
        quantity_after=Decimal(1000),
    )


def make_bar(
    start_ns: int, timeframe: Timeframe = Timeframe.M5, close: str = "1.10005", symbol: str = "EURUSD"
) -> m.BarClosed:
    price = Decimal(close)
    end_ns = start_ns + timeframe.nanoseconds
    bar = Bar(
        instrument=symbol,
        timeframe=timeframe,
        start_ns=start_ns,
        end_ns=end_ns,
        open=price,
        high=price,
        low=price,
        close=price,
        volume=ZERO,
        tick_count=7,
        bid=Decimal("1.10000"),
        ask=Decimal("1.10010"),
    )
    return m.BarClosed.root("market", end_ns, symbol, timeframe, str(end_ns), bar=bar)


def make_denial(measured: str, limit: str, **fields: Any) -> m.OrderDenied:
    told: dict[str, Any] = {
        "order_id": "order-b",
        "account": "beta",
        "instrument": "EURUSD",
        "side": Side.BUY,
        "quantity": Decimal(1000),
        "gate": "compliance",
        "reason": "daily_loss",
        "measured": Decimal(measured),
        "limit": Decimal(limit),
        "unit": "fraction",
        "detail": "the stop would take the day past its limit",
        "checks": (make_check("compliance.daily_loss", measured, limit, "deny"),),
        "config_hash": CONFIG_HASH,
    }
    return m.OrderDenied.root("compliance", BAR_END_NS, measured, limit, **{**told, **fields})


class Story:
    """Messages in the order said; `write` puts them into a log, all but those left out."""

    def __init__(self) -> None:
        self.told: list[m.Message] = []
        self.session = self.tell(
            m.SessionStarted.root(
                "desk",
                BAR_START_NS,
                mode="replay",
                software_version="0",
                config_hash=CONFIG_HASH,
                seed=7,
                inputs=("a file",),
                simulated=False,
                instruments=(EURUSD, GBPUSD),
            )
        )
        for name in ("alpha", "beta"):
            self.tell(m.AccountOpened.root("desk", BAR_START_NS, name, account=make_account(name)))

    def tell(self, message: Told) -> Told:
        self.told.append(message)
        return message

    def see_signal(self, bar: m.BarClosed) -> m.SignalRaised:
        """A spring's test at `bar`: event, phase and signal."""
        where: dict[str, Any] = {
            "instrument": bar.bar.instrument,
            "timeframe": bar.bar.timeframe,
            "range_id": "range-1",
        }
        self.tell(
            m.WyckoffEventSeen.caused_by(
                bar,
                "wyckoff",
                "test",
                event="test",
                direction=Side.BUY,
                rule="quiet_return_to_the_spring",
                bar_start_ns=bar.bar.start_ns,
                bar_end_ns=bar.bar.end_ns,
                price=Decimal("1.0990"),
                evidence=(m.Measure(name="effort_ratio", value=Decimal("0.61"), unit="ratio"),),
                **where,
            )
        )
        self.tell(m.PhaseChanged.caused_by(bar, "wyckoff", direction=Side.BUY, phase_before="B", phase="C", **where))
        return self.tell(
            m.SignalRaised.caused_by(
                bar,
                "wyckoff",
                side=Side.BUY,
                setup="spring_test",
                entry_price=Decimal("1.10010"),
                stop_price=Decimal("1.09810"),
                target_price=Decimal("1.10610"),
                confidence=Decimal("0.8"),
                quote=QUOTE,
                evidence=(m.Measure(name="reward_to_risk", value=Decimal(3), unit="ratio"),),
                **where,
            )
        )

    def pass_gates(self, cause: m.Message, order: Order, gates: int = 5) -> m.Message:
        """Let `order` through the first `gates` gates; the last approval."""
        said = cause
        for kind, gate in GATES[:gates]:
            extra: dict[str, Any] = (
                {"rule_book": "default", "rule_book_version": 1} if kind is m.ComplianceApproved else {}
            )
            said = self.tell(
                kind.caused_by(
                    said,
                    gate,
                    order.order_id,
                    order=order,
                    checks=(make_check(f"{gate}.some_rule", "0.01", "0.02"),),
                    expires_at_ns=BAR_END_NS + 30 * NANOSECONDS_PER_SECOND,
                    config_hash=CONFIG_HASH,
                    **extra,
                )
            )
        return said

    def submit(self, released: m.Message, order: Order) -> m.OrderSubmitted:
        name = order.order_id
        bracket = order.stop_loss_price is not None
        submitted = self.tell(
            m.OrderSubmitted.caused_by(
                released,
                "execution",
                client_order_id=f"client-{name}",
                order=order,
                stop_loss_client_order_id=f"stop-{name}" if bracket else None,
                take_profit_client_order_id=None,
            )
        )
        self.tell(
            m.OrderAccepted.caused_by(
                submitted,
                "paper",
                f"client-{name}",
                side=order.side,
                quantity=order.quantity,
                order_type=OrderType.MARKET,
                price=None,
                reduce_only=order.reduce_only,
                role="close" if order.reduce_only else "entry",
                **self._names(order, f"client-{name}"),
            )
        )
        return submitted

    def _names(self, order: Order, client_order_id: str) -> dict[str, Any]:
        return {
            "client_order_id": client_order_id,
            "order_id": order.order_id,
            "account": order.account,
            "instrument": order.instrument,
        }

    def fill(self, submitted: m.OrderSubmitted, price: str, role: str = "entry", seconds: int = 1) -> m.OrderFilled:
        order = submitted.order
        leaves = role == "stop_loss"
        client_order_id = f"stop-{order.order_id}" if leaves else submitted.client_order_id
        return self.tell(
            m.OrderFilled.caused_by(
                submitted,
                "paper",
                role,
                occurred_at_ns=submitted.occurred_at_ns + seconds * NANOSECONDS_PER_SECOND,
                fill_id=f"fill-{role}-{order.order_id}",
                side=order.side.opposite if leaves else order.side,
                quantity=order.quantity,
                price=Decimal(price),
                fee=Decimal("0.1"),
                fee_currency="USD",
                remaining=ZERO,
                role=role,
                liquidity="taker",
                slippage=Decimal("0.00001"),
                quote=QUOTE,
                setup=order.setup,
                strategy=order.strategy,
                **self._names(order, client_order_id),
            )
        )

    def close(self, fill: m.OrderFilled, realised: str, *, order_id: str = "order-a") -> m.PositionClosed:
        return self.tell(
            m.PositionClosed.caused_by(
                fill,
                "execution",
                order_id=order_id,
                account=fill.account,
                instrument=fill.instrument,
                setup=fill.setup,
                strategy=fill.strategy,
                side=Side.BUY,
                quantity=fill.quantity,
                opened_at_ns=BAR_END_NS,
                realised=Decimal(realised),
                fees=Decimal("0.2"),
                currency="USD",
                risk_amount=Decimal(2),
                closing_role=fill.role,
            )
        )

    def write(self, folder: Path, leave_out: Iterable[m.Message] = ()) -> SqliteEventLog:
        out = [each.message_id for each in leave_out]
        log = SqliteEventLog(folder / "events.sqlite")
        log.append(
            [
                Entry(each.message_id, each.correlation_id, type(each).__name__, each.occurred_at_ns, m.encode(each))
                for each in self.told
                if each.message_id not in out
            ],
            0,
        )
        return log


class OneSignal(Story):
    """Alpha trades the signal and is stopped out; compliance denies beta."""

    def __init__(self) -> None:
        super().__init__()
        self.order = make_order("EURUSD", Side.BUY, "1000", QUOTE, order_id="order-a", stop_loss="1.09810")
        self.denied_order = make_order("EURUSD", Side.BUY, "1000", QUOTE, order_id="order-b", account="beta")
        self.earlier_bar = self.tell(make_bar(BAR_START_NS - Timeframe.M5.nanoseconds))
        self.bar = self.tell(make_bar(BAR_START_NS))
        self.signal = self.see_signal(self.bar)
        self.released = self.pass_gates(self.signal, self.order)
        self.submitted = self.submit(self.released, self.order)
        behaved = self.pass_gates(self.signal, self.denied_order, gates=3)
        self.denial = self.tell(
            m.OrderDenied.caused_by(
                behaved,
                "compliance",
                "order-b",
                **{name: getattr(make_denial("0.052", "0.05"), name) for name in m.OrderDenied.__struct_fields__[-15:]},
            )
        )
        self.entry = self.fill(self.submitted, "1.10010")
        self.exit = self.fill(self.submitted, "1.09810", "stop_loss", seconds=60)
        self.closed = self.close(self.exit, "-2.00")
