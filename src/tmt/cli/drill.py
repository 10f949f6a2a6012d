"""`tmt stop --drill`: an emergency stop of a desk made for it, in a folder thrown away, by the clock on the wall.

It is the same desk, loop and queue as `tmt up` runs, on the simulator at its own pace; no book is touched.
"""

from __future__ import annotations

import tempfile
import time
from concurrent.futures import Future
from concurrent.futures import TimeoutError as TimedOut
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from threading import Thread
from typing import Final

from tmt import messages as m
from tmt.adapters.clock.system import SystemClock
from tmt.bootstrap import Desk
from tmt.cli.aftermath import known_breakers
from tmt.cli.folders import Chosen
from tmt.cli.plan import Plan
from tmt.cli.results import StopDrill
from tmt.cli.settings import load_settings
from tmt.cli.stop import refuse_unless_known
from tmt.domain.money import floor_to
from tmt.domain.order import OrderType, Side, TimeInForce
from tmt.domain.stop import StopLevel, StopScope
from tmt.engine.desk_loop import DeskLoop
from tmt.engine.pace import Pace
from tmt.errors import AdapterUnavailable
from tmt.ports.door import Taken
from tmt.projections.reach import covers, positions_in

ACCEPT_SECONDS_MAX: Final = 0.1
"""Wall time within which a stop must be in the log, and in force."""
DRILL_SECONDS_MAX: Final = 5.0
SEED: Final = 7
BATCHES: Final = 40
"""Of simulated rows, run through first so that every instrument has a price."""
REST_FRACTION: Final = Decimal("0.99")
"""Of the bid: where orders rest that shall not fill while the drill lasts."""
LOTS: Final = 2
PERSON: Final = "drill"


@dataclass(slots=True)
class _Clocked:
    """A desk's loop with times of its own thread."""

    desk: Desk
    loop: DeskLoop
    begun_seconds: float
    completed_seconds: float | None = None

    def told(self) -> None:
        if self.completed_seconds is None and self.desk.runner.counts.get(m.StopCompleted.__name__, 0):
            self.completed_seconds = time.monotonic()

    def ends(self) -> bool:
        late = time.monotonic() - self.begun_seconds > DRILL_SECONDS_MAX
        return late or self.completed_seconds is not None


def drill(chosen: Chosen, level: StopLevel, scope: StopScope) -> StopDrill:
    """Run one; what was measured.

    Raises:
        InputError: TMT-X011 when the desk has no such scope.
        AdapterUnavailable: TMT-N002 when the stop is not taken at all.
    """
    loaded = load_settings(chosen.config_folder, chosen.overrides)
    with tempfile.TemporaryDirectory(prefix="tmt-drill-") as folder:
        plan = Plan(
            mode="up",
            paths=(),
            instrument="",
            seed=SEED,
            start=loaded.sections["simulator"].start,
            live_from="",
            config=chosen.config_folder,
            overrides=tuple(chosen.overrides),
        )
        desk = plan.open_desk(Path(folder), loaded)
        try:
            desk.start()
            refuse_unless_known(scope, known_breakers(desk.log))
            _bring_to_work(desk)
            return _stopped(desk, level, scope)
        finally:
            desk.close()


def _bring_to_work(desk: Desk) -> None:
    """Give every account a resting order in each of its instruments, and a position where the gates allow it."""
    for batch, _ in zip(desk.batches(), range(BATCHES), strict=False):
        desk.take(batch)
    for account in desk.portfolio.accounts:
        for symbol in account.instruments:
            for order_type in (OrderType.MARKET, OrderType.LIMIT):
                proposal = _proposal(desk, account.account_id, symbol, order_type)
                if proposal is not None:
                    desk.command(proposal)
    for batch, _ in zip(desk.batches(), range(2), strict=False):
        desk.take(batch)


def _proposal(desk: Desk, account: str, symbol: str, order_type: OrderType) -> m.OrderProposed | None:
    mark, instrument = desk.portfolio.mark(symbol), desk.portfolio.instrument(symbol)
    if mark is None or instrument is None:
        return None
    rests = order_type is OrderType.LIMIT
    quantum = instrument.price_quantum
    return m.OrderProposed.root(
        PERSON,
        desk.runner.timeline.now_ns,
        account,
        symbol,
        order_type,
        account=account,
        instrument=symbol,
        side=Side.BUY,
        quantity=max(instrument.quantity_min, LOTS * instrument.lot_size),
        order_type=order_type,
        time_in_force=TimeInForce.GTC,
        person=PERSON,
        strategy="manual",
        limit_price=floor_to(mark.bid * REST_FRACTION, quantum) if rests else None,
        stop_loss_price=floor_to(mark.bid * REST_FRACTION * REST_FRACTION, quantum),
    )


def _stopped(desk: Desk, level: StopLevel, scope: StopScope) -> StopDrill:
    clock, begun_seconds = SystemClock(), time.monotonic()
    orders = (each.order for each in desk.portfolio.working())
    working = sum(covers(scope, desk.portfolio, each.account, each.strategy, each.instrument) for each in orders)
    held = len(positions_in(scope, desk.portfolio))
    rows = Pace(desk.batches(), event_start_ns=desk.runner.timeline.now_ns, wall_start_ns=clock.now_ns(), speed=1)
    clocked = _Clocked(desk, DeskLoop(desk, rows, clock), begun_seconds)
    thread = Thread(target=clocked.loop.run, args=(clocked.ends, clocked.told), name="drill", daemon=True)
    thread.start()
    stop = m.StopTrading.root(
        PERSON, 0, PERSON, "1", person=PERSON, role="admin", reason="drill", level=level, scope=scope
    )
    asked_seconds = time.monotonic()
    _taken(clocked.loop.submit(stop))
    accepted_seconds = time.monotonic()
    thread.join(2 * DRILL_SECONDS_MAX)
    done = [m.decode(each.body) for each in desk.log.read(types=(m.StopCompleted.__name__,))]
    completed = done[0] if done and isinstance(done[0], m.StopCompleted) else None
    ended_seconds = clocked.completed_seconds
    accept_seconds = round(accepted_seconds - asked_seconds, 6)
    in_time = accept_seconds < ACCEPT_SECONDS_MAX
    return StopDrill(
        passed=in_time and completed is not None and not completed.positions_open,
        accept_seconds=accept_seconds,
        accept_seconds_max=ACCEPT_SECONDS_MAX,
        completed_seconds=None if ended_seconds is None else round(ended_seconds - asked_seconds, 6),
        orders_working=working,
        positions_held=held,
        cancelled=0 if completed is None else completed.cancelled,
        filled=0 if completed is None else completed.filled,
        positions_closed=() if completed is None else completed.positions_closed,
        positions_open=() if completed is None else completed.positions_open,
    )


def _taken(answer: Future[Taken]) -> Taken:
    try:
        return answer.result(timeout=DRILL_SECONDS_MAX)
    except TimedOut as error:
        what = f"the desk of the drill has not taken the stop within {DRILL_SECONDS_MAX:g} s"
        raise AdapterUnavailable("TMT-N002", what, fix="see whether this machine is overloaded") from error
