"""What docs/life-of-an-order.md quotes: lines of a golden replay, and messages of the same replay run again."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from tmt import messages as m
from tmt.adapters.clock.system import SystemClock
from tmt.adapters.feed.opening import open_replay
from tmt.bootstrap import open_desk
from tmt.domain.ledger import settle_fill
from tmt.ports.event_log import EventLog
from tmt.projections.portfolio import Portfolio
from tmt.projections.sentences import plain, utc
from tmt.sections import load_config

RECORDING: Final = "spy-trades"
SYMBOL: Final = "SPY"
FOLDER: Final = "spy_trades_tick"
SEED: Final = 1
"""As in the golden replays; decides how long submissions travel."""


def golden_blocks(golden: str) -> dict[str, str]:
    """Lines of the first trail that filled, by step, and of the first that was denied."""
    filled, denied = _trail(golden, "OrderFilled"), _trail(golden, "OrderDenied")
    gates = [kind.__name__ for kind in m.APPROVALS]
    [submitted] = [line for line in filled if _kind(line) == "OrderSubmitted"]
    [entry] = [line for line in filled if " entry " in line]
    at_venue = filled[filled.index(submitted) + 1 :]
    return {
        "golden-signal": _code(filled[:1]),
        "golden-gates": _code([line for line in filled if _kind(line) in gates]),
        "golden-submitted": _code([submitted]),
        "golden-entry": _code([line for line in at_venue if _time(line) == _time(entry)]),
        "golden-exit": _code([line for line in at_venue if _time(line) > _time(entry)]),
        "golden-denied": _code(denied),
    }


def _trail(golden: str, kind: str) -> list[str]:
    """All lines of the first trail that a signal began and that holds a message of `kind`."""
    lines = golden.partition("\n\n")[2].splitlines()
    for signal in (_correlation(line) for line in lines if _kind(line) == "SignalRaised"):
        trail = [line for line in lines if _correlation(line) == signal]
        if any(_kind(line) == kind for line in trail):
            return trail
    raise ValueError(f"the golden replay holds no {kind}")


def _time(line: str) -> str:
    return line[: len("2000-01-01 00:00:00.000000000")]


def _kind(line: str) -> str:
    return line.split()[2]


def _correlation(line: str) -> str:
    return line.split()[3]


def _code(lines: Sequence[str], language: str = "text") -> str:
    return "\n".join([f"```{language}", *lines, "```", ""])


def replay_blocks(golden: str, data: Path) -> dict[str, str]:
    """Messages of the trail that `golden_blocks` quotes, from a replay of the recording in the folder `data`."""
    loaded = load_config(None)
    [instrument] = [each for each in loaded.sections["instruments"].instruments if each.symbol == SYMBOL]
    feed = open_replay([data / FOLDER], instrument, loaded.sections["feeds"])
    with tempfile.TemporaryDirectory() as book:
        desk = open_desk(loaded, feed, Path(book), mode="replay", seed=SEED, clock=SystemClock())
        try:
            desk.start()
            for batch in desk.batches():
                desk.take(batch)
            return _excerpts(desk.log, desk.portfolio, _correlation(_trail(golden, "OrderFilled")[0]))
        finally:
            desk.close()


def _excerpts(log: EventLog, portfolio: Portfolio, signal_id: str) -> dict[str, str]:
    [signal] = [m.decode(found.body) for found in log.find(signal_id)]
    assert isinstance(signal, m.SignalRaised)
    trail = [m.decode(recorded.body) for recorded in log.correlated(signal.message_id)]
    [bar] = [m.decode(found.body) for found in log.find(signal.causation_id)]
    seen = _range_until(log, signal)
    told = {type(message).__name__: message for message in reversed(trail)}
    fill = told["OrderFilled"]
    assert isinstance(fill, m.OrderFilled)
    sized = told["OrderSized"]
    assert isinstance(sized, m.OrderSized)
    return {
        "bar": _json(bar, "bar"),
        "range": _code([_seen(message) for message in seen]),
        "event": _json(
            next(message for message in reversed(seen) if isinstance(message, m.WyckoffEventSeen)),
            "event",
            "rule",
            "price",
            "evidence",
        ),
        "signal": _json(signal, "setup", "side", "entry_price", "stop_price", "target_price", "confidence", "evidence"),
        "order": _json(sized, "order", "expires_at_ns"),
        "checks": "\n".join(_checks(trail)) + "\n",
        "submitted": _json(
            told["OrderSubmitted"], "client_order_id", "stop_loss_client_order_id", "take_profit_client_order_id"
        ),
        "fill": _json(
            fill, "fill_id", "side", "quantity", "price", "fee", "remaining", "liquidity", "slippage", "quote"
        ),
        "postings": "\n".join(_postings(fill, portfolio)) + "\n",
        "closed": _json(told["PositionClosed"], "side", "quantity", "realised", "fees", "risk_amount", "closing_role"),
        "statistics": _json(told["StatisticsUpdated"], "setup", "trades", "win_rate", "expectancy_r", "profit_factor"),
    }


def _json(message: m.Message, *names: str) -> str:
    """Who says what from which cause, and the fields named; what they hold one item a line."""
    told = msgspec.json.decode(m.encode(message))
    shown = {name: told[name] for name in ("type", "message_id", "causation_id", "occurred_at_ns", "source", *names)}
    lines = []
    for name, value in shown.items():
        lines.append(f'  "{name}": {_text(value)}')
    return _code(["{", ",\n".join(lines), "}"], "json")


def _text(value: Any) -> str:
    match value:
        case list():
            items, marks = [_line(item) for item in value], "[]"
        case {"bid": _, "ask": _, "time_ns": _} | str() | int() | None:
            return _line(value)
        case dict():
            items, marks = [f'"{name}": {_line(item)}' for name, item in value.items()], "{}"
        case _:
            raise AssertionError(value)
    return "\n".join([marks[0], ",\n".join(f"    {item}" for item in items), f"  {marks[1]}"])


def _line(value: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=0).decode()


def _range_until(log: EventLog, signal: m.SignalRaised) -> list[m.Message]:
    until = log.find(signal.message_id)[0].position
    told = [m.decode(recorded.body) for recorded in log.read(types=("WyckoffEventSeen", "PhaseChanged"), until=until)]
    return [
        message
        for message in told
        if isinstance(message, m.WyckoffEventSeen | m.PhaseChanged) and message.range_id == signal.range_id
    ]


def _seen(message: m.Message) -> str:
    match message:
        case m.WyckoffEventSeen():
            return f"{utc(message.occurred_at_ns)} {message.event:4} at {message.price} by {message.rule}"
        case m.PhaseChanged():
            return f"{utc(message.occurred_at_ns)} phase {message.phase_before} -> {message.phase}"
        case _:
            raise AssertionError(message)


def _checks(trail: Sequence[m.Message]) -> Iterator[str]:
    yield "| rule | measured | limit | unit | outcome | quantity after |"
    yield "|---|--:|--:|---|---|--:|"
    for message in trail:
        for check in message.checks if isinstance(message, m.GateApproval) else ():
            figures = f"{plain(check.measured)} | {plain(check.limit)} | {check.unit}"
            yield f"| `{check.rule}` | {figures} | {check.outcome} | {check.quantity_after} |"


def _postings(fill: m.OrderFilled, portfolio: Portfolio) -> Iterator[str]:
    instrument = portfolio.instrument(fill.instrument)
    assert instrument is not None
    transaction = settle_fill(
        account=fill.account,
        instrument=instrument,
        side=fill.side,
        quantity=fill.quantity,
        price=fill.price,
        fee=fill.fee,
        fee_currency=fill.fee_currency,
        fill_id=fill.fill_id,
    )
    yield "| ledger account | unit | amount |"
    yield "|---|---|--:|"
    for posting in transaction.postings:
        yield f"| `{posting.account}` | {posting.unit} | {posting.amount} |"
