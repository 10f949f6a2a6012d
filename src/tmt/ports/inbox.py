"""The inbox: how a command from another process reaches a running desk."""

from __future__ import annotations

from typing import Final, NamedTuple, Protocol

from tmt.messages import Message


class Waiting(NamedTuple):
    """One command not yet taken; `body` is its canonical JSON."""

    message_id: str
    body: bytes


PENDING_MAX: Final = 1000
"""Commands shown at a time; the rest are shown once these are done."""


class Inbox(Protocol):
    """Commands in the order put. A message id is stored once, however often and wherever it is put."""

    def put(self, message: Message) -> None:
        """Leave a command; durable when it returns."""

    def pending(self) -> list[Waiting]:
        """Commands not yet done, oldest first, at most `PENDING_MAX`."""

    def done(self, message_id: str) -> None:
        """The command is in the desk's log: do not show it again."""

    def close(self) -> None:
        """Release the store. Closing twice is allowed."""
