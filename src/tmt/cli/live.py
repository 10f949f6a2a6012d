"""The live view of a running desk: a page of 80 x 24 characters, or a line a time."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from types import TracebackType
from typing import Final, Self

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from tmt.agents.circuit_breaker.breakers import MANUAL
from tmt.projections.desk_view import AccountLine, BreakerLine, DeskSnapshot, EventLine, MarketLine, PositionLine
from tmt.projections.sentences import plain, utc

WIDTH: Final = 80
HEIGHT: Final = 24
ANALYSIS: Final = ("WyckoffEventSeen", "PhaseChanged")
_ROWS_MAX: Final = {"market": 4, "accounts": 3, "positions": 4, "breakers": 2}


class LiveView:
    """Shows snapshots on a terminal, each in the place of the one before. Use as a context."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, auto_refresh=False, transient=False)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def show(self, snapshot: DeskSnapshot) -> None:
        """Draw one snapshot."""
        self._live.update(page(snapshot), refresh=True)


def page(snapshot: DeskSnapshot) -> Group:
    """At most 23 lines of at most 80 characters, readable without colour; what does not fit is counted."""
    lines = [_header(snapshot), *_market(snapshot), *_accounts(snapshot), *_positions(snapshot), *_breakers(snapshot)]
    lines += [_orders(snapshot), *_quality(snapshot), _agents(snapshot)]
    lines.append(_title("newest events"))
    for event in _news(snapshot.events, HEIGHT - 1 - len(lines)):
        lines.append(_line(f"{utc(event.time_ns)[11:]} {event.text}"))
    return Group(*lines)


def _news(events: Sequence[EventLine], lines: int) -> list[EventLine]:
    """The newest events, decisions before analysis, which is far more frequent; in the order given."""
    by_weight = sorted(range(len(events)), key=lambda number: events[number].type in ANALYSIS)
    return [events[number] for number in sorted(by_weight[: max(lines, 0)])]


def log_line(snapshot: DeskSnapshot) -> str:
    """The same in one line, for a log: key=value, no spaces in values."""
    equity = ",".join(f"{each.account}:{_money(each.equity, grouped=False)}" for each in snapshot.accounts)
    not_closed = ",".join(f"{each.tier}/{each.scope}:{each.state}" for each in _troubled(snapshot))
    stale = ",".join(each.instrument for each in snapshot.market if each.stale)
    closed = ",".join(each.instrument for each in snapshot.market if not each.open)
    words = {
        "time": utc(snapshot.time_ns).replace(" ", "T") + "Z",
        "demo": "yes" if snapshot.simulated else "",
        "bars": str(snapshot.counts.get("BarClosed", 0)),
        "signals": str(snapshot.counts.get("SignalRaised", 0)),
        "denied": str(snapshot.counts.get("OrderDenied", 0)),
        "fills": str(snapshot.counts.get("OrderFilled", 0)),
        "positions": str(len(snapshot.positions)),
        "orders": str(len(snapshot.orders)),
        "equity": equity,
        "breakers": not_closed,
        "stale": stale,
        "closed": closed,
    }
    return " ".join(f"{key}={value}" for key, value in words.items() if value)


def _line(text: str, style: str = "") -> Text:
    return Text(text if len(text) <= WIDTH else f"{text[: WIDTH - 1]}…", style=style, no_wrap=True)


def _title(text: str) -> Text:
    return _line(f"-- {text} ".ljust(WIDTH, "-"), "dim")


def _header(snapshot: DeskSnapshot) -> Text:
    header = Text(no_wrap=True)
    if snapshot.simulated:
        header.append(" DEMO ", "bold reverse").append(" simulated data  ")
    header.append(f"tmt {snapshot.mode}  {utc(snapshot.time_ns)} UTC", "bold")
    return header


def _market(snapshot: DeskSnapshot) -> list[Text]:
    shown = snapshot.market[: _ROWS_MAX["market"]]
    lines = [_title("market: bid / ask, newest bar, phases")]
    lines += [_line(_market_words(each), "yellow" if each.stale else "") for each in shown]
    return _counted(lines, len(snapshot.market), "market")


def _market_words(each: MarketLine) -> str:
    bar = "no bar yet" if each.bar is None else f"{each.bar.timeframe} {plain(each.bar.close)}"
    phases = ", ".join(f"{key} {phase}" for key, phase in each.phases.items()) or "no range"
    stale = "STALE " if each.stale else ""
    return f"{each.instrument:<8} {stale}{_quote(each):<21} {bar:<14} {phases}"


