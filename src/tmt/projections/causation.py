"""Chains of causes in the event log: what a message follows from, and whether no gate was left out."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import Final

import msgspec

from tmt import messages as m
from tmt.ports.event_log import EventLog

PATH_UP: Final = ("OrderSubmitted", *(kind.__name__ for kind in reversed(m.APPROVALS)))
"""The steps of an order from the venue's door back to the first gate."""

SLICING: Final = ("SliceDue", "ScheduleStarted")
"""Between the submission of a slice and its parent's release."""

ORIGINS: Final = ("SignalRaised", "OrderProposed", "ExitRaised")
"""Where a trail begins."""


class _Link(msgspec.Struct, frozen=True):
    """What ties a message to its cause."""

    type: str
    causation_id: str


_LINK: Final = msgspec.json.Decoder(_Link)


def cause_of(log: EventLog, message: m.Message) -> m.Message | None:
    """The message that `message` follows from; None for a root, or when the log does not hold it."""
    found = log.find(message.causation_id, 1) if message.causation_id else []
    return m.decode(found[0].body) if found and found[0].message_id == message.causation_id else None


def causes_of(log: EventLog, message: m.Message) -> list[m.Message]:
    """From the root to `message` itself."""
    chain = [message]
    while (cause := cause_of(log, chain[-1])) is not None:
        chain.append(cause)
    return chain[::-1]


def effects_of(log: EventLog, cause: m.Message, position: int) -> list[m.Message]:
    """What followed from the message at `position`, directly or not, trails that it began included, oldest first."""
    known = {cause.message_id}
    found: list[tuple[int, m.Message]] = []

    def follow(correlation_id: str) -> None:
        for recorded in log.correlated(correlation_id):
            if recorded.message_id not in known and _LINK.decode(recorded.body).causation_id in known:
                known.add(recorded.message_id)
                found.append((recorded.position, m.decode(recorded.body)))

    follow(cause.correlation_id)
    for origin in log.read(after=position, types=ORIGINS):
        if origin.message_id not in known and _LINK.decode(origin.body).causation_id in known:
            known.add(origin.message_id)
            found.append((origin.position, m.decode(origin.body)))
            follow(origin.correlation_id)
    return [message for _, message in sorted(found, key=lambda each: each[0])]


def follows_every_gate(chain: Sequence[m.Message]) -> bool:
    """Whether a chain from its root leads through every gate, none left out, as far as its last message got.

    It must begin with a closed bar and its signal, with an exit and what it follows from, or with a proposal.
    """
    return _is_unbroken([type(each).__name__ for each in reversed(chain)])


def incomplete_fills(log: EventLog) -> tuple[str, ...]:
    """Message ids of fills whose chain of causes does not lead through every gate back to its beginning."""
    links: dict[str, _Link] = {}
    fills = []
    for recorded in log.read(types=("OrderFilled", *PATH_UP, *SLICING, *ORIGINS)):
        links[recorded.message_id] = _LINK.decode(recorded.body)
        if recorded.type == "OrderFilled":
            fills.append(recorded.message_id)
    return tuple(fill for fill in fills if not _is_unbroken(_kinds_up(log, links, fill)))


def _kinds_up(log: EventLog, links: dict[str, _Link], message_id: str) -> list[str]:
    kinds = []
    while message_id:
        link = links.get(message_id)
        if link is None:
            found = log.find(message_id, 1)
            if not found:
                break
            link = _LINK.decode(found[0].body)
        kinds.append(link.type)
        message_id = link.causation_id
    return kinds


def _is_unbroken(kinds: Sequence[str]) -> bool:
    kinds = _without_slicing(kinds)
    tip, *above = kinds
    if tip in ("OrderFilled", "OrderDenied"):
        kinds = above
    # Only this order's own: what an exit follows from may be the fill of another order, with gates of its own.
    steps = list(takewhile(PATH_UP.__contains__, kinds))
    if steps != list(PATH_UP[len(PATH_UP) - len(steps) :]) or (tip == "OrderFilled" and len(steps) < len(PATH_UP)):
        return False
    before = kinds[len(steps) :]
    match before:
        case ["OrderProposed", *_] | ["SignalRaised", "BarClosed", *_] | ["ExitRaised", _, *_]:
            return True
        case _:
            return False


def _without_slicing(kinds: Sequence[str]) -> list[str]:
    released = kinds.index("OrderReleased") if "OrderReleased" in kinds else 0
    between = [kind for kind in kinds[:released] if kind in SLICING]
    return list(kinds) if between not in ([], list(SLICING)) else [kind for kind in kinds if kind not in between]
