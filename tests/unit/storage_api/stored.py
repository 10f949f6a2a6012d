"""A few rows of each table of a series."""

from decimal import Decimal
from typing import Any

import pyarrow as pa

from tmt.ports.series import SCHEMAS

MINUTE_NS = 60 * 1_000_000_000
START_NS = 1_399_852_800 * 1_000_000_000  # 2014-05-12


def table(name: str, *rows: tuple[Any, ...]) -> pa.Table:
    columns = zip(*rows, strict=True)
    schema = SCHEMAS[name]
    return pa.table([pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)], schema)


def exact(*texts: str) -> tuple[Decimal, ...]:
    return tuple(map(Decimal, texts))


def bar(minute: int) -> tuple[Any, ...]:
    start_ns = START_NS + minute * MINUTE_NS
    prices = exact("1.1", "1.3", "1.0", "1.2", "0.5")
    return ("EURUSD", "1m", start_ns, start_ns + MINUTE_NS, *prices, 7, *exact("1.19", "1.21"))


def one_of_each(bars: int = 10) -> dict[str, pa.Table]:
    prices = exact("1.1", "1.1", "1", "2")
    return {
        "quotes": table("quotes", ("EURUSD", START_NS, 1, *prices), ("EURUSD", START_NS, 2, *prices)),
        "trades": table("trades", ("EURUSD", START_NS, 3, *exact("1.1", "3"), -1, *exact("1.09", "1.11"))),
        "bars": table("bars", *(bar(minute) for minute in range(bars))),
        "equity": table("equity", ("alpha", START_NS, 4, *exact("100000.25", "0.25"), None, Decimal(0))),
        "metrics": table("metrics", ("tmt_stage_duration_seconds", '{"stage":"aria"}', START_NS, 5, Decimal("1.5"))),
    }
