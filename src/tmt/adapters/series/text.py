"""Tables as CSV."""

from __future__ import annotations

import pyarrow as pa
from pyarrow import csv


def csv_text(rows: pa.Table, *, header: bool) -> bytes:
    """The table in CSV: text in quotes, null without."""
    # Arrow writes whatever its buffer holds in place of an empty chunk (apache/arrow#36889).
    whole = rows.combine_chunks() if rows.num_rows else rows.schema.empty_table()
    if not rows.num_rows and not header:
        return b""
    text = pa.BufferOutputStream()
    csv.write_csv(whole, text, csv.WriteOptions(include_header=header))
    return bytes(text.getvalue())
