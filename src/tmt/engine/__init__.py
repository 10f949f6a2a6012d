"""The trading engine: the loop that owns a desk, its service on port 9001, its reconciliation with the venue."""

from __future__ import annotations

from typing import Final

ERROR_CODES: Final = {
    "TMT-E001": "The desk has as many commands waiting as it may hold; this one was not taken. Send it again in a "
    "moment, with the same id. An emergency stop has places of its own.",
    "TMT-E002": "The desk has stopped, and takes no commands. What was acknowledged is in its log. Its own error says "
    "why it stopped; start it again.",
    "TMT-E003": "A command was handed to the desk, and no answer came in time: it may have been obeyed or not. Send "
    "the same command with the same id again: it is not run twice, and the answer says what became of it.",
    "TMT-E004": "This message is no command: people and programs may propose, cancel and replace orders, stop trading "
    "and resume it, and nothing else.",
    "TMT-E005": "The id was used for another command. The same id means the same command, so that sending it again "
    "is harmless; give a new command a new id.",
    "TMT-E006": "Market data may be posted only where load testing is enabled: set `engine.load_testing_enabled` "
    "(TMT__ENGINE__LOAD_TESTING_ENABLED=true), and run the desk on what is posted (`tmt up --feed posted`).",
    "TMT-E007": "Posted market data cannot be used; nothing of the request counts. `where` is the row. Prices are "
    "plain numbers on the instrument's grid, bid not above ask, and times are the present.",
    "TMT-E008": "This desk runs on a feed of its own, and takes no posted market data.",
    "TMT-E009": "The engine cannot be reached, or does not know this service: nothing was done. See that it runs, and "
    "that both use the same certificates and secret (`tmt admin certificates`).",
    "TMT-E010": "A gate of the desk denied the order. The answer names the gate, its reason, what was measured, and "
    "the limit; `GET /api/v1/decisions` with the order's trail shows every rule on the way.",
    "TMT-E011": "The order cannot be changed now: it is over, or the venue does not have it yet.",
}
"""Code -> meaning, for `tmt explain`."""
