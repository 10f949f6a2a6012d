"""The bus of one process: a table of handlers and a bounded stack."""

from __future__ import annotations

from collections.abc import Iterable

from tmt.errors import BusUnavailable
from tmt.messages import Message
from tmt.ports.bus import Handler


class InProcessBus:
    """See `ports.bus.Bus`.

    Args:
        cascade_messages_max: messages that one published message may lead to.
    """

    def __init__(self, cascade_messages_max: int = 100_000) -> None:
        self._cascade_messages_max = cascade_messages_max
        self._handlers: dict[type[Message], list[Handler]] = {}

    def subscribe(self, kinds: Iterable[type[Message]], handler: Handler) -> None:
        """Hand every message of `kinds` to `handler` from now on."""
        for kind in kinds:
            self._handlers.setdefault(kind, []).append(handler)

    def publish(self, message: Message) -> None:
        """Deliver `message` and all that follows from it."""
        waiting = [message]
        delivered = 0
        while waiting:
            current = waiting.pop()
            delivered += 1
            if delivered > self._cascade_messages_max:
                raise BusUnavailable(
                    "TMT-B001",
                    f"more than {self._cascade_messages_max} messages follow from one {type(message).__name__}",
                    where=message.message_id,
                    fix="report this: agents answer one another without end",
                )
            answers: list[Message] = []
            for handler in self._handlers.get(type(current), ()):
                answers.extend(handler(current))
            waiting.extend(reversed(answers))
