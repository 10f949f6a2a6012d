"""The topics of the bus: what travels where, by which key, and for how long.

The log is the truth; topics carry it to agents. `ANSWERS` carries what agents say back to the engine, which gives it a
place in the log.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from tmt import messages as m
from tmt.topology import PATH

DEAD_LETTER_SUFFIX: Final = ".dead-letter"
RETENTION_HOURS: Final = 24


class Topic(NamedTuple):
    """One topic.

    Attributes:
        name: without the deployment's prefix.
        kinds: types that travel on it; empty for `ANSWERS`.
        keyed_by: what the key is, in words.
        key: of a message.
        partitions: fixed for the topic's life, since the key's partition must not move.
        retention_hours: what is older may go; the log keeps it.
    """

    name: str
    kinds: tuple[type[m.Message], ...]
    keyed_by: str
    key: Callable[[Any], str]
    partitions: int
    retention_hours: int = RETENTION_HOURS
    schema_version: int = m.SCHEMA_VERSION

    def producers(self) -> tuple[str, ...]:
        """Agents whose messages it carries; "outside" stands for inputs, the market and the venue."""
        agents = [place.name for place in PATH if set(place.agent.produces) & set(self.kinds)]
        said = {kind for place in PATH for kind in place.agent.produces}
        return (*agents, *(("outside",) if set(self.kinds) - said else ()))

    def consumers(self) -> tuple[str, ...]:
        """Agents that hear something of it."""
        return tuple(place.name for place in PATH if set(place.agent.consumes) & set(self.kinds))


def _account(message: Any) -> str:
    order = getattr(message, "order", message)
    return str(getattr(order, "account", None) or getattr(message, "client_order_id", "desk"))


def _instrument(message: Any) -> str:
    return str(message.bar.instrument if isinstance(message, m.BarClosed) else getattr(message, "instrument", "desk"))


def _scope(message: Any) -> str:
    return str(getattr(message, "account", None) or getattr(message, "scope", "desk"))


def _desk(_: Any) -> str:
    return "desk"


MARKET_DATA: Final = Topic("market-data", (m.MarketDataReceived,), "desk", _desk, 1)
INPUTS: Final = Topic(
    "inputs", tuple(kind for kind in m.INPUTS if kind is not m.MarketDataReceived), "account, else desk", _account, 3
)
MARKET: Final = Topic("market", m.MARKET, "instrument", _instrument, 6)
ANALYSIS: Final = Topic("analysis", m.ANALYSIS, "instrument", _instrument, 6)
RISK: Final = Topic("risk", m.RISK, "account, else desk", _account, 3)
ORDERS: Final = Topic("orders", (*m.GATES, *m.SUBMISSIONS, *m.SCHEDULES), "account", _account, 6)
VENUE: Final = Topic("venue", (*m.VENUE_EVENTS, *m.RECONCILED), "account", _account, 6)
SAFETY: Final = Topic("safety", m.SAFETY, "account or scope", _scope, 3)
OUTCOMES: Final = Topic("outcomes", m.OUTCOMES, "account, else desk", _account, 3)
ANSWERS: Final = Topic("answers", (), "agent", lambda answer: str(answer.agent), 1)

LOGGED: Final = (MARKET_DATA, INPUTS, MARKET, ANALYSIS, RISK, ORDERS, VENUE, SAFETY, OUTCOMES)
"""Topics that carry the log, each type of message on exactly one."""

TOPICS: Final = (*LOGGED, ANSWERS)
TOPIC_OF: Final = {kind.__name__: topic for topic in LOGGED for kind in topic.kinds}
HEARD: Final = tuple(topic for topic in LOGGED if topic is not MARKET_DATA)
"""What agents follow."""


def topic_table() -> str:
    """The registry as a Markdown table."""
    lines = ["| topic | key | partitions | kept | carries | said by | heard by |", "|---|---|--:|--:|---|---|---|"]
    for topic in TOPICS:
        kinds = ", ".join(f"`{kind.__name__}`" for kind in topic.kinds) or "agents' answers"
        said = ", ".join(topic.producers()) if topic.kinds else "every agent but execution"
        heard = ", ".join(topic.consumers()) if topic.kinds else "the engine"
        row = (f"`{topic.name}`", topic.keyed_by, topic.partitions, f"{topic.retention_hours} h", kinds, said, heard)
        lines.append("| " + " | ".join(str(cell) or "–" for cell in row) + " |")
    return "\n".join(lines) + "\n"
