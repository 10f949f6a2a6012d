"""The door: how people and programs reach a running desk."""

from __future__ import annotations

from typing import Protocol

import msgspec

from tmt.messages import Message


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a command.

    Attributes:
        message_id: the command's.
        position: log position of the command; it and all that followed from it at once are durable.
        repeated: the command was in the log already; nothing was run again.
        answers: what was decided in the command's own step and belongs to its correlation, in log order.
    """

    message_id: str
    position: int
    repeated: bool
    answers: tuple[Message, ...]


class Door(Protocol):
    """Takes commands: messages of `tmt.messages.INPUTS` that people and programs may send."""

    async def submit(self, command: Message) -> Taken:
        """Run `command` once, however often its message id is submitted; durable when it returns.

        Raises:
            InputError: it is no command, or its id was used for another one.
            AdapterUnavailable: the desk is busy (nothing was taken), or cannot be reached.
            OutcomeUnknown: the desk was reached but did not answer in time; submit the same command again to learn.
        """
        ...
