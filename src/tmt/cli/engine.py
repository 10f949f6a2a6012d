"""The engine's process of a desk of several: `tmt agent run execution`."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from threading import Event, Thread
from typing import Final

from litestar.types import ASGIApp

from tmt.adapters.bus.kafka.agent_service import AgentService
from tmt.adapters.bus.kafka.engine_path import KafkaPath
from tmt.adapters.door.local import LocalDoor
from tmt.adapters.feed.posted import PostedFeed
from tmt.adapters.inbox.postgres import PostgresInbox
from tmt.cli.exit_codes import ExitCode
from tmt.cli.folders import Chosen
from tmt.cli.interruption import Interruption, ends_after
from tmt.cli.plan import Plan
from tmt.cli.session import Session
from tmt.cli.shared import Shared, shared
from tmt.cli.terminal import Terminal
from tmt.engine.desk_loop import DeskLoop
from tmt.engine.quotes import QuoteBoard
from tmt.engine.service import EngineParts, create_engine
from tmt.gateway.following import Following
from tmt.observability.metrics import Metrics
from tmt.observability.stages import stages_of
from tmt.processes import ENGINE, NAMES, open_agents, open_engine
from tmt.projections.desk_reader import DeskReader
from tmt.topology import PATH
from tmt.web.health import Probe
from tmt.web.trading import trading_routes

ANSWER_SECONDS_MAX: Final = 5.0
"""Wait for one agent's answer from which the engine counts as not ready."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineChoice:
    """How the engine's process is run.

    Attributes:
        direct: agents that answer in the engine itself.
        hosted: agents that this process hosts besides, and that answer over the bus.
    """

    direct: tuple[str, ...]
    hosted: tuple[str, ...]
    plan: Plan
    speed: float
    port: int
    host: str
    tls: bool
    seconds: float | None


def run(terminal: Terminal, chosen: Chosen, interruption: Interruption, choice: EngineChoice) -> int:
    """Run the engine until the end."""
    plan = choice.plan
    folder = chosen.books.ensure(chosen.book_name)
    with ExitStack() as stack:
        own = stack.enter_context(shared(terminal, chosen, "engine", tls=choice.tls, loaded=plan.load()))
        feed = plan.open_feed(own.loaded)
        source = f"{os.uname().nodename}/{os.getpid()}"
        desk, path = stack.enter_context(
            open_engine(own.loaded, feed, choice.direct, mode=plan.mode, seed=plan.seed, clock=own.clock, source=source)
        )
        if choice.hosted:
            stack.enter_context(hosted(own, choice.hosted))
        started_seconds = time.monotonic()
        plan.keep(folder)
        inbox = PostgresInbox(own.database)
        session = Session(plan, own.loaded, folder, desk, inbox, desk.start(), terminal, started_seconds)
        session.obey()
        app, loop = _service(stack, own, session, path, choice)
        path.hurries = loop.hurries
        stack.enter_context(own.served(terminal, app, choice.port, choice.host, clients_need_certificates=choice.tls))
        terminal.say(f"engine at position {desk.log.head()}; {session.recovery.events_compared} events compared")
        loop.run(ends_after(interruption, choice.seconds))
    return interruption.exit_code if interruption else ExitCode.OK


def _service(
    stack: ExitStack, own: Shared, session: Session, path: KafkaPath, choice: EngineChoice
) -> tuple[ASGIApp, DeskLoop]:
    sections, desk = own.loaded.sections, session.desk
    board = QuoteBoard([desk.portfolio.state.instruments[symbol] for symbol in desk.feed.symbols], own.clock)
    loop = session.loop(own.clock, speed=choice.speed, saw=board.see)
    door = LocalDoor(loop.submit, sections["engine"].answer_seconds_max)
    reader = DeskReader(stack.enter_context(own.log()), [place.agent for place in PATH])
    following = Following(reader, own.clock)
    parts = EngineParts(
        loop=loop,
        door=door,
        board=board,
        feed=desk.feed if isinstance(desk.feed, PostedFeed) else None,
        instruments=board.instruments,
        trading=trading_routes(door, reader),
        probes={"agents": lambda: _agents(path), "reader": following.probe},
        lifespan=(following.lifespan,),
    )
    metrics = Metrics("engine")
    stages = stages_of(sections["telemetry"], own.clock, metrics.registry)
    stack.callback(stages.close)
    desk.runner.logged = stages.see
    app = create_engine(parts, own.access, sections["engine"], sections["web"], own.clock, metrics, tls=choice.tls)
    return app, loop


def _agents(path: KafkaPath) -> Probe:
    waiting, since = path.waiting_for, path.waiting_since
    seconds = time.monotonic() - since if waiting else 0.0
    detail = f"waits for {waiting}" if seconds > ANSWER_SECONDS_MAX else f"{path.resent} asked again"
    return Probe(ok=seconds <= ANSWER_SECONDS_MAX, detail=detail)


@contextmanager
def hosted(own: Shared, names: Sequence[str]) -> Iterator[AgentService]:
    """Agents in a thread of the engine's process; they know the engine over the bus alone."""
    over = Event()
    with open_agents(own.loaded, names, "0") as service:
        thread = Thread(target=service.run, args=[over.is_set], name="agents", daemon=True)
        thread.start()
        try:
            yield service
        finally:
            over.set()
            thread.join()


def choice_of(names: Sequence[str], direct: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(direct, hosted): what the engine does with the agents named beside it."""
    others = tuple(name for name in NAMES if name in names and name != ENGINE)
    return (others, ()) if direct else ((), others)
