"""The path to agents in other processes: they hear what is logged, in the log's order, and answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from tmt.messages import Message
from tmt.ports.event_log import Recorded


class AgentPath(Protocol):
    """The engine's side. A message is heard only once it is durable."""

    def publish(self, recorded: Recorded, message: Message) -> None:
        """Let every agent hear what the log holds at the next position; returns before they do.

        Args:
            recorded: as the log holds it.
            message: the same, decoded.
        """

    def asks(self, kind: type[Message]) -> bool:
        """Whether an agent over there may answer messages of this type."""
        ...

    def answers(self, agent: str, message: Message) -> Sequence[Message]:
        """What `agent` answers to the newest message published, waiting for it.

        Raises:
            AgentSilent: when no instance of the agent answers within the patience configured.
        """
        ...

    def answered_up_to(self, agent: str) -> int:
        """Newest position of the log that `agent` has come to, as heard since it was last silent; 0 for nothing."""
        ...

    def slowest_seconds(self) -> float:
        """Longest wait for an answer since this was last asked; wall time."""
        ...

    def recall(self, answers: Mapping[str, Sequence[Message]] | None) -> None:
        """Take answers from here, by the id of what they follow from, instead of asking; None: ask again."""
