"""Answers in the form asked for: JSON, CSV, or an Arrow stream. Exact numbers are text but in Arrow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

import msgspec
import pyarrow as pa
from litestar import Response

from tmt.adapters.series.text import csv_text
from tmt.errors import InputError
from tmt.projections.sentences import plain

NEXT_HEADER: Final = "Next-Cursor"


class Format(StrEnum):
    """What `?format=` may be; without it the `Accept` header decides, and JSON is the default."""

    JSON = "json"
    CSV = "csv"
    ARROW = "arrow"


MEDIA_TYPES: Final[Mapping[Format, str]] = {
    Format.JSON: "application/json",
    Format.CSV: "text/csv",
    Format.ARROW: "application/vnd.apache.arrow.stream",
}


def chosen(asked: Format | None, accept: str) -> Format:
    """The form that `?format=` or, failing that, the first known media type in `Accept` asks for."""
    if asked is not None:
        return asked
    named = [each.partition(";")[0].strip().lower() for each in accept.split(",")]
    return next((form for name in named for form, known in MEDIA_TYPES.items() if name == known), Format.JSON)


def paged(rows: pa.Table, following: str | None, form: Format, as_json: Sequence[str] = ()) -> Response[bytes]:
    """One page, `{"rows": [{column: value}], "next": cursor}` in JSON; `next` is also in the header `Next-Cursor`.

    Args:
        rows: all of the page.
        following: cursor of the page that follows; None on the last.
        form: of the answer.
        as_json: columns whose text is JSON, and is put into JSON as it is.
    """
    body: dict[str, Any] = {}
    if form is Format.JSON:
        body = {"rows": _plain(rows).to_pylist(), "next": following}
        for row in body["rows"] if as_json else ():
            row.update({column: msgspec.Raw(row[column].encode()) for column in as_json})
    return _answer(rows, body, form, following)


def tabled(rows: pa.Table, form: Format) -> Response[bytes]:
    """Any table, `{"columns": [name], "rows": [[value]]}` in JSON; columns may have the same name.

    Raises:
        InputError: TMT-Q004 when JSON and CSV cannot say a value: nanoseconds inside a list or the like.
    """
    body: dict[str, Any] = {}
    try:
        if form is Format.JSON:
            values = [column.to_pylist() for column in _plain(rows).columns]
            body = {"columns": rows.column_names, "rows": list(zip(*values, strict=True))}
        return _answer(rows, body, form, None)
    except (ValueError, OverflowError) as error:
        what = f"an answer cannot be written as {form}: {error}"
        raise InputError("TMT-Q004", what, fix="cast the column to VARCHAR, or ask for format=arrow") from error


def _answer(rows: pa.Table, body: Mapping[str, Any], form: Format, following: str | None) -> Response[bytes]:
    headers = {} if following is None else {NEXT_HEADER: following}
    return Response(_content(rows, body, form), media_type=MEDIA_TYPES[form], headers=headers)


def _content(rows: pa.Table, body: Mapping[str, Any], form: Format) -> bytes:
    match form:
        case Format.JSON:
            return msgspec.json.encode(body, enc_hook=str)
        case Format.CSV:
            return _csv(_plain(rows))
        case Format.ARROW:
            return _arrow(rows)


def _plain(rows: pa.Table) -> pa.Table:
    """The table with exact numbers as plain text without trailing zeros, and dates and times as text."""
    return pa.table([_as_text(column) for column in rows.columns], names=rows.column_names)


def _as_text(column: pa.ChunkedArray) -> pa.ChunkedArray | pa.Array:
    if pa.types.is_decimal(column.type):
        texts = [None if value is None else plain(value) for value in column.to_pylist()]
        return pa.array(texts, pa.string())
    is_instant = pa.types.is_temporal(column.type) and not pa.types.is_interval(column.type)
    return column.cast(pa.string()) if is_instant else column


def _csv(rows: pa.Table) -> bytes:
    columns = [_as_json(column) if _is_composed(column.type) else column for column in rows.columns]
    return csv_text(pa.table(columns, names=rows.column_names), header=True)


def _is_composed(kind: pa.DataType) -> bool:
    simple: Sequence[Any] = (pa.types.is_primitive, pa.types.is_string, pa.types.is_null)
    return pa.types.is_interval(kind) or not any(test(kind) for test in simple)


def _as_json(column: pa.ChunkedArray) -> pa.Array:
    texts = [None if value is None else _json_text(value) for value in column.to_pylist()]
    return pa.array(texts, pa.string())


def _json_text(value: object) -> str:
    text = msgspec.json.encode(value, enc_hook=str).decode()
    return text[1:-1] if isinstance(value, bytes) else text


def _arrow(rows: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_table(rows)
    return bytes(sink.getvalue())
