"""Daily reports as files: one HTML page that needs nothing beside itself, and one table of comma-separated values."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from decimal import Decimal
from importlib import resources
from typing import Final

import msgspec
from jinja2 import Environment, StrictUndefined

from tmt.projections.daily_report import DailyReport
from tmt.projections.sentences import plain, utc

UNKNOWN: Final = "unknown"
HEADINGS: Final = ("account", "day", "table", "row", "item", "value")
"""Of the comma-separated values: one row a figure."""

_TABLES: Final = ("trades", "exposures", "denials", "warnings", "suspensions", "halts", "findings")
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def money(value: Decimal | None) -> str:
    """To the cent, with thousands set apart."""
    return UNKNOWN if value is None else f"{value:,.2f}"


def percent(value: Decimal | None) -> str:
    """A fraction as a percentage with two decimals."""
    return UNKNOWN if value is None else f"{value:.2%}"


def html(book: str, reports: Sequence[DailyReport]) -> str:
    """One page; whatever people wrote is text on it, never markup."""
    text = resources.files("tmt.cli").joinpath("pages", "daily_report.html").read_text("utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(money=money, percent=percent, utc=utc, plain=_plain)
    return environment.from_string(text).render(book=book, reports=reports) + "\n"


def _plain(value: Decimal | None) -> str:
    return UNKNOWN if value is None else plain(value)


def comma_separated(reports: Sequence[DailyReport]) -> str:
    """One row a figure: account, day, table, row of that table (from 1; empty for figures of the day), item, value.

    Exact numbers are whole, times ISO 8601 UTC, what is not known is empty. Text that a spreadsheet would take for a
    formula has an apostrophe before it.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADINGS)
    for report in reports:
        where = (_cell(report.account), report.day)
        writer.writerows((*where, *row) for row in _rows(report))
    return text.getvalue()


def _rows(report: DailyReport) -> Iterator[tuple[str, str, str, str]]:
    fields = msgspec.structs.asdict(report)
    for item, value in fields.items():
        if item not in (*_TABLES, "account", "day"):
            yield "day", "", *_item(item, value)
    for item in _TABLES:
        for number, line in enumerate(fields[item], 1):
            for name, cell in msgspec.structs.asdict(line).items():
                yield item, str(number), *_item(name, cell)


def _item(name: str, value: object) -> tuple[str, str]:
    if name.endswith("_ns") and isinstance(value, int):
        return name.removesuffix("_ns"), utc(value).replace(" ", "T") + "Z"
    return name, _cell(value)


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case Decimal():
            return plain(value)
        case str() if value.startswith(_FORMULA):
            return f"'{value}"
        case _:
            return str(value)
