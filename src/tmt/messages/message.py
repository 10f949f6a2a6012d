"""What every message carries, and how a judgement is shown."""

from __future__ import annotations

from typing import Any, ClassVar, Final, Self

import msgspec

from tmt.domain.identity import derive_id
from tmt.domain.money import Exact, checked

SCHEMA_VERSION: Final = 2
"""Raised whenever a field changes its meaning; a message of another version is refused, never reinterpreted."""


class Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag=True):
    """What every message carries.

    Attributes:
        starts_trail: whether a message of this type is the root of a decision trail: a signal or a proposal.
        message_id: derived from the cause, the type and a key.
        correlation_id: the signal or proposal that it belongs to, else the message at the root.
        causation_id: the message that this one follows from; empty for a root.
        occurred_at_ns: event time, UTC.
        source: the agent, venue or person that says it.
    """

    starts_trail: ClassVar[bool] = False

    message_id: str
    correlation_id: str
    causation_id: str
    occurred_at_ns: int
    source: str
    version: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        if self.version != SCHEMA_VERSION:
            raise ValueError(f"version must be {SCHEMA_VERSION}, was {self.version}")

    @classmethod
    def root(cls, source: str, occurred_at_ns: int, *key: str, **fields: Any) -> Self:
        """A message that nothing in the log caused, identified by its type and key."""
        message_id = derive_id(cls.__name__, *key)
        return cls(
            message_id=message_id,
            correlation_id=message_id,
            causation_id="",
            occurred_at_ns=occurred_at_ns,
            source=source,
            **fields,
        )

    @classmethod
    def caused_by(
        cls, cause: Message, source: str, *key: str, occurred_at_ns: int | None = None, **fields: Any
    ) -> Self:
        """A message that follows from `cause`; `key` tells siblings of one type apart."""
        message_id = derive_id(cause.message_id, cls.__name__, *key)
        return cls(
            message_id=message_id,
            correlation_id=message_id if cls.starts_trail else cause.correlation_id,
            causation_id=cause.message_id,
            occurred_at_ns=cause.occurred_at_ns if occurred_at_ns is None else occurred_at_ns,
            source=source,
            **fields,
        )


class Measure(msgspec.Struct, frozen=True, kw_only=True):
    """One measured value that a judgement rests on."""

    name: str
    value: Exact
    unit: str

    def __post_init__(self) -> None:
        checked(self.name, self.value)


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One rule applied to one order.

    Attributes:
        rule: the rule's id.
        measured, limit: both in `unit`.
        at_least: whether what is measured must reach the limit; else it must not exceed it.
        outcome: "pass": what is measured keeps the limit; "warn": the order goes on all the same; "reduce"; "deny".
        quantity_after: the order's quantity once this rule has spoken.
    """

    rule: str
    measured: Exact
    limit: Exact
    unit: str
    outcome: str
    quantity_after: Exact
    at_least: bool = False

    def __post_init__(self) -> None:
        checked("measured", self.measured)
        checked("limit", self.limit)
        if self.outcome not in ("pass", "reduce", "warn", "deny"):
            raise ValueError(f"outcome must be pass, reduce, warn or deny, was {self.outcome!r}")
