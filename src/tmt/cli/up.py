"""`tmt up`: the desk in real time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from tmt import messages as m
from tmt.adapters.clock.system import SystemClock
from tmt.cli.folders import Chosen
from tmt.cli.interruption import Interruption, ends_after, interruptible
from tmt.cli.live import LiveView, log_line
from tmt.cli.plan import Plan
from tmt.cli.replay import refuse_seed, refuse_speed
from tmt.cli.services import USUAL, Embedded, Ports, services
from tmt.cli.session import Session, finish, open_session
from tmt.cli.terminal import Terminal
from tmt.engine.quotes import QuoteBoard
from tmt.errors import InputError
from tmt.projections.desk_view import DeskSnapshot, DeskView

_PORT_FLAGS: Final = ("--port", "--storage-port", "--engine-port")
HISTORY_HOURS_MAX: Final = 31 * 24
VIEW_SECONDS: Final = 0.25
LINE_SECONDS: Final = 5.0


def run(  # noqa: PLR0913, PLR0917 - an argument for each option
    terminal: Terminal,
    chosen: Chosen,
    feed: Sequence[str],
    instrument: str | None,
    speed: float,
    history: float,
    seed: int,
    port: int | None,
    storage_port: int | None,
    engine_port: int | None,
    seconds: float | None,
    headless: bool,
) -> int:
    """`tmt up`."""
    ports = Ports(gateway=port, storage=storage_port, engine=engine_port)
    refuse_out_of_range(speed, seed, history, seconds, ports)
    name = chosen.book_name
    folder = chosen.books.ensure(name)
    plan = plan_of(chosen, feed, instrument, seed, history, Plan.of(folder))
    if plan.posted and speed != 1:
        raise InputError("TMT-X007", "--speed is for feeds that can be hurried; what is posted comes as it comes")
    with interruptible() as interruption, open_session(plan, folder, terminal) as session:
        if session.desk.feed.simulated:
            terminal.say("DEMO: the market data are made up")
        _run(terminal, chosen, session, interruption, ports, speed, seconds, headless)
        return finish(terminal, session, interruption, name)


def _run(
    terminal: Terminal,
    chosen: Chosen,
    session: Session,
    interruption: Interruption,
    ports: Ports,
    speed: float,
    seconds: float | None,
    headless: bool,
) -> None:
    clock, desk = SystemClock(), session.desk
    board = QuoteBoard([desk.portfolio.state.instruments[symbol] for symbol in desk.feed.symbols], clock)
    loop = session.loop(clock, speed=speed, saw=board.see)
    embedded = Embedded(
        desk=desk,
        loop=loop,
        board=board,
        loaded=session.loaded,
        book=session.book,
        state=chosen.state_folder,
        clock=clock,
    )
    live = terminal.interactive and not headless and not terminal.json
    watch = _Watch(session)
    live_from_ns = session.plan.live_from_ns
    ends = ends_after(interruption, seconds, lambda: desk.runner.timeline.now_ns >= live_from_ns)
    with services(terminal, embedded, ports), _shown(terminal, watch, live=live) as tell:
        loop.run(ends, tell)


def refuse_out_of_range(speed: float, seed: int, history: float, seconds: float | None, ports: Ports) -> None:
    """Raise InputError for the first option that cannot be."""
    refuse_speed(speed)
    refuse_seed(seed)
    if seconds is not None and seconds <= 0:
        raise InputError("TMT-X005", f"--for must be above 0 seconds, was {seconds:g}", fix="leave it out")
    if not 0 <= history <= HISTORY_HOURS_MAX:
        raise InputError("TMT-X005", f"--history must be 0 to {HISTORY_HOURS_MAX} hours, was {history:g}")
    for flag, port, usual in zip(_PORT_FLAGS, ports, USUAL, strict=True):
        if port is not None and not 0 <= port <= 65_535:
            raise InputError("TMT-X005", f"{flag} must be 0 to 65535, was {port}", fix=f"leave it out for {usual}")


def plan_of(
    chosen: Chosen, feed: Sequence[str], instrument: str | None, seed: int, history: float, former: Plan | None
) -> Plan:
    """What the desk shall run on.

    Raises:
        InputError: when the book runs on something else.
    """
    simulated, posted = tuple(feed) == ("simulator",), tuple(feed) == ("posted",)
    if (simulated or posted) and instrument is not None:
        raise InputError(
            "TMT-X007", "--instrument is for recorded data; other feeds have their own", fix="leave it out"
        )
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    begins_now = simulated and (former is None or not former.start)
    plan = Plan(
        mode="up",
        paths=() if simulated or posted else tuple(str(Path(path).resolve()) for path in feed),
        instrument=instrument or "",
        seed=seed,
        start=(now - timedelta(hours=history)).isoformat() if begins_now else former.start if former else "",
        live_from=now.isoformat() if begins_now else former.live_from if former else "",
        config=chosen.config_folder,
        overrides=tuple(chosen.overrides),
        posted=posted,
    )
    if former is not None:
        plan.refuse_other(former)
    return plan


@contextmanager
def _shown(terminal: Terminal, watch: _Watch, *, live: bool) -> Iterator[Callable[[], None]]:
    if not live:
        lines = _Rarely(LINE_SECONDS, lambda: terminal.say(log_line(watch.look())))
        terminal.say(log_line(watch.look()))
        yield lines
        return
    with LiveView(terminal.console()) as view:
        view.show(watch.look())
        yield _Rarely(VIEW_SECONDS, lambda: view.show(watch.look()))


class _Watch:
    """The desk's view, which follows the log."""

    def __init__(self, session: Session) -> None:
        self._desk = session.desk
        self._view = DeskView(self._desk.portfolio, self._desk.runner.agents)
        self._view.catch_up(self._desk.log)
        self._position = self._desk.log.head()

    def look(self) -> DeskSnapshot:
        for recorded in self._desk.log.read(after=self._position):
            self._view.handle(m.decode(recorded.body))
            self._position = recorded.position
        return self._view.snapshot(self._desk.runner.counts, self._desk.feed.quality)


class _Rarely:
    """Calls `act` at most once in `seconds` of wall time."""

    def __init__(self, seconds: float, act: Callable[[], None]) -> None:
        self._seconds = seconds
        self._act = act
        self._acted_seconds = time.monotonic()

    def __call__(self) -> None:
        now_seconds = time.monotonic()
        if now_seconds - self._acted_seconds >= self._seconds:
            self._acted_seconds = now_seconds
            self._act()
