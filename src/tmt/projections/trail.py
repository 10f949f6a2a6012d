"""The decision trail: from the market bar to the closed position, read back from the event log."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Final

import msgspec

from tmt import messages as m
from tmt.errors import InputError
from tmt.ports.event_log import EventLog, Recorded
from tmt.projections.audience import UNKNOWN, account_of
from tmt.projections.causation import ORIGINS, cause_of, causes_of, effects_of
from tmt.projections.order_trail import OrderTrail, order_of, orders_after
from tmt.projections.sentences import facts, sentence

CANDIDATES_MAX: Final = 10
"""Ids that an error names before it says "and more"."""

LED_TO_MAX: Final = 20
"""Lines of what followed."""

_BEGINNINGS: Final = (m.SignalRaised, m.OrderProposed, m.ExitRaised)
_TOLD_BY_TRAIL: Final = (m.BarClosed, m.SignalRaised, m.OrderProposed)
_HOLDING_IDS: Final = ("OrderSized", "OrderDenied", "OrderSubmitted", "OrderFilled")


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One message, as a line of an explanation.

    Attributes:
        account: whose it is; None: everybody's; empty: of several accounts, or nobody can tell.
    """

    message_id: str
    type: str
    source: str
    occurred_at_ns: int
    account: str | None
    says: str


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for, when it is neither an order's step nor the signal, proposal or bar of `Trail`.

    Attributes:
        facts: the message's own fields that are single values, by name, as people read them.
        checks: what was measured, against which limits.
    """

    says: str
    facts: dict[str, str]
    checks: tuple[m.Check, ...]


class Trail(msgspec.Struct, frozen=True, kw_only=True):
    """Everything behind one id.

    Attributes:
        asked: the id or prefix as it was given; `id` is the whole of it.
        kind: what the id names: a message's type, or "order", "client order" or "fill".
        event: what it says itself.
        causes: from the root to what was asked for.
        led_to: what followed from it, the first `LED_TO_MAX`, without the steps of orders.
        led_to_count: of all that followed.
        events: the Wyckoff events of the signal's range, the oldest first.
        orders: of the order asked for alone, or one for each account of a signal.
        others: for one order of a signal, a line for each other account.
        exit: the exit that ARIA or compliance raised; it may only move stops, and then there is no order.
        complete: the causes reach a root; there is an order, if one was wanted; and all of `orders` are complete.
    """

    asked: str
    id: str
    kind: str
    event: Event | None
    causes: tuple[Step, ...]
    led_to: tuple[Step, ...]
    led_to_count: int
    bar: m.BarClosed | None
    events: tuple[m.WyckoffEventSeen, ...]
    signal: m.SignalRaised | None
    proposal: m.OrderProposed | None
    exit: m.ExitRaised | None
    orders: tuple[OrderTrail, ...]
    others: tuple[str, ...]
    complete: bool


class _Named(msgspec.Struct, frozen=True):
    """The id of an order inside a message, and whose it is."""

    order_id: str = ""
    account: str = ""


class _Ids(msgspec.Struct, frozen=True):
    """Ids that live inside bodies."""

    order: _Named = _Named()
    order_id: str = ""
    client_order_id: str = ""
    stop_loss_client_order_id: str | None = None
    take_profit_client_order_id: str | None = None
    fill_id: str = ""

    def named(self) -> list[tuple[str, str]]:
        clients = (self.client_order_id, self.stop_loss_client_order_id, self.take_profit_client_order_id)
        return [
            ("order", self.order.order_id or self.order_id),
            *(("client order", each) for each in clients if each),
            ("fill", self.fill_id),
        ]


_IDS: Final = msgspec.json.Decoder(_Ids)


def why(log: EventLog, asked: str) -> Trail:
    """The trail of a message, order, client order or fill, by its id or the beginning of it.

    Raises:
        InputError: TMT-T001 when nothing has such an id, TMT-T002 when several have.
    """
    found_id, kind, recorded = _resolve(log, asked)
    anchor = m.decode(recorded.body)
    causes = causes_of(log, anchor)
    step = _step_of_order(log, anchor)
    order_id = "" if step is None else order_of(step)
    chain = causes if step is None or step is anchor else causes_of(log, step)
    belongs = bool(order_id) or isinstance(anchor, _BEGINNINGS)
    origins = _origin_of(chain) if belongs else _origins_after(log, anchor)
    signal = next((each for each in origins if isinstance(each, m.SignalRaised)), None)
    proposal = next((each for each in origins if isinstance(each, m.OrderProposed)), None)
    raised = next((each for each in origins if isinstance(each, m.ExitRaised)), None)
    orders = tuple(order for each in origins for order in orders_after(log, each))
    chosen = tuple(each for each in orders if order_id in ("", each.order_id, *(s.order.order_id for s in each.slices)))
    bars = (each for each in (anchor, *chain) if isinstance(each, m.BarClosed))
    judged_at = raised if signal is None else signal
    bar = next(bars, None) if judged_at is None else cause_of(log, judged_at)
    effects = [each for each in effects_of(log, anchor, recorded.position) if not order_of(each)]
    effects += _closes_for(log, anchor, causes)
    owner = _Owners(log)
    return Trail(
        asked=asked,
        id=found_id,
        kind=kind,
        event=None if order_of(anchor) or isinstance(anchor, _TOLD_BY_TRAIL) else _event(anchor),
        causes=tuple(_line(each, owner) for each in causes),
        led_to=tuple(_line(each, owner) for each in effects[:LED_TO_MAX]),
        led_to_count=len(effects),
        bar=bar if isinstance(bar, m.BarClosed) else None,
        events=() if signal is None else _events_of(log, signal),
        signal=signal,
        proposal=proposal,
        exit=raised,
        orders=chosen,
        others=tuple(f"{each.account}: {each.state}" for each in orders if each not in chosen),
        complete=(bool(chosen) or not _wants_order(anchor))
        and not causes[0].causation_id
        and all(each.complete for each in chosen),
    )


def _resolve(log: EventLog, asked: str) -> tuple[str, str, Recorded]:
    if not asked:
        raise InputError("TMT-T001", "the id is empty", fix="give an id, or the beginning of one, from the log")
    messages = log.find(asked, CANDIDATES_MAX + 1)
    candidates = {each.message_id: (each.type, each) for each in messages}
    if asked not in candidates:
        wanted = asked.encode()
        for recorded in log.read(types=_HOLDING_IDS):
            if wanted in recorded.body:
                for kind, value in _IDS.decode(recorded.body).named():
                    if value.startswith(asked):
                        candidates.setdefault(value, (kind, recorded))
    if asked in candidates:
        return asked, *candidates[asked]
    if not candidates:
        raise InputError(
            "TMT-T001",
            f"nothing in the log has an id that begins with {asked!r}",
            fix="copy an id from `tmt replay --decisions FILE`, or check that this is the right book",
        )
    if len(candidates) > 1:
        named = [f"{value} ({kind})" for value, (kind, _) in sorted(candidates.items())[:CANDIDATES_MAX]]
        more = "" if len(candidates) <= CANDIDATES_MAX else " and more"
        raise InputError(
            "TMT-T002",
            f"several ids begin with {asked!r}: {', '.join(named)}{more}",
            fix="give more of its digits",
        )
    [(value, (kind, recorded))] = candidates.items()
    return value, kind, recorded


def _event(message: m.Message) -> Event:
    return Event(says=sentence(message), facts=facts(message), checks=getattr(message, "checks", ()))


def _line(message: m.Message, owner: Callable[[str], str | None]) -> Step:
    account = account_of(message, owner)
    return Step(
        message_id=message.message_id,
        type=type(message).__name__,
        source=message.source,
        occurred_at_ns=message.occurred_at_ns,
        account="" if account == UNKNOWN else account,
        says=sentence(message),
    )


class _Owners:
    """Whose an order is, by its id at the venue; the log is read when first asked."""

    def __init__(self, log: EventLog) -> None:
        self._log = log

    def __call__(self, client_order_id: str) -> str | None:
        return self._accounts.get(client_order_id)

    @cached_property
    def _accounts(self) -> dict[str, str]:
        accounts = {}
        for recorded in self._log.read(types=("OrderSubmitted",)):
            ids = _IDS.decode(recorded.body)
            accounts.update({value: ids.order.account for kind, value in ids.named() if kind == "client order"})
        return accounts


def _step_of_order(log: EventLog, anchor: m.Message) -> m.Message | None:
    """The message by which to find the order that `anchor` is about; None when it is about none."""
    match anchor:
        case m.PositionClosed():
            # Another order may have closed the position than opened it.
            return _first_with(log, ("OrderSized", "OrderSubmitted"), anchor.order_id) or anchor
        case m.CancelOrder() | m.ReplaceOrder() | m.CancelSubmitted() | m.ReplaceSubmitted():
            return _first_with(log, ("OrderSubmitted",), anchor.client_order_id)
        case _:
            return anchor


def _first_with(log: EventLog, types: tuple[str, ...], named: str) -> m.Message | None:
    """The first message of `types` that names an order, by its id here or at the venue."""
    wanted = named.encode()
    for recorded in log.read(types=types):
        if wanted in recorded.body and any(value == named for _, value in _IDS.decode(recorded.body).named()):
            return m.decode(recorded.body)
    return None


def _origin_of(causes: Sequence[m.Message]) -> list[m.Message]:
    """The last signal, proposal or exit of a chain: an exit may follow from another order's fill."""
    return next(([each] for each in reversed(causes) if isinstance(each, _BEGINNINGS)), [])


