"""How long an order takes from stage to stage: metrics always, spans where somebody collects them.

The trace is the correlation and a span is a message, so a trace id is the id that `tmt why` takes.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanContext, TraceFlags
from prometheus_client import CollectorRegistry, Histogram

from tmt import messages as m
from tmt.domain.session import NANOSECONDS_PER_SECOND
from tmt.observability.config import TelemetryConfig
from tmt.ports.clock import Clock

SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
MESSAGES_REMEMBERED: Final = 10_000
_WATCHED: Final = (m.SignalRaised, m.OrderProposed, *m.GATES, *m.SUBMISSIONS, *m.VENUE_EVENTS, *m.OUTCOMES)
_TRACE_HEX: Final = 32


def otlp(endpoint: str) -> SpanProcessor:
    """Sends spans in batches to an OTLP collector over HTTP; what it cannot take in time is left out."""
    return BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint, timeout=5.0), max_queue_size=8192)


def stages_of(config: TelemetryConfig, clock: Clock, registry: CollectorRegistry) -> Stages:
    """As configured; to be closed."""
    spans = otlp(config.otlp_endpoint) if config.otlp_endpoint else None
    return Stages(clock, registry, spans, config.sampled_of_256)


class Stages:
    """Sees messages in the order in which they are logged. What it measures is wall time, and decides nothing.

    Args:
        clock: of wall time.
        registry: where its metrics go.
        spans: takes finished spans; None for none.
        sampled_of_256: orders traced, of 256; decided by the correlation, so that all of a trace is there or none.
    """

    def __init__(
        self,
        clock: Clock,
        registry: CollectorRegistry,
        spans: SpanProcessor | None = None,
        sampled_of_256: int = 256,
        service: str = "engine",
    ) -> None:
        self._clock = clock
        self._spans = spans
        self._sampled_of_256 = sampled_of_256
        self._resource = Resource.create({"service.name": f"tmt-{service}"})
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
        self._trace(message, now_ns if caused_ns is None else caused_ns, now_ns)

    def _trace(self, message: m.Message, start_ns: int, end_ns: int) -> None:
        trace = message.correlation_id
        if self._spans is None or len(trace) != _TRACE_HEX or int(trace[-2:], 16) >= self._sampled_of_256:
            return
        parent = message.causation_id if message.message_id != trace else ""
        self._spans.on_end(
            ReadableSpan(
                name=type(message).__name__,
                context=_context(trace, message.message_id),
                parent=_context(trace, parent) if parent else None,
                resource=self._resource,
                attributes={"tmt.message_id": message.message_id, "tmt.source": message.source},
                start_time=start_ns,
                end_time=end_ns,
            )
        )

    def close(self) -> None:
        """Send what waits."""
        if self._spans is not None:
            self._spans.shutdown()


def _context(trace: str, message_id: str) -> SpanContext:
    return SpanContext(
        trace_id=int(trace, 16),
        span_id=int(message_id[:16], 16),
        is_remote=False,
        trace_flags=TraceFlags(TraceFlags.SAMPLED),
    )
