"""For any account, price and request: ARIA keeps every limit, in whole lots; later gates never add quantity."""

from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.unit.agents.desk import NO_NEWS, Desk, default_config, make_account, make_instrument, make_order, make_quote
from tmt import messages as m
from tmt.agents.anti_correlation import AntiCorrelationAgent, AntiCorrelationConfig, AntiCorrelationState
from tmt.agents.anti_correlation.returns import ReturnSeries
from tmt.agents.aria import AriaAgent, AriaConfig, AriaState
from tmt.agents.aria.kelly import Edge, risk_fraction_cap
from tmt.agents.aria.returns import ReturnSeries as AriaReturns
from tmt.agents.aria.value_at_risk import deviation_of, tail_multiples
from tmt.agents.aria.volatility import VolatilityTrack
from tmt.domain.money import is_multiple
from tmt.domain.order import Side

ARIA = default_config(AriaConfig, "aria")
CONCENTRATION = default_config(AntiCorrelationConfig, "anti_correlation")
LOTS = st.sampled_from(["0.0001", "1", "1000"])
TICKS = st.integers(1, 200_000)
SIDES = st.sampled_from(list(Side))
HELD_LOTS = st.integers(-300, 300)


def desk_with(deposit: int, lot_size: str, held_lots: int) -> Desk:
    """One account, priced in its own currency, that already holds some of another instrument."""
    instruments = (
        make_instrument("EURUSD", "EUR", "USD", lot_size=lot_size),
        make_instrument("GBPUSD", "GBP", "USD", lot_size="1000"),
    )
    desk = Desk(make_account(deposit=str(deposit)), instruments=instruments)
    desk.mark("EURUSD", "1")
    if held_lots:
        side = Side.BUY if held_lots > 0 else Side.SELL
        desk.hold("GBPUSD", side, str(abs(held_lots) * 1000), "1", stop="0.99" if side is Side.BUY else "1.01")
    return desk


def size(desk: Desk, config: AriaConfig, side: Side, price: str, stop_ticks: int, state: AriaState) -> m.Message:
    agent = AriaAgent(config, desk.portfolio, "hash", NO_NEWS)
    agent.state = state
    quote = make_quote(price)
    tick = Decimal("0.00001")
    stop, target = quote.bid - side.sign * stop_ticks * tick, quote.bid + side.sign * tick
    assume(stop > 0)
    [said] = agent.handle(desk.signal("EURUSD", side, quote, stop=str(stop), target=str(target)))
    return said


@settings(max_examples=150)
@given(
    deposit=st.integers(100, 10_000_000),
    lot_size=LOTS,
    held_lots=HELD_LOTS,
    side=SIDES,
    stop_ticks=TICKS,
    multiplier=st.sampled_from(["0.1", "1", "2", "50"]),
    ranges=st.lists(st.integers(1, 9), max_size=70).map(tuple),
)
@example(100_000, "1000", 0, Side.BUY, 500, "1", ())  # exactly 2 x equity
@example(100_000, "1", 0, Side.BUY, 1000, "50", ())  # exactly 0.02 at risk
@example(100_000, "1", 300, Side.BUY, 1, "50", ())  # beyond the gross limit already
def test_no_input_sizes_an_order_beyond_a_limit(
    deposit: int, lot_size: str, held_lots: int, side: Side, stop_ticks: int, multiplier: str, ranges: tuple[int, ...]
) -> None:
    config = msgspec.structs.replace(ARIA, risk_multiplier=Decimal(multiplier))
    desk = desk_with(deposit, lot_size, held_lots)
    state = AriaState(volatility={"EURUSD/5m": VolatilityTrack(len(ranges), 1, 1, ranges)})
    said = size(desk, config, side, "1.50000", stop_ticks, state)
    if isinstance(said, m.OrderDenied):
        assert said.checks[-1].outcome == "deny"
        return
    assert isinstance(said, m.OrderSized)
    order, equity = said.order, Decimal(deposit)
    quantity, price = order.quantity, Decimal("1.50000")
    assert order.stop_loss_price is not None
    risk = quantity * abs(price - order.stop_loss_price)
    held = Decimal(abs(held_lots) * 1000)
    assert quantity > 0
    assert is_multiple(quantity, Decimal(lot_size))
    assert risk <= config.risk_fraction_max * equity
    assert risk + held * Decimal("0.01") <= config.heat_fraction_max * equity
    assert quantity * price <= config.instrument_exposure_ratio_max * equity
    assert quantity * price <= config.position_notional_max
    assert quantity * price + held <= config.gross_exposure_ratio_max * equity
    along = held_lots * side.sign * 1000
    assert quantity * price + along <= config.currency_exposure_ratio_max * equity