def _accounts(snapshot: DeskSnapshot) -> list[Text]:
    lines = [_title("accounts: equity, open profit, drawdown, daily loss")]
    lines += [_account(each) for each in snapshot.accounts[: _ROWS_MAX["accounts"]]]
    return _counted(lines, len(snapshot.accounts), "accounts")


def _account(each: AccountLine) -> Text:
    money = f"{_money(each.equity):>13} {_money(each.unrealised):>10} {each.currency:<4}"
    losses = f"{_percent(each.drawdown_fraction):>6} {_percent(each.daily_loss_fraction):>6}"
    suspended = f" SUSPENDED {each.suspended_by}" if each.suspended_by else ""
    return _line(f"{each.account:<10} {money} {losses}{suspended}", "bold red" if suspended else "")


def _positions(snapshot: DeskSnapshot) -> list[Text]:
    lines = [_title("positions: quantity, entry, stop, open profit")]
    lines += [_line(_position(each)) for each in snapshot.positions[: _ROWS_MAX["positions"]]]
    return _counted(lines if len(lines) > 1 else [*lines, _line("flat")], len(snapshot.positions), "positions")


def _position(each: PositionLine) -> str:
    entry = "?" if each.average_price is None else f"{each.average_price:.6g}"
    stop = "none" if each.stop_price is None else plain(each.stop_price)
    side = f"{each.account:<10} {each.instrument:<8} {plain(each.quantity):>10}"
    return f"{side} at {entry:<10} stop {stop:<10} {_money(each.unrealised):>11} {each.currency}"


def _breakers(snapshot: DeskSnapshot) -> list[Text]:
    troubled = _troubled(snapshot)
    if not troubled:
        return [_line(f"breakers: all {len(snapshot.breakers)} closed")]
    shown = troubled[: _ROWS_MAX["breakers"]]
    lines = [_line(f"BREAKER {each.tier}/{each.scope} {each.state}: {each.trigger}", "bold red") for each in shown]
    return _counted(lines, len(troubled), "breakers")


def _troubled(snapshot: DeskSnapshot) -> list[BreakerLine]:
    """Breakers that are not closed: the whole desk's first, then what a person stopped, then the others."""
    troubled = [each for each in snapshot.breakers if each.state != "closed"]
    return sorted(troubled, key=lambda each: (each.tier != "system", each.trigger not in MANUAL))


def _orders(snapshot: DeskSnapshot) -> Text:
    counts = snapshot.counts
    done = ("SignalRaised", "signals"), ("OrderDenied", "denied"), ("OrderSubmitted", "sent"), ("OrderFilled", "fills")
    words = ", ".join(f"{counts.get(kind, 0):,} {name}" for kind, name in done)
    return _line(f"orders: {len(snapshot.orders)} working; so far {words}")


def _quality(snapshot: DeskSnapshot) -> list[Text]:
    # Only the desk that reads the feed knows its totals; whoever reads the log beside it has none to show.
    found = snapshot.feed_quality.instruments.values()
    if not found:
        return []
    rows, dropped = sum(each.rows for each in found), sum(each.dropped for each in found)
    return [_line(f"feed: {rows:,} rows, {dropped:,} dropped, {sum(each.gaps for each in found):,} gaps")]


def _agents(snapshot: DeskSnapshot) -> Text:
    return _line("heard: " + " ".join(f"{each.name[:8]} {_short(each.handled)}" for each in snapshot.agents))


def _counted(lines: list[Text], total: int, what: str) -> list[Text]:
    hidden = total - _ROWS_MAX[what]
    if hidden > 0:
        lines[-1] = _line(f"{lines[-1].plain[: WIDTH - 12].rstrip()} +{hidden} more", str(lines[-1].style))
    return lines


def _quote(each: MarketLine) -> str:
    if each.quote is None:
        return "no quote yet" if each.open else "closed"
    return f"{'' if each.open else 'closed '}{plain(each.quote.bid)} / {plain(each.quote.ask)}"


def _money(value: Decimal | None, *, grouped: bool = True) -> str:
    if value is None:
        return "unknown"
    return f"{value:,.2f}" if grouped else f"{value:.2f}"


def _percent(value: Decimal | None) -> str:
    return "unknown" if value is None else f"{value:.2%}"


def _short(count: int) -> str:
    if count < 1_000:
        return str(count)
    return f"{count // 1_000}k" if count < 1_000_000 else f"{count // 1_000_000}M"
