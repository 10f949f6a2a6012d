"""Circuit breaker: ComplianceApproved -> OrderReleased or OrderDenied, and when trading stops and resumes."""

from tmt.agents.circuit_breaker.agent import CircuitBreakerAgent
from tmt.agents.circuit_breaker.config import CircuitBreakerConfig
from tmt.agents.circuit_breaker.decide import decide, evolve

__all__ = ["CircuitBreakerAgent", "CircuitBreakerConfig", "decide", "evolve"]
