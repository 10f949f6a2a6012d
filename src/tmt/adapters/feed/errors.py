"""What can be wrong with market data given on the command line."""

from __future__ import annotations

from typing import Final

ERROR_CODES: Final = {
    "TMT-D001": "A market-data path does not exist, or is neither a file nor a folder.",
    "TMT-D002": "A folder of market data holds no data, or holds files that are not data.",
    "TMT-D003": "The content of a market-data file is in no format that is known.",
    "TMT-D004": "The extension of a market-data file says another format than its content.",
    "TMT-D005": "A market-data archive is damaged or empty.",
    "TMT-D006": "A market-data file is of another instrument than the one asked for.",
    "TMT-D007": "Market data hold no row that can be delivered.",
    "TMT-D008": "A field of a market-data file is empty, negative or not what its column should hold.",
    "TMT-D009": "A market-data file lacks a column that the column map names.",
    "TMT-D010": "Most prices of a market-data file are not on the instrument's price grid.",
    "TMT-D011": "The length of the bars in a file cannot be told.",
    "TMT-D012": "A row of a market-data file has another number of fields than it should.",
    "TMT-D013": "The content of a market-data file is larger than feeds.yml allows.",
    "TMT-D014": "More posted rows wait for the desk than it lets wait (`engine.posted_rows_waiting_max`). None of the "
    "request was taken; post slower, and the same rows again in a moment.",
}
"""Code -> meaning, for `tmt explain`."""
