"""What bounds the engine, and whether it takes market data from outside."""

from __future__ import annotations

import msgspec


class EngineConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The engine's service and loop.

    Attributes:
        load_testing_enabled: whether market data may be posted.
        posted_rows_waiting_max: posted rows that may wait for the desk; more are refused until it catches up.
        posted_delay_ms: how far event time is behind the wall on a posted feed, so that rows of several senders find
            their order.
        posted_body_bytes_max: of a request with market data.
        commands_waiting_max: commands that may wait for the desk; emergency stops have as many places of their own.
        answer_seconds_max: how long the answer to a command is waited for.
        turn_seconds_max: age of the loop's newest turn from which the desk counts as not ready.
    """

    load_testing_enabled: bool
    posted_rows_waiting_max: int
    posted_delay_ms: int
    posted_body_bytes_max: int
    commands_waiting_max: int
    answer_seconds_max: int
    turn_seconds_max: int

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            if getattr(self, name) < 1 and name != "load_testing_enabled":
                raise ValueError(f"{name} must be at least 1, was {getattr(self, name)}")
