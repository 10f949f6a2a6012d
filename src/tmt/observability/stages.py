"""How long an order takes from stage to stage: metrics always, spans where somebody collects them."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, Histogram

from tmt import messages as m
from tmt.domain.session import NANOSECONDS_PER_SECOND
from tmt.observability.config import TelemetryConfig
from tmt.ports.clock import Clock

if TYPE_CHECKING:
    from tmt.observability.spans import Spans

SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
MESSAGES_REMEMBERED: Final = 10_000
_WATCHED: Final = (m.SignalRaised, m.OrderProposed, *m.GATES, *m.SUBMISSIONS, *m.VENUE_EVENTS, *m.OUTCOMES)


def stages_of(config: TelemetryConfig, clock: Clock, registry: CollectorRegistry) -> Stages:
    """As configured; to be closed."""
    if not config.otlp_endpoint:
        return Stages(clock, registry)
    from tmt.observability.spans import Spans, otlp  # noqa: PLC0415 - half a second, for those who trace

    return Stages(clock, registry, Spans(otlp(config.otlp_endpoint), config.sampled_of_256))


class Stages:
    """Sees messages in the order in which they are logged. What it measures is wall time, and decides nothing.

    Args:
        clock: of wall time.
        registry: where its metrics go.
        spans: what they go to; None for no traces.
    """

    def __init__(self, clock: Clock, registry: CollectorRegistry, spans: Spans | None = None) -> None:
        self._clock = clock
        self._spans = spans
        self._seen_ns: OrderedDict[str, int] = OrderedDict()
        self._stage = Histogram(
            "tmt_stage_duration_seconds",
            "From the message that caused it to the message, by the latter's type",
            ("stage",),
            buckets=SECONDS,
            registry=registry,
        )
        self._whole = Histogram(
            "tmt_signal_execution_duration_seconds",
            "From a signal or proposal to its order's submission",
            buckets=SECONDS,
            registry=registry,
        )

    def see(self, message: m.Message) -> None:
        """A message was logged."""
        if not isinstance(message, _WATCHED):
            return
        now_ns = self._clock.now_ns()
        self._seen_ns[message.message_id] = now_ns
        if len(self._seen_ns) > MESSAGES_REMEMBERED:
            self._seen_ns.popitem(last=False)
        caused_ns = self._seen_ns.get(message.causation_id)
        # The venue's answers come when their event time does: that wait is no processing.
        if caused_ns is not None and not isinstance(message, m.VENUE_EVENTS):
            self._stage.labels(type(message).__name__).observe((now_ns - caused_ns) / NANOSECONDS_PER_SECOND)
        if isinstance(message, m.OrderSubmitted):
            began_ns = self._seen_ns.get(message.correlation_id)
            if began_ns is not None:
                self._whole.observe((now_ns - began_ns) / NANOSECONDS_PER_SECOND)
        if self._spans is not None:
            self._spans.end(message, now_ns if caused_ns is None else caused_ns, now_ns)

    def close(self) -> None:
        """Send what waits."""
        if self._spans is not None:
            self._spans.close()
