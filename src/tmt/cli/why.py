"""`tmt why` and `tmt why-not`: the decision trail for people."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tmt import messages as m
from tmt.domain.session import NANOSECONDS_PER_SECOND
from tmt.errors import InputError
from tmt.market.bar import Bar
from tmt.projections.order_trail import OrderTrail
from tmt.projections.sentences import plain, sentence, utc
from tmt.projections.trail import Step, Trail, why
from tmt.projections.why_not import TimeframeThen, WhyNot, why_not

__all__ = ["parse_time", "render_trail", "render_why_not", "why", "why_not"]

_ID_SHOWN: Final = 12
_STYLES: Final = {"pass": "", "reduce": "yellow", "warn": "yellow", "deny": "bold red"}


def parse_time(text: str) -> tuple[int, bool]:
    """Nanoseconds UTC of an ISO 8601 time, and whether UTC was assumed because it names no zone.

    Raises:
        InputError: TMT-T005 when `text` is no such time.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(
            "TMT-T005",
            f"{text!r} is not an ISO 8601 time",
            fix="write it as 2024-03-01T14:05:00Z or 2024-03-01T14:05:00+01:00",
        ) from error
    assumed = moment.tzinfo is None
    aware = moment.replace(tzinfo=UTC) if assumed else moment
    microseconds = (aware - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    return microseconds * NANOSECONDS_PER_SECOND // 1_000_000, assumed


def render_trail(trail: Trail, console: Console) -> None:
    """Print a trail: the event itself, its causes and effects; bar, events, signal, then every order to its end."""
    console.print(f"[bold]{escape(trail.kind)}[/] {escape(trail.id)}", highlight=False)
    _render_event(trail, console)
    if trail.event is None or trail.orders:
        _render_origins(trail, console)
    for order in trail.orders:
        _render_order(order, console)
    for line in trail.others:
        console.print(f"Also of this signal: {escape(line)}", highlight=False)
    if trail.complete:
        return
    if trail.event is None and not trail.orders:
        console.print("No order follows from it.", highlight=False)
    elif trail.exit is not None and not trail.orders:
        console.print("It wanted an order, and none follows from it.", highlight=False)
    else:
        console.print("[bold red]The chain of causes is broken: `tmt doctor` checks the log.[/]", highlight=False)


def _render_event(trail: Trail, console: Console) -> None:
    """What was asked for itself, what it follows from, and what followed."""
    if trail.event is not None:
        console.print("[bold]This event[/]", highlight=False)
        told = trail.causes[-1]
        _say(console, told.occurred_at_ns, told.source, trail.event.says)
        for name, value in trail.event.facts.items():
            console.print(f"{'':21}[dim]{escape(name)}: {escape(value)}[/]", highlight=False, soft_wrap=True)
        _checks(console, trail.event.checks)
    _lines(console, "Because of", _untold_causes(trail), 0)
    _lines(console, "It led to", trail.led_to, trail.led_to_count - len(trail.led_to))


def _untold_causes(trail: Trail) -> tuple[Step, ...]:
    """The causes that are not told by the rest: of an event all, of an order's step those before its trail began."""
    causes = trail.causes[:-1]
    begun = {each.message_id for each in (trail.signal, trail.proposal, trail.exit) if each is not None}
    if trail.event is None:
        first = next((place for place, each in enumerate(trail.causes) if each.message_id in begun), 0)
        causes = trail.causes[:first]
    bar = "" if trail.event is not None or trail.bar is None else trail.bar.message_id
    return tuple(each for each in causes if each.message_id != bar)


def _lines(console: Console, title: str, lines: tuple[Step, ...], more: int) -> None:
    if not lines:
        return
    console.print(f"[bold]{title}[/]", highlight=False)
    for line in lines:
        _say(console, line.occurred_at_ns, line.source, f"{line.says}  {line.type} {line.message_id[:_ID_SHOWN]}")
    if more > 0:
        console.print(f"{'':21}and {more} more", highlight=False)


def _render_origins(trail: Trail, console: Console) -> None:
    """The bar, the Wyckoff events, and the signal, proposal or exit, with what each rests on."""
    if trail.bar is not None:
        _say(console, trail.bar.occurred_at_ns, "market", _bar_words(trail.bar.bar))
    for event in trail.events:
        _say(console, event.occurred_at_ns, event.source, sentence(event))
        _evidence(console, event.evidence)
    for origin in (trail.signal, trail.proposal, trail.exit):
        if origin is not None and (trail.event is None or origin.message_id != trail.id):
            _say(console, origin.occurred_at_ns, origin.source, sentence(origin))
    if trail.signal is not None:
        evidence = (m.Measure(name="confidence", value=trail.signal.confidence, unit="share"), *trail.signal.evidence)
        _evidence(console, evidence)
    if trail.exit is not None and (trail.event is None or trail.exit.message_id != trail.id):
        _checks(console, trail.exit.checks)


def _render_order(order: OrderTrail, console: Console) -> None:
    title = f"{order.account or 'no account'}: {order.side} {order.instrument}, {order.state}"
    console.print()
    console.print(
        f"[bold]{escape(title)}[/]  order {escape(order.order_id[:_ID_SHOWN])}", highlight=False, soft_wrap=True
    )
    table = Table("gate and rule", box=None, padding=(0, 1, 0, 0), pad_edge=False)
    for name in ("measured", "limit"):
        table.add_column(name, justify="right")
    table.add_column("unit")
    table.add_column("verdict")
    table.add_column("quantity", justify="right")
    for gate in order.gates:
        for check in gate.checks:
            row = (check.rule, plain(check.measured), plain(check.limit), check.unit, check.outcome)
            table.add_row(*map(escape, row), plain(check.quantity_after), style=_STYLES[check.outcome])
        style = "bold red" if gate.outcome == "denied" else "bold"
        table.add_row(f"= {escape(gate.gate)}", "", "", "", gate.outcome, plain(gate.quantity_after), style=style)
    console.print(table)
    _deciders(order, console)
    if order.denial is not None:
        console.print(f"[bold red]Denied[/]: {escape(order.denial.detail)}", highlight=False, soft_wrap=True)
        console.print(f"What would have changed it: {escape(order.flip)}.", highlight=False, soft_wrap=True)
        console.print("The gates after it were not asked.", highlight=False)
    submissions = order.slices or (() if order.submission is None else (order.submission,))
    for said in sorted((*submissions, *order.reports), key=lambda each: each.occurred_at_ns):
        _say(console, said.occurred_at_ns, said.source, sentence(said) + _fill_words(said))
    if order.shortfall is not None:
        _say(console, order.shortfall.occurred_at_ns, order.shortfall.source, sentence(order.shortfall))
    if order.closed is not None:
        multiple = "no stop, no R" if order.r_multiple is None else f"{plain(order.r_multiple)} R"
        _say(console, order.closed.occurred_at_ns, order.closed.source, f"{sentence(order.closed)}, {multiple}")


def _deciders(order: OrderTrail, console: Console) -> None:
    """By which configuration and which rule book the gates judged."""
    by_hash: dict[str, list[str]] = {}
    for gate in order.gates:
        by_hash.setdefault(gate.config_hash, []).append(gate.gate)
    for config_hash, gates in by_hash.items():
        words = f"Configuration {config_hash[:_ID_SHOWN]}: {', '.join(gates)}"
        console.print(f"[dim]{escape(words)}[/]", highlight=False, soft_wrap=True)
    for gate in order.gates:
        if gate.rule_book:
            words = f"Rule book {gate.rule_book}, version {gate.rule_book_version}: {gate.gate}"
            console.print(f"[dim]{escape(words)}[/]", highlight=False, soft_wrap=True)


def render_why_not(answer: WhyNot, console: Console, *, utc_assumed: bool = False) -> None:
    """Print what happened, or did not, timeframe by timeframe."""
    assumed = " (no zone given: UTC assumed)" if utc_assumed else ""
    console.print(f"[bold]{escape(answer.instrument)}[/] at {utc(answer.time_ns)} UTC{assumed}", highlight=False)
    for each in answer.timeframes:
        _render_timeframe(each, console)


def _render_timeframe(then: TimeframeThen, console: Console) -> None:
    console.print()
    bar = f"{then.timeframe}: no closed bar" if then.bar is None else _bar_words(then.bar.bar)
    console.print(f"[bold]{escape(bar)}[/]", highlight=False, soft_wrap=True)
    for event in then.last_events:
        mark = " <- this bar" if event in then.at_bar else ""
        _say(console, event.occurred_at_ns, event.source, sentence(event) + mark)
    for signal in then.signals:
        _say(console, signal.signal.occurred_at_ns, signal.signal.source, sentence(signal.signal))
        for order in signal.orders:
            console.print(f"  {escape(order.account)}: {escape(order.state)}", highlight=False, soft_wrap=True)
            if order.flip:
                console.print(f"    {escape(order.flip)}", highlight=False, soft_wrap=True)
    for reason in then.missing:
        console.print(f"  no signal: {escape(reason)}", highlight=False, soft_wrap=True)


def _say(console: Console, time_ns: int, source: str, words: str) -> None:
    console.print(f"{utc(time_ns)}  {escape(source):<16} {escape(words)}", highlight=False, soft_wrap=True)


def _evidence(console: Console, evidence: tuple[m.Measure, ...]) -> None:
    if evidence:
        words = ", ".join(f"{each.name} {plain(each.value)} {each.unit}" for each in evidence)
        console.print(f"{'':21}[dim]{escape(words)}[/]", highlight=False, soft_wrap=True)


def _checks(console: Console, checks: tuple[m.Check, ...]) -> None:
    for check in checks:
        bound = "at least" if check.at_least else "at most"
        words = f"{check.rule} {plain(check.measured)} {check.unit}, {bound} {plain(check.limit)}"
        console.print(f"{'':21}[dim]{escape(words)}[/]", highlight=False, soft_wrap=True)


def _bar_words(bar: Bar) -> str:
    prices = " ".join(f"{name} {plain(getattr(bar, name))}" for name in ("open", "high", "low", "close"))
    return f"{bar.instrument} {bar.timeframe} bar from {utc(bar.start_ns)}: {prices}, effort {plain(bar.effort)}"


def _fill_words(report: m.Message) -> str:
    if not isinstance(report, m.OrderFilled):
        return ""
    fee = f"fee {plain(report.fee)} {report.fee_currency}"
    return f"; {fee}, slippage {plain(report.slippage)}, quote {plain(report.quote.bid)}/{plain(report.quote.ask)}"
