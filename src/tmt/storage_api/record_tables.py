"""Rows of the records as tables: a column a field of the row's type, in its order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, get_args, get_type_hints

import msgspec
import pyarrow as pa

from tmt.ports.records import BalanceRow, FillRow, OrderRow, PositionRow, PostingRow, Row
from tmt.ports.series import EXACT_TYPE


def _schema(kind: type[Row]) -> pa.Schema:
    hints = get_type_hints(kind)
    return pa.schema([pa.field(name, _column_type(hints[name])) for name in kind.__struct_fields__])


def _column_type(hint: type) -> pa.DataType:
    kinds = get_args(hint) or (hint,)
    if int in kinds:
        return pa.int64()
    return pa.string() if issubclass(kinds[0], str) else EXACT_TYPE


SCHEMAS: Final[dict[type[Row], pa.Schema]] = {
    kind: _schema(kind) for kind in (OrderRow, FillRow, PositionRow, PostingRow, BalanceRow)
}


def table_of(kind: type[Row], rows: Sequence[Row]) -> pa.Table:
    """The rows as a table with the columns of `SCHEMAS[kind]`."""
    schema = SCHEMAS[kind]
    columns = zip(*map(msgspec.structs.astuple, rows), strict=True) if rows else [()] * len(schema)
    return pa.table([pa.array(each, field.type) for each, field in zip(columns, schema, strict=True)], schema)
