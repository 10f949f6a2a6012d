"""`tmt up`: the desk in real time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tmt import messages as m
from tmt.cli.folders import Chosen
from tmt.cli.live import LiveView, log_line
from tmt.cli.plan import Plan
from tmt.cli.replay import refuse_seed, refuse_speed, run_paced
from tmt.cli.session import Interruption, Session, finish, interruptible, open_session
from tmt.cli.terminal import Terminal
from tmt.domain.session import NANOSECONDS_PER_SECOND
from tmt.errors import AdapterUnavailable, InputError
from tmt.projections.desk_view import DeskSnapshot, DeskView

if TYPE_CHECKING:
    from tmt.gateway.app import DeskWindow

PORT: Final = 8000
"""Of the page, where nobody named one."""

HISTORY_HOURS_MAX: Final = 31 * 24
VIEW_SECONDS: Final = 0.25
PAGE_SECONDS: Final = 0.5
LINE_SECONDS: Final = 5.0


def run(
    terminal: Terminal,
    chosen: Chosen,
    feed: Sequence[str],
    instrument: str | None,
    speed: float,
    history: float,
    seed: int,
    port: int | None,
    seconds: float | None,
    headless: bool,
) -> int:
    """`tmt up`."""
    refuse_speed(speed)
    refuse_seed(seed)
    if seconds is not None and seconds <= 0:
        raise InputError("TMT-X005", f"--for must be above 0 seconds, was {seconds:g}", fix="leave it out")
    if port is not None and not 0 <= port <= 65_535:
        raise InputError("TMT-X005", f"--port must be 0 to 65535, was {port}", fix=f"leave it out for {PORT}")
    name = chosen.book_name
    folder = chosen.books.ensure(name)
    if not 0 <= history <= HISTORY_HOURS_MAX:
        raise InputError("TMT-X005", f"--history must be 0 to {HISTORY_HOURS_MAX} hours, was {history:g}")
    plan = _plan(chosen, feed, instrument, seed, history, Plan.of(folder))
    with (
        interruptible() as interruption,
        _page(terminal, port) as window,
        open_session(plan, folder, terminal) as session,
    ):
        if session.desk.feed.simulated:
            terminal.say("DEMO: the market data are made up")
        live = terminal.interactive and not headless and not terminal.json
        watch = _Watch(session)
        tell_page = _posting(watch, window)
        with _shown(terminal, watch, live=live) as tell_terminal:

            def tell() -> None:
                tell_page()
                tell_terminal()

            _catch_up(session, interruption, tell, plan)
            run_paced(session, interruption, tell, speed=speed, seconds=seconds)
        return finish(terminal, session, interruption, name)


def _catch_up(session: Session, interruption: Interruption, tell: Callable[[], None], plan: Plan) -> None:
    """Take the made-up hours before the start at once, so that bars and ranges are there when the clock starts."""
    if plan.live_from:
        live_from_ns = int(datetime.fromisoformat(plan.live_from).timestamp()) * NANOSECONDS_PER_SECOND
        if session.desk.runner.timeline.now_ns < live_from_ns:
            session.take_all(session.desk.batches(live_from_ns), interruption, tell)


def _plan(
    chosen: Chosen, feed: Sequence[str], instrument: str | None, seed: int, history: float, former: Plan | None
) -> Plan:
    simulated = tuple(feed) == ("simulator",)
    if simulated and instrument is not None:
        raise InputError("TMT-X007", "--instrument is for recorded data; the simulator has its own", fix="leave it out")
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    begins_now = simulated and (former is None or not former.start)
    plan = Plan(
        mode="up",
        paths=() if simulated else tuple(str(Path(path).resolve()) for path in feed),
        instrument=instrument or "",
        seed=seed,
        start=(now - timedelta(hours=history)).isoformat() if begins_now else former.start if former else "",
        live_from=now.isoformat() if begins_now else former.live_from if former else "",
        config=chosen.config_folder,
        overrides=tuple(chosen.overrides),
    )
    if former is not None:
        plan.refuse_other(former)
    return plan


@contextmanager
def _page(terminal: Terminal, port: int | None) -> Iterator[DeskWindow | None]:
    """The page, until the end. A port that somebody named must be free; without the usual one the desk goes on."""
    from tmt.adapters.clock.system import SystemClock
    from tmt.gateway.app import DeskWindow
    from tmt.gateway.server import serve

    window = DeskWindow(SystemClock())
    try:
        server = serve(window, PORT if port is None else port)
    except AdapterUnavailable as error:
        if port is not None:
            raise
        terminal.say(f"{error.code}: {error.what}; the desk runs without its page: {error.fix}")
        server = None
    if server is None:
        yield None
        return
    with server:
        terminal.say(f"page: {server.url}")
        yield window


def _posting(watch: _Watch, window: DeskWindow | None) -> Callable[[], None]:
    if window is None:
        return lambda: None
    window.show(watch.look())
    return _Rarely(PAGE_SECONDS, lambda: window.show(watch.look()))


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
