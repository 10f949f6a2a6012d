"""An order's messages as OpenTelemetry spans.

The trace is the correlation and a span is a message, so a trace id is the id that `tmt why` takes.
"""

from __future__ import annotations

from typing import Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanContext, TraceFlags

from tmt.messages import Message

QUEUED_SPANS_MAX: Final = 8192
EXPORT_SECONDS_MAX: Final = 5.0
_TRACE_HEX: Final = 32


def otlp(endpoint: str) -> SpanProcessor:
    """Sends spans in batches to an OTLP collector over HTTP; what it cannot take in time is left out."""
    exporter = OTLPSpanExporter(endpoint=endpoint, timeout=EXPORT_SECONDS_MAX)
    return BatchSpanProcessor(exporter, max_queue_size=QUEUED_SPANS_MAX)


class Spans:
    """Hands finished spans to a processor.

    Args:
        processor: takes them.
        sampled_of_256: orders traced, of 256; decided by the correlation, so that all of a trace is there or none.
    """

    def __init__(self, processor: SpanProcessor, sampled_of_256: int = 256) -> None:
        self._processor = processor
        self._sampled_of_256 = sampled_of_256
        self._resource = Resource.create({"service.name": "tmt-engine"})

    def end(self, message: Message, start_ns: int, end_ns: int) -> None:
        """The span of one message, wall time."""
        trace = message.correlation_id
        if len(trace) != _TRACE_HEX or int(trace[-2:], 16) >= self._sampled_of_256:
            return
        parent = message.causation_id if message.message_id != trace else ""
        self._processor.on_end(
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
        self._processor.shutdown()


def _context(trace: str, message_id: str) -> SpanContext:
    return SpanContext(
        trace_id=int(trace, 16),
        span_id=int(message_id[:16], 16),
        is_remote=False,
        trace_flags=TraceFlags(TraceFlags.SAMPLED),
    )
