"""Whatever rows and orders come: rows outside the bounds change nothing, and a restored venue goes on alike."""

from typing import Any, NamedTuple

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.venue.desk import LATENCY_NS, START_NS, Tape, cancel, config, instrument, submitted
from tmt.domain.order import LEGAL_TRANSITIONS, OrderState, OrderType, Side, TimeInForce
from tmt.messages import (
    Message,
    OrderAccepted,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderReplaced,
    OrderTriggered,
    ReplaceSubmitted,
    encode,
)
from tmt.ports.venue import TouchQuote
from tmt.venue import PaperVenue
from tmt.venue.matching import Print, Turn

STEP_NS = 400


class Row(NamedTuple):
    bid: int
    spread: int
    bid_size: int
    ask_size: int
    trade: int
    size: int
    aggressor: int


class Place(NamedTuple):
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    quantity: int
    limit: int
    stop: int
    stop_loss: int
    take_profit: int
    reduce_only: bool
    post_only: bool
    trail: int = 0


class Withdraw(NamedTuple):
    order: int
    suffix: str


class Change(NamedTuple):
    order: int
    suffix: str
    quantity: int
    limit: int
    stop: int = 0


Step = Row | Place | Withdraw | Change

prices = st.integers(94, 106)
sizes = st.sampled_from([0, 1, 3, 8, 20])
rows = st.builds(Row, prices, st.integers(0, 3), sizes, sizes, st.just(0) | prices, sizes, st.sampled_from([-1, 0, 1]))
orders = st.builds(
    Place,
    st.sampled_from(Side),
    st.sampled_from(OrderType),
    st.sampled_from(TimeInForce),
    st.integers(2, 12),
    prices,
    prices,
    st.just(0) | prices,
    st.just(0) | prices,
    st.booleans(),
    st.booleans(),
    st.integers(0, 4),
)
names = st.sampled_from(["", "-SL", "-TP"])
withdrawals = st.builds(Withdraw, st.integers(0, 6), names)
changes = st.builds(Change, st.integers(0, 6), names, st.integers(1, 12), st.just(0) | prices, st.just(0) | prices)
steps = st.lists(rows | rows | orders | withdrawals | changes, min_size=5, max_size=40)

FIRST = Row(99, 1, 5, 5, 0, 0, 0)
ENTRY = Place(Side.BUY, OrderType.MARKET, TimeInForce.GTC, 10, 0, 0, 96, 103, False, False)
TRAILED = Place(Side.BUY, OrderType.MARKET, TimeInForce.GTC, 10, 0, 0, 96, 0, False, False, 2)
TRAILS = Place(Side.BUY, OrderType.TRAILING_STOP, TimeInForce.GTC, 10, 0, 104, 0, 0, False, False, 2)


class Run:
    """A venue driven by the steps. It sees every row, or only those that its bounds let through."""

    def __init__(self, *, every_row: bool) -> None:
        self.every_row = every_row
        self.tape = Tape()
        self.venue = self._new_venue()
        self.bounds = (-1, 2**62)
        self.time_ns = START_NS
        self.said: list[Message] = []
        self.log: list[Message] = []
        self.placed = 0
        self.rows = 0

    def _new_venue(self) -> PaperVenue:
        listed = {"TEST": instrument(price_quantum=instrument().tick_size)}
        return PaperVenue(config(slippage_ticks=1, latency_jitter_ns=500), listed, self.tape, 3)

    def do(self, step: Step) -> None:
        self.time_ns += STEP_NS
        while (due_ns := self.venue.next_due_ns()) is not None and due_ns <= self.time_ns:
            self._hear(self.venue.on_time(due_ns))
        match step:
            case Row():
                self._see(step)
            case Place():
                self.placed += 1
                self._send(order_of(step, f"o{self.placed}", self.time_ns))
            case Withdraw():
                self._send(cancel(f"o{step.order}{step.suffix}", self.time_ns))
            case Change():
                self._send(change_of(step, self.time_ns))

    def _send(self, message: Message) -> None:
        self.log.append(message)
        assert self.venue.handle(message) == []

    def restart(self) -> None:
        saved = self.venue.snapshot()
        self.venue = self._new_venue()
        self.venue.restore(saved)
        assert self.venue.snapshot() == saved

    def _see(self, row: Row) -> None:
        self.rows += 1
        bid, ask, price = row.bid, row.bid + row.spread, row.trade
        low, high = self.bounds
        quote = TouchQuote(self.rows, self.time_ns, bid, ask, row.bid_size, row.ask_size)
        self.tape.quotes["TEST"] = quote
        if self.every_row:
            # Beneath `on_row`, whose first line would pass over what the bounds leave out.
            self.venue._matcher.on_row("TEST", *self._turn(quote, row))
        elif bid <= low or ask >= high or (price and (price <= low or price >= high)):
            self._hear(self.venue.on_row("TEST", *quote, price, row.size, row.aggressor))

    def _turn(self, quote: TouchQuote, row: Row) -> Any:
        return Turn(self.time_ns, quote, self.said), Print(row.trade, row.size, row.aggressor)

    def _hear(self, said: list[Message]) -> None:
        self.said += said
        self.log += said
        if "TEST" in self.venue.dirty_symbols():
            self.bounds = self.venue.bounds("TEST")


