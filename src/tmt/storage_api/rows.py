"""One batch of rows on their way from the log into the series."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TypeAlias

import msgspec
import pyarrow as pa

from tmt import messages as m
from tmt.domain.instrument import Instrument
from tmt.ports.series import SCHEMAS
from tmt.storage_api.columns import market_tables

Value: TypeAlias = str | int | Decimal | None


class Rows:
    """Rows collected table by table; `count` says how many."""

    def __init__(self) -> None:
        self.count = 0
        self._market: dict[str, list[pa.Table]] = {"quotes": [], "trades": []}
        self._others: dict[str, list[tuple[Value, ...]]] = {"bars": [], "equity": [], "metrics": []}

    def add_market(self, message: m.MarketDataReceived, instruments: Mapping[str, Instrument]) -> None:
        """Add quotes and trades."""
        for name, table in market_tables(message.batch, instruments).items():
            self._market[name].append(table)
        self.count += message.rows

    def add_bar(self, message: m.BarClosed) -> None:
        """Add a bar."""
        bar = message.bar
        values = {**msgspec.structs.asdict(bar), "timeframe": str(bar.timeframe)}
        self._add("bars", tuple(values[name] for name in SCHEMAS["bars"].names))

    def add_equity(self, account: str, time_ns: int, position: int, values: tuple[Decimal | None, ...]) -> None:
        """Add a point: equity, realised and unrealised profit, fees."""
        self._add("equity", (account, time_ns, position, *values))

    def add_metric(self, name: str, labels: Mapping[str, str], time_ns: int, position: int, value: Decimal) -> None:
        """Add a value of a metric."""
        text = msgspec.json.encode(labels, order="sorted").decode()
        self._add("metrics", (name, text, time_ns, position, value))

    def _add(self, table: str, row: tuple[Value, ...]) -> None:
        self._others[table].append(row)
        self.count += 1

    def tables(self) -> dict[str, pa.Table]:
        """All rows, with the columns of `SCHEMAS`; tables without rows are left out."""
        tables = {name: pa.concat_tables(parts) for name, parts in self._market.items() if parts}
        for name, rows in self._others.items():
            if rows:
                columns = zip(*rows, strict=True)
                arrays = [pa.array(each, field.type) for each, field in zip(columns, SCHEMAS[name], strict=True)]
                tables[name] = pa.table(arrays, SCHEMAS[name])
        return {name: table for name, table in tables.items() if table.num_rows}