def _origins_after(log: EventLog, anchor: m.Message) -> list[m.Message]:
    """The signal and the exits that a bar raised, or the proposals that an emergency stop made."""
    wanted = anchor.message_id.encode()
    decoded = [m.decode(each.body) for each in log.read(types=ORIGINS) if wanted in each.body]
    return [each for each in decoded if each.causation_id == anchor.message_id]


def _closes_for(log: EventLog, anchor: m.Message, causes: Sequence[m.Message]) -> list[m.Message]:
    """The exits of a suspension that closes the account's positions: both follow from what was measured."""
    if not isinstance(anchor, m.AccountSuspended) or not anchor.flatten:
        return []
    beside = [each for cause in causes[-2:-1] for each in _origins_after(log, cause)]
    exits = (each for each in beside if isinstance(each, m.ExitRaised) and each.source == anchor.source)
    return [each for each in exits if each.account == anchor.account]


def _wants_order(anchor: m.Message) -> bool:
    """Whether an order is part of what is asked for: its step, a wish, or a bar, of which somebody may expect one."""
    if isinstance(anchor, m.ExitRaised):
        return anchor.quantity is not None
    return bool(order_of(anchor)) or isinstance(anchor, _TOLD_BY_TRAIL)


def _events_of(log: EventLog, signal: m.SignalRaised) -> tuple[m.WyckoffEventSeen, ...]:
    wanted = signal.range_id.encode()
    events = []
    for recorded in log.read(types=("WyckoffEventSeen",)):
        if recorded.occurred_at_ns > signal.occurred_at_ns:
            break
        if wanted in recorded.body:
            event = m.decode(recorded.body)
            if isinstance(event, m.WyckoffEventSeen) and event.range_id == signal.range_id:
                events.append(event)
    return tuple(events)
