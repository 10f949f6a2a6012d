"""How long an order takes is told as metrics and as traces, and changes nothing."""

from __future__ import annotations

from pathlib import Path

from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry

from tests.integration.collector import collector
from tests.integration.simulated import hashes, make_desk, proposal, take
from tmt import messages as m
from tmt.adapters.clock.system import SystemClock
from tmt.bootstrap import Desk
from tmt.observability.spans import Spans, otlp
from tmt.observability.stages import Stages


def trade(desk: Desk) -> str:
    take(desk, 6)
    order = proposal(desk, "a")
    desk.command(order)
    take(desk, 2)
    assert desk.runner.counts["OrderFilled"] >= 1
    return order.message_id


def test_a_trace_is_a_correlation_and_a_span_a_message(tmp_path: Path) -> None:
    plain = make_desk(tmp_path / "plain")
    plain.start()
    trade(plain)
    kept, registry = InMemorySpanExporter(), CollectorRegistry()
    desk = make_desk(tmp_path / "traced")
    desk.start()
    desk.runner.logged = Stages(SystemClock(), registry, Spans(SimpleSpanProcessor(kept))).see
    order_id = trade(desk)
    assert hashes(desk) == hashes(plain)
    spans = [span for span in kept.get_finished_spans() if f"{span.context.trace_id:032x}" == order_id]
    messages = [m.decode(each.body) for each in desk.log.correlated(order_id)]
    assert [span.name for span in spans] == [type(each).__name__ for each in messages]
    assert spans[0].parent is None
    assert [f"{span.parent.span_id:016x}" for span in spans[1:] if span.parent] == [
        each.causation_id[:16] for each in messages[1:]
    ]
    assert all((span.start_time or 0) <= (span.end_time or -1) for span in spans)
    counted = registry.get_sample_value("tmt_signal_execution_duration_seconds_count")
    assert counted == desk.runner.counts["OrderSubmitted"]
    stage = registry.get_sample_value("tmt_stage_duration_seconds_count", {"stage": "ComplianceApproved"})
    assert stage == desk.runner.counts["ComplianceApproved"]
    desk.close()
    plain.close()


def test_nothing_is_traced_where_nothing_is_sampled(tmp_path: Path) -> None:
    kept = InMemorySpanExporter()
    desk = make_desk(tmp_path / "book")
    desk.start()
    desk.runner.logged = Stages(SystemClock(), CollectorRegistry(), Spans(SimpleSpanProcessor(kept), 0)).see
    trade(desk)
    assert kept.get_finished_spans() == ()
    desk.close()


def test_spans_reach_a_collector(tmp_path: Path) -> None:
    desk = make_desk(tmp_path / "book")
    desk.start()
    with collector() as (endpoint, received):
        stages = Stages(SystemClock(), CollectorRegistry(), Spans(otlp(endpoint)))
        desk.runner.logged = stages.see
        order_id = trade(desk)
        stages.close()
    desk.close()
    spans = [
        span
        for each in received
        for group in each.resource_spans
        for scope in group.scope_spans
        for span in scope.spans
    ]
    assert {span.trace_id.hex() for span in spans} >= {order_id}
