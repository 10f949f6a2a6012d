"""The bus: how a message reaches those who consume it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from tmt.messages import Message

Handler = Callable[[Message], Iterable[Message]]


class Bus(Protocol):
    """Delivers each message to all of its handlers, in the order subscribed, before any message that follows from it.

    What handlers answer is published in turn, depth first: all that follows from the first answer comes before the
    second. A cascade is bounded; passing the bound raises BusUnavailable, because the desk would never come to rest.
    """

    def subscribe(self, kinds: Iterable[type[Message]], handler: Handler) -> None:
        """Hand every message of `kinds` to `handler` from now on."""

    def publish(self, message: Message) -> None:
        """Deliver `message` and all that follows from it."""
