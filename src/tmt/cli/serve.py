"""`tmt gateway run` and `tmt storage run`: services in processes of their own."""

from __future__ import annotations

import ssl
from contextlib import ExitStack
from functools import partial
from http import HTTPStatus

import httpx
import msgspec

from tmt.adapters.door.http import HttpDoor
from tmt.adapters.series.timescale import TimescaleSeries
from tmt.cli.exit_codes import ExitCode
from tmt.cli.folders import Chosen
from tmt.cli.interruption import ends_after, interruptible
from tmt.cli.shared import shared, wait
from tmt.cli.terminal import Terminal
from tmt.gateway.service import GatewayParts, create_gateway
from tmt.observability.metrics import Metrics
from tmt.processes import open_database
from tmt.storage_api.opening import storage_api
from tmt.topology import PATH
from tmt.web.health import PROBE_SECONDS_MAX, Probe


def gateway(
    terminal: Terminal, chosen: Chosen, port: int, host: str, engine: str, tls: bool, seconds: float | None
) -> int:
    """`tmt gateway run`."""
    with (
        interruptible() as interruption,
        shared(terminal, chosen, "gateway", tls=tls) as own,
        own.log() as log,
        own.client_tls() as client_tls,
    ):
        sections = own.loaded.sections
        door = HttpDoor(
            engine,
            lambda: own.access.service_token("gateway"),
            client_tls,
            sections["engine"].answer_seconds_max,
        )
        parts = GatewayParts(
            log=log,
            door=door,
            access=own.access,
            agents=[place.agent for place in PATH],
            parameters={place.name: sections[place.name] for place in PATH},
            probes={"engine": partial(_engine, f"{engine.rstrip('/')}/ready", client_tls)},
        )
        app = create_gateway(parts, sections["web"], own.clock, Metrics("gateway"), tls=tls)
        with own.served(terminal, app, port, host):
            wait(ends_after(interruption, seconds))
        return interruption.exit_code if interruption else ExitCode.OK


def _engine(url: str, tls: ssl.SSLContext | None) -> Probe:
    answer = httpx.get(url, verify=True if tls is None else tls, timeout=PROBE_SECONDS_MAX / 2, trust_env=False)
    return Probe(ok=answer.status_code == HTTPStatus.OK, detail=f"answers {answer.status_code}")


def storage(terminal: Terminal, chosen: Chosen, port: int, host: str, tls: bool, seconds: float | None) -> int:
    """`tmt storage run`."""
    with interruptible() as interruption, ExitStack() as stack:
        own = stack.enter_context(shared(terminal, chosen, "storage-api", tls=tls))
        sections = own.loaded.sections
        terminal.say(f"series: {TimescaleSeries(own.database).describe()}")
        server = stack.enter_context(
            storage_api(
                log=stack.enter_context(own.log()),
                followed=stack.enter_context(own.log()),
                projected=stack.enter_context(own.log()),
                store=stack.enter_context(open_database(own.loaded, "tmt-storage-api-stores")),
                access=own.access,
                clock=own.clock,
                config=msgspec.structs.replace(sections["storage"], port=port),
                web=sections["web"],
                host=host,
                tls=stack.enter_context(own.server_tls()),
            )
        )
        terminal.say(f"storage-api: {server.url}")
        wait(ends_after(interruption, seconds))
        return interruption.exit_code if interruption else ExitCode.OK