def order_of(step: Place, name: str, time_ns: int) -> Message:
    limited = step.type in (OrderType.LIMIT, OrderType.STOP_LIMIT)
    trails = step.type is OrderType.TRAILING_STOP
    stopped = trails or step.type in (OrderType.STOP, OrderType.STOP_LIMIT)
    offset = step.trail or 1 if trails else step.trail if step.stop_loss else 0
    return submitted(
        name,
        time_ns,
        side=step.side,
        type=step.type,
        time_in_force=step.time_in_force,
        quantity=step.quantity,
        limit_price=step.limit if limited else None,
        stop_price=step.stop if stopped else None,
        stop_loss=step.stop_loss or None,
        take_profit=step.take_profit or None,
        trail_offset=instrument().tick_size * offset if offset else None,
        expire_at_ns=time_ns + 4_000 if step.time_in_force is TimeInForce.GTD else None,
        reduce_only=step.reduce_only,
        post_only=step.post_only and step.type is OrderType.LIMIT,
    )


def change_of(step: Change, time_ns: int) -> Message:
    name = f"o{step.order}{step.suffix}"
    return ReplaceSubmitted.root(
        "execution",
        time_ns,
        name,
        str(time_ns),
        client_order_id=name,
        quantity=instrument().lot_size * step.quantity,
        limit_price=instrument().tick_size * step.limit if step.limit else None,
        stop_price=instrument().tick_size * step.stop if step.stop else None,
    )


def run(script: list[Step], *, every_row: bool = False, restart_after: int = -1) -> Run:
    desk = Run(every_row=every_row)
    desk.do(FIRST)
    for number, step in enumerate(script):
        desk.do(step)
        if number == restart_after:
            desk.restart()
    for _ in range(20):
        desk.do(FIRST)
    return desk


def bytes_of(desk: Run) -> list[bytes]:
    return [encode(message) for message in desk.said]


@settings(max_examples=300)
@given(steps)
@example([ENTRY, *[FIRST] * 6, Row(96, 1, 3, 3, 0, 0, 0)])
@example([ENTRY, *[FIRST] * 6, Row(102, 1, 3, 3, 103, 8, 1)])
@example([TRAILED, *[FIRST] * 6, Row(101, 0, 3, 3, 0, 0, 0), Row(102, 3, 3, 3, 0, 0, 0), Row(100, 1, 3, 3, 0, 0, 0)])
@example([TRAILS, *[FIRST] * 6, Row(96, 2, 3, 3, 0, 0, 0), Row(95, 1, 3, 3, 0, 0, 0), Row(96, 2, 3, 3, 0, 0, 0)])
def test_rows_outside_the_bounds_change_nothing(script: list[Step]) -> None:
    seen, skipped = run(script, every_row=True), run(script)
    assert bytes_of(skipped) == bytes_of(seen)
    assert skipped.venue.snapshot() == seen.venue.snapshot()


@given(steps, st.integers(0, 39))
def test_a_restored_venue_goes_on_alike(script: list[Step], restart_after: int) -> None:
    assert bytes_of(run(script, restart_after=restart_after)) == bytes_of(run(script))


