"""Metrics in Prometheus' form; every service has a registry of its own."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

CONTENT_TYPE: Final = "text/plain; version=0.0.4"
HTTP_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Metrics:
    """What one service counts.

    Attributes:
        registry: where further collectors are registered.
    """

    def __init__(self, service: str) -> None:
        self.registry = CollectorRegistry(auto_describe=True)
        self._service = service
        self._http = Histogram(
            "tmt_http_request_duration_seconds",
            "From a request's first byte to the last of its answer",
            ("service", "method", "route", "status"),
            buckets=HTTP_SECONDS,
            registry=self.registry,
        )
        self._auth_failures = Counter(
            "tmt_auth_failures_total",
            "Requests refused because of who asked",
            ("service", "status"),
            registry=self.registry,
        )

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request was answered. `route` is the address's template, never the address itself."""
        self._http.labels(self._service, method, route, str(status)).observe(seconds)
        if status in (401, 403):
            self._auth_failures.labels(self._service, str(status)).inc()

    def text(self) -> bytes:
        """Everything, as Prometheus reads it."""
        return generate_latest(self.registry)
