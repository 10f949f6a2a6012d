"""The storage API: what happened, in columns and pages, on port 8001. `tmt.storage_api.opening` starts it."""

from __future__ import annotations

from typing import Final

ERROR_CODES: Final = {
    "TMT-Q003": "Market data in the event log cannot be put into exact columns: the instrument was not named by a "
    "session before, or its price quantum or lot has more than 18 digits.",
    "TMT-Q004": "The SQL statement cannot be run, or its answer cannot be written in the form asked for. The message "
    "says why. The tables are quotes, trades, bars, equity and metrics; the language is DuckDB's.",
    "TMT-Q005": "Only one SELECT is taken, over the tables quotes, trades, bars, equity and metrics and the functions "
    "range, generate_series and unnest. Nothing can be written, no file read, no setting changed.",
    "TMT-Q006": "The SQL statement needs more time or memory than it gets (5 seconds, 256 MB), and was ended. Ask for "
    "less: a shorter span of time, a coarser timeframe, fewer groups.",
    "TMT-Q007": "The answer is larger than is given out (10,000 rows, 16 MB). Add a LIMIT, or ask page by page.",
    "TMT-Q008": "As many SQL statements as are run at once are being run. Try again in a few seconds.",
    "TMT-Q009": "A page cannot be asked for like this: times are 0 to 2^63 - 1, limits 1 to 10,000, of records and "
    "decisions 1,000, order is oldest_first or newest_first, and a cursor is the `next` of an earlier page.",
    "TMT-Q010": "SQL statements see every account, so they are not for those who may see only some.",
    "TMT-Q011": "SQL statements are run on a copy of the series, and a series in PostgreSQL is not copied. Use the "
    "other addresses, or a read-only role of the database itself.",
    "TMT-Q012": "The records, tables of orders, fills, positions and postings, were made from another event log than "
    "this one, or are damaged: their position is beyond its end, or their balances are others. Give each log records "
    "of its own. On SQLite, remove `records.sqlite` beside the series; on PostgreSQL, empty the five tables and set "
    "`records.position` to 0: they are made again from the log.",
}
"""Code -> meaning, for `tmt explain`."""
