"""A desk of several processes, or of threads that know one another only over the bus and the log, for tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.integration.simulated import open_feed
from tmt.adapters.bus.kafka.agent_service import AgentService
from tmt.adapters.clock.system import SystemClock
from tmt.adapters.postgres.database import Database
from tmt.bootstrap import Desk
from tmt.config import Loaded
from tmt.processes import ENGINE, NAMES, open_agents, open_engine
from tmt.sections import load_config

OTHERS = tuple(name for name in NAMES if name != ENGINE)


def environment(folder: Path, dsn: str, bootstrap: str, prefix: str) -> dict[str, str]:
    """What points processes to a desk of its own; its password lies in `folder`."""
    asked = conninfo_to_dict(dsn)
    password = folder / "database.password"
    password.touch(mode=0o600)
    password.write_text(str(asked.pop("password")))
    return {
        "TMT__STORES__DATABASE": make_conninfo("", **asked),
        "TMT__STORES__PASSWORD_FILE": str(password),
        "TMT__STORES__CONNECTIONS_MAX": "8",
        "TMT__BUS__BOOTSTRAP": bootstrap,
        "TMT__BUS__PREFIX": prefix.rstrip("."),
    }


def settings(folder: Path, dsn: str, bootstrap: str, prefix: str, *overrides: str) -> Loaded:
    """A desk of its own in an empty database, which is migrated."""
    loaded = load_config(None, environment=environment(folder, dsn, bootstrap, prefix), overrides=overrides)
    with closing(Database(dsn, "tmt")) as database:
        database.migrate()
    return loaded


@contextmanager
def hosted(loaded: Loaded, names: tuple[str, ...] = OTHERS, instance: str = "0") -> Iterator[AgentService]:
    """Agents in a thread of this process."""
    over = Event()
    failed: list[BaseException] = []
    with open_agents(loaded, names, instance) as service:

        def run() -> None:
            try:
                service.run(over.is_set)
            except BaseException as error:  # noqa: BLE001 - raised again where the test is
                failed.append(error)

        thread = Thread(target=run, name="agents")
        thread.start()
        try:
            yield service
        finally:
            over.set()
            thread.join()
    if failed:
        raise failed[0]


@contextmanager
def engine(loaded: Loaded, direct: tuple[str, ...] = (), **changes: Any) -> Iterator[Desk]:
    """The engine's desk on the simulator, started."""
    feed = open_feed(loaded, seed=7, batch_rows=changes.pop("batch_rows", 1000))
    with open_engine(loaded, feed, direct, mode="up", seed=7, clock=SystemClock(), source="test") as (desk, _):
        desk.start()
        yield desk
