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
from tmt.cli.session import interruptible
from tmt.cli.settings import load_settings
from tmt.cli.terminal import Terminal
from tmt.config import Loaded
from tmt.observability.metrics import Metrics
from tmt.processes import checked_names, open_agents
from tmt.web.health import Probe, Probing
from tmt.web.server import serve
from tmt.web.service import create_service


def run(
    terminal: Terminal, chosen: Chosen, names: Sequence[str], instance: int, port: int, seconds: float | None
) -> int:
    """`tmt agent run` without the engine."""
    wanted = checked_names(names)
    loaded = load_settings(chosen.config_folder, chosen.overrides)
    with interruptible() as interruption, open_agents(loaded, wanted, str(instance)) as service:
        with serve_health(service, wanted, loaded, port) as url:
            terminal.say(f"{' '.join(wanted)} (instance {instance}) at position {service.host.position}; health: {url}")
            ends_at = None if seconds is None else time.monotonic() + seconds
            service.run(lambda: bool(interruption) or (ends_at is not None and time.monotonic() >= ends_at))
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
