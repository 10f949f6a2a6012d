"""CSV holds the rows and nothing else, however the table is cut."""

import pyarrow as pa
import pytest

from tmt.adapters.series.text import csv_text

ROWS = pa.table({"name": ["EURUSD", None, 'a "b",\nc'], "count": [1, None, 3]})
NONE = ROWS.schema.empty_table()
TEXT = b'"EURUSD",1\n,\n"a ""b"",\nc",3\n'
HEADER = b'"name","count"\n'


@pytest.mark.parametrize(
    ("parts", "times"), [([NONE], 0), ([ROWS], 1), ([NONE, ROWS], 1), ([ROWS, NONE, NONE, ROWS, NONE], 2)]
)
def test_empty_parts_of_a_table_leave_nothing_behind(parts: list[pa.Table], times: int) -> None:
    table = pa.concat_tables(parts)
    assert csv_text(table, header=True) == HEADER + TEXT * times
    assert csv_text(table, header=False) == TEXT * times
