"""The gateway over a desk that runs, on a real port, with people of every role."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from itertools import count
from pathlib import Path
from threading import Event
from typing import Any

from tests.unit.engine.running import Running, loop_over, running, started_desk
from tests.unit.web import rig
from tmt.access import AccessConfig
from tmt.adapters.clock.system import SystemClock
from tmt.adapters.door.local import LocalDoor
from tmt.adapters.event_log.sqlite import SqliteEventLog
from tmt.bootstrap import Desk
from tmt.gateway.service import GatewayParts, create_gateway
from tmt.observability.metrics import Metrics
from tmt.sections import load_config
from tmt.topology import PATH
from tmt.web.config import WebConfig
from tmt.web.server import serve

ACCOUNT, SYMBOL = "paper-usd", "EURUSD.SIM"
BATCHES = 40
_NUMBERS = count()
SECONDS_MAX = 20


def order(client_order_id: str, **changes: Any) -> dict[str, Any]:
    """What the desk takes, in the market's direction of nobody in particular; no two alike, which would be refused."""
    wanted = {
        "symbol": SYMBOL,
        "side": "buy",
        "type": "market",
        "quantity": "2000",
        "client_order_id": client_order_id,
        "account": ACCOUNT,
        "stop_loss_price": str(Decimal("0.5") + next(_NUMBERS) * Decimal("0.00001")),
    }
    return {**wanted, **changes}


@dataclass(kw_only=True)
class Gateway(rig.Served):
    """A running gateway and its desk."""

    desk: Desk
    thread: Running
    log: SqliteEventLog

    def until_ready(self) -> None:
        self.eventually(lambda: self.ask("GET", "/ready").status_code == 200)

    def eventually(self, so: Any) -> None:
        """Ask again and again until it is so, for a bounded time."""
        for _ in range(SECONDS_MAX * 20):
            if so():
                return
            Event().wait(0.05)
        raise AssertionError("it never was")


@contextmanager
def gateway(
    folder: Path,
    *,
    config: WebConfig | None = None,
    access_config: AccessConfig | None = None,
    speed: float = 1,
    batches: int = BATCHES,
) -> Iterator[Gateway]:
    """Everything, until the end; the gateway has read the desk's past."""
    book, state = folder / "book", folder / "state"
    state.mkdir()
    desk, clock = started_desk(book, batches), SystemClock()
    chosen = rig.web_config() if config is None else config
    log = SqliteEventLog(next(book.glob("*.sqlite")), read_only=True)
    sections = load_config(None).sections
    try:
        with rig.people(state, access_config) as access, running(loop := loop_over(desk, speed=speed)) as thread:
            parts = GatewayParts(
                log=log,
                door=LocalDoor(loop.submit, 5.0),
                access=access,
                agents=desk.runner.agents,
                parameters={place.name: sections[place.name] for place in PATH},
            )
            app = create_gateway(parts, chosen, clock, Metrics("gateway"))
            with serve(app, 0, name="gateway", limits=chosen.limits) as server:
                served = Gateway(server=server, access=access, desk=desk, thread=thread, log=log)
                served.until_ready()
                yield served
    finally:
        log.close()
        desk.close()
