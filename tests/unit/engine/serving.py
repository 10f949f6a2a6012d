"""The engine's service over a desk that runs, on a real port, for tests."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from litestar.handlers import BaseRouteHandler

from tests.unit.engine.running import Running, loop_over, running
from tests.unit.web import rig
from tmt.access import Access
from tmt.adapters.clock.system import SystemClock
from tmt.adapters.door.local import LocalDoor
from tmt.adapters.feed.posted import PostedFeed
from tmt.bootstrap import Desk
from tmt.domain.instrument import Instrument
from tmt.engine.config import EngineConfig
from tmt.engine.desk_loop import DeskLoop
from tmt.engine.quotes import QuoteBoard
from tmt.engine.service import EngineParts, create_engine
from tmt.observability.metrics import Metrics
from tmt.sections import load_config
from tmt.web.server import serve


def engine_config(**changes: Any) -> EngineConfig:
    config: EngineConfig = load_config(None).sections["engine"]
    return msgspec.structs.replace(config, **changes)


def instruments_of(desk: Desk) -> tuple[Instrument, ...]:
    found = [desk.portfolio.instrument(symbol) for symbol in desk.feed.symbols]
    return tuple(each for each in found if each is not None)


@dataclass(kw_only=True)
class Served(rig.Served):
    """A running engine, its loop, and who may ask it."""

    thread: Running
    loop: DeskLoop
    board: QuoteBoard

    @property
    def url(self) -> str:
        return self.server.url.rstrip("/")

    def service_token(self) -> str:
        assert self.access is not None
        return self.access.service_token("gateway")


@contextmanager
def served_engine(
    desk: Desk,
    state: Path,
    *,
    feed: PostedFeed | None = None,
    loop: DeskLoop | None = None,
    trading: Callable[[Access, LocalDoor], Sequence[BaseRouteHandler]] = lambda _access, _door: (),
    tls: ssl.SSLContext | None = None,
    board: QuoteBoard | None = None,
    **config_changes: Any,
) -> Iterator[Served]:
    state.mkdir(exist_ok=True)
    clock, config, web = SystemClock(), engine_config(**config_changes), rig.web_config()
    instruments = instruments_of(desk)
    shown = QuoteBoard(instruments, clock) if board is None else board
    turning = loop_over(desk, saw=shown.see) if loop is None else loop
    door = LocalDoor(turning.submit, config.answer_seconds_max)
    with rig.people(state) as access, running(turning) as thread:
        parts = EngineParts(
            loop=turning,
            door=door,
            board=shown,
            feed=feed,
            instruments=instruments,
            trading=trading(access, door),
            probes={},
        )
        app = create_engine(parts, access, config, web, clock, Metrics("engine"), tls=tls is not None)
        with serve(app, 0, name="engine", limits=web.limits, tls=tls) as server:
            yield Served(server=server, access=access, thread=thread, loop=turning, board=shown)
