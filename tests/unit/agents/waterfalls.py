"""The waterfall of a gate's answer as rows of plain text, for tests that hold all of it."""

from __future__ import annotations

from decimal import Decimal

from tmt import messages as m

Row = tuple[str, str, str, str, str, str, bool]
"""Rule without its gate, measured, limit, unit, outcome, quantity after it, and whether the limit is a lower bound."""


def shown(said: m.Message) -> list[Row]:
    """One row a check; the answer must survive the log's encoding."""
    assert isinstance(said, m.GateApproval | m.OrderDenied)
    assert m.decode(m.encode(said)) == said
    return [
        (
            check.rule.removeprefix(f"{said.source}."),
            plain(check.measured),
            plain(check.limit),
            check.unit,
            check.outcome,
            plain(check.quantity_after),
            check.at_least,
        )
        for check in said.checks
    ]


def plain(value: Decimal) -> str:
    """Digits without exponent or trailing zeros; a negative zero becomes a plain one."""
    return f"{value.normalize() + 0:f}"
