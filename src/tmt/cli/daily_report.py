"""`tmt report daily`: accounts' days, from the event log of a book."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TypeAlias

import msgspec

from tmt.cli.daily_files import comma_separated, html, money, percent
from tmt.cli.exit_codes import ExitCode
from tmt.cli.folders import Chosen, reading
from tmt.cli.terminal import Terminal, table
from tmt.errors import InputError
from tmt.projections.daily_report import DailyReport, DailyReports, Note, RuleCount
from tmt.projections.sentences import plain, utc

Rows: TypeAlias = list[tuple[str, ...]]


class DaysReported(msgspec.Struct, frozen=True, kw_only=True):
    """Accounts' days, by account and day, and the files that were written."""

    book: str
    reports: tuple[DailyReport, ...]
    files: tuple[str, ...]


def run(
    terminal: Terminal,
    chosen: Chosen,
    account: str | None,
    day: str | None,
    html_file: str | None,
    csv_file: str | None,
) -> None:
    """`tmt report daily`."""
    wanted = None if day is None else _day(day)
    book = chosen.book_name
    with reading(chosen.books.path(book)) as log:
        found = _selected(DailyReports.of(log).all(), account, wanted)
    if not found:
        what = f"book {book} tells nothing of {account or 'any account'} on {wanted or 'any day'}"
        error = InputError("TMT-T006", what, fix="`tmt status` shows the accounts, and the event time reached")
        error.exit_code = ExitCode.NOTHING_FOUND
        raise error
    files: list[str] = []
    if html_file is not None:
        files.append(_written(html_file, html(book, found)))
    if csv_file is not None:
        files.append(_written(csv_file, comma_separated(found)))
    answer = DaysReported(book=book, reports=tuple(found), files=tuple(files))
    terminal.answer(answer, "\n\n".join(_text(report) for report in found))
    for file in files:
        terminal.say(f"written: {file}")


def _day(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError as error:
        raise InputError("TMT-T005", f"--day must read YYYY-MM-DD, was {text!r}") from error


def _selected(reports: Iterable[DailyReport], account: str | None, day: str | None) -> list[DailyReport]:
    """Those of the account and day; the newest day of each account when no day is named."""
    chosen: dict[tuple[str, str], DailyReport] = {}
    for report in reports:
        if account in (None, report.account) and day in (None, report.day):
            chosen[report.account, "" if day is None else report.day] = report
    return [report for _, report in sorted(chosen.items())]


def _written(file: str, text: str) -> str:
    path = Path(file).expanduser()
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError("TMT-X006", f"cannot write the report: {error.strerror}", where=str(path)) from error
    return str(path)


def _text(report: DailyReport) -> str:
    simulated = "DEMO simulated market data: these results say nothing about any market\n" if report.simulated else ""
    version = "" if report.rule_book_version is None else f" version {report.rule_book_version}"
    heading = f"{report.account} {report.day}{'' if report.over else ' so far'}"
    span = f"{utc(report.from_ns)} to {utc(report.to_ns)} UTC, rule book {report.rule_book}{version}"
    parts = [f"{simulated}{heading}: {span}", table(_figures(report), "  "), *_tables(report)]
    return "\n".join((*parts, f"config {report.config_hash}"))


def _figures(report: DailyReport) -> Rows:
    currency = report.currency
    return [
        ("equity", f"{money(report.opening_equity)} to {money(report.closing_equity)} {currency}"),
        ("change", f"{money(report.change)} {currency}"),
        ("realised", f"{money(report.realised)} {currency} before fees of {money(report.fees)}"),
        ("unrealised", f"{money(report.unrealised)} {currency}, {money(report.unrealised_change)} since the beginning"),
        ("below peak", percent(report.drawdown_fraction)),
        ("round trips", f"{len(report.trades)}, in {report.fills} fills"),
        ("exposure", f"{money(report.gross_exposure)} {currency}, {_plain(report.exposure_ratio)} of equity"),
    ]


def _tables(report: DailyReport) -> list[str]:
    trades: Rows = [
        (
            utc(each.closed_at_ns),
            each.instrument,
            str(each.side),
            plain(each.quantity),
            each.setup,
            each.closed_by,
            f"{money(each.profit)} {each.currency}",
        )
        for each in report.trades
    ]
    held: Rows = [
        (each.instrument, plain(each.quantity), _plain(each.average_price), f"stop {_plain(each.stop_price, 'none')}")
        for each in report.exposures
    ]
    named: tuple[tuple[str, Rows], ...] = (
        ("trades, after fees", trades),
        ("open", held),
        ("denials", _rules(report.denials)),
        ("warnings: the order passed; of compliance, strict would have refused it", _rules(report.warnings)),
        ("suspensions", _notes(report.suspensions)),
        ("breakers and stops", _notes(report.halts)),
        ("surveillance", _notes(report.findings)),
    )
    return [f"  {name}\n{table(rows, '    ')}" for name, rows in named if rows]


def _rules(counts: Sequence[RuleCount]) -> Rows:
    return [
        (str(each.count), f"{each.gate}.{each.rule}", f"{plain(each.measured)} against {plain(each.limit)} {each.unit}")
        for each in counts
    ]


def _notes(notes: Sequence[Note]) -> Rows:
    return [(utc(each.time_ns), each.text) for each in notes]


def _plain(value: Decimal | None, otherwise: str = "unknown") -> str:
    return otherwise if value is None else plain(value)
