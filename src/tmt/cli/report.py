"""The result of a replay, for people."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tmt.projections.report import ReplayResult
from tmt.projections.sentences import plain, utc

_LIFTED: Final = {
    "person": "`tmt resume` after review",
    "test_trades": "closes after good test trades",
    "cool_down": "ends by itself, when its cause and its cool-down are over",
}


def render_result(result: ReplayResult, console: Console) -> None:
    """Print what a replay came to; money to the cent where it has more digits, exact in `--json`."""
    if result.simulated:
        console.print("[bold reverse] DEMO [/] simulated market data: these results say nothing about any market")
    _render_totals(result, console)
    _render_accounts(result, console)
    _render_warnings(result, console)
    if result.outcomes:
        _render_outcomes(result, console)
    if result.denials:
        table = _table("gate", "reason", right=("denied",))
        for gate, reasons in result.denials.items():
            for reason, count in reasons.items():
                table.add_row(escape(gate), escape(reason), f"{count:,}")
        _print(table, console)
    _render_quality(result, console)
    for breach in result.breaches:
        console.print(f"[bold red]invariant broken[/] {escape(breach)}", highlight=False, soft_wrap=True)
    _render_hashes(result, console)


def _render_totals(result: ReplayResult, console: Console) -> None:
    span = (
        "no bar" if result.first_time_ns is None else f"{utc(result.first_time_ns)} to {utc(result.last_time_ns)} UTC"
    )
    rate = f", {result.rows / result.elapsed_seconds:,.0f} rows/s" if result.elapsed_seconds > 0 else ""
    resumed = ", resumed: totals are of the whole book" if result.resumed else ""
    console.print(f"[bold]{', '.join(result.instruments)}[/] {span}", highlight=False, soft_wrap=True)
    console.print(f"{result.elapsed_seconds:.1f} s{rate}{resumed}", highlight=False)
    counted = ("rows", "bars", "signals", "orders", "fills", "rejected", "events")
    words = ", ".join(f"{getattr(result, name):,} {name}" for name in counted)
    console.print(words, highlight=False, soft_wrap=True)


def _render_accounts(result: ReplayResult, console: Console) -> None:
    table = _table("account", right=("equity", "realised", "unrealised", "fees", "drawdown", "open"))
    for name, each in result.accounts.items():
        money = (_money(value) for value in (each.equity, each.realised, each.unrealised, each.fees))
        table.add_row(
            f"{escape(name)} ({escape(each.currency)})",
            *money,
            _percent(each.drawdown_fraction),
            str(each.positions_open),
        )
    _print(table, console)


def _render_warnings(result: ReplayResult, console: Console) -> None:
    for name in result.ruined:
        each = result.accounts[name]
        words = f"{name}: equity {_money(each.equity)} {each.currency} is at or below zero; nothing more can be opened"
        console.print(f"[bold red reverse] RUINED [/] {escape(words)}", highlight=False, soft_wrap=True)
    for halt in result.halts:
        state = halt.state.replace("_", " ")
        measured = f" {plain(halt.measured)} of {plain(halt.limit)}" if halt.limit else ""
        words = f"{halt.tier}/{halt.scope} {state} since {utc(halt.since_ns)[:10]} by {halt.trigger}{measured}"
        console.print(
            f"[bold red]BREAKER[/] {escape(words)}: {_LIFTED[halt.resumes_by]}", highlight=False, soft_wrap=True
        )
    if result.ruined or result.halts:
        console.print()


def _render_outcomes(result: ReplayResult, console: Console) -> None:
    table = _table("setup", right=("trips", "won", "R each", "after fees"))
    for setup, each in result.outcomes.items():
        expectancy = "-" if each.expectancy_r is None else plain(each.expectancy_r)
        profit = ", ".join(f"{_money(amount)} {escape(currency)}" for currency, amount in each.profit.items())
        table.add_row(escape(setup), str(each.trips), _percent(each.win_fraction), expectancy, profit)
    _print(table, console)


def _render_quality(result: ReplayResult, console: Console) -> None:
    for symbol, found in sorted(result.feed_quality.instruments.items()):
        longest = "" if found.longest_gap is None else f", longest gap {found.longest_gap.length_ns / 1e9:,.0f} s"
        words = f"{found.rows:,} rows kept, {found.dropped:,} dropped, {found.gaps:,} gaps{longest}"
        console.print(f"feed {escape(symbol)}: {words}", highlight=False, soft_wrap=True)
    for note in result.feed_quality.notes:
        console.print(f"feed: {escape(note)}", highlight=False, soft_wrap=True)


def _render_hashes(result: ReplayResult, console: Console) -> None:
    held = "all held" if not result.breaches else f"{len(result.breaches)} breaches"
    console.print(f"invariants  {result.invariants_checked} rules, {held}", highlight=False)
    console.print(f"decisions   {result.decision_hash}", highlight=False, soft_wrap=True)
    console.print(f"ledger      {result.ledger_hash}", highlight=False, soft_wrap=True)
    console.print(f"config      {result.config_hash}  seed {result.seed}", highlight=False, soft_wrap=True)


def _table(*left: str, right: tuple[str, ...]) -> Table:
    table = Table(*left, box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for name in right:
        table.add_column(name, justify="right")
    return table


def _print(table: Table, console: Console) -> None:
    console.print()
    console.print(table)
    console.print()


def _money(value: Decimal | None) -> str:
    return "unknown" if value is None else f"{value:,.2f}"


def _percent(value: Decimal | None) -> str:
    return "unknown" if value is None else f"{value:.2%}"