@settings(max_examples=200)
@given(steps)
@example([ENTRY, *[FIRST] * 6, Row(90, 1, 3, 3, 0, 0, 0), Row(104, 1, 3, 3, 0, 0, 0)])
def test_orders_live_by_the_table_and_never_fill_beyond_their_quantity(script: list[Step]) -> None:
    state: dict[str, OrderState] = {}
    quantity: dict[str, Any] = {}
    filled: dict[str, Any] = {}
    ids = set()
    for message in run(script).said:
        assert message.message_id not in ids
        ids.add(message.message_id)
        name = getattr(message, "client_order_id", "")
        before = state.get(name, OrderState.SUBMITTED)
        match message:
            case OrderAccepted() | OrderReplaced():
                quantity[name] = message.quantity
                after = OrderState.ACCEPTED if isinstance(message, OrderAccepted) else before
            case OrderTriggered():
                after = OrderState.TRIGGERED
            case OrderFilled():
                filled[name] = filled.get(name, 0) + message.quantity
                assert filled[name] + message.remaining == quantity[name]
                after = OrderState.PARTIALLY_FILLED if message.remaining else OrderState.FILLED
            case OrderRejected():
                after = OrderState.REJECTED
            case OrderCancelled() | OrderExpired():
                assert message.filled == filled.get(name, 0)
                after = OrderState.CANCELLED if isinstance(message, OrderCancelled) else OrderState.EXPIRED
            case _:
                continue
        assert isinstance(message, OrderReplaced) or after in LEGAL_TRANSITIONS[before]
        state[name] = after


@settings(max_examples=200)
@given(steps)
def test_reduce_only_orders_never_grow_or_turn_a_position(script: list[Step]) -> None:
    position = 0
    for message in run(script).said:
        if isinstance(message, OrderFilled):
            change = int(message.quantity) * message.side.sign
            if message.role != "entry":
                assert position * change < 0
                assert abs(change) <= abs(position)
            position += change


@settings(max_examples=200)
@given(steps)
def test_no_limit_is_violated(script: list[Step]) -> None:
    limits: dict[str, tuple[Side, Any]] = {}
    for message in run(script).said:
        if isinstance(message, OrderAccepted) and message.order_type in (OrderType.LIMIT, OrderType.STOP_LIMIT):
            limits[message.client_order_id] = (message.side, message.price)
        if isinstance(message, OrderReplaced) and message.limit_price is not None:
            limits[message.client_order_id] = (limits[message.client_order_id][0], message.limit_price)
        if isinstance(message, OrderFilled) and message.client_order_id in limits:
            side, limit = limits[message.client_order_id]
            assert (message.price - limit) * side.sign <= 0


@settings(max_examples=200)
@given(steps)
@example([TRAILED, *[FIRST] * 6, Row(104, 1, 3, 3, 0, 0, 0), Row(102, 1, 3, 3, 0, 0, 0)])
@example([TRAILS, *[FIRST] * 6, Row(96, 1, 3, 3, 0, 0, 0), Row(99, 0, 3, 3, 0, 0, 0)])
def test_a_trailing_stop_never_turns_back(script: list[Step]) -> None:
    desk = run(script, every_row=True)
    watch = TrailingStops()
    for message in desk.log:
        watch.see(message)


class TrailingStops:
    def __init__(self) -> None:
        self.sides: dict[str, Side] = {}
        self.stops: dict[str, Any] = {}

    def see(self, message: Message) -> None:
        name = getattr(message, "client_order_id", "")
        match message:
            case OrderAccepted(order_type=OrderType.TRAILING_STOP):
                self.sides[name], self.stops[name] = message.side, message.price
            case OrderReplaced() if name in self.stops:
                assert (self.stops[name] - message.stop_price) * self.sides[name].sign >= 0
                self.stops[name] = message.stop_price
            case OrderTriggered() if name in self.stops:
                assert (self.stops[name] - message.trigger_price) * self.sides[name].sign >= 0
            case _:
                pass


def test_the_script_is_long_enough_for_everything_to_arrive() -> None:
    assert 20 * STEP_NS > LATENCY_NS + 500 + 4_000
