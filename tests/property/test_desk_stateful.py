"""Whatever happens in whatever order, what reaches the venue is inside every limit, and closing is always possible."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from tests.acceptance.trading_day import news
from tests.acceptance.trading_day import rule as rule_of
from tests.property.desk_driven import START_NS, TICKS, DrivenDesk
from tests.property.desk_reference import ZERO
from tmt import messages as m
from tmt.domain.order import OrderType, Side, TimeInForce
from tmt.domain.stop import EVERYTHING, ScopeKind, StopLevel, StopScope

ACCOUNTS = st.sampled_from(["alpha", "beta", "gamma"])
SYMBOLS = st.sampled_from(list(TICKS))
SIDES = st.sampled_from(list(Side))
LOT_SIZES = {"EURUSD": Decimal(1000), "GBPUSD": Decimal(1000), "BTCUSD": Decimal("0.01")}
TENTH_OF_A_PERCENT = {"EURUSD": 110, "GBPUSD": 125, "BTCUSD": 4000}
RESTARTS_MAX = 3
LOTS = st.sampled_from([1, 3, 10, 40, 90, 110, 150, 220, 300, 450, 1000])
SCOPES = st.sampled_from(
    [
        EVERYTHING,
        StopScope(kind=ScopeKind.ACCOUNT, name="alpha"),
        StopScope(kind=ScopeKind.STRATEGY, name="manual"),
        StopScope(kind=ScopeKind.INSTRUMENT, name="EURUSD"),
        StopScope(kind=ScopeKind.VENUE, name="paper"),
    ]
)
NEWS = news("2023-11-15 07:27 UTC USD high", "2023-11-15 07:36 UTC GBP medium", "2023-11-15 07:50 UTC EUR high")
WEEKEND = rule_of("default", "sessions", flat_before_weekly_close_minutes="20")
STARTS_NS = {WEEKEND: 1_700_255_700 * 10**9}  # Friday 2023-11-17 21:15 UTC: the week ends at 22:00
PROFILES = st.sampled_from(
    [
        (),
        (NEWS, *rule_of("default", "news_blackout", minutes_before="4", impacts="[high, medium]")),
        WEEKEND,
        (
            "aria.value_at_risk.timeframe=1m",
            "aria.value_at_risk.returns_min=20",
            "aria.value_at_risk.value_at_risk_fraction_max=0.001",
        ),
        ("human_behavior.slicing.volume.lots_per_tick=0",),
        ("aria.heat_fraction_max=0.015", "human_behavior.slicing.volume.lots_per_tick=0"),
        ("aria.gross_exposure_ratio_max=2.2", "anti_correlation.owner_gross_ratio_max=1.5"),
        ("anti_correlation.owner_gross_ratio_max=20", "anti_correlation.firm_gross_ratio_max=1.4"),
        ("execution.messages_burst=3", "execution.messages_per_second=1", "aria.currency_exposure_ratio_max=1.1"),
    ]
)
FLAGS = st.sampled_from(
    [
        {"RISK_MULTIPLIER": "2"},
        {"RISK_MULTIPLIER": "0.5"},
        {"COMPLIANCE_MODE": "lenient"},
        {"COMPLIANCE_MODE": "strict"},
        {"CIRCUIT_BREAKER_THRESHOLDS_LOOSE": "true"},
        {"STAGING_MAX_POSITION_SIZE": "60000"},
        {"STAGING_RISK_LIMIT_PERCENT": "1"},
    ]
)


class DeskMachine(RuleBasedStateMachine):
    """A desk of three accounts of two owners, and everybody who may say something to it."""

    @initialize(profile=PROFILES)
    def opens(self, profile: tuple[str, ...]) -> None:
        self._folder = TemporaryDirectory(prefix="tmt-stateful-")
        self.desk = DrivenDesk(Path(self._folder.name), profile, STARTS_NS.get(profile, START_NS))

    def teardown(self) -> None:
        if hasattr(self, "desk"):
            self.desk.ends()
            self._folder.cleanup()

    # Markets

    @rule(symbol=SYMBOLS, ticks=st.sampled_from([0, 1, -1, 5, -5, 20, -20, 70, -70]), spread=st.sampled_from([0, 2]))
    def quotes_move(self, symbol: str, ticks: int, spread: int) -> None:
        self.desk.moves(symbol, ticks * TENTH_OF_A_PERCENT[symbol] // 50, spread)
        self.desk.quotes(TICKS)

    @rule(symbol=SYMBOLS, ticks=st.sampled_from([-400, 300, 3000, -3000]))
    def quotes_gap(self, symbol: str, ticks: int) -> None:
        self.desk.moves(symbol, ticks * TENTH_OF_A_PERCENT[symbol] // 50)
        self.desk.quotes([symbol])

    @rule(seconds=st.sampled_from([1, 6, 31, 60, 90]))
    def time_passes(self, seconds: int) -> None:
        self.desk.passes(seconds)
        self.desk.quotes(TICKS)

    @rule(seconds=st.sampled_from([29, 301, 4000]))
    def quotes_go_stale(self, seconds: int) -> None:
        self.desk.passes(seconds)

    @rule(symbol=SYMBOLS, side=SIDES, tenths=st.sampled_from([1, 2, 5, 12]))
    def strategy_signals(self, symbol: str, side: Side, tenths: int) -> None:
        self.desk.passes(60 - self.desk.now_ns // 10**9 % 60)
        self.desk.quotes(TICKS)
        self.desk.passes(30)
        self.desk.moves(symbol, side.sign * tenths * TENTH_OF_A_PERCENT[symbol])
        self.desk.quotes([symbol])
        self.desk.passes(31)
        self.desk.quotes(TICKS)

    # People

    @rule(
        account=ACCOUNTS,
        symbol=SYMBOLS,
        side=SIDES,
        lots=LOTS,
        kind=st.sampled_from(list(OrderType)),
        away=st.sampled_from([-2, 0, 1, 3, 48, 60]),
        stop=st.sampled_from([None, 1, 2, 5, 10, 30]),
        force=st.sampled_from([TimeInForce.GTC, TimeInForce.DAY, TimeInForce.IOC]),
        trails=st.booleans(),
        wait=st.sampled_from([0, 0, 1]),
    )
    def person_proposes(
        self,
        account: str,
        symbol: str,
        side: Side,
        lots: int,
        kind: OrderType,
        away: int,
        stop: int | None,
        force: TimeInForce,
        trails: bool,
        wait: int,
    ) -> None:
        tenth = TENTH_OF_A_PERCENT[symbol] * TICKS[symbol]
        price = self._touch(symbol, side)
        fields: dict[str, Any] = {}
        if kind in (OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP):
            price = fields["stop_price"] = price + side.sign * away * tenth
        elif kind is OrderType.LIMIT:
            price = fields["limit_price"] = price - side.sign * away * tenth
        if kind is OrderType.STOP_LIMIT:
            price = fields["limit_price"] = price + side.sign * tenth
        if stop is not None:
            fields["stop_loss_price"] = price - side.sign * stop * tenth
        if kind is OrderType.TRAILING_STOP or (trails and stop is not None):
            fields["trail_offset"] = 2 * tenth
        self._proposes(account, symbol, side, LOT_SIZES[symbol] * lots, order_type=kind, time_in_force=force, **fields)
        if wait:
            self.desk.passes(wait)

    @rule(
        account=ACCOUNTS,
        symbol=SYMBOLS,
        side=SIDES,
        lots=LOTS,
        stop=st.sampled_from([1, 2, 3, 5, 10]),
        gain=st.sampled_from([None, 1, 4]),
    )
    def person_trades(self, account: str, symbol: str, side: Side, lots: int, stop: int, gain: int | None) -> None:
        tenth = side.sign * TENTH_OF_A_PERCENT[symbol] * TICKS[symbol]
        fields: dict[str, Any] = {"stop_loss_price": self._touch(symbol, side) - stop * tenth}
        if gain is not None:
            fields["take_profit_price"] = self._touch(symbol, side) + gain * tenth
        self._proposes(account, symbol, side, LOT_SIZES[symbol] * lots, **fields)
        self.desk.passes(1)
        self.desk.quotes(TICKS)

    @rule(account=ACCOUNTS, symbol=SYMBOLS, side=SIDES, lots=LOTS, away=st.integers(1, 3), stop=st.sampled_from([2, 5]))
    def person_rests(self, account: str, symbol: str, side: Side, lots: int, away: int, stop: int) -> None:
        tenth = TENTH_OF_A_PERCENT[symbol] * TICKS[symbol]
        price = self._touch(symbol, side) - side.sign * away * tenth
        self._proposes(
            account, symbol, side, LOT_SIZES[symbol] * lots, order_type=OrderType.LIMIT,
            time_in_force=TimeInForce.GTC, limit_price=price, stop_loss_price=price - side.sign * stop * tenth,
        )  # fmt: skip

    @rule(account=ACCOUNTS, symbol=SYMBOLS, lots=LOTS, stop=st.sampled_from([1, 2]))
    def person_rests_against_a_position(self, account: str, symbol: str, lots: int, stop: int) -> None:
        held = self.desk.books.held.get((account, symbol), ZERO)
        if held != ZERO:
            self.person_rests(account, symbol, Side.SELL if held > ZERO else Side.BUY, lots, 1, stop)

    def _touch(self, symbol: str, side: Side) -> Decimal:
        bid, ask = self.desk.prices[symbol]
        return ask if side is Side.BUY else bid

    def _proposes(self, account: str, symbol: str, side: Side, quantity: Decimal, **fields: Any) -> None:
        self.desk.tells(
            m.OrderProposed,
            **{
                "account": account,
                "instrument": symbol,
                "side": side,
                "quantity": quantity,
                "order_type": OrderType.MARKET,
                "time_in_force": TimeInForce.IOC,
                "person": "ann",
                "strategy": "manual",
                **fields,
            },
        )

    @rule(account=ACCOUNTS, symbol=SYMBOLS, sixths=st.sampled_from([1, 3, 6, 8]))
    def person_closes(self, account: str, symbol: str, sixths: int) -> None:
        held = self.desk.books.held.get((account, symbol), ZERO)
        if held != ZERO:
            lot = LOT_SIZES[symbol]
            quantity = max(lot, abs(held) * sixths // (6 * lot) * lot)
            self._proposes(account, symbol, Side.SELL if held > ZERO else Side.BUY, quantity, reduce_only=True)

    @rule(pick=st.integers(0, 30))
    def person_cancels(self, pick: int) -> None:
        working = sorted(self.desk.books.sent)
        if working:
            self.desk.tells(m.CancelOrder, client_order_id=working[-1 - pick % len(working)], person="ann")

    @rule(pick=st.integers(0, 30), sixths=st.integers(1, 8), ticks=st.sampled_from([None, -300, -5, 0, 5, 300]))
    def person_replaces(self, pick: int, sixths: int, ticks: int | None) -> None:
        books = self.desk.books
        working = [each for each in sorted(books.sent) if books.sent[each] in books.open_orders] + sorted(books.stops)
        if not working:
            return
        chosen = working[pick % len(working)]
        stop, known = books.stops.get(chosen), books.open_orders.get(books.sent.get(chosen, ""))
        symbol = stop.instrument if stop is not None else known.order.instrument if known is not None else ""
        quantity = stop.quantity if stop is not None else known.order.quantity if known is not None else ZERO
        moved = None if ticks is None else self.desk.prices[symbol][0] // TICKS[symbol] * TICKS[symbol]
        if moved is not None and ticks is not None:
            moved += ticks * TENTH_OF_A_PERCENT[symbol] // 50 * TICKS[symbol]
        lot = LOT_SIZES[symbol]
        self.desk.tells(
            m.ReplaceOrder,
            client_order_id=chosen,
            quantity=max(lot, quantity * sixths // (6 * lot) * lot),
            limit_price=moved if known is not None and known.order.limit_price is not None else None,
            stop_price=moved if stop is not None else None,
            person="ann",
        )

    # Safety

    @precondition(lambda self: not self.desk.halted)
    @rule(level=st.sampled_from(list(StopLevel)), scope=SCOPES, then=st.booleans())
    def person_stops(self, level: StopLevel, scope: StopScope, then: bool) -> None:
        self.desk.tells(m.StopTrading, person="rob", role="risk", reason="drill", level=level, scope=scope)
        if then:
            self.desk.passes(1)
            self.desk.quotes(TICKS)

    @rule(scope=SCOPES, role=st.sampled_from(["admin", "admin", "risk", "trader"]))
    def person_resumes(self, scope: StopScope, role: str) -> None:
        self.desk.tells(m.ResumeTrading, person="rob", role=role, reason="well", scope=scope)

    @precondition(lambda self: self.desk.halted)
    @rule()
    def all_is_well_again(self) -> None:
        for condition, scope in (("bus_lag", "desk"), ("clock_skew", "desk"), ("venue_disconnected", "paper")):
            self._reports(condition, scope, holds=True)
        self.desk.tells(m.ResumeTrading, person="eve", role="admin", reason="all is well", scope=EVERYTHING)
        for account in sorted(self.desk.books.suspended):
            self.desk.tells(m.ReinstateAccount, account=account, person="eve", role="admin", reason="reviewed")
        for _ in range(7):
            self.desk.passes(60)
            self.desk.quotes(TICKS)

    @rule(account=ACCOUNTS, role=st.sampled_from(["admin", "trader"]))
    def person_reinstates(self, account: str, role: str) -> None:
        self.desk.tells(m.ReinstateAccount, account=account, person="rob", role=role, reason="reviewed")

    @precondition(lambda self: not self.desk.halted)
    @rule(
        condition=st.sampled_from(["bus_lag", "clock_skew", "venue_disconnected"]), holds=st.sampled_from([False, True])
    )
    def condition_is_reported(self, condition: str, holds: bool) -> None:
        self._reports(condition, "paper" if condition == "venue_disconnected" else "desk", holds=holds)

    def _reports(self, condition: str, scope: str, *, holds: bool) -> None:
        measured = Decimal(1 if holds else 9)
        self.desk.tells(
            m.ConditionReported, condition=condition, scope=scope, measured=measured, limit=Decimal(5), unit="seconds",
            holds=holds,
        )  # fmt: skip

    # Restarts

    @precondition(lambda self: self.desk.restarts < RESTARTS_MAX)
    @rule()
    def desk_is_killed(self) -> None:
        self.desk.killed()

    @precondition(lambda self: self.desk.restarts < RESTARTS_MAX)
    @rule(flags=FLAGS)
    def operator_reconfigures(self, flags: dict[str, str]) -> None:
        self.desk.reconfigures(flags)


@pytest.mark.slow
def test_no_order_of_events_takes_an_order_beyond_a_limit() -> None:
    run_state_machine_as_test(
        DeskMachine,
        settings=settings(
            max_examples=50,
            stateful_step_count=40,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
