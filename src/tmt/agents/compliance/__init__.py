"""Compliance gate: BehaviourApproved -> ComplianceApproved or OrderDenied."""

from tmt.agents.compliance.agent import ComplianceAgent
from tmt.agents.compliance.config import ComplianceConfig
from tmt.agents.compliance.decide import decide, evolve
from tmt.agents.compliance.rule_book import RuleBook

__all__ = ["ComplianceAgent", "ComplianceConfig", "RuleBook", "decide", "evolve"]