@settings(max_examples=60)
@given(deposit=st.integers(100, 1_000_000), more=st.integers(0, 1_000_000), side=SIDES, stop_ticks=TICKS)
@example(49_999, 1, Side.BUY, 500)
def test_more_equity_never_buys_less(deposit: int, more: int, side: Side, stop_ticks: int) -> None:
    quantities = []
    for money in (deposit, deposit + more):
        said = size(desk_with(money, "1", 0), ARIA, side, "1.50000", stop_ticks, AriaState())
        quantities.append(said.order.quantity if isinstance(said, m.OrderSized) else Decimal(0))
    assert quantities[0] <= quantities[1]


@settings(max_examples=60)
@given(deposit=st.integers(1000, 1_000_000), side=SIDES, stop_ticks=st.integers(2000, 100_000))
@example(100_000, Side.BUY, 2000)
def test_doubling_the_capital_doubles_the_quantity_before_whole_lots(deposit: int, side: Side, stop_ticks: int) -> None:
    lot = Decimal("0.0001")
    single, double = (
        size(desk_with(money, str(lot), 0), ARIA, side, "1.50000", stop_ticks, AriaState())
        for money in (deposit, 2 * deposit)
    )
    assert isinstance(single, m.OrderSized)
    assert isinstance(double, m.OrderSized)
    assert 0 <= double.order.quantity - 2 * single.order.quantity <= lot


@settings(max_examples=80)
@given(
    deposit=st.integers(1000, 1_000_000),
    held_lots=HELD_LOTS,
    side=SIDES,
    stop_ticks=TICKS,
    limit=st.sampled_from(["0.0001", "0.001", "0.01"]),
    moves=st.lists(st.tuples(st.integers(-30_000_000, 30_000_000), st.integers(-30_000_000, 30_000_000)), min_size=5),
    outcomes=st.lists(st.integers(-3, 9), min_size=10, max_size=30),
)
@example(100_000, 0, Side.BUY, 500, "0.001", [(10_000_000, 0), (-10_000_000, 0)] * 5, [1] * 10)
@example(100_000, 90, Side.SELL, 500, "0.001", [(10_000_000, 10_000_000)] * 10, [-1] * 10)
def test_no_outcome_or_return_lifts_an_order_over_margin_value_at_risk_or_kelly(
    deposit: int,
    held_lots: int,
    side: Side,
    stop_ticks: int,
    limit: str,
    moves: list[tuple[int, int]],
    outcomes: list[int],
) -> None:
    at_risk = replace(ARIA.value_at_risk, value_at_risk_fraction_max=Decimal(limit), returns_min=5)
    config = replace(ARIA, value_at_risk=at_risk, kelly=replace(ARIA.kelly, trades_min=10))
    desk, lot = desk_with(deposit, "0.0001", held_lots), Decimal("0.0001")
    ends = tuple(range(len(moves)))
    ours, others = (tuple(values) for values in zip(*moves, strict=True))
    edge = Edge(len(outcomes), Decimal(sum(outcomes)), Decimal(sum(r * r for r in outcomes)))
    state = AriaState(
        returns={"EURUSD": AriaReturns(0, 10**12, ends, ours), "GBPUSD": AriaReturns(0, 10**12, ends, others)},
        edges={"alpha/wyckoff/spring_test": edge},
    )
    said = size(desk, config, side, "1.50000", stop_ticks, state)
    if isinstance(said, m.OrderDenied):
        assert said.checks[-1].outcome == "deny"
        return
    assert isinstance(said, m.OrderSized)
    quantity, equity = said.order.quantity, Decimal(deposit)
    assert is_multiple(quantity, lot)
    risk = quantity * stop_ticks * Decimal("0.00001")
    assert risk <= risk_fraction_cap(edge, config.kelly) * equity
    margin = (quantity * Decimal("1.5") + abs(held_lots) * 1000) * config.margin.initial_margin_fractions.fx
    assert margin * config.margin.critical_level_min <= equity
    held = [held_lots * 10**8 * other for other in others]  # in 10**-14 USD
    after = [h + int(quantity * side.sign * 150_000) * our for h, our in zip(held, ours, strict=True)]
    before, now = (
        deviation_of(gains, at_risk.ewma_decay)
        * tail_multiples(gains, at_risk.confidence, at_risk.ewma_decay).value_at_risk
        for gains in (held, after)
    )
    assert now <= max(before, equity * at_risk.value_at_risk_fraction_max * 10**14)


