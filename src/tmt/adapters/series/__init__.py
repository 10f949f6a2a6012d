"""Series: market data and measurements in columns, on DuckDB, or on PostgreSQL with or without TimescaleDB."""

from __future__ import annotations

from typing import Final

ERROR_CODES: Final = {
    "TMT-Q001": "The series cannot be opened, read or written: another process has its file open, the disk is full, "
    "or the database does not answer. Nothing is lost: it is made from the event log. Mend the cause and start again.",
    "TMT-Q002": "The series holds another event log than this one, or more than one process is writing it. Give each "
    "book a series of its own; a series that is removed is made again from the log.",
}
"""Code -> meaning, for `tmt explain`."""
