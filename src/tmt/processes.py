"""The processes of a desk that runs in several: one with the engine, the others with agents. One log, one bus."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final

from tmt.adapters.bus.kafka.agent_service import AgentService
from tmt.adapters.bus.kafka.engine_path import KafkaPath
from tmt.adapters.event_log.postgres import PostgresEventLog
from tmt.adapters.postgres.database import Database
from tmt.arrangement import Arrangement
from tmt.config import Loaded
from tmt.errors import InputError
from tmt.ports.clock import Clock
from tmt.ports.feed import Feed
from tmt.projections.portfolio import Portfolio
from tmt.remote import AgentHost
from tmt.topology import PATH, AgentParts

if TYPE_CHECKING:
    from tmt.bootstrap import Desk

ENGINE: Final = "execution"
"""The agent whose process is the engine: it writes the log and hosts the event-time loop and the venue."""

NAMES: Final = tuple(place.name for place in PATH)


def checked_names(names: Sequence[str]) -> tuple[str, ...]:
    """The names in path order.

    Raises:
        InputError: when one is unknown or given twice.
    """
    unknown = sorted(set(names) - set(NAMES))
    if unknown or len(set(names)) != len(names):
        what = f"no agent {unknown[0]!r}" if unknown else "an agent is named twice"
        raise InputError("TMT-R008", what, fix=f"name some of {', '.join(NAMES)}")
    return tuple(name for name in NAMES if name in names)


@contextmanager
def open_database(loaded: Loaded, application: str) -> Iterator[Database]:
    """The stores' database, migrated already."""
    stores = loaded.sections["stores"]
    database = Database(stores.dsn(), stores.schema, pool_max=stores.connections_max, application=application)
    try:
        yield database
    finally:
        database.close()


@contextmanager
def open_agents(loaded: Loaded, names: Sequence[str], instance: str) -> Iterator[AgentService]:
    """Agents that are not the engine, with all that the log says folded; to be run.

    Raises:
        StoreUnavailable, BusUnavailable: when the database or the brokers do not answer.
    """
    with ExitStack() as stack:
        database = stack.enter_context(open_database(loaded, f"tmt-{'-'.join(names)}-{instance}"))
        log = PostgresEventLog(database, writer=False, source=f"{'+'.join(names)}/{instance}")
        stack.callback(log.close)
        portfolio = Portfolio()
        parts = AgentParts(sections=loaded.sections, portfolio=portfolio, config_hash=loaded.hash)
        agents = [place.build(parts) for place in PATH if place.name in names]
        service = AgentService(loaded.sections["bus"], AgentHost(agents, portfolio, log, instance), log, instance)
        stack.callback(service.close)
        service.start()
        yield service


@contextmanager
def open_engine(
    loaded: Loaded, feed: Feed, direct: Sequence[str], *, mode: str, seed: int, clock: Clock, source: str
) -> Iterator[tuple[Desk, KafkaPath]]:
    """The engine's desk, not yet started, and its end of the bus. Opening it fences the engine that ran before.

    Args:
        loaded: the configuration.
        feed: where market data come from.
        mode: see `bootstrap.open_desk`.
        seed: seeds the venue.
        clock: for what is recorded.
        direct: agents that run in this process and answer without the bus, beside the engine's own.
        source: names this process in the table of writers.

    Raises:
        StoreUnavailable, BusUnavailable: when the database or the brokers do not answer.
    """
    from tmt.bootstrap import desk_over  # noqa: PLC0415 - takes a second to import, and agents do without it

    elsewhere = frozenset(NAMES) - {ENGINE, *direct}
    with ExitStack() as stack:
        database = stack.enter_context(open_database(loaded, "tmt-engine"))
        log = PostgresEventLog(database, writer=True, source=source)
        stack.callback(log.close)
        remote = [place.agent for place in PATH if place.name in elsewhere]
        path = KafkaPath(loaded.sections["bus"], remote, log.head())
        stack.callback(path.close)
        arrangement = Arrangement(
            path=path, elsewhere=elsewhere, lag_seconds_max=loaded.sections["bus"].lag_seconds_max
        )
        desk = desk_over(log, loaded, feed, mode=mode, seed=seed, clock=clock, arrangement=arrangement)
        stack.callback(desk.close)
        yield desk, path
