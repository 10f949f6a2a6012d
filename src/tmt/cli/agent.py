"""`tmt agent run`: some of the agents in a process of their own, over the bus."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from tmt.adapters.bus.kafka.agent_service import TURN_SECONDS_MAX, AgentService
from tmt.cli.exit_codes import ExitCode
from tmt.cli.folders import Chosen
from tmt.cli.interruption import Interruption, ends_after, interruptible
from tmt.cli.settings import load_settings
from tmt.cli.terminal import Terminal
from tmt.config import Loaded
from tmt.errors import InputError
from tmt.observability.metrics import Metrics
from tmt.processes import ENGINE, checked_names, open_agents
from tmt.web.health import Probe, Probing
from tmt.web.server import serve
from tmt.web.service import create_service


def run(  # noqa: PLR0913, PLR0917 - an argument for each option
    terminal: Terminal,
    chosen: Chosen,
    names: Sequence[str],
    direct: bool,
    instance: int,
    feed: Sequence[str],
    instrument: str | None,
    speed: float,
    history: float,
    seed: int,
    port: int | None,
    host: str,
    tls: bool,
    seconds: float | None,
) -> int:
    """`tmt agent run`."""
    wanted = checked_names(names)
    if instance < 0:
        raise InputError("TMT-X005", f"--instance must be 0 or more, was {instance}")
    with interruptible() as interruption:
        if ENGINE not in wanted:
            return _run_agents(terminal, chosen, interruption, wanted, str(instance), port or 0, seconds)
        # What only the engine needs takes a second to import, which an agent that was killed does not have.
        from tmt.cli import engine
        from tmt.cli.plan import Plan
        from tmt.cli.services import Ports
        from tmt.cli.shared import ENGINE_PORT
        from tmt.cli.up import plan_of, refuse_out_of_range

        refuse_out_of_range(speed, seed, history, seconds, Ports(engine=port))
        folder = chosen.books.ensure(chosen.book_name)
        plan = plan_of(chosen, feed, instrument, seed, history, Plan.of(folder))
        in_engine, hosted = engine.choice_of(wanted, direct)
        choice = engine.EngineChoice(
            direct=in_engine,
            hosted=hosted,
            plan=plan,
            speed=speed,
            port=ENGINE_PORT if port is None else port,
            host=host,
            tls=tls,
            seconds=seconds,
        )
        return engine.run(terminal, chosen, interruption, choice)


def _run_agents(
    terminal: Terminal,
    chosen: Chosen,
    interruption: Interruption,
    names: tuple[str, ...],
    instance: str,
    port: int,
    seconds: float | None,
) -> int:
    loaded = load_settings(chosen.config_folder, chosen.overrides)
    ends = ends_after(interruption, seconds)
    with open_agents(loaded, names, instance) as service, serve_health(service, names, loaded, port) as url:
        terminal.say(f"{' '.join(names)} (instance {instance}) at position {service.host.position}; health: {url}")
        service.run(ends)
    return interruption.exit_code if interruption else ExitCode.OK


@contextmanager
def serve_health(service: AgentService, names: Sequence[str], loaded: Loaded, port: int) -> Iterator[str]:
    """`/health`, `/ready` and `/metrics` of an agent process."""
    title = "agent-" + "-".join(names)
    metrics = Metrics(title)
    metrics.registry.register(_Collected(service, names))
    web = loaded.sections["web"]
    app = create_service(
        title, [], access=None, probes=_probes(service), config=web, metrics=metrics, title=f"TMT {title}"
    )
    with serve(app, port, name=title, limits=web.limits) as server:
        yield server.url


def _probes(service: AgentService) -> dict[str, Probing]:
    def log() -> Probe:
        behind = service.behind()
        return Probe(ok=True, detail=f"position {service.host.position}, {behind} behind")

    def bus() -> Probe:
        return Probe(ok=service.brokers_answer(), detail="brokers")

    def loop() -> Probe:
        age = round(time.monotonic() - service.turned_at, 3)
        heard = service.heard_at
        newest = None if not heard else round(time.monotonic() - heard, 3)
        return Probe(ok=age < TURN_SECONDS_MAX, detail="follows the log", age_seconds=newest)

    return {"log": log, "bus": bus, "loop": loop}


class _Collected(Collector):
    """Figures that the service keeps anyway, read when Prometheus asks."""

    def __init__(self, service: AgentService, names: Sequence[str]) -> None:
        self._service = service
        self._names = tuple(names)

    def collect(self) -> Iterator[Metric]:
        service = self._service
        figures: dict[str, tuple[str, Callable[[], float]]] = {
            "tmt_bus_lag_messages": ("Messages of the log not yet folded", service.behind),
            "tmt_dead_letters": ("Records put aside since the start", lambda: service.dead_letters),
            "tmt_agent_answers": ("Answers given since the start", lambda: service.answered),
            "tmt_agent_last_message_age_seconds": (
                "Since the newest message was heard",
                lambda: time.monotonic() - (service.heard_at or service.started_at),
            ),
        }
        for name, (text, value) in figures.items():
            family = GaugeMetricFamily(name, text, labels=("agent",))
            for agent in self._names:
                family.add_metric((agent,), value())
            yield family