@settings(max_examples=100)
@given(
    quantity=st.decimals("0.000001", "1000000000000", places=6),
    held_lots=HELD_LOTS,
    side=SIDES,
    reduce_only=st.booleans(),
    stop_ticks=st.none() | TICKS,
)
@example(Decimal(1000), 1, Side.SELL, True, None)
@example(Decimal("200000.000001"), 0, Side.BUY, False, None)
def test_a_person_never_gets_more_than_was_asked(
    quantity: Decimal, held_lots: int, side: Side, reduce_only: bool, stop_ticks: int | None
) -> None:
    desk = desk_with(100_000, "1000", held_lots)
    stop = None if stop_ticks is None else Decimal(1) - side.sign * Decimal("0.00001") * stop_ticks
    assume(stop is None or stop > 0)
    proposal = desk.propose("GBPUSD", side, str(quantity), reduce_only=reduce_only, stop_loss_price=stop)
    [said] = AriaAgent(ARIA, desk.portfolio, "hash", NO_NEWS).handle(proposal)
    held = Decimal(held_lots * 1000)
    if isinstance(said, m.OrderSized):
        after = held + said.order.quantity * side.sign
        assert Decimal(0) < said.order.quantity <= quantity
        assert is_multiple(said.order.quantity, Decimal(1000))
        assert abs(after) <= max(abs(held), 2 * Decimal(100_000))
    elif reduce_only and quantity >= 1000:
        assert held * side.sign >= 0


def returns_of(values: list[int]) -> dict[str, ReturnSeries]:
    ends = tuple(range(len(values)))
    moves = {"EURUSD": [v % 7 for v in values], "GBPUSD": values}
    return {
        name: ReturnSeries(len(values), 1.0, ends, tuple(v / 1000 for v in numbers)) for name, numbers in moves.items()
    }


@settings(max_examples=100)
@given(
    lots=st.integers(1, 2000),
    held_lots=HELD_LOTS,
    side=SIDES,
    values=st.lists(st.integers(-9, 9), min_size=25, max_size=40),
)
@example(250, 0, Side.BUY, [0] * 30)
@example(251, 0, Side.BUY, [0] * 30)
def test_the_concentration_gate_never_adds_quantity(lots: int, held_lots: int, side: Side, values: list[int]) -> None:
    desk = desk_with(100_000, "1000", held_lots)
    agent = AntiCorrelationAgent(CONCENTRATION, desk.portfolio, "hash")
    agent.state = AntiCorrelationState(series=returns_of(values))
    order = make_order("EURUSD", side, str(lots * 1000), make_quote("1"), stop_loss="0.5")
    [said] = agent.handle(desk.approve(m.OrderSized, order))
    fields: dict[str, Any] = {"quantity": order.quantity}
    if isinstance(said, m.ConcentrationApproved):
        assert said.order.quantity <= order.quantity
        assert is_multiple(said.order.quantity, Decimal(1000))
        assert msgspec.structs.replace(said.order, **fields) == order
        assert said.order.quantity + held_lots * side.sign * 1000 <= Decimal("2.5") * 100_000
        after = [check.quantity_after for check in said.checks]
        assert after == sorted(after, reverse=True)
