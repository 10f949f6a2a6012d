"""Metrics of the desk itself, folded from its log: what they count begins where the log does."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from tmt.projections.desk_reader import DeskReader

BREAKER_STATES: Final = {"closed": 0, "half_open": 1, "reducing": 2, "open": 3}
"""Value of `tmt_circuit_breaker_state`."""


class DeskMetrics(Collector):
    """What a reader of the log has folded, at the moment somebody asks."""

    def __init__(self, reader: DeskReader) -> None:
        self._reader = reader

    def describe(self) -> list[Metric]:
        """Nothing in advance: what there is depends on the desk."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Every metric, of one moment."""
        with self._reader.lock:
            metrics = [*self._orders(), *self._safety(), *self._money()]
        yield from metrics

    def _orders(self) -> Iterator[Metric]:
        tallies = self._reader.tallies
        orders = CounterMetricFamily("tmt_orders", "Orders by what became of them", labels=["outcome"])
        for outcome, count in sorted(tallies.outcomes.items()):
            orders.add_metric([outcome], count)
        yield orders
        denials = CounterMetricFamily("tmt_denials", "Orders denied", labels=["gate", "reason"])
        for (gate, reason), count in sorted(tallies.denials.items()):
            denials.add_metric([gate, reason], count)
        yield denials
        violations = CounterMetricFamily("tmt_compliance_violations", "Orders denied by compliance", labels=["rule"])
        for (gate, reason), count in sorted(tallies.denials.items()):
            if gate == "compliance":
                violations.add_metric([reason], count)
        yield violations
        yield CounterMetricFamily("tmt_fills", "Executions", value=tallies.fills)
        yield CounterMetricFamily("tmt_feed_gaps", "Silences of open markets", value=tallies.gaps)

    def _safety(self) -> Iterator[Metric]:
        state = GaugeMetricFamily(
            "tmt_circuit_breaker_state", "0 closed, 1 half open, 2 reducing, 3 open", labels=["tier", "scope"]
        )
        for breaker in self._reader.snapshot().breakers:
            state.add_metric([breaker.tier, breaker.scope], BREAKER_STATES[breaker.state])
        yield state
        activations = CounterMetricFamily("tmt_circuit_breaker_activations", "Breakers opened", labels=["tier"])
        for tier, count in sorted(self._reader.tallies.activations.items()):
            activations.add_metric([tier], count)
        yield activations
        proposals = CounterMetricFamily("tmt_improvement_proposals", "Changes of parameters", labels=["state"])
        proposals.add_metric(["proposed"], self._reader.tallies.proposals)
        yield proposals

    def _money(self) -> Iterator[Metric]:
        portfolio = self._reader.portfolio
        profit = GaugeMetricFamily("tmt_pnl", "Profit in the account's currency", labels=["account", "kind"])
        drawdown = GaugeMetricFamily("tmt_drawdown_ratio", "Fall from the peak over the peak", labels=["account"])
        for account in portfolio.accounts:
            name = account.account_id
            _add(profit, [name, "realised"], portfolio.realised(name))
            _add(profit, [name, "unrealised"], portfolio.unrealised(name))
            _add(profit, [name, "fees"], portfolio.fees(name))
            _add(drawdown, [name], portfolio.drawdown_fraction(name))
        yield profit
        yield drawdown


def _add(family: GaugeMetricFamily, labels: list[str], value: Decimal | None) -> None:
    if value is not None:
        family.add_metric(labels, float(value))
